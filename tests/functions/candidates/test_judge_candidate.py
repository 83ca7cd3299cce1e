"""A registered candidate is judged once, and no decision of a person is overwritten."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

import record_decision
from judge_candidate import handler
from retraining.collaborators import Collaborators
from retraining.verdicts.verdict import Verdict
from tests.functions.candidates import sweeping
from tests.functions.fakes import Before, Context, Died, Mortal, about, arn_of, event, in_console, register
from tests.functions.world import World

ARN = arn_of(1)
PENDING = event("candidate_registered.pending")


def using(world: World, **wrapped: Any) -> Collaborators:
    return world.using(Collaborators, **wrapped)


def judge(world: World, version: int = 1, **wrapped: Any) -> None:
    """Handle the event of a registered candidate."""
    handler(about("candidate_registered.pending", arn_of(version)), Context(), using=using(world, **wrapped))


def status(world: World, version: int = 1) -> str:
    return str(world.sagemaker.packages[arn_of(version)]["ModelApprovalStatus"])


def dies_after_the_update(world: World) -> Mortal:
    return Mortal(world.sagemaker, [1], after=True, only="update_model_package")


@pytest.mark.parametrize(
    ("accuracy", "status", "kind", "decision"),
    [(0.80, "Approved", "approved", "APPROVE"), (0.77, "Rejected", "rejected", "REJECT")],
)
def test_judge_decision_reaches_registry_ledger_evidence_and_approvers(
    world: World, context: Context, accuracy: float, status: str, kind: str, decision: str
) -> None:
    register(world, accuracy=accuracy)
    execution = "execution#arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"
    world.items.mark(execution, {"requestedBy": "arn:aws:iam::1:user/data-science-user"})
    handler(PENDING, context, using=using(world))
    decided = world.sagemaker.packages[ARN]
    assert decided["ModelApprovalStatus"] == status
    assert decided["ApprovalDescription"].startswith(f"{decision} by rules: ")
    assert f"accuracy: {accuracy}, needs ≥ 0.78" in decided["ApprovalDescription"]
    (told,) = world.messages()
    assert (told["kind"], told["decision"], told["modelPackageArn"]) == (kind, decision, ARN)
    found = json.loads(
        world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
    )
    recorded = Verdict.model_validate(world.stored(f"verdict#{ARN}")["verdict"])
    assert found["verdict"] == recorded.as_evidence()
    assert Verdict.model_validate(found["verdict"]).decision == decision
    assert found["verdict"]["rules"][0]["findings"][0] == {
        "question": "min",
        "outcome": "pass" if decision == "APPROVE" else "fail",
        "n": 262,
        "clusters": None,
        "observed": accuracy,
        "limit": 0.78,
        "estimate": None,
        "bounds": None,
        "standardError": None,
        "text": f"accuracy: {accuracy}, needs ≥ 0.78 → {'pass' if decision == 'APPROVE' else 'fail'}",
    }
    assert (found["decidedBy"], found["decidedWhy"]) == ("rules", decided["ApprovalDescription"])


def test_judge_writes_metadata_in_characters_that_sagemaker_accepts(world: World, context: Context) -> None:
    register(world)
    execution = "execution#arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"
    world.items.mark(execution, {"requestedBy": "arn:aws:iam::1:user/ünsafe\t(person)" + "x" * 300})
    handler(PENDING, context, using=using(world))
    metadata = world.sagemaker.packages[ARN]["CustomerMetadataProperties"]
    assert metadata.items() >= {
        "batch": "b",
        "verdict": "APPROVE",
        "comparedWith": "none",
        "validationRows": "262",
        "firstModel": "rules_only",
        "decidedBy": "rules",
    }.items()  # fmt: skip
    assert "withoutChampion" not in metadata
    assert metadata["requestedBy"].startswith("arn:aws:iam::1:user/_nsafe__person_xxx")
    for value in metadata.values():
        assert re.fullmatch(r"[A-Za-z0-9_ .:/=+\-@]{1,256}", value)


def test_judge_with_a_champion_writes_no_first_model(world: World) -> None:
    register(world, 1)
    judge(world, 1)
    register(world, 2, champion=arn_of(1))
    judge(world, 2)
    assert status(world, 2) == "Approved"
    metadata = world.sagemaker.packages[arn_of(2)]["CustomerMetadataProperties"]
    assert metadata["comparedWith"] == arn_of(1)
    assert "firstModel" not in metadata


def test_judge_hold_leaves_the_package_pending_and_notifies(world: World, context: Context) -> None:
    register(world, champion="arn:of-another-champion")
    handler(PENDING, context, using=using(world))
    held = world.sagemaker.packages[ARN]
    assert held["ModelApprovalStatus"] == "PendingManualApproval"
    assert "ApprovalDescription" not in held
    assert held["CustomerMetadataProperties"]["verdict"] == "HOLD"
    assert "decidedBy" not in held["CustomerMetadataProperties"]
    assert world.items.get(f"decision#{ARN}") is None
    (told,) = world.messages()
    assert told["kind"] == "waiting"


def test_judge_duplicate_events_change_nothing(world: World, context: Context) -> None:
    register(world)
    for _ in range(3):
        handler(PENDING, context, using=using(world))
    assert len(world.sagemaker.updates) == 1
    assert len(world.messages()) == 1


def test_judge_again_after_the_evaluation_changed_keeps_the_first_verdict(
    world: World, context: Context
) -> None:
    register(world)
    handler(PENDING, context, using=using(world))
    register(world, accuracy=0.10)
    handler(PENDING, context, using=using(world))
    assert world.stored(f"verdict#{ARN}")["verdict"]["decision"] == "APPROVE"
    assert len(world.sagemaker.updates) == 1


def test_judge_event_of_a_metadata_update_changes_nothing(world: World, context: Context) -> None:
    register(world)
    handler(event("candidate_registered.annotated"), context, using=using(world))
    assert world.sagemaker.updates == []


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_judge_decided_package_changes_nothing(world: World, context: Context, status: str) -> None:
    register(world, status=status)
    handler(PENDING, context, using=using(world))
    assert world.sagemaker.updates == []
    assert world.messages() == []


def test_judge_package_without_evaluation_tells_so_once_and_decides_nothing(
    world: World, context: Context
) -> None:
    register(world)
    world.s3.delete_object(Bucket="data", Key="models/titanic/e0/evaluation.json")
    for _ in range(2):
        handler(PENDING, context, using=using(world))
    (told,) = world.messages()
    assert (told["kind"], told["modelPackageArn"]) == ("candidate_blocked", ARN)
    assert told["reasons"][0].endswith("s3://data/models/titanic/e0/evaluation.json does not exist")
    assert world.sagemaker.packages[ARN]["ModelApprovalStatus"] == "PendingManualApproval"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 26))
@pytest.mark.parametrize(
    ("accuracy", "champion", "decision"),
    [(0.80, None, "APPROVE"), (0.70, None, "REJECT"), (0.80, "arn:of-another-champion", "HOLD")],
    ids=["approve", "reject", "hold"],
)
def test_judge_death_at_any_call_and_retry_decide_once(
    world: World,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    lives: int,
    after: bool,
    accuracy: float,
    champion: str | None,
    decision: str,
) -> None:
    register(world, accuracy=accuracy, champion=champion)
    # Lambda's second retry comes three minutes later; the lease of the dead invocation has ended by then.
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
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
    statuses = {"APPROVE": "Approved", "REJECT": "Rejected", "HOLD": "PendingManualApproval"}
    assert status(world) == statuses[decision]
    told = world.messages()
    kinds = {"APPROVE": "approved", "REJECT": "rejected", "HOLD": "waiting"}
    assert {message["kind"] for message in told} == {kinds[decision]}
    assert len({message["notificationId"] for message in told}) == 1
    assert "doneAt" in world.stored(f"verdict#{ARN}")
    known = world.items.get(f"decision#{ARN}")
    if decision == "HOLD":
        assert known is None
    else:
        assert known is not None
        assert (known["status"], known["by"]) == (statuses[decision], "rules")
        assert "doneAt" in known


def test_judge_console_decision_while_judging_stands(world: World, context: Context) -> None:
    register(world)
    original = world.configs.get

    def slow(model: str, *, fresh: bool = False) -> Any:
        in_console(world, ARN, "Rejected")
        return original(model, fresh=fresh)

    world.configs.get = slow  # type: ignore[method-assign]
    handler(PENDING, context, using=using(world))
    assert status(world) == "Rejected"
    assert world.sagemaker.updates == []
    assert world.messages() == []
    known = world.stored(f"decision#{ARN}")  # theirs: the event's record tells of it
    assert (known["status"], known["by"]) == ("Rejected", "person")
    assert "recordedAt" not in known


def test_judge_hold_after_a_person_decided_notifies_nobody(world: World, context: Context) -> None:
    register(world, champion="arn:of-another-champion")
    with pytest.raises(Died):
        handler(PENDING, context, using=using(world, sagemaker=dies_after_the_update(world)))
    assert world.sagemaker.packages[ARN]["CustomerMetadataProperties"].get("verdict") == "HOLD"
    in_console(world, ARN, "Approved")
    handler(PENDING, context, using=using(world))
    assert [message["kind"] for message in world.messages()] == []


def test_judge_approval_that_a_person_has_taken_back_notifies_nobody(world: World, context: Context) -> None:
    register(world)
    with pytest.raises(Died):
        handler(PENDING, context, using=using(world, sagemaker=dies_after_the_update(world)))
    assert status(world) == "Approved"
    world.items.release("lease#handsoff-titanic")  # the lease ends
    in_console(world, ARN, "Rejected")
    handler(PENDING, context, using=using(world))
    assert world.messages() == []
    assert status(world) == "Rejected"
    known = world.stored(f"decision#{ARN}")
    assert (known["status"], known["by"]) == ("Rejected", "person")
    assert "recordedAt" not in known


# ---- the champion changes -----------------------------------------------------------------------------


def held_by_another(world: World, version: int, champion: str) -> None:
    """Check that the candidate is held because of this champion, and that this was notified once."""
    arn = arn_of(version)
    assert status(world, version) == "PendingManualApproval"
    fact = world.stored(f"verdict#{arn}")
    assert fact["verdict"]["decision"] == "HOLD"
    assert fact["verdict"]["reasons"][0]["text"].endswith(f"the champion is now {champion}")
    assert "doneAt" in fact
    assert world.items.get(f"decision#{arn}") is None
    metadata = world.sagemaker.packages[arn]["CustomerMetadataProperties"]
    assert metadata["verdict"] == "HOLD"
    assert "approvedAt" not in metadata
    told = [message for message in world.messages() if message["modelPackageArn"] == arn]
    assert len({message["notificationId"] for message in told}) == 1
    assert (told[0]["kind"], told[0]["decision"]) == ("waiting", "HOLD")
    assert "the champion changed" in told[0]["reasons"][0]


def test_judge_two_candidates_at_once_approves_one_and_holds_the_other(world: World) -> None:
    """Each verdict finds no champion: the first candidate is approved while the second is judged."""
    register(world, 1)
    register(world, 2)
    judge(world, 2, s3=Before(world.s3, "get_object", lambda: judge(world, 1)))
    assert status(world, 1) == "Approved"
    held_by_another(world, 2, arn_of(1))


def test_judge_during_another_approval_is_left_to_the_sweep_which_holds(world: World) -> None:
    register(world, 1)
    register(world, 2)

    other = Before(world.sagemaker, "update_model_package", lambda: sweeping.judge(world, 2, 30))
    sweeping.judge(world, 1, 30, sagemaker=other)
    assert world.stored(f"verdict#{arn_of(2)}")["verdict"]["decision"] == "APPROVE"
    assert status(world, 2) == "PendingManualApproval"
    sweeping.sweep(world, 31)
    assert status(world, 2) == "PendingManualApproval"
    sweeping.sweep(world, 32)
    held_by_another(world, 2, arn_of(1))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 26))
def test_judge_death_at_any_call_after_the_champion_changed_and_retry_hold(
    world: World, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    register(world, 1)
    register(world, 2)
    with pytest.raises(Died):  # judged; the verdict is not carried out yet
        judge(world, 2, table=Mortal(world.table, [1], after=True, only="put_item"))
    assert world.stored(f"verdict#{arn_of(2)}")["verdict"]["decision"] == "APPROVE"
    judge(world, 1)
    left = [lives]
    names = ("sagemaker", "s3", "sns", "table")
    try:
        judge(world, 2, **{name: Mortal(getattr(world, name), left, after=after) for name in names})
    except Died:
        pass
    else:
        assert left[0] > 0
    for _ in range(2):
        judge(world, 2)
    assert len(world.sagemaker.updates) == 2
    held_by_another(world, 2, arn_of(1))


def test_judge_champion_rejected_before_the_verdict_is_written_holds(world: World) -> None:
    register(world, 1)
    judge(world, 1)
    register(world, 2, champion=arn_of(1))
    taken_back = Before(world.s3, "get_object", lambda: in_console(world, arn_of(1), "Rejected"))
    judge(world, 2, s3=taken_back)
    held_by_another(world, 2, "none")


# ---- doubts about the evaluation or the data ------------------------------------------------------------

ELSEWHERE = "s3://data/models/titanic/e9/m.tar.gz"


def change(world: World, package: dict[str, Any] | None = None, **evaluation: Any) -> None:
    """Change fields of the package, or of its evaluation."""
    world.sagemaker.packages[ARN] |= package or {}
    key = "models/titanic/e0/evaluation.json"
    body = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    body["handsoff"] |= evaluation
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            {"execution": "arn:another"},
            "the evaluation is of titanic, arn:another; the package of titanic, arn:",
        ),
        ({"model": "churn"}, "the evaluation is of churn, arn:"),
        ({"task": "regression"}, "the task changed: the evaluation is of regression, the config says binary"),
        ({"classes": ["1", "0"]}, "the classes changed: the evaluation is of 1, 0, the config says 0, 1"),
        (
            {"package": {"InferenceSpecification": {"Containers": [{"ModelDataUrl": ELSEWHERE}]}}},
            f"its model {ELSEWHERE} is not below s3://data/models/titanic/e0/, where its execution writes",
        ),
        (
            {"drift": {"reference": "arn:old", "columns": {}}},
            "drift was measured against arn:old, no champion",
        ),
    ],
)
def test_judge_evaluation_of_another_package_holds(world: World, what: Any, said: str) -> None:
    """Otherwise a package could be registered with the evaluation of a better model."""
    register(world)
    change(world, **what)
    judge(world)
    assert status(world) == "PendingManualApproval"
    reasons = world.stored(f"verdict#{ARN}")["verdict"]["reasons"]
    assert any(reason["text"].startswith(said) for reason in reasons), reasons


def test_judge_evaluation_outside_the_executions_folder_holds(world: World) -> None:
    register(world)
    body = world.s3.get_object(Bucket="data", Key="models/titanic/e0/evaluation.json")["Body"].read()
    world.s3.put_object(Bucket="data", Key="runs/evaluation.json", Body=body)
    quality = {"ModelQuality": {"Statistics": {"S3Uri": "s3://data/runs/evaluation.json"}}}
    change(world, {"ModelMetrics": quality})
    judge(world)
    assert status(world) == "PendingManualApproval"
    (told,) = world.messages()
    assert told["reasons"][0].startswith(
        "its evaluation s3://data/runs/evaluation.json is not below s3://data/"
    )


@pytest.mark.parametrize(
    ("by", "batch", "expected"),
    [
        ("person", "b", "PendingManualApproval"),
        ("link", "b", "PendingManualApproval"),
        ("person", "another", "Approved"),
        ("rules", "b", "Approved"),
        ("expired", "b", "Approved"),
    ],
)
def test_judge_data_of_a_model_that_a_person_rejected_holds(
    world: World, by: str, batch: str, expected: str
) -> None:
    """Otherwise the nightly schedule would approve again what a person rejected in the evening."""
    register(world, 1, status="Rejected")
    world.sagemaker.packages[ARN]["CustomerMetadataProperties"]["batch"] = batch
    world.items.mark(
        f"decision#{ARN}",
        {
            "status": "Rejected",
            "by": by,
            "why": "w",
            "at": "2026-11-23T06:00:00+00:00",
            "doneAt": "2026-11-23T06:00:00+00:00",
        },
    )
    register(world, 2)
    judge(world, 2)
    assert status(world, 2) == expected
    if expected != "Approved":
        (told,) = world.messages()
        assert told["reasons"] == [
            "a person has rejected handsoff-titanic/1, which was trained on the same data"
        ]


@pytest.mark.parametrize(("accuracy", "minimum"), [(0.80, 0.78), (0.77, 0.78)], ids=["approved", "rejected"])
def test_judge_describes_the_package_at_most_twice(world: World, accuracy: float, minimum: float) -> None:
    register(world, accuracy=accuracy)
    asked = Counting(world.sagemaker)
    judge(world, sagemaker=asked)
    assert (status(world) == "Approved") is (accuracy >= minimum)
    assert asked.described[ARN] == 2


def test_judge_hold_describes_the_package_at_most_twice(world: World) -> None:
    register(world, champion=arn_of(9))
    asked = Counting(world.sagemaker)
    judge(world, sagemaker=asked)
    assert status(world) == "PendingManualApproval"
    assert asked.described[ARN] == 2


class DecidesAfterPublishing:
    """Wraps SNS. Right after the first message, a person decides in AWS, and the decision is recorded."""

    def __init__(self, world: World, status: str) -> None:
        self._world, self._left = world, [status]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.sns, name)

    def publish(self, **call: Any) -> Any:
        answer = self._world.sns.publish(**call)
        if self._left:
            in_console(self._world, ARN, self._left.pop())
            decided = about("package_decided.rejected", ARN)
            record_decision.handler(decided, Context(), using=using(self._world))
        return answer


@pytest.mark.parametrize("held", [False, True])
def test_judge_decision_recorded_meanwhile_keeps_its_evidence(world: World, held: bool) -> None:
    if held:
        register(world, champion=arn_of(9))
    else:
        register(world)
    judge(world, sns=DecidesAfterPublishing(world, "Rejected"))
    body = world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
    found = json.loads(body)
    assert status(world) == "Rejected"
    assert (found["modelApprovalStatus"], found["decidedBy"]) == ("Rejected", "person")


class Counting:
    """Counts how often each package is described."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.described: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        if name != "describe_model_package":
            return getattr(self._inner, name)

        def describe(**call: str) -> Any:
            self.described[call["ModelPackageName"]] += 1
            return self._inner.describe_model_package(**call)

        return describe
