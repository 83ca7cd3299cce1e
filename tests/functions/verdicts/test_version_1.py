"""Verdicts as handsoff 0.1 stored them: literal items, and what is made of them today."""

from __future__ import annotations

from typing import Any

import pytest

from retraining.candidates.judging_again import why_not
from retraining.config.rules import Approval
from retraining.facts.candidates import VerdictFact
from retraining.review_page.view import Known, review
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Reason, Verdict
from tests.functions.candidates.packages import CHAMPION, a_package
from tests.functions.verdicts.evaluations import evaluation, rules

MET = "accuracy: 0.8, needs ≥ 0.78 → pass"
NOT_MET = "accuracy: 0.7, needs ≥ 0.78 → fail"
DRIFTED = "drift of any feature (age): 0.97 − 0.085 by chance = 0.885, needs ≤ 0.2 → fail"
NO_DRIFT = "drift of any feature: the champion's training data is not known → cannot be judged"
WORSE = (
    "roc_auc: candidate 0.7 − champion 0.8 = −0.1, lower 95 % bound −0.15, needs ≥ −0.03 on 262 rows → fail"
)
OPEN = "roc_auc: the champion cannot be compared with: its file is gone → cannot be judged"
GONE = "the champion cannot be compared with: its file is gone"
CHANGED = f"the champion changed: the candidate was compared with none, the champion is now {CHAMPION}"
FEW = "roc_auc: 29 rows, needs ≥ 30 to tell from guessing"
NO_BETTER = (
    "roc_auc: candidate 0.5, guessing (class shares) 0.5, lower 99 % bound of the gain 0, needs > 0 "
    "→ no better than guessing"
)


def rule(
    describes: str, outcome: str, effect: str, text: str, question: str = "min", **more: Any
) -> dict[str, Any]:
    """A rule result with one finding, as 0.1 stored it."""
    finding = {"question": question, "outcome": outcome, "n": 262, "text": text}
    stored = {"rule": describes, "outcome": outcome, "effect": effect, "text": text, "findings": [finding]}
    return stored | more


ACCURACY = rule("accuracy min 0.78", "pass", "none", MET)
DRIFT = "drift of any feature max 0.2"
VERSUS = "roc_auc max_loss 0.03, confidence 0.95"


def item(
    *asked: dict[str, Any], reasons: list[str], champion: str | None = CHAMPION, **more: Any
) -> dict[str, Any]:
    """The ledger's item of a HOLD that 0.1 took and carried out."""
    verdict = {
        "decision": "HOLD",
        "reasons": reasons,
        "rules": list(asked),
        "champion": champion,
        "rulesSha256": "a" * 64,
        "n": 262,
        "firstModel": None,
        "withoutChampion": None,
    }
    at = "2026-11-23T12:01:00+00:00"
    return {"verdict": verdict | more, "batch": "b", "takenAt": at, "doneAt": at}


def refusal(stored: dict[str, Any]) -> str | None:
    return why_not(a_package(), VerdictFact.model_validate(stored))


# ---- the champion's part -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stored",
    [
        item(ACCURACY, reasons=[CHANGED, MET]),
        item(ACCURACY, reasons=[GONE]),
        item(rule(DRIFT, "unknown", "hold", NO_DRIFT, "max"), reasons=[NO_DRIFT]),
        item(rule(VERSUS, "unknown", "hold", OPEN, "max_loss"), reasons=[OPEN]),
        item(rule("f1 min 0.5, min_gain 1 %, confidence 0.9", "unknown", "hold", OPEN), reasons=[OPEN]),
        item(rule("f1 where sex = female min_gain 0, confidence 0.9", "unknown", "hold", OPEN), reasons=[]),
        item(ACCURACY, reasons=[FEW], withoutChampion="it is stale (said by arn:p)"),
    ],
    ids=[
        "changed",
        "not comparable",
        "drift open",
        "loss open",
        "gain open",
        "slice open",
        "put aside before",
    ],
)
def test_why_not_of_a_verdict_held_by_its_champion_is_none(stored: dict[str, Any]) -> None:
    assert VerdictFact.model_validate(stored).verdict.held_by_champion
    assert refusal(stored) is None


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (rule(DRIFT, "fail", "hold", DRIFTED, "max"), DRIFTED),
        (rule(VERSUS, "fail", "hold", WORSE, "max_loss"), WORSE),
    ],
    ids=["drift", "loss"],
)
def test_why_not_of_a_verdict_that_lost_to_its_champion_says_so(asked: dict[str, Any], text: str) -> None:
    found = refusal(item(asked, reasons=[text, CHANGED]))
    assert found == (
        "handsoff-titanic/3 was compared with the champion, which is no stale one, and did not pass: "
        f"{text}. To approve it all the same, decide as a person"
    )


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (rule("accuracy min 0.78", "fail", "hold", NOT_MET), NOT_MET),
        (rule("better than guessing", "unknown", "hold", FEW, "better_than_guessing"), FEW),
        (
            rule("missing share of max_loss in train max 0.1", "unknown", "hold", "m: not known"),
            "m: not known",
        ),
        (rule("train rows min 9", "unknown", "hold", "train rows: not known"), "train rows: not known"),
    ],
    ids=["metric", "guessing", "missing share", "rows"],
)
def test_why_not_of_a_verdict_held_by_something_else_names_it(asked: dict[str, Any], reason: str) -> None:
    found = refusal(item(asked, reasons=[reason]))
    assert found == (
        f"handsoff-titanic/3 is not held because of its champion: {reason}. Decide on it as a person"
    )


# ---- codes, kinds, numbers ---------------------------------------------------------------------------------


def test_review_page_leaves_out_the_reasons_of_rules_that_hold() -> None:
    skipped = "roc_auc: no champion to compare with (first_model: rules_only) → skipped"
    asked = rule(VERSUS, "skipped", "none", skipped, findings=[])
    stored = item(ACCURACY, asked, reasons=[MET, skipped], decision="APPROVE", champion=None)
    verdict = VerdictFact.model_validate(stored).verdict
    page = review(Known(package=a_package(), model="titanic", approval=Approval(), verdict=verdict))
    assert page.reasons == ("Rules that are met: 1 of 2.",)
    assert page.rules[0].numbers == "accuracy: 0.8, needs ≥ 0.78"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (CHANGED, "champion_changed"),
        (GONE, "champion_not_comparable"),
        ("the champion was put aside: it is stale (said by arn:p)", "champion_put_aside"),
        ("no rule was met, so nothing can be approved by rule", "no_rule_met"),
        ("this is the group's first model, and first_model is hold", "first_model_hold"),
        ("the task changed: the evaluation is of regression, the config says none", "another_task"),
        ("the classes changed: the evaluation is of a, b, the config says a", "another_classes"),
        (
            "the evaluation is of titanic, arn:e; the package of titanic, arn:f",
            "evaluation_of_another_execution",
        ),
        ("its model s3://a/b is not below s3://data/, where its execution writes", "artifact_elsewhere"),
        ("its evaluation None is not below s3://data/, where its execution writes", "artifact_elsewhere"),
        ("drift was measured against arn:x, no champion of these rows", "drift_reference"),
        (
            "a person has rejected handsoff-titanic/1, which was trained on the same data",
            "rejected_same_data",
        ),
        ("something else", "unspecified"),
    ],
)
def test_reason_that_is_no_rules_result_gets_its_code(text: str, code: Any) -> None:
    verdict = VerdictFact.model_validate(item(ACCURACY, reasons=[text])).verdict
    assert verdict.reasons == (Reason(code=code, text=text),)


@pytest.mark.parametrize(
    ("describes", "outcome", "effect", "text", "code"),
    [
        ("accuracy min 0.78", "pass", "none", MET, "rule_passed"),
        ("accuracy min 0.78", "fail", "reject", NOT_MET, "rule_failed"),
        ("accuracy min 0.78", "fail", "warn", NOT_MET, "rule_warned"),
        (DRIFT, "unknown", "hold", NO_DRIFT, "rule_unknown"),
        ("better than guessing", "fail", "reject", NO_BETTER, "not_better_than_guessing"),
        ("better than guessing", "fail", "hold", NO_BETTER, "not_shown_better_than_guessing"),
        ("better than guessing", "unknown", "hold", FEW, "guessing_unknown"),
        ("better than guessing", "pass", "none", "better → pass", "rule_passed"),
    ],
)
def test_reason_that_is_a_rules_result_gets_its_code(
    describes: str, outcome: str, effect: str, text: str, code: Any
) -> None:
    stored = item(rule(describes, outcome, effect, text), reasons=[text])
    assert VerdictFact.model_validate(stored).verdict.reasons == (Reason(code=code, text=text),)


def test_verdict_of_version_1_becomes_the_verdict_of_today() -> None:
    """Without what 0.1 did not store, a verdict of today is one of 0.1."""
    asked = rules(
        {"metric": "accuracy", "min": 0.78, "max": 0.9, "on_fail": "warn"},
        {"metric": "accuracy", "min": 0.78},
        {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}, "on_fail": "hold"},
        {"data": "drift", "max": 0.2},
        {"data": "rows", "min": 1},
    )
    for n in (29, 262):
        for champion in (None, CHAMPION):
            verdict = judge(evaluation({"accuracy": 0.95}, n=n), asked, champion)
            reasons = tuple(reason.model_copy(update={"effect": None}) for reason in verdict.reasons)
            today = verdict.model_copy(update={"reasons": reasons})  # 0.1 stored no effects of reasons
            assert Verdict.model_validate(_as_version_1(verdict)) == today


def _as_version_1(verdict: Verdict) -> dict[str, Any]:
    stored = verdict.model_dump(by_alias=True)
    stored["reasons"] = [reason["text"] for reason in stored["reasons"]]
    for result in stored["rules"]:
        del result["kind"], result["numbers"]
        for finding in result["findings"]:
            del finding["numbers"]
    return stored


def test_verdict_of_today_is_read_by_its_codes_alone() -> None:
    reason = {"code": "rule_failed", "text": CHANGED}
    stored = item({**ACCURACY, "kind": "data", "rule": DRIFT}, reasons=[])
    stored["verdict"]["reasons"] = [reason]
    verdict = VerdictFact.model_validate(stored).verdict
    assert (verdict.reasons[0].code, verdict.rules[0].kind) == ("rule_failed", "data")
