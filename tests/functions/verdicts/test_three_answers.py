"""Met, worse or undecided: comparisons and limits whose interval may contain what is asked for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from retraining.config.tasks import LOWER_IS_BETTER, Task
from retraining.verdicts.evaluation import Evaluation, Measured
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules


def first(verdict: Verdict) -> tuple[str, str, str]:
    """Decision, outcome and effect of the first rule."""
    return verdict.decision, verdict.rules[0].outcome, verdict.rules[0].effect


# ---- comparisons -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_fail", ["reject", "hold", "warn"])
@pytest.mark.parametrize(
    ("difference", "error", "outcome"),
    [
        (0.0, 0.018, "pass"),  # −0.02961 to 0.02961
        (0.0, 0.0183, "undecided"),  # −0.03010 to 0.03010
        (-0.03, 0.001, "undecided"),
        (-0.0616, 0.02, "undecided"),  # upper bound −0.02870
        (-0.0616, 0.0191, "fail"),  # upper bound −0.03018
        (-0.03, 0.0, "pass"),
        (-0.0301, 0.0, "fail"),
    ],
)
def test_max_loss_is_met_worse_or_undecided(
    difference: float, error: float, outcome: str, on_fail: str
) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}, "on_fail": on_fail}
    other = {"metric": "accuracy", "min": 0.6}
    found = judge(evaluation({"accuracy": 0.8}, versus=(difference, error)), rules(rule, other), CHAMPION)
    effect = {"pass": "none", "undecided": "hold", "fail": on_fail}[outcome]
    decision = {"none": "APPROVE", "warn": "APPROVE", "hold": "HOLD", "reject": "REJECT"}[effect]
    assert first(found) == (decision, outcome, effect)


@pytest.mark.parametrize(
    ("difference", "error", "outcome"),
    [
        # the first look uses 97.5 % for the lower bound (the quantile is 1.96), and 95 % for the upper one
        (0.02, 0.005, "pass"),  # lower bound 0.0102
        (0.02, 0.006, "undecided"),  # 0.0082 to 0.0299
        (0.0, 0.0062, "undecided"),  # upper bound 0.0102
        (0.0, 0.006, "fail"),  # upper bound 0.0099
        (-0.1, 0.01, "fail"),
    ],
)
def test_min_gain_is_met_worse_or_undecided(difference: float, error: float, outcome: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"min_gain": 0.01}}
    found = judge(evaluation(versus=(difference, error)), rules(rule), CHAMPION)
    decision = {"pass": "APPROVE", "undecided": "HOLD", "fail": "REJECT"}[outcome]
    assert first(found)[:2] == (decision, outcome)


def test_an_equally_good_model_on_262_rows_is_undecided_and_not_rejected() -> None:
    rule = {"metric": "accuracy", "versus_champion": {"max_loss": 0.03}}
    found = evaluation(metric="accuracy", versus=(0.0, 0.0237), reference=0.8)
    verdict = judge(found, rules(rule), CHAMPION)
    assert verdict.decision == "HOLD"
    assert [reason.code for reason in verdict.reasons] == ["rule_undecided"]
    assert verdict.texts == (
        "accuracy: candidate 0.8 − champion 0.8 = +0, lower 95 % bound −0.03898, upper +0.03898, "
        "needs ≥ −0.03 on 262 rows → undecided",
    )
    assert verdict.lost_to_champion is None
    assert verdict.undecided_against_champion == verdict.rules[0]
    assert not verdict.held_by_champion


def test_a_worse_model_is_called_worse_with_its_interval() -> None:
    rule = {"metric": "rmse", "versus_champion": {"max_loss": 1.5}}
    found = evaluation(versus=(3.0, 0.5), metric="rmse", reference=57.0, task="regression")
    verdict = judge(found, rules(rule), CHAMPION)
    assert verdict.texts == (
        "rmse: champion 57 − candidate 60 = −3, lower 95 % bound −3.822, upper −2.178, needs ≥ −1.5 "
        "on 262 rows → worse",
    )
    (finding,) = verdict.rules[0].findings
    assert (finding.word, finding.estimate, finding.limit) == ("worse", -3.0, -1.5)
    assert finding.bounds == pytest.approx((-3.8224, -2.1776), abs=1e-4)


def test_a_relative_margin_has_three_answers() -> None:
    """rmse of a champion of 60 ± 3; 10 % may be lost: the standard error is sqrt(0.09 + 1.1 · error²)."""
    rule = {"metric": "rmse", "versus_champion": {"max_loss": 0.1, "relative": True}}
    for difference, outcome in ((5.0, "pass"), (6.0, "undecided"), (7.0, "fail")):
        found = evaluation(
            metric="rmse", task="regression", reference=60.0, versus=(difference, 0.1), deviation=3.0
        )
        assert judge(found, rules(rule), CHAMPION).rules[0].outcome == outcome


def test_a_comparison_whose_bound_is_infinite_cannot_be_judged() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "confidence": 0.9999}}
    assert first(judge(evaluation(versus=(0.0, 1e308)), rules(rule), CHAMPION)) == ("HOLD", "unknown", "hold")


# ---- a leap ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_fail", "effect"), [("reject", "hold"), ("hold", "hold"), ("warn", "warn")])
@pytest.mark.parametrize(
    ("difference", "error", "outcome"),
    [(0.1, 0.5, "pass"), (0.1001, 0.5, "fail"), (0.3, 0.01, "fail"), (0.02, 0.01, "pass")],
)
def test_max_gain_holds_by_the_estimate_and_never_rejects(
    difference: float, error: float, outcome: str, on_fail: str, effect: str
) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_gain": 0.1}, "on_fail": on_fail}
    other = {"metric": "accuracy", "min": 0.6}
    found = judge(evaluation({"accuracy": 0.8}, versus=(difference, error)), rules(rule, other), CHAMPION)
    wanted = effect if outcome == "fail" else "none"
    assert first(found)[1:] == (outcome, wanted)
    assert found.decision == ("HOLD" if wanted == "hold" else "APPROVE")


def test_max_gain_beside_max_loss_has_a_finding_of_its_own() -> None:
    versus = {"max_loss": 0.03, "max_gain": 0.1}
    rule = {"metric": "roc_auc", "versus_champion": versus}
    verdict = judge(evaluation(versus=(0.12, 0.01)), rules(rule), CHAMPION)
    assert [finding.question for finding in verdict.rules[0].findings] == ["max_loss", "max_gain"]
    assert first(verdict) == ("HOLD", "fail", "hold")
    assert verdict.texts[0].endswith("= +0.12, needs ≤ +0.1 on 262 rows → suspicious leap")
    assert verdict.lost_to_champion is None
    assert verdict.rules[0].rule == "roc_auc max_loss 0.03, max_gain 0.1, confidence 0.95"


def test_max_gain_of_a_loss_and_of_a_share_of_the_champion() -> None:
    rule = {"metric": "log_loss", "versus_champion": {"max_gain": 0.5, "relative": True}}
    for difference, outcome in ((-0.2, "pass"), (-0.21, "fail"), (0.3, "pass")):
        found = evaluation(metric="log_loss", versus=(difference, 0.01), reference=0.4)
        assert judge(found, rules(rule), CHAMPION).rules[0].outcome == outcome


def test_max_gain_of_an_undefined_difference_cannot_be_judged() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_gain": 0.1}}
    assert first(judge(evaluation(versus=(math.nan, 0.01)), rules(rule), CHAMPION))[1:] == ("unknown", "hold")


# ---- limits with a confidence ------------------------------------------------------------------------------


def bounded(
    metric: str, value: float, low: float, high: float, task: Task = "binary_classification"
) -> Evaluation:
    """An evaluation with these one-sided 95 % bounds of a metric."""
    found = evaluation(task=task)
    measured = Measured(value=value, interval=(low - 0.01, high + 0.01), bounds={"0.95": (low, high)})
    metrics = {**found.candidate.metrics, metric: measured}
    return found.model_copy(update={"candidate": found.candidate.model_copy(update={"metrics": metrics})})


@pytest.mark.parametrize("on_fail", ["reject", "hold", "warn"])
@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.78, 0.84, "pass"), (0.7799, 0.84, "undecided"), (0.7, 0.78, "undecided"), (0.7, 0.7799, "fail")],
)
def test_min_with_a_confidence_has_three_answers(low: float, high: float, outcome: str, on_fail: str) -> None:
    rule = {"metric": "accuracy", "min": 0.78, "confidence": 0.95, "on_fail": on_fail}
    verdict = judge(bounded("accuracy", (low + high) / 2, low, high), rules(rule), None)
    assert verdict.rules[0].outcome == outcome
    assert verdict.rules[0].effect == {"pass": "none", "undecided": "hold", "fail": on_fail}[outcome]


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(2.0, 3.0, "pass"), (2.0, 3.1, "undecided"), (3.0, 3.1, "undecided"), (3.01, 3.1, "fail")],
)
def test_max_with_a_confidence_has_three_answers(low: float, high: float, outcome: str) -> None:
    rule = {"metric": "mae", "max": 3.0, "confidence": 0.95}
    found = bounded("mae", (low + high) / 2, low, high, "regression")
    assert judge(found, rules(rule), None).rules[0].outcome == outcome


def test_text_of_limits_with_a_confidence() -> None:
    rule = {"metric": "accuracy", "min": 0.78, "max": 0.99, "confidence": 0.95}
    result = judge(bounded("accuracy", 0.8, 0.75, 0.84), rules(rule), None).rules[0]
    assert result.rule == "accuracy min 0.78, max 0.99, confidence 0.95"
    assert result.text == (
        "accuracy: 0.8, lower 95 % bound 0.75, upper 0.84, needs ≥ 0.78 → undecided; "
        "accuracy: 0.8, upper 95 % bound 0.84, needs ≤ 0.99 → pass"
    )
    assert [(item.observed, item.estimate, item.bounds) for item in result.findings] == [
        (0.75, 0.8, (0.75, 0.84)),
        (0.84, 0.8, (0.75, 0.84)),
    ]


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.975, 0.99])
def test_confidence_whose_bounds_the_evaluation_does_not_have_cannot_be_judged(confidence: float) -> None:
    """As in an evaluation of an earlier version."""
    rule = {"metric": "accuracy", "min": 0.5, "confidence": confidence}
    verdict = judge(bounded("accuracy", 0.8, 0.75, 0.84), rules(rule), None)
    assert first(verdict) == ("HOLD", "unknown", "hold")
    assert "bounds are not known → cannot be judged" in verdict.texts[0]


@pytest.mark.parametrize("bounds", [(math.nan, 0.9), (0.9, math.inf), (0.9, 0.8)])
def test_bounds_that_are_no_interval_cannot_be_judged(bounds: tuple[float, float]) -> None:
    rule = {"metric": "accuracy", "min": 0.5, "confidence": 0.95}
    assert first(judge(bounded("accuracy", 0.85, *bounds), rules(rule), None))[1:] == ("unknown", "hold")


# ---- one direction -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "rmse"])
def test_a_better_candidate_never_gets_a_worse_answer(metric: str) -> None:
    """From much worse to much better, the answers come in one order."""
    order = {"fail": 0, "undecided": 1, "pass": 2}
    task: Task = "regression" if metric == "rmse" else "binary_classification"
    asked: list[dict[str, Any]] = [
        {"max_loss": 0.05},
        {"min_gain": 0.05},
        {"max_loss": 0.05, "relative": True},
    ]
    for versus in asked:
        answers = []
        for step in range(-30, 31):
            gain = step / 100
            difference = -gain if metric in LOWER_IS_BETTER else gain
            found = evaluation(metric=metric, task=task, versus=(difference, 0.02), reference=0.5)
            rule = {"metric": metric, "versus_champion": versus}
            answers.append(order[judge(found, rules(rule), CHAMPION).rules[0].outcome])
        assert answers == sorted(answers)
        assert set(answers) == {0, 1, 2}
