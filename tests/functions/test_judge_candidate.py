"""The event's own package is judged once; what others decided is never overwritten."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest

from judge_candidate import handler
from retraining.collaborators import Collaborators
from tests.functions.fakes import ROOT, Context, Died, Mortal, event, package

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/1"
URI = "s3://data/models/titanic/e0/evaluation.json"
PENDING = event("candidate_registered.pending")


def evaluation(accuracy: float, champion: str | None = None) -> dict[str, Any]:
    """The sample evaluation with this accuracy, compared with this champion."""
    loaded = json.loads((ROOT / "tests" / "samples" / "evaluation.json").read_text())
    found: dict[str, Any] = copy.deepcopy(loaded)
    found["handsoff"] |= {"champion": champion, "champion_problem": None}
    if champion is None:
        found["handsoff"]["comparison"] = None
    found["handsoff"]["candidate"]["metrics"]["accuracy"]["value"] = accuracy
    return found


def register(
    world: Any, accuracy: float, champion: str | None = None, status: str = "PendingManualApproval"
) -> None:
    body = json.dumps(evaluation(accuracy, champion)).encode()
    world.s3.put_object(Bucket="data", Key="models/titanic/e0/evaluation.json", Body=body)
    world.sagemaker.packages[ARN] = package(ARN, URI, status)
    world.sagemaker.steps = [
        {"StepName": "RegisterModel", "StepStatus": "Succeeded", "Metadata": {"RegisterModel": {"Arn": ARN}}}
    ]


def using(world: Any, **wrapped: Any) -> Collaborators:
    made: Collaborators = world.using(Collaborators, **wrapped)
    return made


@pytest.mark.parametrize(
    ("accuracy", "status", "kind", "decision"),
    [(0.80, "Approved", "approved", "APPROVE"), (0.77, "Rejected", "rejected", "REJECT")],
)
def test_a_decision_reaches_registry_ledger_evidence_and_approvers(
    world: Any, context: Context, accuracy: float, status: str, kind: str, decision: str
) -> None:
    register(world, accuracy)
    execution = "execution#arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"
    world.ledger.mark(execution, {"requestedBy": "arn:aws:iam::1:user/data-science-user"})
    handler(PENDING, context, using=using(world))
    decided = world.sagemaker.packages[ARN]
    assert decided["ModelApprovalStatus"] == status
    assert f"accuracy: {accuracy}, needs ≥ 0.78" in decided["ApprovalDescription"]
    assert decided["CustomerMetadataProperties"]["execution"].endswith("/execution/e0")
    assert decided["CustomerMetadataProperties"]["verdict"] == decision
    assert decided["CustomerMetadataProperties"]["requestedBy"].endswith("user/data-science-user")
    (told,) = world.messages()
    assert (told["kind"], told["decision"], told["modelPackageArn"]) == (kind, decision, ARN)
    found = json.loads(
        world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
    )
    assert found["verdict"]["decision"] == decision
    assert found["decidedBy"] == "rules"


def test_what_is_held_stays_pending_and_a_person_is_asked(world: Any, context: Context) -> None:
    register(world, 0.80, champion="arn:of-another-champion")
    handler(PENDING, context, using=using(world))
    held = world.sagemaker.packages[ARN]
    assert held["ModelApprovalStatus"] == "PendingManualApproval"
    assert "ApprovalDescription" not in held
    assert held["CustomerMetadataProperties"]["verdict"] == "HOLD"
    (told,) = world.messages()
    assert told["kind"] == "waiting"


def test_duplicates_change_nothing(world: Any, context: Context) -> None:
    register(world, 0.80)
    for _ in range(3):
        handler(PENDING, context, using=using(world))
    assert len(world.sagemaker.updates) == 1
    assert len(world.messages()) == 1


def test_the_first_verdict_stands_though_rules_or_evaluation_change(world: Any, context: Context) -> None:
    register(world, 0.80)
    handler(PENDING, context, using=using(world))
    register(world, 0.10, status="PendingManualApproval")
    handler(PENDING, context, using=using(world))
    assert world.ledger.get(f"verdict#{ARN}")["verdict"]["decision"] == "APPROVE"
    assert len(world.sagemaker.updates) == 1


def test_an_update_of_metadata_only_starts_nothing(world: Any, context: Context) -> None:
    register(world, 0.80)
    handler(event("candidate_registered.annotated"), context, using=using(world))
    assert world.sagemaker.updates == []


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_a_persons_decision_is_not_overwritten(world: Any, context: Context, status: str) -> None:
    register(world, 0.80, status=status)
    handler(PENDING, context, using=using(world))
    assert world.sagemaker.updates == []
    assert world.messages() == []


def test_a_package_without_evaluation_raises_and_is_not_decided(world: Any, context: Context) -> None:
    register(world, 0.80)
    world.s3.delete_object(Bucket="data", Key="models/titanic/e0/evaluation.json")
    with pytest.raises(Exception, match=r"evaluation\.json does not exist"):
        handler(PENDING, context, using=using(world))
    assert world.sagemaker.packages[ARN]["ModelApprovalStatus"] == "PendingManualApproval"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 20))
def test_dying_at_any_call_and_coming_again_decides_once(
    world: Any, context: Context, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    register(world, 0.80)
    # Lambda's second retry comes three minutes later; a claim of the dead has run out by then.
    monkeypatch.setattr("retraining.notify.LEASE", timedelta(seconds=-1))
    left = [lives]
    names = ("sagemaker", "s3", "sns", "table")
    dying = using(world, **{name: Mortal(getattr(world, name), left, after=after) for name in names})
    try:
        handler(PENDING, context, using=dying)
    except Died:
        pass
    else:
        assert left[0] > 0
    for _ in range(2):
        handler(PENDING, context, using=using(world))
    assert len(world.sagemaker.updates) == 1
    assert world.sagemaker.packages[ARN]["ModelApprovalStatus"] == "Approved"
    told = world.messages()
    assert {message["kind"] for message in told} == {"approved"}
    assert len({message["notificationId"] for message in told}) == 1
    assert "doneAt" in world.ledger.get(f"verdict#{ARN}")
    decision = world.ledger.get(f"decision#{ARN}")
    assert (decision["status"], decision["by"]) == ("Approved", "rules")


def test_what_a_person_decides_while_we_think_stands(world: Any, context: Context) -> None:
    register(world, 0.80)
    original = world.configs.get

    def slow(model: str, *, fresh: bool = False) -> Any:
        world.sagemaker.packages[ARN]["ModelApprovalStatus"] = "Rejected"
        return original(model, fresh=fresh)

    world.configs.get = slow
    handler(PENDING, context, using=using(world))
    assert world.sagemaker.packages[ARN]["ModelApprovalStatus"] == "Rejected"
    assert world.sagemaker.updates == []
    assert world.messages() == []


def test_nobody_is_asked_for_a_decision_that_a_person_has_taken(world: Any, context: Context) -> None:
    register(world, 0.80, champion="arn:of-another-champion")
    dying = using(world, sagemaker=Mortal(world.sagemaker, [4], after=True))  # right after the update
    with pytest.raises(Died):
        handler(PENDING, context, using=dying)
    assert world.sagemaker.packages[ARN]["CustomerMetadataProperties"].get("verdict") == "HOLD"
    world.sagemaker.packages[ARN]["ModelApprovalStatus"] = "Approved"
    handler(PENDING, context, using=using(world))
    assert [message["kind"] for message in world.messages()] == []


def test_nobody_is_told_of_an_approval_that_a_person_has_taken_back(world: Any, context: Context) -> None:
    register(world, 0.80)
    dying = using(world, sagemaker=Mortal(world.sagemaker, [4], after=True))  # right after the update
    with pytest.raises(Died):
        handler(PENDING, context, using=dying)
    assert world.sagemaker.packages[ARN]["ModelApprovalStatus"] == "Approved"
    world.sagemaker.packages[ARN]["ModelApprovalStatus"] = "Rejected"
    handler(PENDING, context, using=using(world))
    assert world.messages() == []
    assert world.sagemaker.packages[ARN]["ModelApprovalStatus"] == "Rejected"
    assert world.ledger.get(f"decision#{ARN}") is None
