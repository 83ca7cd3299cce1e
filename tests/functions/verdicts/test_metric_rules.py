"""Rules on a metric: each limit at its edge, slices, too few rows, and values that are undefined."""

from __future__ import annotations

import math

import pytest

from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules


@pytest.mark.parametrize(
    ("value", "decision"),
    [(0.7799, "REJECT"), (0.7799999999, "REJECT"), (0.78, "APPROVE"), (0.7801, "APPROVE"), (math.nan, "HOLD"),
     (math.inf, "HOLD")],
)  # fmt: skip
def test_min_at_its_edge(value: float, decision: str) -> None:
    verdict = judge(evaluation({"accuracy": value}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.decision == decision


@pytest.mark.parametrize(("value", "decision"), [(0.97, "APPROVE"), (0.9701, "HOLD"), (1.0, "HOLD")])
def test_max_at_its_edge(value: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "max": 0.97, "on_fail": "hold"}
    assert judge(evaluation({"roc_auc": value}), rules(rule), None).decision == decision


def test_missing_metric_holds() -> None:
    verdict = judge(evaluation({"f1": 0.9}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.decision == "HOLD"
    assert verdict.texts[0] == "accuracy: undefined on 262 rows → cannot be judged"


@pytest.mark.parametrize(
    ("rows", "recall", "decision"),
    [(50, 0.75, "APPROVE"), (50, 0.7499, "HOLD"), (49, 0.99, "HOLD"), (0, math.nan, "HOLD")],
)
def test_slice_with_min_and_min_samples_at_their_edges(rows: int, recall: float, decision: str) -> None:
    rule = {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75, "min_samples": 50, "on_fail": "hold"}
    found = evaluation(slices={"female": (rows, {"recall": recall})})
    assert judge(found, rules(rule), None).decision == decision


def test_slice_that_was_not_evaluated_holds() -> None:
    rule = {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75}
    assert judge(evaluation({"recall": 1.0}), rules(rule), None).decision == "HOLD"


def test_slice_that_was_not_evaluated_has_another_text_than_an_empty_slice() -> None:
    asked = rules({"metric": "recall", "slice": {"sex": "female"}, "min": 0.75})
    assert "the evaluation has no such slice" in judge(evaluation(), asked, None).texts[0]
    none = evaluation(slices={"female": (0, {})})
    said = "recall where sex = female: 0 rows (no validation row has these values), needs ≥ 10"
    assert said in judge(none, asked, None).texts[0]


def test_min_samples_holds_below_its_edge_where_a_failure_rejects() -> None:
    rule = {"metric": "accuracy", "min": 0.78, "min_samples": 100}
    assert judge(evaluation({"accuracy": 0.99}, n=99), rules(rule), None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.99}, n=100), rules(rule), None).decision == "APPROVE"


def test_undefined_metric_holds_where_a_failure_only_warns() -> None:
    approval = rules({"metric": "accuracy", "min": 0.7}, {"metric": "f1", "min": 0.7, "on_fail": "warn"})
    assert judge(evaluation({"accuracy": 0.8, "f1": math.nan}), approval, None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.8, "f1": 0.1}), approval, None).decision == "APPROVE"


@pytest.mark.parametrize(
    ("metric", "value"), [("accuracy", 7.0), ("accuracy", -0.1), ("brier", 1.5), ("rmse", 3.0)]
)
def test_value_outside_the_range_of_the_metric_holds(metric: str, value: float) -> None:
    asked = rules({"metric": metric, "min": 0.5}, {"metric": metric, "max": 9.0})
    assert judge(evaluation({metric: value}), asked, None).decision == "HOLD"


def test_unusable_predictions_hold_whatever_the_metrics_say() -> None:
    found = evaluation({"accuracy": 0.9})
    broken = found.candidate.model_copy(update={"unusable": 1})
    verdict = judge(
        found.model_copy(update={"candidate": broken}), rules({"metric": "accuracy", "min": 0.5}), None
    )
    assert verdict.decision == "HOLD"
    assert [result.outcome for result in verdict.rules] == ["unknown", "unknown"]


def test_text_counts_the_rows_that_are_left_out() -> None:
    found = evaluation(versus=(0.0, 0.001), n=27)
    assert found.comparison is not None
    found = found.model_copy(update={"comparison": found.comparison.model_copy(update={"excluded": 45})})
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    said = "27 rows (left out: 45 that the champion was trained on), needs ≥ 30"
    assert said in judge(found, asked, CHAMPION).texts[0]
    leaked = evaluation({"accuracy": 0.9}, n=0).model_copy(update={"leaked": 106})
    assert (
        "0 rows (left out: 106 that the candidate was trained on), needs ≥ 1"
        in judge(leaked, rules({"metric": "accuracy", "min": 0.5}), None).texts[0]
    )
