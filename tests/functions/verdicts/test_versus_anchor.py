"""The candidate beside the anchor, in each state of anchor and evaluation."""

from __future__ import annotations

from typing import Any

import pytest

from retraining.verdicts.evaluation import Anchored, Comparison, Evaluation, SlicePaired, UnknownToChampion
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, paired, rules

ANCHOR = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/7"
RULE = {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}}
BOTH = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}, "versus_anchor": {"max_loss": 0.05}}
WAY_OUT = (
    'Move the anchor to an approved package: handsoff anchor titanic titanic/VERSION --reason "…". '
    "If none is approved, a person must approve one first"
)
NEXT = "the next execution that handsoff starts compares with the anchor of that time"


def anchored(
    versus: tuple[float, float] | None = (0.0, 0.01),
    *,
    problem: str | None = None,
    champion: tuple[float, float] | None = (0.0, 0.01),
    unknown: dict[str, UnknownToChampion] | None = None,
) -> Evaluation:
    """An evaluation beside the anchor; `versus` is candidate minus anchor and its standard error."""
    comparison = versus and Comparison(
        n=262,
        excluded=0,
        unknown=unknown or {},
        slices=(SlicePaired(n=100, where={"sex": "female"}, **paired("roc_auc", (-0.2, 0.01), 0.9, 0.02)),),
        **paired("roc_auc", versus, 0.88, 0.02),
    )
    found = Anchored(package=ANCHOR, problem=problem, comparison=comparison or None)
    female = {"female": (100, {"roc_auc": 0.7})}
    beside = evaluation({"accuracy": 0.8, "roc_auc": 0.85}, versus=champion, slices=female)
    return beside.model_copy(update={"anchor": found})


def judged(found: Evaluation, rule: dict[str, Any] = RULE, anchor: str | None = ANCHOR) -> Verdict:
    return judge(found, rules(rule), found.champion, anchor=anchor)


@pytest.mark.parametrize(
    ("versus", "decision"),
    [
        ((-0.03, 0.0121), "APPROVE"),  # bound −0.03 − 1.6449 · 0.0121 = −0.0499
        ((-0.2, 0.01), "REJECT"),
    ],
)
def test_anchor_rule_at_its_edge(versus: tuple[float, float], decision: str) -> None:
    assert judged(anchored(versus)).decision == decision


def test_anchor_rule_names_the_anchor_in_numbers_and_has_its_own_kind() -> None:
    verdict = judged(anchored((-0.01, 0.01)))
    assert [(result.kind, result.outcome) for result in verdict.rules][:1] == [("versus_anchor", "pass")]
    assert verdict.rules[0].rule == "roc_auc max_loss 0.05 against the anchor, confidence 0.95"
    assert verdict.rules[0].text == (
        "roc_auc: candidate 0.87 − anchor 0.88 = −0.01, lower 95 % bound −0.02645, needs ≥ −0.05 on 262 rows "
        "→ pass"
    )
    assert verdict.anchor == ANCHOR


def test_a_relative_loss_is_a_share_of_the_anchors_value() -> None:
    rule = {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.1, "relative": True}}
    verdict = judged(anchored((-0.01, 0.01)), rule)
    assert "needs ≥ −0.088 (10 % of the anchor's)" in verdict.rules[0].text


def test_a_slice_is_compared_on_its_own_rows() -> None:
    verdict = judged(anchored((0.0, 0.01)), {**RULE, "slice": {"sex": "female"}})
    assert (verdict.decision, verdict.rules[0].findings[0].n) == ("REJECT", 100)


def test_a_rule_that_names_champion_and_anchor_has_a_result_for_each() -> None:
    verdict = judged(anchored((-0.2, 0.01), champion=(0.0, 0.001)), {**BOTH, "min": 0.5})
    assert [(result.kind, result.outcome) for result in verdict.rules[:2]] == [
        ("versus_champion", "pass"),
        ("versus_anchor", "fail"),
    ]
    assert [len(result.findings) for result in verdict.rules[:2]] == [2, 1]
    assert verdict.decision == "REJECT"
    assert verdict.lost_to_champion is None


def test_losing_to_the_anchor_is_not_losing_to_the_champion() -> None:
    verdict = judged(anchored((-0.2, 0.01)), {**RULE, "on_fail": "hold"})
    assert (verdict.decision, verdict.lost_to_champion, verdict.held_by_champion) == ("HOLD", None, False)


def test_without_an_anchor_the_rule_is_skipped() -> None:
    rule = {**RULE, "min": 0.5}
    verdict = judge(evaluation({"roc_auc": 0.8}), rules(rule), None, anchor=None)
    assert verdict.decision == "APPROVE"
    assert verdict.rules[1].text == (
        "roc_auc: no anchor to compare with: the first approved package becomes the anchor → skipped"
    )


def test_an_evaluation_of_an_earlier_version_holds() -> None:
    verdict = judged(evaluation({"roc_auc": 0.8}, versus=(0.0, 0.01)))
    assert (verdict.decision, verdict.reasons[0].code) == ("HOLD", "rule_unknown")
    assert verdict.reasons[0].text == (
        f"roc_auc: this execution did not compare with the anchor, {ANCHOR}; {NEXT} → cannot be judged"
    )


def test_an_anchor_that_moved_since_the_evaluation_holds() -> None:
    verdict = judged(anchored(), anchor=CHAMPION)
    assert (verdict.decision, [reason.code for reason in verdict.reasons]) == ("HOLD", ["anchor_changed"])
    assert verdict.texts == (
        f"the anchor changed: the candidate was compared with {ANCHOR}, the anchor is now {CHAMPION}; {NEXT}",
    )


def test_an_anchor_that_cannot_be_loaded_holds_and_names_the_command() -> None:
    verdict = judged(anchored(None, problem="its model, s3://b/m, cannot be read: NoSuchKey"))
    assert verdict.decision == "HOLD"
    assert verdict.texts == (
        "roc_auc: the anchor cannot be compared with: its model, s3://b/m, cannot be read: NoSuchKey. "
        f"{WAY_OUT} → cannot be judged",
    )


def test_an_anchor_that_does_not_know_the_categories_is_no_measure() -> None:
    unknown = {"embarked": UnknownToChampion(share=0.3, known_to_candidate=0.3)}
    verdict = judged(anchored((0.2, 0.01), unknown=unknown))
    assert (verdict.decision, verdict.reasons[0].code) == ("HOLD", "anchor_sees_unknown")
    assert "a category that the anchor does not (embarked 30.0%)" in verdict.texts[0]
    assert verdict.texts[0].endswith(WAY_OUT)


def test_a_champion_that_is_put_aside_leaves_the_anchor() -> None:
    found = anchored((-0.2, 0.01))
    verdict = judge(found, rules(RULE), found.champion, anchor=ANCHOR, without_champion="its file is gone")
    assert verdict.rules[0].outcome == "fail"


def test_no_rule_on_the_anchor_takes_no_notice_of_it() -> None:
    verdict = judged(anchored(None, problem="gone"), {"metric": "accuracy", "min": 0.5}, anchor=CHAMPION)
    assert (verdict.decision, verdict.anchor) == ("APPROVE", None)
