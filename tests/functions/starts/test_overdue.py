"""What is longer than usual is measured each minute by the sweep, from the model's own history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import reconcile
from retraining.collaborators import Collaborators
from retraining.facts import keys, usual
from retraining.facts.model_state import ModelState
from retraining.facts.pauses import PauseFact, Resumed
from retraining.facts.starts import KnownExecutions, Marker, Run, StartRequest
from retraining.starts import executions
from retraining.starts.overdue import duration_limit, landing_due, success_due
from tests.functions.fakes import START, Context, register, titanic_config, was_held
from tests.functions.world import World

NOON = datetime(2026, 11, 23, 12, 1, tzinfo=UTC)


def hours(*numbers: float) -> list[timedelta]:
    return [timedelta(hours=number) for number in numbers]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (hours(), None),
        (hours(1, 2), None),
        (hours(1, 2, 1), timedelta(hours=3)),  # half as much again
        (hours(0.1, 0.1, 0.1), timedelta(minutes=21)),  # a quarter of an hour more
    ],
)
def test_limit_is_longer_than_the_longest(values: list[timedelta], expected: timedelta | None) -> None:
    assert usual.limit(values, timedelta(minutes=15)) == expected


def test_landings_within_an_hour_are_one_delivery() -> None:
    landed: tuple[datetime, ...] = ()
    for minutes in (0, 1, 30, 89, 1440, 1441):
        landed = usual.with_landing(landed, NOON + timedelta(minutes=minutes))
    assert landed == tuple(NOON + timedelta(minutes=minutes) for minutes in (0, 89, 1440))


@pytest.mark.parametrize("rhythm", [1, 10, 30, 59, 60, 61, 1440])
def test_any_steady_rhythm_has_a_time_by_which_data_must_land(rhythm: int) -> None:
    landed: tuple[datetime, ...] = ()
    last = NOON
    for number in range(8 * max(60, rhythm) // rhythm + 1):
        last = NOON + timedelta(minutes=number * rhythm)
        landed = usual.with_landing(landed, last)
    due = landing_due(ModelState(landed=landed))
    assert due is not None
    assert last < due <= last + timedelta(minutes=2 * max(60, rhythm) + 60)


def test_no_more_than_twenty_gaps_are_kept() -> None:
    landed: tuple[datetime, ...] = ()
    for day in range(40):
        landed = usual.with_landing(landed, NOON + timedelta(days=day))
    assert len(usual.gaps(landed)) == 20


def runs(*minutes: float) -> tuple[Run, ...]:
    """Successful executions that took so long; the last one ended at noon."""
    last = len(minutes) - 1
    return tuple(
        Run(id=f"e{number}", ended_at=NOON - timedelta(days=last - number), seconds=int(took * 60))
        for number, took in enumerate(minutes)
    )


@pytest.mark.parametrize(
    ("took", "expected"),
    [((), timedelta(days=1)), ((10, 20), timedelta(days=1)), ((10, 20, 60), timedelta(minutes=90))],
)
def test_execution_is_overdue_after_a_day_until_three_have_succeeded(
    took: tuple[float, ...], expected: timedelta
) -> None:
    assert duration_limit(KnownExecutions(runs=runs(*took))) == expected


@pytest.mark.parametrize(
    ("retrain", "known", "expected"),
    [
        ({}, KnownExecutions(runs=runs(10, 10, 10)), None),  # no schedule
        ({"schedule": "rate(7 days)"}, KnownExecutions(), None),  # the sweep has not looked yet
        ({"schedule": "rate(7 days)"}, KnownExecutions(since=NOON), NOON + timedelta(days=8)),
        ({"schedule": "rate(7 days)"}, KnownExecutions(since=START, runs=runs(10, 10, 10)),
         NOON + timedelta(days=7, minutes=25)),
        ({"schedule": "cron(0 6 ? * MON-FRI *)"}, KnownExecutions(runs=runs(10, 10, 10)),
         NOON + timedelta(days=3, minutes=25)),
        ({"schedule": "rate(1 hour)", "daily_limit": 6}, KnownExecutions(runs=runs(10, 10, 10)),
         NOON + timedelta(days=1, minutes=25)),
        ({"schedule": "rate(1 hour)", "cooldown": timedelta(hours=5)}, KnownExecutions(runs=runs(10, 10, 10)),
         NOON + timedelta(hours=5, minutes=25)),
    ],
)  # fmt: skip
def test_success_is_due_a_period_and_a_long_execution_after_the_last(
    retrain: dict[str, Any], known: KnownExecutions, expected: datetime | None
) -> None:
    config = titanic_config()
    changed = config.retrain.model_copy(update={"schedule": None, "daily_limit": 24, **retrain})
    assert success_due(known, config.model_copy(update={"retrain": changed}), NOON) == expected


def test_landing_is_due_half_as_long_again_after_the_longest_gap() -> None:
    landed = [NOON + timedelta(days=day) for day in (0, 1, 2, 5)]
    assert landing_due(ModelState(landed=tuple(landed))) == NOON + timedelta(days=9, hours=12)
    assert landing_due(ModelState(landed=tuple(landed[:3]))) is None


# ---- the sweep measures --------------------------------------------------------------------------------


def swept(world: World, capsys: pytest.CaptureFixture[str], at: datetime) -> dict[str, dict[str, Any]]:
    """What the sweep at this time measures, by the metrics' names."""
    capsys.readouterr()
    reconcile.handler({}, Context(), using=world.using(Collaborators, clock=lambda: at))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"]: line for line in lines}


def test_execution_longer_than_usual_is_measured_until_it_ends(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.sagemaker.clock = lambda: NOON
    arn = world.sagemaker.start_bare()
    world.ledger.mark(keys.known_executions("titanic"), since=START, runs=runs(10, 20, 60))
    assert "ExecutionsOverdue" not in swept(world, capsys, NOON + timedelta(minutes=90))
    line = swept(world, capsys, NOON + timedelta(minutes=91))["ExecutionsOverdue"]
    assert (line["model"], line["execution"]) == ("titanic", arn)
    assert (line["took"], line["limit"]) == ("1:31:00", "1:30:00")
    world.sagemaker.clock = lambda: NOON + timedelta(minutes=92)
    world.sagemaker.end(arn)
    assert "ExecutionsOverdue" not in swept(world, capsys, NOON + timedelta(minutes=95))


def test_success_of_an_execution_is_kept_once(world: World) -> None:
    world.ledger.mark(keys.known_executions("titanic"), since=START)
    for _ in range(2):
        executions.track("arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e7",
                         world.using(Collaborators))  # fmt: skip
    known = world.ledger.get(keys.known_executions("titanic"))
    assert known is not None
    assert known.runs == (Run(id="e7", ended_at=START + timedelta(minutes=9), seconds=540),)
    assert known.since == START


def test_success_before_the_first_sweep_leaves_the_first_look_to_it(world: World) -> None:
    """A former ledger's executions are no news: `since` tells them apart, and the sweep alone sets it."""
    executions.track(
        "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e7", world.using(Collaborators)
    )
    assert world.ledger.get(keys.known_executions("titanic")) is None


def paused(world: World) -> None:
    """Let a person have paused the model."""
    fact = PauseFact(by="Ana", since=START, why="the source is being repaired", state="paused")
    world.ledger.take(keys.paused("titanic"), fact)


def test_missing_success_is_measured_unless_the_model_is_paused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    config = titanic_config()
    retrain = config.retrain.model_copy(update={"schedule": "rate(7 days)"})
    world.configs.known["titanic"] = config.model_copy(update={"retrain": retrain})
    world.ledger.mark(keys.known_executions("titanic"), since=START, runs=runs(10, 10, 10))
    due = NOON + timedelta(days=7, minutes=25)
    assert "SuccessesOverdue" not in swept(world, capsys, due)
    assert swept(world, capsys, due + timedelta(minutes=1))["SuccessesOverdue"]["due"] == due.isoformat()
    paused(world)
    assert "SuccessesOverdue" not in swept(world, capsys, due + timedelta(minutes=2))


def test_missing_success_is_measured_from_the_end_of_a_pause(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    config = titanic_config()
    retrain = config.retrain.model_copy(update={"schedule": "rate(7 days)"})
    world.configs.known["titanic"] = config.model_copy(update={"retrain": retrain})
    world.ledger.mark(keys.known_executions("titanic"), since=START, runs=runs(10, 10, 10))
    resumed = NOON + timedelta(days=30)
    fact = PauseFact(
        by="Ana", since=NOON, why="holidays", state="resumed", resumed=Resumed(by="Ana", at=resumed)
    )
    world.ledger.take(keys.paused("titanic"), fact)
    due = resumed + timedelta(days=7, minutes=25)
    assert "SuccessesOverdue" not in swept(world, capsys, due)
    assert swept(world, capsys, due + timedelta(minutes=1))["SuccessesOverdue"]["due"] == due.isoformat()


def test_missing_landing_is_measured_unless_the_model_is_paused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    landed = tuple(NOON + timedelta(days=day) for day in range(4))
    world.using(Collaborators).states.change(
        "titanic", lambda state: state.model_copy(update={"landed": landed})
    )
    due = NOON + timedelta(days=4, hours=12)
    assert "LandingsOverdue" not in swept(world, capsys, due)
    line = swept(world, capsys, due + timedelta(minutes=1))["LandingsOverdue"]
    assert (line["model"], line["landed"]) == ("titanic", landed[-1].isoformat())
    paused(world)
    assert "LandingsOverdue" not in swept(world, capsys, due + timedelta(minutes=2))


def test_paused_model_is_counted_each_quarter_of_an_hour(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    paused(world)
    counted = [
        "ModelsPaused" in swept(world, capsys, NOON.replace(minute=minute)) for minute in (0, 1, 14, 15)
    ]
    assert counted == [True, False, False, True]


def test_candidates_that_wait_are_measured_by_age(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for version in (1, 2):
        was_held(world, register(world, version))
    line = swept(world, capsys, START + timedelta(hours=24))
    assert line["OldestCandidate"]["OldestCandidate"] == [86400.0]
    assert "CandidatesOverdue" not in line
    late = swept(world, capsys, START + timedelta(hours=24, minutes=1))["CandidatesOverdue"]
    assert late["CandidatesOverdue"] == [2.0]
    assert late["oldest"] == START.isoformat()


def test_history_of_an_earlier_version_is_empty() -> None:
    assert KnownExecutions.model_validate({"statuses": {"e0": "Succeeded"}}).runs == ()
    assert ModelState.model_validate({"landings": 9}).landed == ()


def test_landing_that_comes_again_is_no_delivery() -> None:
    request = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=NOON, version_id="v1")
    state = ModelState().requested(request)
    assert state.landed == (NOON,)
    again = request.model_copy(update={"at": NOON + timedelta(days=1)})
    answered = state.model_copy(
        update={"answered_marker": Marker(version_id="v1", landed_at=NOON), "pending": ()}
    )
    assert answered.requested(again).landed == (NOON,)
