"""When a model may start, at each edge, with literal times; and the transitions of its state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retraining.config.retrain import Retrain
from retraining.facts.model_state import ModelState
from retraining.facts.starts import Marker, Start, StartRequest, Trigger, leading
from retraining.starts.actions import Wait
from retraining.starts.admission import admit

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    """A time of that day, or of the day before with a leading minus."""
    day = NOON.date() - timedelta(days=1) if text.startswith("-") else NOON.date()
    return datetime.fromisoformat(f"{day} {text.lstrip('-')}+00:00")


def request(trigger: Trigger = "landing", cause: str = "landing", when: datetime = NOON) -> StartRequest:
    return StartRequest(cause=cause, trigger=trigger, requested_by="x", at=when)


def asked(*requests: StartRequest, **known: Any) -> ModelState:
    return ModelState(pending=requests or (request(),), **known)


def answer(
    state: ModelState, *, running: str | None = None, last_arrival: datetime | None = None, **policy: Any
) -> Wait | None:
    retrain = Retrain.model_validate(policy)
    return admit(retrain, state, now=NOON, running=running, last_arrival=last_arrival)


def test_admit_lets_a_landing_start() -> None:
    assert answer(asked()) is None


def test_admit_waits_while_paused_also_for_a_person() -> None:
    assert answer(asked(request("request", "r")), paused=True) == Wait(at("12:02:00"), "paused")


def test_admit_waits_while_an_execution_runs() -> None:
    held = answer(asked(request("request", "r")), running="arn:x/execution/abc")
    assert isinstance(held, Wait)
    assert held.reason == "execution abc is running"


@pytest.mark.parametrize(
    ("ended", "trigger", "until"),
    [
        ("11:00:01", "landing", "12:00:01"),
        ("11:00:00", "landing", None),
        ("11:59:00", "schedule", "12:59:00"),
        ("11:59:00", "request", None),
    ],
)
def test_admit_waits_until_cooldown_ends_but_not_for_a_person(
    ended: str, trigger: Trigger, until: str | None
) -> None:
    found = answer(asked(request(trigger, "c"), ended_at=at(ended)), cooldown="1h")
    assert (found.until if isinstance(found, Wait) else None) == (at(until) if until else None)


@pytest.mark.parametrize(
    ("starts", "until"),
    [
        (["-12:00:01", "11:00:00"], "12:00:01"),
        (["-12:00:00", "11:00:00"], None),
        (["-11:00:00", "-11:30:00"], None),
        (["-13:00:00", "-14:00:00", "-15:00:00"], "14:00:00"),
    ],
)
def test_admit_counts_starts_of_the_last_24_hours(starts: list[str], until: str | None) -> None:
    found = answer(asked(starts=tuple(at(time) for time in starts)), daily_limit=2)
    expected = at(until) if until else None
    assert (found.until if isinstance(found, Wait) else None) == expected


@pytest.mark.parametrize(
    ("last", "trigger", "until"),
    [
        ("11:55:01", "landing", "12:00:01"),
        ("11:55:00", "landing", None),
        ("11:59:59", "schedule", None),
        ("11:59:59", "request", None),
    ],
)
def test_admit_waits_for_the_quiet_period_of_landings_only(
    last: str, trigger: Trigger, until: str | None
) -> None:
    ready = {"when": "quiet", "quiet_period": "5m"}
    found = answer(asked(request(trigger, "c")), last_arrival=at(last), ready=ready)
    assert (found.until if isinstance(found, Wait) else None) == (at(until) if until else None)


def test_leading_prefers_a_person_then_a_schedule_then_a_landing() -> None:
    landing, schedule, person = request(), request("schedule", "s"), request("request", "r")
    assert leading([landing, schedule, person]) == person
    assert leading([schedule, landing]) == schedule
    earlier = request("request", "z", at("11:00:00"))
    assert leading([person, earlier]) == earlier


def start(*requests: StartRequest, arn: str | None = "arn") -> Start:
    return Start(key="k", batch="b", champion="none", requests=requests, taken_at=NOON, execution_arn=arn)


def test_requested_keeps_each_request_once_and_counts_landings() -> None:
    state = ModelState().requested(request()).requested(request("request", "r")).requested(request())
    assert sorted(one.cause for one in state.pending) == ["landing", "r"]
    assert state.landings == 2
    running = state.taken(start(*state.pending))
    assert running.pending == ()
    assert running.requested(request("request", "r")) is running
    assert [one.cause for one in running.requested(request()).requested(request()).pending] == ["landing"]


@pytest.mark.parametrize(
    ("version", "pending"),
    [("m3", False), ("m2", False), ("m4", True), (None, True)],
    ids=["answered", "superseded", "new", "unknown"],
)
def test_requested_ignores_the_event_of_a_marker_that_was_answered(
    version: str | None, pending: bool
) -> None:
    third, second = (Marker(version_id=name, landed_at=NOON) for name in ("m3", "m2"))
    state = ModelState(answered_batch="b", answered_marker=third, superseded_markers=(second,))
    landing = request().model_copy(update={"version_id": version})
    assert (state.requested(landing) != state) == pending


def test_requested_keeps_a_landing_of_a_state_that_names_no_marker() -> None:
    assert ModelState().requested(request()).pending == (request(),)


def test_ended_makes_pending_requests_due() -> None:
    running = ModelState().taken(start(request())).requested(request("request", "r"))
    ended = running.ended("arn", at("12:30:00"))
    assert (ended.running, ended.ended_at, ended.due_at) == (None, at("12:30:00"), at("12:30:00"))
    assert ended.ended("arn", at("12:30:00")) == ended
    assert running.ended("another", at("12:30:00")).running is not None
    assert ModelState().ended("by hand", NOON).ended_at == NOON


def test_made_changes_only_the_start_that_was_taken() -> None:
    taken = ModelState().taken(start(request(), arn=None))
    assert taken.made("other", "arn", NOON) is taken
    made = taken.made("k", "arn", NOON)
    assert made.running is not None
    assert made.running.execution_arn == "arn"


def test_taken_forgets_starts_older_than_a_day() -> None:
    state = ModelState(starts=(at("-11:00:00"), at("-12:00:01")))
    assert state.taken(start(request())).starts == (at("-12:00:01"), NOON)
