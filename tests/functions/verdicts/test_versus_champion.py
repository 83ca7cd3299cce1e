"""Comparisons with the champion: margins at their edges, in units and in shares, and too few rows."""

from __future__ import annotations

import math

import pytest

from retraining.config.tasks import Task
from retraining.verdicts.bounds import quantile
from retraining.verdicts.evaluation import (
    Difference,
)
from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules


@pytest.mark.parametrize(
    ("difference", "error", "decision"),
    [
        (0.0, 0.018, "APPROVE"),  # bound −1.6449 · 0.018 = −0.02961
        (0.0, 0.0183, "HOLD"),  # bound −0.03010
        (-0.03, 0.0, "APPROVE"),
        (-0.0301, 0.0, "HOLD"),
        (0.10, 0.07, "APPROVE"),  # better by luck or not: bound −0.01514
        (0.05, math.nan, "HOLD"),
        (math.nan, 0.01, "HOLD"),
        (0.05, -1.0, "HOLD"),
    ],
)
def test_max_loss_at_its_edge(difference: float, error: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "confidence": 0.95}, "on_fail": "hold"}
    assert judge(evaluation(versus=(difference, error)), rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(
    ("difference", "error", "decision"),
    [
        (0.02, 0.0051, "APPROVE"),  # bound 0.02 − 1.96 · 0.0051 = 0.01000: the first look uses 97.5 %
        (0.02, 0.0052, "HOLD"),  # bounds 0.00981 and 0.02855
        (0.0, 0.00607, "REJECT"),  # upper bound 0.00998: it is at 95 % at every look
        (0.0, 0.00609, "HOLD"),  # upper bound 0.01002
        (0.0, 0.001, "REJECT"),
    ],
)
def test_min_gain_at_its_edge(difference: float, error: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"min_gain": 0.01, "confidence": 0.95}}
    assert judge(evaluation(versus=(difference, error)), rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(
    ("difference", "decision"), [(0.03, "APPROVE"), (0.031, "REJECT"), (-0.2, "APPROVE")]
)
def test_max_loss_of_a_metric_of_which_lower_is_better(difference: float, decision: str) -> None:
    rule = {"metric": "log_loss", "versus_champion": {"max_loss": 0.03}}
    found = evaluation(versus=(difference, 0.0), metric="log_loss")
    assert judge(found, rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(
    ("rows", "difference", "decision"),
    [(60, 0.0, "APPROVE"), (60, -0.05, "REJECT"), (29, 0.1, "HOLD"), (None, 0.0, "HOLD")],
)
def test_max_loss_in_a_slice(rows: int | None, difference: float, decision: str) -> None:
    rule = {"metric": "recall", "slice": {"sex": "female"}, "versus_champion": {"max_loss": 0.03}}
    found = evaluation(
        metric="recall",
        versus=(0.2, 0.0),
        versus_in={} if rows is None else {"female": (rows, (difference, 0.01))},
        slices={"female": (93, {"recall": 0.9})},
    )
    assert judge(found, rules(rule), CHAMPION).decision == decision


def test_min_gain_of_zero_rejects_the_same_model() -> None:
    rule = {"metric": "log_loss", "versus_champion": {"min_gain": 0.0}}
    found = evaluation(metric="log_loss", versus=(0.0, 0.0), reference=0.4)
    verdict = judge(found, rules(rule), CHAMPION)
    assert verdict.decision == "REJECT"
    assert "champion 0.4 − candidate 0.4 = 0, lower" in verdict.texts[0]
    assert (
        judge(evaluation(metric="log_loss", versus=(-1e-6, 0.0)), rules(rule), CHAMPION).decision == "APPROVE"
    )


@pytest.mark.parametrize(
    ("metric", "task", "reference", "difference", "versus", "decision"),
    [
        # 5 % of the champion's 0.80 is 0.04
        ("accuracy", "binary_classification", 0.80, -0.04, {"max_loss": 0.05}, "APPROVE"),
        ("accuracy", "binary_classification", 0.80, -0.0401, {"max_loss": 0.05}, "REJECT"),
        ("accuracy", "binary_classification", 0.80, 0.0401, {"min_gain": 0.05}, "APPROVE"),
        ("accuracy", "binary_classification", 0.80, 0.0399, {"min_gain": 0.05}, "REJECT"),
        # of an error less is better: 10 % of 60 is 6
        ("rmse", "regression", 60.0, 5.99, {"max_loss": 0.1}, "APPROVE"),
        ("rmse", "regression", 60.0, 6.01, {"max_loss": 0.1}, "REJECT"),
        ("rmse", "regression", 60.0, -6.01, {"min_gain": 0.1}, "APPROVE"),
        ("rmse", "regression", 60.0, -5.99, {"min_gain": 0.1}, "REJECT"),
        # a champion below zero: 10 % of |−2| is 0.2, and a candidate that is worse stays worse
        ("r2", "regression", -2.0, -0.1999, {"max_loss": 0.1}, "APPROVE"),
        ("r2", "regression", -2.0, -0.2001, {"max_loss": 0.1}, "REJECT"),
        ("r2", "regression", -2.0, 0.2001, {"min_gain": 0.1}, "APPROVE"),
        ("r2", "regression", -2.0, 0.1999, {"min_gain": 0.1}, "REJECT"),
        ("r2", "regression", -2.0, -0.5, {"min_gain": 0.0}, "REJECT"),
        # of nothing every share is nothing
        ("r2", "regression", 0.0, 0.0, {"max_loss": 0.1}, "APPROVE"),
        ("r2", "regression", 0.0, -1e-9, {"max_loss": 0.1}, "REJECT"),
    ],
)
def test_relative_margin_is_a_share_of_the_champions_absolute_value(
    metric: str, task: Task, reference: float, difference: float, versus: dict[str, float], decision: str
) -> None:
    rule = {"metric": metric, "versus_champion": {**versus, "relative": True}}
    found = evaluation(metric=metric, task=task, reference=reference, versus=(difference, 0.0), deviation=0.0)
    assert judge(found, rules(rule), CHAMPION).decision == decision


def test_relative_margin_contains_the_champions_uncertainty() -> None:
    """rmse 59 of 60 ± 3, 10 % may be lost: Var = −0.1 · 9 + 0.11 · 9 + 1.1 · 0.25 = 0.365, root 0.60415."""
    rule = {"metric": "rmse", "versus_champion": {"max_loss": 0.1, "relative": True}}
    found = evaluation(metric="rmse", task="regression", reference=60.0, versus=(-1.0, 0.5), deviation=3.0)
    (asked, _) = judge(found, rules(rule), CHAMPION).rules
    assert asked.findings[0].observed == pytest.approx(0.00626, abs=1e-5)  # 1 − 1.64485 · 0.60415
    assert asked.findings[0].limit == -6.0
    assert "needs ≥ −6 (10 % of the champion's) on 262 rows → pass" in asked.text


def test_relative_margin_without_standard_deviations_holds() -> None:
    rule = {"metric": "rmse", "versus_champion": {"max_loss": 0.1, "relative": True}}
    found = evaluation(
        metric="rmse", task="regression", reference=60.0, versus=(-1.0, 0.5), deviation=math.nan
    )
    assert judge(found, rules(rule), CHAMPION).decision == "HOLD"


def test_max_loss_with_a_negative_champion() -> None:
    rule = {"metric": "r2", "versus_champion": {"max_loss": 0.05}}
    for difference, decision in ((0.3, "APPROVE"), (-0.04, "APPROVE"), (-0.06, "REJECT")):
        found = evaluation(metric="r2", task="regression", reference=-0.4, versus=(difference, 0.0))
        assert judge(found, rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(("rows", "decision"), [(0, "HOLD"), (29, "HOLD"), (30, "APPROVE")])
def test_comparison_holds_below_30_rows(rows: int, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.0, "confidence": 0.99}}
    assert judge(evaluation(versus=(0.0, 0.0), n=rows), rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(
    ("metric", "rows", "decision"),
    [("roc_auc", 9, "HOLD"), ("roc_auc", 10, "APPROVE"), ("recall", 9, "HOLD"), ("accuracy", 9, "APPROVE"),
     ("brier", 9, "APPROVE")],
)  # fmt: skip
def test_comparison_by_class_holds_below_10_rows_of_a_class(metric: str, rows: int, decision: str) -> None:
    found = evaluation(metric=metric, versus=(0.0, 0.001))
    assert found.comparison is not None
    few = found.comparison.model_copy(update={"smallest_class": rows})
    asked = rules({"metric": metric, "versus_champion": {"max_loss": 0.03}})
    assert judge(found.model_copy(update={"comparison": few}), asked, CHAMPION).decision == decision


def test_comparison_on_more_rows_than_were_measured_counts_the_measured_ones() -> None:
    found = evaluation(versus=(0.0, 0.001), n=40)
    small = found.candidate.model_copy(update={"n": 29})
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert (
        "29 rows, needs ≥ 30"
        in judge(found.model_copy(update={"candidate": small}), asked, CHAMPION).texts[0]
    )


def test_bound_is_wider_with_few_degrees_of_freedom() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    found = evaluation(versus=(0.0, 0.018))  # normal: −0.0296; Student's at 29: −0.0306
    assert judge(found, rules(rule), CHAMPION).decision == "APPROVE"
    assert found.comparison is not None
    of_30 = Difference(value=0.0, standard_error=0.018, freedom=29)
    few = found.comparison.model_copy(update={"differences": {"roc_auc": of_30}})
    assert judge(found.model_copy(update={"comparison": few}), rules(rule), CHAMPION).decision == "HOLD"


@pytest.mark.parametrize(
    ("confidence", "freedom", "expected"),
    [
        (0.95, math.nan, 1.6449),
        (0.95, 29, 1.6991),
        (0.99, 9, 2.8214),
        (0.95, 1e9, 1.6449),
        (0.975, 100, 1.9840),
    ],
)
def test_quantile_is_students_t(confidence: float, freedom: float, expected: float) -> None:
    assert quantile(confidence, freedom) == pytest.approx(expected, abs=2e-3)


def test_text_of_a_comparison() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "confidence": 0.95}}
    verdict = judge(evaluation(versus=(0.012, 0.0097)), rules(rule), CHAMPION)
    assert verdict.texts == (
        "roc_auc: candidate 0.862 − champion 0.85 = +0.012, lower 95 % bound −0.003955, "
        "needs ≥ −0.03 on 262 rows → pass",
        "roc_auc: candidate 0.8, guessing (class 0, 0.62 of the training rows) 0.5, "
        "lower 99 % bound of the gain +0.2767, needs > 0 → pass",
    )


def test_text_of_a_comparison_of_which_lower_is_better() -> None:
    rule = {"metric": "rmse", "versus_champion": {"max_loss": 1.5}}
    found = evaluation(versus=(2.0, 0.5), metric="rmse", reference=57.0, task="regression")
    assert judge(found, rules(rule), CHAMPION).texts == (
        "rmse: champion 57 − candidate 59 = −2, lower 95 % bound −2.822, upper −1.178, needs ≥ −1.5 "
        "on 262 rows → undecided",
    )
