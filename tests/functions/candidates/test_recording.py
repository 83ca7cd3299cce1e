"""Decisions are recorded, and approvers are told of those that were not told when they were taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from retraining.aws import registry
from retraining.candidates import judging
from retraining.candidates.decisions import decide
from retraining.candidates.recording import record
from retraining.collaborators import Collaborators
from tests.functions.candidates.sweeping import ANOTHER, PENDING, decided, held, judge, sweep, told, using
from tests.functions.fakes import START, Down, arn_of, in_console, register, was_held
from tests.functions.world import World

ARN = arn_of(1)


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("rules", []),
        ("superseded", ["superseded"]),
        ("expired", ["expired"]),
        ("link", ["link"]),
        ("teams", ["teams"]),
    ],
    ids=["rules", "newer candidate", "time", "person", "way that a newer handsoff may add"],
)
def test_record_tells_of_each_decision_but_that_of_the_rules(world: World, by: str, said: list[str]) -> None:
    using = world.using(Collaborators)
    register(world, 1)
    was_held(world, ARN)
    decide(ARN, "Rejected", by=by, why="because", using=using)
    world.messages()
    record(registry.package(using.sagemaker, ARN), using)
    assert [message["decidedBy"] for message in world.messages()] == said


def touched(world: World, version: int, status: str, minutes: float) -> None:
    """Let a person have set the status in AWS's console, `minutes` after the beginning."""
    in_console(world, arn_of(version), status)
    world.sagemaker.packages[arn_of(version)]["LastModifiedTime"] = START + timedelta(minutes=minutes)


def silent(world: World, minutes: float) -> None:
    """Let the rules come again, see that something else was done in AWS, and tell nobody."""
    judging.settle(ARN, using(world, minutes))
    assert told(world) == []


@pytest.mark.parametrize(
    ("accuracy", "status", "kind"), [(0.7, "Rejected", "rejected"), (0.8, "Approved", "approved")]
)
@pytest.mark.parametrize("before", [True, False], ids=["recorded before", "not recorded before"])
@pytest.mark.parametrize("by_event", [True, False], ids=["event", "sweep"])
def test_decision_of_the_rules_that_was_set_back_untold_is_told_once_it_stands_again(
    world: World, accuracy: float, status: str, kind: str, before: bool, by_event: bool
) -> None:
    """A person decides as the rules did, before it is recorded that the package was set back."""
    register(world, accuracy=accuracy)
    with pytest.raises(ConnectionError):
        judge(world, 1, 2, sns=Down())
    if before:
        decided(world, 1, 2.1)
        assert "recordedAt" in world.stored(f"decision#{ARN}")
    touched(world, 1, PENDING, 2.2)
    silent(world, 2.3)
    touched(world, 1, status, 2.5)
    if by_event:
        decided(world, 1, 2.6)
    sweep(world, 5, 6)
    assert told(world) == [(kind, "person")]
    assert "recordedAt" in world.stored(f"decision#{ARN}")
    earlier = world.stored(f"decision#{ARN}")["earlier"]
    assert [(it["status"], it["by"]) for it in earlier] == [(status, "rules"), (PENDING, "person")]


def test_decision_of_the_rules_that_was_overruled_untold_is_told_once_it_stands_again(world: World) -> None:
    register(world, accuracy=0.8)
    with pytest.raises(ConnectionError):
        judge(world, 1, 2, sns=Down())
    touched(world, 1, "Rejected", 2.2)
    silent(world, 2.3)
    touched(world, 1, "Approved", 2.5)
    sweep(world, 5, 6)
    assert told(world) == [("approved", "person")]


@pytest.mark.parametrize("champion", [None, ANOTHER], ids=["approval", "hold"])
def test_candidate_that_was_decided_in_aws_before_its_verdict_was_told_is_told_once_it_waits(
    world: World, champion: str | None
) -> None:
    """Nobody was told of the verdict, because the package was decided. Then it is set back, unrecorded."""
    register(world, champion=champion)
    original = world.configs.get

    def meanwhile(model: str, *, fresh: bool = False) -> Any:
        touched(world, 1, "Rejected", 2)
        return original(model, fresh=fresh)

    world.configs.get = meanwhile  # type: ignore[method-assign]
    judge(world, 1, 2)
    world.configs.get = original  # type: ignore[method-assign]
    assert told(world) == []
    touched(world, 1, PENDING, 2.5)
    sweep(world, 5, 6)
    assert told(world) == [("waiting", None)]


def test_superseding_that_was_set_back_untold_is_told_once_it_stands_again(world: World) -> None:
    held(world, 1)
    register(world, 2)
    judge(world, 2, 10)
    assert told(world) == [("approved", "rules")]
    with pytest.raises(ConnectionError):
        decided(world, 2, 10.5, sns=Down())
    touched(world, 1, PENDING, 10.7)
    decided(world, 2, 10.8)  # candidate 1 waits, so nobody is told that it was superseded
    assert told(world) == []
    touched(world, 1, "Rejected", 11)
    sweep(world, 15, 16)
    assert told(world) == [("rejected", "person")]


@pytest.mark.parametrize("by_event", [True, False], ids=["event", "sweep"])
def test_superseding_is_told_also_if_the_approval_is_undone_before(world: World, by_event: bool) -> None:
    held(world, 1)
    register(world, 2)
    judge(world, 2, 10)
    assert told(world) == [("approved", "rules")]
    with pytest.raises(ConnectionError):
        decided(world, 2, 10.5, sns=Down())
    touched(world, 2, "Rejected", 10.7)
    decided(world, 2, 10.8)  # the approval would have told of it
    assert told(world) == [("rolled_back", "person"), ("rejected", "person")]
    if by_event:
        decided(world, 1, 10.9)
    sweep(world, 15, 16)
    assert told(world) == [("rejected", "superseded")]


def test_superseding_that_was_told_is_not_told_again_by_its_record(world: World) -> None:
    held(world, 1)
    register(world, 2)
    judge(world, 2, 10)
    decided(world, 2, 10.5)
    assert told(world) == [("approved", "rules"), ("rejected", "superseded")]
    decided(world, 1, 10.6)
    sweep(world, 15, 16)
    assert told(world) == []


def test_decision_of_the_rules_that_was_told_is_not_told_again_by_the_sweep(world: World) -> None:
    register(world, accuracy=0.7)
    judge(world, 1, 2)
    assert told(world) == [("rejected", "rules")]
    sweep(world, 5, 6)
    assert told(world) == []
    assert "recordedAt" in world.stored(f"decision#{ARN}")
