"""A report that hangs until Lambda ends the function keeps nothing from being recorded."""

from __future__ import annotations

import pytest

from retraining.candidates.decisions import decide
from tests.functions.candidates.sweeping import Unreadable, judge, sweep, told, using
from tests.functions.fakes import arn_of, register, was_held
from tests.functions.world import World


class Killed(BaseException):
    """Lambda ends the function: nothing catches it."""


def hanging(world: World, version: int) -> Unreadable:
    """S3 whose answer about this version's pictures never comes."""
    return Unreadable(world.s3, Killed, f"models/titanic/e{version - 1}/pictures.json")


def test_decision_is_recorded_once_though_its_report_hangs(world: World) -> None:
    register(world)
    was_held(world, arn_of(1))
    decide(arn_of(1), "Approved", by="link", who="Ana", why="seen", using=using(world, 31))
    with pytest.raises(Killed):
        sweep(world, 34, s3=hanging(world, 1))
    assert "recordedAt" in world.stored(f"decision#{arn_of(1)}")
    assert told(world) == [("approved", "link")]
    sweep(world, 35, 36, 65, s3=hanging(world, 1))  # nothing is left to do


def test_approval_is_recorded_though_the_report_of_a_superseded_candidate_hangs(world: World) -> None:
    for version in (1, 2):
        register(world, version)
        was_held(world, arn_of(version))
    decide(arn_of(2), "Approved", by="link", who="Ana", why="seen", using=using(world, 31))
    with pytest.raises(Killed):
        sweep(world, 34, s3=hanging(world, 2))
    assert "recordedAt" in world.stored(f"decision#{arn_of(2)}")
    with pytest.raises(Killed):
        sweep(world, 37, s3=hanging(world, 1))
    assert "recordedAt" in world.stored(f"decision#{arn_of(1)}")


def test_verdict_is_carried_out_though_its_report_hangs(world: World) -> None:
    register(world)
    with pytest.raises(Killed):
        judge(world, 1, 5, s3=hanging(world, 1))
    assert "doneAt" in world.stored(f"verdict#{arn_of(1)}")
