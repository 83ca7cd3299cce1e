"""Packages that outlive their executions and the ledger: the deployment was destroyed and made again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retraining.candidates.decisions import decide
from tests.functions.candidates.sweeping import (
    ANOTHER,
    DAY,
    PENDING,
    decided,
    judge,
    kinds,
    status,
    sweep,
    using,
)
from tests.functions.fakes import arn_of, in_console, register
from tests.functions.world import World

ARN = arn_of(1)
E0 = "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"


def new_ledger(world: World) -> None:
    """Let the deployment have been destroyed and made again: its executions and its ledger are gone."""
    world.sagemaker.deleted |= {f"{E0[:-1]}{number}" for number in range(40)}
    world.lose_the_ledger()


@pytest.mark.parametrize("by", ["rules", "console", "link"])
@pytest.mark.parametrize("wanted", ["Approved", "Rejected"])
def test_sweep_decision_of_a_former_ledger_is_no_news(world: World, by: str, wanted: Any) -> None:
    approved = {} if wanted == "Approved" else {"accuracy": 0.5}
    register(world, **(approved if by == "rules" else {"champion": ANOTHER}))
    judge(world, 1, 2)
    if by == "console":
        in_console(world, ARN, wanted, 3)
    elif by == "link":
        decide(ARN, wanted, by="link", who="Ana", why="seen", using=using(world, 3))
    decided(world, 1, 5)
    before, events = world.sagemaker.packages[ARN], list(world.events.taken)
    new_ledger(world)
    sweep(world, *range(10 * DAY, 10 * DAY + 60))
    assert world.messages() == []
    assert world.events.taken == events
    assert world.sagemaker.packages[ARN] == before
    fact = world.stored(f"decision#{ARN}")
    assert (fact["status"], fact["by"]) == (wanted, "person" if by == "console" else by)
    assert "recordedAt" in fact
    if wanted == "Approved":
        assert world.stored("open#handsoff-titanic")["champion"] == ARN


@pytest.mark.parametrize("before", ["held", "rejected by rules", "rejected by a link"])
def test_sweep_console_approval_while_no_deployment_existed_is_news(world: World, before: str) -> None:
    register(world, **({"accuracy": 0.5} if before == "rejected by rules" else {"champion": ANOTHER}))
    judge(world, 1, 2)
    if before == "rejected by a link":
        decide(ARN, "Rejected", by="link", who="Ana", why="no", using=using(world, 3))
    if before != "held":
        decided(world, 1, 4)
    new_ledger(world)
    in_console(world, ARN, "Approved", 5 * DAY)
    sweep(world, *range(10 * DAY, 10 * DAY + 10))
    (told,) = world.messages()
    assert (told["kind"], told["decidedBy"]) == ("approved", "person")
    fact = world.stored(f"decision#{ARN}")
    assert (fact["status"], fact["by"]) == ("Approved", "person")
    assert "recordedAt" in fact
    noted = world.sagemaker.packages[ARN]["CustomerMetadataProperties"]["approvedAt"]
    assert noted == "2026-11-28T06:00:00+00:00"


def test_sweep_champion_of_a_former_ledger_is_taken_back_as_any_other(world: World) -> None:
    register(world)
    judge(world, 1, 2)
    decided(world, 1, 3)
    new_ledger(world)
    sweep(world, 10 * DAY)
    in_console(world, ARN, "Rejected", 10 * DAY + 10)
    sweep(world, *range(10 * DAY + 11, 10 * DAY + 20))
    assert kinds(world) == ["rolled_back", "rejected"]


def test_sweep_candidate_of_a_former_ledger_is_judged_again_and_its_evidence_says_what_is_missing(
    world: World,
) -> None:
    register(world, champion=ANOTHER)
    judge(world, 1, 2)
    new_ledger(world)
    sweep(world, *range(10 * DAY, 10 * DAY + 10))
    assert kinds(world) == ["waiting"]
    assert "doneAt" in world.stored(f"verdict#{ARN}")
    body = world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
    assert json.loads(body)["missing"] == [f"{E0}: SageMaker no longer knows this execution"]


def test_sweep_candidate_set_back_before_the_ledger_was_lost_is_not_approved_by_rules(world: World) -> None:
    register(world)
    judge(world, 1, 2)
    decided(world, 1, 3)
    in_console(world, ARN, PENDING, 10)
    new_ledger(world)
    sweep(world, *range(10 * DAY, 10 * DAY + 10))
    (told,) = world.messages()
    assert (status(world), told["kind"]) == (PENDING, "waiting")
    assert told["reasons"][0] == "it was decided before, and somebody set it back to pending"


def test_record_decision_after_the_execution_was_deleted_is_recorded(world: World) -> None:
    register(world, champion=ANOTHER)
    judge(world, 1, 2)
    world.sagemaker.deleted.add(E0)
    decide(ARN, "Approved", by="link", who="Ana", why="good", using=using(world, 5))
    world.messages()
    decided(world, 1, 6)
    assert "recordedAt" in world.stored(f"decision#{ARN}")
    assert kinds(world) == ["approved"]


def test_event_of_a_decision_in_aws_is_news_also_without_any_fact(world: World) -> None:
    register(world, champion=ANOTHER)
    judge(world, 1, 2)
    new_ledger(world)
    in_console(world, ARN, "Approved", 10 * DAY)
    decided(world, 1, 10 * DAY + 1)
    assert kinds(world) == ["approved"]
