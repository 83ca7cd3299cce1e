"""Decisions are recorded, and approvers are told of those that were not told when they were taken."""

from __future__ import annotations

import pytest

from retraining.aws import registry
from retraining.candidates.decisions import decide
from retraining.candidates.recording import record
from retraining.collaborators import Collaborators
from tests.functions.fakes import arn_of, register, was_held
from tests.functions.world import World

ARN = arn_of(1)


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("rules", []),
        ("superseded", []),
        ("expired", ["expired"]),
        ("link", ["link"]),
        ("teams", ["teams"]),
    ],
    ids=["rules", "newer candidate", "time", "person", "way that a newer handsoff may add"],
)
def test_record_tells_of_a_decision_unless_it_was_told_when_taken(
    world: World, by: str, told: list[str]
) -> None:
    using = world.using(Collaborators)
    register(world, 1)
    was_held(world, ARN)
    decide(ARN, "Rejected", by=by, why="because", using=using)
    world.messages()
    record(registry.package(using.sagemaker, ARN), using)
    assert [message["decidedBy"] for message in world.messages()] == told
