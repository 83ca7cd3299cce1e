"""A verdict's reasons and rule results: their codes and kinds, what they answer, and how they are stored."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.judge import held_after_all, judge
from retraining.verdicts.verdict import Finding, Outcome, Question, Reason, RuleResult, Verdict
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules

ACCURACY = {"metric": "accuracy", "min": 0.78}
VERSUS = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}, "on_fail": "hold"}
DRIFT = {"data": "drift", "max": 0.2, "on_fail": "hold"}


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def verdict_with(*results: RuleResult, reasons: Any = (), without_champion: str | None = None) -> Verdict:
    return Verdict(
        decision="HOLD",
        reasons=reasons,
        rules=results,
        champion=CHAMPION,
        rules_sha256="a" * 64,
        n=262,
        without_champion=without_champion,
    )


def result(kind: Any, question: Question, outcome: Outcome) -> RuleResult:
    finding = Finding.of(question, outcome, "numbers")
    return RuleResult(rule="a rule", kind=kind, outcome=outcome, effect="hold", text="t", findings=(finding,))


# ---- codes and kinds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        (evaluation({"accuracy": 0.8}), [ACCURACY], ["rule_passed", "rule_passed"]),
        (evaluation({"accuracy": 0.7}), [ACCURACY], ["rule_failed"]),
        (evaluation({"accuracy": math.nan}), [ACCURACY], ["rule_unknown"]),
        (evaluation({"accuracy": 0.7}), [ACCURACY | {"on_fail": "hold"}], ["rule_failed"]),
        (
            evaluation({"accuracy": 0.7, "f1": 0.9}),
            [ACCURACY | {"on_fail": "warn"}, {"metric": "f1", "min": 0.5}],
            ["rule_passed", "rule_passed", "rule_warned"],
        ),
        (evaluation({"accuracy": 0.8}), [ACCURACY, VERSUS], ["rule_passed", "rule_skipped", "rule_passed"]),
        (evaluation(), [], ["no_rule_met"]),
        (evaluation({"accuracy": 0.8}, guessing=(-0.1, 0.01)), [ACCURACY], ["not_better_than_guessing"]),
        (evaluation({"accuracy": 0.8}, guessing=(0.1, 0.1)), [ACCURACY], ["not_shown_better_than_guessing"]),
        (evaluation({"accuracy": 0.8}, n=29), [ACCURACY], ["guessing_unknown"]),
        (evaluation({"accuracy": 0.8}, champion=CHAMPION), [ACCURACY], ["champion_changed"]),
        (
            evaluation({"accuracy": 0.8}, problem="its file is gone"),
            [ACCURACY],
            ["champion_changed", "champion_not_comparable"],
        ),
    ],
)
def test_judge_gives_each_reason_its_code(
    found: Evaluation, asked: list[dict[str, Any]], expected: list[str]
) -> None:
    assert codes(judge(found, rules(*asked), None)) == expected


def test_judge_first_model_on_hold_has_its_code() -> None:
    verdict = judge(evaluation({"accuracy": 0.8}), rules(ACCURACY, first_model="hold"), None)
    assert codes(verdict) == ["first_model_hold"]


def test_judge_skips_comparisons_of_a_first_model_that_is_held() -> None:
    rule = {"metric": "accuracy", "min": 0.5, "versus_champion": {"max_loss": 0.05}}
    verdict = judge(evaluation({"accuracy": 0.8}), rules(VERSUS, rule, first_model="hold"), None)
    assert (verdict.decision, codes(verdict)) == ("HOLD", ["first_model_hold"])
    assert [each.outcome for each in verdict.rules[:2]] == ["skipped", "pass"]
    assert verdict.rules[0].text == "roc_auc: no champion to compare with (first_model: hold) → skipped"


def test_judge_champion_put_aside_is_the_first_reason() -> None:
    found = evaluation({"accuracy": 0.7}, problem="its file is gone")
    verdict = judge(found, rules(ACCURACY), CHAMPION, without_champion="ana")
    assert codes(verdict) == ["champion_put_aside", "rule_failed"]


def test_judge_doubts_keep_their_codes() -> None:
    doubt = Reason(code="rejected_same_data", text="a person has rejected titanic/1")
    verdict = judge(evaluation({"accuracy": 0.8}), rules(ACCURACY), None, doubts=[doubt])
    assert (verdict.decision, verdict.reasons) == ("HOLD", (doubt.model_copy(update={"effect": "hold"}),))


def test_judge_two_rules_with_one_text_give_one_reason() -> None:
    asked = rules(ACCURACY, ACCURACY | {"on_fail": "warn"})
    assert codes(judge(evaluation({"accuracy": 0.7}), asked, None)) == ["rule_failed"]


def test_held_after_all_puts_the_changed_champion_first() -> None:
    verdict = judge(evaluation({"accuracy": 0.8}), rules(ACCURACY), None)
    assert codes(held_after_all(verdict, CHAMPION))[0] == "champion_changed"
    assert held_after_all(verdict, CHAMPION).reasons[0].effect == "hold"


def test_judge_gives_each_rule_its_kind() -> None:
    asked = rules(ACCURACY, VERSUS, VERSUS | {"min": 0.5}, {"data": "rows", "min": 1}, DRIFT)
    for found, champion in ((evaluation({"accuracy": 0.8}), None), (evaluation(versus=(0, 0.01)), CHAMPION)):
        kinds = [result.kind for result in judge(found, asked, champion).rules]
        assert kinds == ["metric", "versus_champion", "versus_champion", "data", "drift", "guessing"]


@pytest.mark.parametrize(
    ("found", "asked", "numbers"),
    [
        (evaluation({"accuracy": 0.8}), ACCURACY, "accuracy: 0.8, needs ≥ 0.78"),
        (evaluation(), ACCURACY, "accuracy: undefined on 262 rows"),
        (evaluation(), VERSUS, "roc_auc: no champion to compare with (first_model: rules_only)"),
        (
            evaluation({"accuracy": 0.8}),
            ACCURACY | {"max": 0.9},
            "accuracy: 0.8, needs ≥ 0.78 → pass; accuracy: 0.8, needs ≤ 0.9",
        ),
        (evaluation(), {"data": "rows", "min": 1048}, "train rows: 1047, needs ≥ 1048"),
    ],
)
def test_rule_result_numbers_are_its_text_without_the_last_conclusion(
    found: Evaluation, asked: dict[str, Any], numbers: str
) -> None:
    result = judge(found, rules(asked), None).rules[0]
    assert result.numbers == numbers
    assert result.text in {f"{numbers} → {said}" for said in ("pass", "fail", "skipped", "cannot be judged")}


def test_rule_result_of_too_few_rows_to_tell_from_guessing_has_no_conclusion() -> None:
    guessing = judge(evaluation(n=29), rules(), None).rules[-1]
    assert guessing.text == guessing.numbers == "roc_auc: 29 rows, needs ≥ 30 to tell from guessing"


# ---- the champion's part -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "question", "outcome", "lost"),
    [
        ("versus_champion", "max_loss", "fail", True),
        ("versus_champion", "min_gain", "fail", True),
        ("versus_champion", "max_loss", "unknown", False),
        ("versus_champion", "max_loss", "pass", False),
        ("versus_champion", "min", "fail", False),
        ("drift", "max", "fail", True),
        ("drift", "max", "unknown", False),
        ("metric", "max", "fail", False),
        ("data", "max", "fail", False),
        ("guessing", "better_than_guessing", "fail", False),
        ("metric", "max_loss", "fail", True),
    ],
)
def test_lost_to_champion_is_the_comparison_that_failed(
    kind: Any, question: Question, outcome: Outcome, lost: bool
) -> None:
    other, asked = result("metric", "min", "fail"), result(kind, question, outcome)
    assert verdict_with(other, asked).lost_to_champion == (asked if lost else None)


@pytest.mark.parametrize(
    ("kind", "outcome", "held"),
    [
        ("versus_champion", "unknown", True),
        ("drift", "unknown", True),
        ("versus_champion", "fail", False),
        ("versus_champion", "skipped", False),
        ("metric", "unknown", False),
        ("data", "unknown", False),
        ("guessing", "unknown", False),
    ],
)
def test_held_by_champion_if_a_comparison_is_open(kind: Any, outcome: Outcome, held: bool) -> None:
    assert verdict_with(result(kind, "max", outcome)).held_by_champion is held


@pytest.mark.parametrize(
    ("code", "held"),
    [
        ("champion_changed", True),
        ("champion_not_comparable", True),
        ("first_model_hold", False),
        ("rule_failed", False),
        ("drift_reference", False),
    ],
)
def test_held_by_champion_by_the_code_of_a_reason(code: Any, held: bool) -> None:
    """The text is not read: it may say anything."""
    reason = Reason(code=code, text="the champion changed: the champion cannot be compared with")
    assert verdict_with(reasons=(reason,)).held_by_champion is held


def test_held_by_champion_if_it_was_put_aside_before() -> None:
    assert verdict_with(without_champion="ana: it is stale").held_by_champion


# ---- stored and shown --------------------------------------------------------------------------------------


def test_verdict_from_the_ledger_is_the_one_that_was_stored() -> None:
    verdict = judge(evaluation({"accuracy": 0.8}), rules(ACCURACY, VERSUS), None)
    assert Verdict.model_validate(json.loads(json.dumps(verdict.model_dump(by_alias=True)))) == verdict


def test_as_evidence_keeps_reasons_as_texts_beside_their_codes() -> None:
    verdict = judge(evaluation({"accuracy": 0.7}), rules(ACCURACY), None)
    text = "accuracy: 0.7, needs ≥ 0.78 → fail"
    shown = verdict.as_evidence()
    assert (shown["reasons"], shown["reasonCodes"]) == ([text], ["rule_failed"])
    assert shown["rules"][0] == {
        "rule": "accuracy min 0.78",
        "kind": "metric",
        "outcome": "fail",
        "effect": "reject",
        "text": text,
        "findings": [
            {
                "question": "min",
                "outcome": "fail",
                "n": 262,
                "clusters": None,
                "observed": 0.7,
                "limit": 0.78,
                "estimate": None,
                "bounds": None,
                "standardError": None,
                "text": text,
            }
        ],
    }
    assert sorted(shown) == [
        "anchor",
        "champion",
        "decision",
        "firstModel",
        "look",
        "n",
        "reasonCodes",
        "reasons",
        "rules",
        "rulesSha256",
        "withoutChampion",
    ]
    assert json.loads(json.dumps(shown)) == shown
