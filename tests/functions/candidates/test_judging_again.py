"""A held candidate is judged again without its champion: who asked is recorded, and decisions stand."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest

from judge_candidate import handler
from retraining.aws import registry
from retraining.candidates.decisions import NoReason
from retraining.candidates.judging_again import CannotBeJudged, judge_without_champion
from retraining.collaborators import Collaborators
from retraining.verdicts.verdict import Verdict
from tests.functions.fakes import Context, Died, Mortal, about, arn_of, in_console, register
from tests.functions.world import World

ARN = arn_of(2)
WHO = "arn:aws:iam::123456789012:user/data-science-user"
STALE = "the champion was made by scikit-learn 1.4"


def using(world: World, **wrapped: Any) -> Collaborators:
    return world.using(Collaborators, **wrapped)


def judge(world: World, version: int) -> None:
    handler(about("candidate_registered.pending", arn_of(version)), Context(), using=using(world))


def again(world: World, why: str = "it cannot be loaded any more", **wrapped: Any) -> Verdict:
    candidate = registry.package(using(world).sagemaker, ARN)
    return judge_without_champion(candidate, by=WHO, why=why, using=using(world, **wrapped))


@pytest.fixture
def held(world: World) -> World:
    """Version 1 is the champion. Version 2 is held, because it could not be compared with the champion."""
    register(world, 1)
    judge(world, 1)
    register(world, 2, champion=arn_of(1), problem=STALE)
    judge(world, 2)
    assert world.sagemaker.packages[ARN]["ModelApprovalStatus"] == "PendingManualApproval"
    world.messages()
    return world


def test_judge_without_champion_applies_the_other_rules_and_records_who_asked(held: World) -> None:
    before = held.stored(f"verdict#{ARN}")
    verdict = again(held)
    assert verdict.decision == "APPROVE"
    assert verdict.without_champion == f"it cannot be loaded any more (said by {WHO})"
    decided = held.sagemaker.packages[ARN]
    assert decided["ModelApprovalStatus"] == "Approved"
    assert "the champion was put aside: it cannot be loaded any more" in decided["ApprovalDescription"]
    metadata = decided["CustomerMetadataProperties"]
    assert metadata["withoutChampion"] == f"it cannot be loaded any more _said by {WHO}_"
    assert (metadata["verdict"], metadata["decidedBy"]) == ("APPROVE", "rules")
    known = held.stored(f"verdict#{ARN}")
    assert known["verdict"] == verdict.model_dump(mode="json", by_alias=True)
    assert (known["again"]["by"], known["again"]["why"]) == (WHO, "it cannot be loaded any more")
    assert known["again"]["at"] == known["takenAt"]
    assert [earlier["verdict"] for earlier in known["earlier"]] == [before["verdict"]]
    found = json.loads(
        held.s3.get_object(Bucket="data", Key="evidence/titanic/e1/evidence.json")["Body"].read()
    )
    assert found["verdict"] == verdict.as_evidence()
    assert found["judgedAgain"]["by"] == WHO
    assert found["earlierVerdicts"][0]["verdict"]["decision"] == "HOLD"
    (told,) = held.messages()
    assert (told["kind"], told["modelPackageArn"]) == ("approved", ARN)


def test_judge_without_champion_broken_rule_rejects(world: World) -> None:
    register(world, 1)
    judge(world, 1)
    register(world, 2, champion=arn_of(1), problem=STALE)
    judge(world, 2)
    world.configs.known["titanic"] = world.configs.known["titanic"].model_copy(
        update={"approval": world.configs.known["titanic"].approval.model_validate(
            {"rules": [{"metric": "accuracy", "min": 0.9}]}
        )}
    )  # fmt: skip
    assert again(world).decision == "REJECT"
    assert world.sagemaker.packages[ARN]["ModelApprovalStatus"] == "Rejected"


def test_judge_without_champion_repeated_while_held_keeps_the_last_reason(held: World) -> None:
    held.configs.known["titanic"] = held.configs.known["titanic"].model_copy(
        update={"approval": held.configs.known["titanic"].approval.model_validate({"rules": []})}
    )
    for number in range(8):
        assert again(held, f"reason {number}").decision == "HOLD"
    known = held.stored(f"verdict#{ARN}")
    assert known["again"]["why"] == "reason 7"
    assert [(item["again"] or {}).get("why") for item in known["earlier"]] == [
        None,
        "reason 3",
        "reason 4",
        "reason 5",
        "reason 6",
    ]
    assert held.messages() == []  # approvers were notified of the hold before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 26))
def test_judge_without_champion_death_at_any_call_and_retry_end_in_the_same_state(
    held: World, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    left = [lives]
    names = ("sagemaker", "s3", "sns", "table")
    dying: dict[str, Any] = {name: Mortal(getattr(held, name), left, after=after) for name in names}
    try:
        again(held, **dying)
    except Died:
        with contextlib.suppress(CannotBeJudged):  # refused if all was done before the death
            assert again(held).decision == "APPROVE"
    else:
        assert left[0] > 0
    assert held.sagemaker.packages[ARN]["ModelApprovalStatus"] == "Approved"
    known = held.stored(f"verdict#{ARN}")
    assert known["again"]["why"] == "it cannot be loaded any more"
    assert "doneAt" in known
    assert len(known["earlier"]) == 1
    assert len({message["notificationId"] for message in held.messages()}) == 1


def test_judge_without_champion_without_a_reason_or_a_held_candidate_is_refused(held: World) -> None:
    for why in ("", "  \n", "x" * 301):
        with pytest.raises(NoReason, match="say why in 1 to 300 characters"):
            again(held, why)
    world = held
    world.items.mark(f"verdict#{ARN}", {"doneAt": None})
    with pytest.raises(CannotBeJudged, match=r"titanic/2 has not been judged yet: that comes by itself"):
        again(world)
    in_console(world, ARN, "Rejected")
    with pytest.raises(CannotBeJudged, match=r"titanic/2 is Rejected already"):
        again(world)


def test_judge_without_champion_after_an_approval_by_rules_is_refused(held: World) -> None:
    held.sagemaker.packages[arn_of(1)]["ModelApprovalStatus"] = "PendingManualApproval"  # by a person
    candidate = registry.package(using(held).sagemaker, arn_of(1))
    with pytest.raises(CannotBeJudged, match="the rules said APPROVE"):
        judge_without_champion(candidate, by=WHO, why="why not", using=using(held))


def test_judge_without_champion_reason_becomes_one_line_without_control_characters(held: World) -> None:
    verdict = again(held, "line 1\nline\t2 \x1b[31mred\x1b[0m ünd [bold]")
    assert verdict.without_champion == f"line 1 line 2 [31mred [0m ünd [bold] (said by {WHO})"


def test_judge_without_champion_console_decision_meanwhile_stands(held: World) -> None:
    candidate = registry.package(using(held).sagemaker, ARN)
    in_console(held, ARN, "Rejected")
    judge_without_champion(candidate, by=WHO, why="why not", using=using(held))
    assert held.sagemaker.packages[ARN]["ModelApprovalStatus"] == "Rejected"
    assert held.messages() == []


@pytest.mark.parametrize(
    ("gain", "recall", "said"),
    [
        (
            -0.2,
            0.8,
            "was compared with the champion, which is no stale one, and is worse: roc_auc: candidate",
        ),
        (
            -0.03,
            0.8,
            "was compared with the champion, which is no stale one, and the rows leave it undecided: "
            "roc_auc: candidate 0.86 − champion 0.89 = −0.03, lower 95 % bound −0.03822, upper −0.02178, "
            "needs ≥ −0.03 on 262 rows → undecided; roc_auc: candidate 0.86 − champion 0.89 = −0.03, "
            "needs ≤ +0.1 on 262 rows → pass. Decide on it as a person",
        ),
        (0.0, 0.5, "is not held because of its champion: recall where sex = female: 0.5, needs ≥ 0.75"),
    ],
)
def test_judge_without_champion_that_is_not_stale_is_refused(
    world: World, gain: float, recall: float, said: str
) -> None:
    """The candidate is worse, is left undecided, or is held for another reason than its champion."""
    register(world, 1)
    judge(world, 1)
    arn = register(world, 2, champion=arn_of(1), gain=gain)
    key = "models/titanic/e1/evaluation.json"
    body = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    body["handsoff"]["slices"][0]["metrics"] = {"recall": {"value": recall}}
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())
    judge(world, 2)
    candidate = registry.package(using(world).sagemaker, arn)
    assert candidate.pending
    with pytest.raises(CannotBeJudged) as refused:
        judge_without_champion(candidate, by=WHO, why="why not", using=using(world))
    assert said in str(refused.value)
