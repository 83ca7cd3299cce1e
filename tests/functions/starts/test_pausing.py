"""A person pauses a model and resumes it: what lands meanwhile waits, and people are told once."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest

from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.pauses import EarlierPause, PauseFact, Resumed
from retraining.starts import pausing
from retraining.starts.admission import admit
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BEGIN, MODEL, OneModel
from tests.functions.starts.snapshots import LANDING, NOON, PERSON, SCHEDULE, at, snapshot

ANA, BEN = "arn:aws:iam::123456789012:user/ana", "arn:aws:iam::123456789012:user/ben"
PAUSED = PauseFact(by=ANA, since=at("09:00:00"), why="audit", state="paused")
WAITS = "What lands, and the schedule, wait: `handsoff resume` starts them"


def pause(world: OneModel, by: str = ANA, why: str = "audit", **how: Any) -> pausing.Outcome:
    return pausing.pause(MODEL, by=by, why=why, using=world.using(**how))


def resume(world: OneModel, by: str = BEN, why: str = "", **how: Any) -> pausing.Outcome:
    return pausing.resume(MODEL, by=by, why=why, using=world.using(**how))


def landed() -> OneModel:
    """A model with a batch that has not been marked as complete."""
    world = OneModel()
    world.land_batch(0)
    return world


def told(world: OneModel) -> list[dict[str, Any]]:
    return [json.loads(json.loads(call["Message"])["default"]) for call in world.sns.sent]


# ---- the decision ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [LANDING, SCHEDULE])
def test_admit_landing_and_schedule_wait_for_the_end_of_a_pause_and_people_are_told(request_: Any) -> None:
    found = snapshot(request_)
    waits = admit(found.config.retrain, found.state, now=NOON, running=None, last_arrival=None, pause=PAUSED)
    assert waits is not None
    assert waits.until == at("12:02:00")
    assert waits.reason == f"paused since 2026-11-23 09:00:00 UTC by {ANA}: audit. {WAITS}"
    assert waits.occurrence == "paused since 2026-11-23T09:00:00+00:00"


def test_admit_person_waits_for_the_end_of_a_pause_and_nobody_is_told() -> None:
    found = snapshot(PERSON)
    waits = admit(found.config.retrain, found.state, now=NOON, running=None, last_arrival=None, pause=PAUSED)
    assert waits is not None
    assert (waits.reason, waits.occurrence) == (f"paused since 2026-11-23 09:00:00 UTC by {ANA}: audit", None)


def test_admit_pause_in_the_configuration_is_said_first() -> None:
    found = snapshot(LANDING, retrain={"paused": True})
    waits = admit(
        found.config.retrain, found.state, now=NOON, running="arn:x/e", last_arrival=None, pause=PAUSED
    )
    assert waits is not None
    assert waits.reason == "paused"


# ---- pausing and resuming -------------------------------------------------------------------------------


def test_pause_holds_a_landing_until_it_is_resumed() -> None:
    world = landed()
    assert pause(world).ours
    world.mark()
    for _ in range(3):
        world.now += timedelta(minutes=1)
        world.sweep()
    assert world.started() == []
    state, _ = world.using().states.load(MODEL)
    assert (state.answer, [one.trigger for one in state.pending]) == ("wait", ["landing"])
    assert resume(world).ours
    world.now += timedelta(minutes=1)
    world.sweep()
    assert len(world.started()) == 1


def test_pause_a_landing_that_waits_is_told_once() -> None:
    world = landed()
    pause(world)
    world.mark()
    world.land("train.csv", HEADER + ROWS * 2)
    world.now += timedelta(minutes=1)
    world.mark()
    for _ in range(3):
        world.now += timedelta(minutes=1)
        world.sweep()
    (message,) = told(world)
    assert (message["kind"], message["model"]) == ("start_blocked", MODEL)
    assert message["reasons"] == [f"paused since 2026-11-23 06:00:00 UTC by {ANA}: audit. {WAITS}"]


def test_pause_landing_after_a_person_who_waits_is_told() -> None:
    world = landed()
    pause(world)
    world.come("r1")
    assert told(world) == []
    world.mark()
    assert len(told(world)) == 1


def test_pause_after_another_one_is_told_again() -> None:
    world = landed()
    for _ in range(2):
        pause(world)
        world.land("train.csv", HEADER + ROWS * 2)
        world.now += timedelta(minutes=1)
        world.mark()
        resume(world)
        world.now += timedelta(minutes=1)
        world.sweep()
        world.end_all(noticed=True)
        world.now += timedelta(hours=2)
    assert len(told(world)) == 2


def test_pause_does_not_stop_what_was_taken_before() -> None:
    """The invocation died between taking the start and making its execution."""
    for lives in range(1, 80):
        world = landed()
        world.mark(lives)
        state, _ = world.using().states.load(MODEL)
        if state.running is None or state.running.execution_arn is not None:
            continue
        pause(world)
        world.now += timedelta(minutes=5)
        world.sweep()
        assert len(world.started()) == 1
        return
    pytest.fail("no invocation died between taking a start and making it")


def test_pause_second_person_learns_of_the_first_and_changes_nothing() -> None:
    world = OneModel()
    pause(world)
    world.now += timedelta(minutes=1)
    second = pause(world, by=BEN, why="mine")
    assert not second.ours
    assert second.pause == PauseFact(by=ANA, since=BEGIN, why="audit", state="paused")


def test_pause_in_a_race_has_one_winner() -> None:
    for call in range(1, 6):
        world = OneModel()
        pause(world)
        resume(world)
        world.now += timedelta(minutes=1)
        other = world.using()

        def ben(other: Any = other) -> None:
            pausing.pause(MODEL, by=BEN, why="mine", using=other)

        with contextlib.suppress(NotReady):
            pause(world, lives=call, interrupt=ben)
        stands = world.using().ledger.get(keys.paused(MODEL))
        assert pause(world).pause == stands
        assert stands is not None
        assert len(stands.earlier) == 1


def test_resume_in_a_race_with_a_new_pause_leaves_the_new_one() -> None:
    world = OneModel()
    pause(world)
    other = world.using()

    def ben() -> None:
        pausing.resume(MODEL, by=BEN, why="done", using=other)
        world.now += timedelta(seconds=1)
        pausing.pause(MODEL, by=BEN, why="again", using=other)

    with pytest.raises(NotReady, match="somebody has just resumed titanic; look again"):
        resume(world, by=ANA, lives=2, interrupt=ben)
    stands = world.using().ledger.get(keys.paused(MODEL))
    assert stands is not None
    assert (stands.stands, stands.why) == (True, "again")


def test_resume_keeps_who_paused_and_who_resumed() -> None:
    world = OneModel()
    pause(world)
    world.now += timedelta(hours=1)
    resume(world, why="audit is over")
    world.now += timedelta(hours=1)
    again = pause(world, by=BEN, why="move").pause
    assert again is not None
    ended = Resumed(by=BEN, at=BEGIN + timedelta(hours=1), why="audit is over")
    assert again.earlier == (EarlierPause(by=ANA, since=BEGIN, why="audit", resumed=ended),)


def test_resume_of_a_model_that_is_not_paused_changes_nothing() -> None:
    world = OneModel()
    assert resume(world) == pausing.Outcome(None, ours=False)
    pause(world)
    resume(world)
    assert not resume(world, by=ANA).ours


def test_pause_keeps_schedules_as_one_request() -> None:
    """The schedule of a paused model fires five times; one start serves them all."""
    world = landed()
    world.land("_SUCCESS", b"")
    pause(world)
    for number in range(5):
        world.come(f"r{number}")
    resume(world)
    world.now += timedelta(minutes=1)
    world.sweep()
    assert len(world.started()) == 1
