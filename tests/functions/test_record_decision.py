"""Who decided, and when, whoever it was and however often it is told."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from record_decision import handler
from retraining import registry
from retraining.collaborators import Collaborators
from tests.functions.fakes import START, Context, Died, Mortal, event, package

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/1"
APPROVED, REJECTED = event("package_decided.approved"), event("package_decided.rejected")


def using(world: Any, **wrapped: Any) -> Collaborators:
    made: Collaborators = world.using(Collaborators, **wrapped)
    return made


def decide(world: Any, status: str, minutes: int, *, by_rules: bool = False, arn: str = ARN) -> None:
    """Let a package have been decided some minutes after the beginning."""
    known = world.sagemaker.packages.get(arn) or package(arn, "s3://data/e.json")
    at = START + timedelta(minutes=minutes)
    known |= {
        "ModelApprovalStatus": status,
        "LastModifiedTime": at,
        "ApprovalDescription": "because",
    }
    if by_rules:
        verdict = {"Approved": "APPROVE", "Rejected": "REJECT"}[status]
        metadata = {**known["CustomerMetadataProperties"], "verdict": verdict}
        if status == "Approved":
            metadata["approvedAt"] = at.isoformat()
        known |= {"CustomerMetadataProperties": metadata, "ApprovalDescription": f"{verdict} by rules: good"}
    world.sagemaker.packages[arn] = known


def test_a_persons_approval_is_recorded_once_and_dated_in_the_registry(world: Any, context: Context) -> None:
    decide(world, "Approved", 5)
    world.sagemaker.steps = [
        {"StepName": "RegisterModel", "StepStatus": "Succeeded", "Metadata": {"RegisterModel": {"Arn": ARN}}}
    ]
    for _ in range(3):
        handler(APPROVED, context, using=using(world))
    at = (START + timedelta(minutes=5)).isoformat()
    fact = world.ledger.get(f"decision#{ARN}")
    assert (fact["status"], fact["by"], fact["at"]) == ("Approved", "person", at)
    assert [update["CustomerMetadataProperties"]["approvedAt"] for update in world.sagemaker.updates] == [at]
    copy = world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
    assert json.loads(copy)["decidedBy"] == "person"


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_a_decision_of_the_rules_is_theirs_and_changes_nothing(
    world: Any, context: Context, status: str
) -> None:
    decide(world, status, 5, by_rules=True)
    handler(APPROVED if status == "Approved" else REJECTED, context, using=using(world))
    assert world.ledger.get(f"decision#{ARN}")["by"] == "rules"
    assert world.sagemaker.updates == []


def test_what_a_person_approves_after_the_rules_rejected_it_is_champion(world: Any, context: Context) -> None:
    first, second = ARN, ARN[:-1] + "2"
    decide(world, "Rejected", 1, by_rules=True, arn=first)
    handler(REJECTED, context, using=using(world))
    decide(world, "Approved", 3, by_rules=True, arn=second)
    champion = registry.champion(world.sagemaker, "handsoff-titanic")
    assert champion is not None
    assert champion.arn == second
    decide(world, "Approved", 9, arn=first)
    handler(APPROVED, context, using=using(world))
    champion = registry.champion(world.sagemaker, "handsoff-titanic")
    assert champion is not None
    assert champion.arn == first
    assert world.ledger.get(f"decision#{first}")["by"] == "person"


def test_a_rolled_back_version_is_champion_again(world: Any, context: Context) -> None:
    first, second = ARN, ARN[:-1] + "2"
    decide(world, "Approved", 1, by_rules=True, arn=first)
    handler(APPROVED, context, using=using(world))
    decide(world, "Approved", 3, by_rules=True, arn=second)
    decide(world, "Rejected", 5, arn=first)
    handler(REJECTED, context, using=using(world))
    decide(world, "Approved", 9, arn=first)
    handler(APPROVED, context, using=using(world))
    champion = registry.champion(world.sagemaker, "handsoff-titanic")
    assert champion is not None
    assert champion.arn == first


def test_what_the_rules_approved_and_a_person_takes_back_and_gives_again_is_the_persons(
    world: Any, context: Context
) -> None:
    decide(world, "Approved", 1, by_rules=True)
    handler(APPROVED, context, using=using(world))
    world.sagemaker.packages[ARN] |= {"ModelApprovalStatus": "Rejected", "LastModifiedTime": START}
    handler(REJECTED, context, using=using(world))
    later = START + timedelta(hours=1)
    world.sagemaker.packages[ARN] |= {"ModelApprovalStatus": "Approved", "LastModifiedTime": later}
    handler(APPROVED, context, using=using(world))
    assert world.ledger.get(f"decision#{ARN}")["by"] == "person"
    metadata = world.sagemaker.packages[ARN]["CustomerMetadataProperties"]
    assert metadata["approvedAt"] == later.isoformat()


def test_a_pending_package_or_an_annotation_records_nothing(world: Any, context: Context) -> None:
    decide(world, "PendingManualApproval", 5)
    handler(APPROVED, context, using=using(world))
    handler(event("candidate_registered.annotated"), context, using=using(world))
    assert world.ledger.get(f"decision#{ARN}") is None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 12))
def test_dying_at_any_call_and_coming_again_records_it(
    world: Any, context: Context, lives: int, after: bool
) -> None:
    decide(world, "Approved", 5)
    left = [lives]
    names = ("sagemaker", "s3", "table")
    dying = using(world, **{name: Mortal(getattr(world, name), left, after=after) for name in names})
    try:
        handler(APPROVED, context, using=dying)
    except Died:
        pass
    else:
        assert left[0] > 0
    handler(APPROVED, context, using=using(world))
    fact = world.ledger.get(f"decision#{ARN}")
    assert (fact["status"], fact["by"]) == ("Approved", "person")
    assert "approvedAt" in world.sagemaker.packages[ARN]["CustomerMetadataProperties"]
    copy = world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
    assert json.loads(copy)["pipelineExecutionStatus"] == "Succeeded"
