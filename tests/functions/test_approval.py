"""Each rule at its edge, with literal numbers; and that nothing unknown is ever approved."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.config.rules import Approval, DataRule, MetricRule, VersusChampion
from retraining.config.schema import ModelConfig
from retraining.config.tasks import DECISIVE, LOWER_IS_BETTER, METRICS, Task
from retraining.verdicts.bounds import quantile
from retraining.verdicts.evaluation import (
    Baseline,
    Comparison,
    Data,
    Difference,
    Drift,
    Evaluation,
    Measured,
    Moved,
    Scores,
    SlicePaired,
    SliceScores,
    SplitData,
)
from retraining.verdicts.judge import held_after_all, judge, of_another_config
from retraining.verdicts.verdict import Reason
from retraining.verdicts.wording import describe
from tests.functions.fakes import ROOT

ODD = Reason(code="evaluation_of_another_execution", text="odd")
CHAMPION = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/1"
DATA = Data(
    train=SplitData(rows=1047, missing_share={"age": 0.2, "fare": 0.0}),
    validation=SplitData(rows=262, missing_share={"age": 0.25, "fare": 0.0}),
)


def paired(metric: str, versus: tuple[float, float], reference: float, deviation: float) -> dict[str, Any]:
    """Both models with this metric; `versus` is candidate minus champion and its standard error."""
    return {
        "candidate": {metric: Measured(value=reference + versus[0], standard_deviation=deviation)},
        "champion": {metric: Measured(value=reference, standard_deviation=deviation)},
        "differences": {metric: Difference(value=versus[0], standard_error=versus[1])},
    }


def evaluation(
    metrics: dict[str, float] | None = None,
    *,
    n: int = 262,
    slices: dict[str, tuple[int, dict[str, float]]] | None = None,
    versus: tuple[float, float] | None = None,
    versus_in: dict[str, tuple[int, tuple[float, float]]] | None = None,
    metric: str = "roc_auc",
    reference: float = 0.85,
    deviation: float = 0.02,
    champion: str | None = None,
    problem: str | None = None,
    task: Task = "binary_classification",
    guessing: tuple[float, float] = (0.3, 0.01),
    drift: dict[str, float] | None = None,
) -> Evaluation:
    """An evaluation with these numbers.

    `versus` is candidate minus champion and its standard error, `versus_in` the same in slices of sex;
    `guessing` is the gain over guessing in the decisive metric, and its standard error.
    """
    comparison = None
    if versus is not None:
        comparison = Comparison(
            n=n,
            excluded=0,
            slices=tuple(
                SlicePaired(n=rows, where={"sex": name}, **paired(metric, numbers, reference, deviation))
                for name, (rows, numbers) in (versus_in or {}).items()
            ),
            **paired(metric, versus, reference, deviation),
        )
    decisive = DECISIVE[task]
    gain = -guessing[0] if decisive in LOWER_IS_BETTER else guessing[0]
    measured = {decisive: Measured(value=0.8)} | {k: Measured(value=v) for k, v in (metrics or {}).items()}
    return Evaluation(
        schema_version=2,
        model="titanic",
        task=task,
        execution="arn",
        batch="b",
        candidate=Scores(n=n, metrics=measured),
        slices=tuple(
            SliceScores(
                where={"sex": name}, n=rows, metrics={k: Measured(value=v) for k, v in values.items()}
            )
            for name, (rows, values) in (slices or {}).items()
        ),
        baseline=Baseline(
            predicts="class 0, 0.62 of the training rows",
            metrics={decisive: Measured(value=0.5)},
            differences={decisive: Difference(value=gain, standard_error=guessing[1])},
        ),
        data=DATA,
        champion=champion or (CHAMPION if comparison or problem else None),
        champion_problem=problem,
        comparison=comparison,
        drift=None
        if drift is None
        else Drift(reference=CHAMPION, columns={k: Moved(psi=v, by_chance=0.0) for k, v in drift.items()}),
    )


def rules(*items: dict[str, Any], first_model: str = "rules_only") -> Approval:
    return Approval.model_validate({"first_model": first_model, "rules": items})


@pytest.mark.parametrize(
    ("value", "decision"),
    [(0.7799, "REJECT"), (0.7799999999, "REJECT"), (0.78, "APPROVE"), (0.7801, "APPROVE"), (math.nan, "HOLD"),
     (math.inf, "HOLD")],
)  # fmt: skip
def test_minimum(value: float, decision: str) -> None:
    verdict = judge(evaluation({"accuracy": value}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.decision == decision


@pytest.mark.parametrize(("value", "decision"), [(0.97, "APPROVE"), (0.9701, "HOLD"), (1.0, "HOLD")])
def test_maximum_catches_what_is_too_good(value: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "max": 0.97, "on_fail": "hold"}
    assert judge(evaluation({"roc_auc": value}), rules(rule), None).decision == decision


def test_a_missing_metric_holds() -> None:
    verdict = judge(evaluation({"f1": 0.9}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.decision == "HOLD"
    assert verdict.texts[0] == "accuracy: undefined on 262 rows → cannot be judged"


def test_no_rules_hold() -> None:
    assert judge(evaluation({"accuracy": 1.0}), rules(), None).decision == "HOLD"


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
def test_no_worse_than_the_champion(difference: float, error: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "confidence": 0.95}, "on_fail": "hold"}
    assert judge(evaluation(versus=(difference, error)), rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(
    ("difference", "error", "decision"),
    [
        (0.02, 0.006, "APPROVE"),  # bound 0.02 − 1.6449 · 0.006 = 0.01013
        (0.02, 0.0061, "REJECT"),  # bound 0.00997
        (0.0, 0.001, "REJECT"),
    ],
)
def test_proven_gain(difference: float, error: float, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"min_gain": 0.01, "confidence": 0.95}}
    assert judge(evaluation(versus=(difference, error)), rules(rule), CHAMPION).decision == decision


@pytest.mark.parametrize(
    ("difference", "decision"), [(0.03, "APPROVE"), (0.031, "REJECT"), (-0.2, "APPROVE")]
)
def test_of_a_loss_less_is_better(difference: float, decision: str) -> None:
    rule = {"metric": "log_loss", "versus_champion": {"max_loss": 0.03}}
    found = evaluation(versus=(difference, 0.0), metric="log_loss")
    assert judge(found, rules(rule), CHAMPION).decision == decision


def test_without_a_champion_the_comparison_is_skipped_and_said() -> None:
    approval = rules(
        {"metric": "accuracy", "min": 0.78}, {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    )
    verdict = judge(evaluation({"accuracy": 0.8, "roc_auc": 0.85}), approval, None)
    assert verdict.decision == "APPROVE"
    assert [result.outcome for result in verdict.rules] == ["pass", "skipped", "pass"]
    assert verdict.first_model == "rules_only"
    assert "no champion to compare with (first_model: rules_only)" in verdict.texts[1]


def test_only_comparison_rules_and_no_champion_cannot_approve() -> None:
    approval = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert judge(evaluation({"roc_auc": 0.1}), approval, None).decision == "HOLD"


def test_first_model_hold() -> None:
    approval = rules({"metric": "accuracy", "min": 0.78}, first_model="hold")
    assert judge(evaluation({"accuracy": 0.9}), approval, None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.7}), approval, None).decision == "REJECT"
    assert judge(evaluation({"accuracy": 0.9}, champion=CHAMPION), approval, CHAMPION).decision == "APPROVE"


def test_a_champion_that_could_not_be_scored_holds_and_says_why() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    verdict = judge(evaluation({"roc_auc": 0.9}, problem="made by scikit-learn 1.2"), rules(rule), CHAMPION)
    assert verdict.decision == "HOLD"
    assert "made by scikit-learn 1.2" in verdict.texts[0]


@pytest.mark.parametrize(("then", "now"), [(None, CHAMPION), (CHAMPION, None), (CHAMPION, CHAMPION + "2")])
def test_a_champion_that_changed_meanwhile_holds(then: str | None, now: str | None) -> None:
    found = evaluation({"accuracy": 0.9}, champion=then)
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.78}), now)
    assert verdict.decision == "HOLD"
    assert any("the champion changed" in reason for reason in verdict.texts)


@pytest.mark.parametrize(
    ("rows", "recall", "decision"),
    [(50, 0.75, "APPROVE"), (50, 0.7499, "HOLD"), (49, 0.99, "HOLD"), (0, math.nan, "HOLD")],
)
def test_slice(rows: int, recall: float, decision: str) -> None:
    rule = {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75, "min_samples": 50, "on_fail": "hold"}
    found = evaluation(slices={"female": (rows, {"recall": recall})})
    assert judge(found, rules(rule), None).decision == decision


def test_a_slice_that_was_not_evaluated_holds() -> None:
    rule = {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75}
    assert judge(evaluation({"recall": 1.0}), rules(rule), None).decision == "HOLD"


def test_too_few_rows_hold_even_where_failing_rejects() -> None:
    rule = {"metric": "accuracy", "min": 0.78, "min_samples": 100}
    assert judge(evaluation({"accuracy": 0.99}, n=99), rules(rule), None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.99}, n=100), rules(rule), None).decision == "APPROVE"


@pytest.mark.parametrize(("rows", "decision"), [(0, "HOLD"), (29, "HOLD"), (30, "APPROVE")])
def test_a_comparison_on_a_handful_of_rows_proves_nothing(rows: int, decision: str) -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.0, "confidence": 0.99}}
    assert judge(evaluation(versus=(0.0, 0.0), n=rows), rules(rule), CHAMPION).decision == decision


def test_what_cannot_be_known_holds_even_where_failing_only_warns() -> None:
    approval = rules({"metric": "accuracy", "min": 0.7}, {"metric": "f1", "min": 0.7, "on_fail": "warn"})
    assert judge(evaluation({"accuracy": 0.8, "f1": math.nan}), approval, None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.8, "f1": 0.1}), approval, None).decision == "APPROVE"


def test_reject_beats_hold_and_a_warning_is_told() -> None:
    approval = rules(
        {"metric": "accuracy", "min": 0.78},
        {"metric": "roc_auc", "max": 0.97, "on_fail": "hold"},
        {"metric": "f1", "min": 0.7, "on_fail": "warn"},
    )
    verdict = judge(evaluation({"accuracy": 0.5, "roc_auc": 0.99, "f1": 0.6}), approval, None)
    assert verdict.decision == "REJECT"
    assert verdict.texts == (
        "accuracy: 0.5, needs ≥ 0.78 → fail",
        "roc_auc: 0.99, needs ≤ 0.97 → fail",
        "f1: 0.6, needs ≥ 0.7 → fail",
    )
    warned = judge(evaluation({"accuracy": 0.8, "roc_auc": 0.9, "f1": 0.6}), approval, None)
    assert warned.decision == "APPROVE"
    assert "f1: 0.6, needs ≥ 0.7 → fail" in warned.texts


def test_numbers_show_on_which_side_of_the_limit_they_lie() -> None:
    verdict = judge(evaluation({"accuracy": 0.779999}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.texts == ("accuracy: 0.779999, needs ≥ 0.78 → fail",)


def test_the_comparison_as_a_person_reads_it() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "confidence": 0.95}}
    verdict = judge(evaluation(versus=(0.012, 0.0097)), rules(rule), CHAMPION)
    assert verdict.texts == (
        "roc_auc: candidate 0.862 − champion 0.85 = +0.012, lower 95 % bound −0.003955, "
        "needs ≥ −0.03 on 262 rows → pass",
        "roc_auc: candidate 0.8, guessing (class 0, 0.62 of the training rows) 0.5, "
        "lower 99 % bound of the gain +0.2767, needs > 0 → pass",
    )


def test_a_loss_as_a_person_reads_it() -> None:
    rule = {"metric": "rmse", "versus_champion": {"max_loss": 1.5}}
    found = evaluation(versus=(2.0, 0.5), metric="rmse", reference=57.0, task="regression")
    assert judge(found, rules(rule), CHAMPION).texts == (
        "rmse: champion 57 − candidate 59 = −2, lower 95 % bound −2.822, needs ≥ −1.5 on 262 rows → fail",
    )


# ---- versus the champion: slices, shares ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "difference", "decision"),
    [(60, 0.0, "APPROVE"), (60, -0.05, "REJECT"), (29, 0.1, "HOLD"), (None, 0.0, "HOLD")],
)
def test_no_worse_than_the_champion_in_a_slice(rows: int | None, difference: float, decision: str) -> None:
    rule = {"metric": "recall", "slice": {"sex": "female"}, "versus_champion": {"max_loss": 0.03}}
    found = evaluation(
        metric="recall",
        versus=(0.2, 0.0),
        versus_in={} if rows is None else {"female": (rows, (difference, 0.01))},
        slices={"female": (93, {"recall": 0.9})},
    )
    assert judge(found, rules(rule), CHAMPION).decision == decision


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
def test_a_share_of_the_champions_absolute_value(
    metric: str, task: Task, reference: float, difference: float, versus: dict[str, float], decision: str
) -> None:
    rule = {"metric": metric, "versus_champion": {**versus, "relative": True}}
    found = evaluation(metric=metric, task=task, reference=reference, versus=(difference, 0.0), deviation=0.0)
    assert judge(found, rules(rule), CHAMPION).decision == decision


def test_a_share_bears_the_champions_own_uncertainty() -> None:
    """rmse 59 of 60 ± 3, 10 % may be lost: Var = −0.1 · 9 + 0.11 · 9 + 1.1 · 0.25 = 0.365, root 0.60415."""
    rule = {"metric": "rmse", "versus_champion": {"max_loss": 0.1, "relative": True}}
    found = evaluation(metric="rmse", task="regression", reference=60.0, versus=(-1.0, 0.5), deviation=3.0)
    (asked, _) = judge(found, rules(rule), CHAMPION).rules
    assert asked.findings[0].observed == pytest.approx(0.00626, abs=1e-5)  # 1 − 1.64485 · 0.60415
    assert asked.findings[0].limit == -6.0
    assert "needs ≥ −6 (10 % of the champion's) on 262 rows → pass" in asked.text


def test_a_share_without_standard_deviations_holds() -> None:
    rule = {"metric": "rmse", "versus_champion": {"max_loss": 0.1, "relative": True}}
    found = evaluation(
        metric="rmse", task="regression", reference=60.0, versus=(-1.0, 0.5), deviation=math.nan
    )
    assert judge(found, rules(rule), CHAMPION).decision == "HOLD"


def test_a_negative_champion_of_plain_numbers_is_compared_the_right_way_round() -> None:
    rule = {"metric": "r2", "versus_champion": {"max_loss": 0.05}}
    for difference, decision in ((0.3, "APPROVE"), (-0.04, "APPROVE"), (-0.06, "REJECT")):
        found = evaluation(metric="r2", task="regression", reference=-0.4, versus=(difference, 0.0))
        assert judge(found, rules(rule), CHAMPION).decision == decision


# ---- guessing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "error", "n", "decision"),
    [
        (0.0, 0.0, 262, "REJECT"),
        (-0.1, 0.01, 262, "REJECT"),
        (0.0232, 0.01, 262, "HOLD"),  # bound 0.0232 − 2.3263 · 0.01 < 0: better, but not shown to be
        (0.0233, 0.01, 262, "APPROVE"),
        (0.3, 0.01, 29, "HOLD"),
        (0.3, 0.01, 30, "APPROVE"),
        (0.5, 0.0, 8, "HOLD"),
        (math.nan, 0.01, 262, "HOLD"),
        (0.3, math.nan, 262, "HOLD"),
        (0.3, -1.0, 262, "HOLD"),
        (math.inf, 0.01, 262, "HOLD"),
    ],
)
@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification", "regression"])
def test_no_better_than_guessing_never_passes(
    task: Task, gain: float, error: float, n: int, decision: str
) -> None:
    metric = "rmse" if task == "regression" else "accuracy"
    asked = rules({"metric": metric, "min": 0.0})
    found = evaluation({metric: 0.99}, task=task, guessing=(gain, error), n=n)
    assert judge(found, asked, None).decision == decision


def test_a_warning_does_not_let_a_guesser_pass() -> None:
    found = evaluation({"accuracy": 0.99}, guessing=(0.0, 0.0))
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.5, "on_fail": "warn"}), None)
    assert verdict.decision == "REJECT"
    assert "→ no better than guessing" in verdict.texts[0]


@pytest.mark.parametrize(("rows", "decision"), [(0, "HOLD"), (9, "HOLD"), (10, "APPROVE"), (None, "APPROVE")])
def test_a_handful_of_rows_of_a_class_tells_nothing_from_guessing(rows: int | None, decision: str) -> None:
    found = evaluation({"accuracy": 0.9})
    found = found.model_copy(
        update={"candidate": found.candidate.model_copy(update={"smallest_class": rows})}
    )
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.5}), None)
    assert verdict.decision == decision
    if rows is not None and rows < 10:
        assert verdict.texts == (
            f"roc_auc: {rows} rows of the rarest class, needs ≥ 10 to tell from guessing",
        )


@pytest.mark.parametrize(
    ("metric", "rows", "decision"),
    [("roc_auc", 9, "HOLD"), ("roc_auc", 10, "APPROVE"), ("recall", 9, "HOLD"), ("accuracy", 9, "APPROVE"),
     ("brier", 9, "APPROVE")],
)  # fmt: skip
def test_a_comparison_on_a_handful_of_rows_of_a_class(metric: str, rows: int, decision: str) -> None:
    found = evaluation(metric=metric, versus=(0.0, 0.001))
    assert found.comparison is not None
    few = found.comparison.model_copy(update={"smallest_class": rows})
    asked = rules({"metric": metric, "versus_champion": {"max_loss": 0.03}})
    assert judge(found.model_copy(update={"comparison": few}), asked, CHAMPION).decision == decision


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
def test_the_quantile_is_students(confidence: float, freedom: float, expected: float) -> None:
    assert quantile(confidence, freedom) == pytest.approx(expected, abs=2e-3)


def test_the_bound_widens_with_few_degrees_of_freedom() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    found = evaluation(versus=(0.0, 0.018))  # normal: −0.0296; Student's at 29: −0.0306
    assert judge(found, rules(rule), CHAMPION).decision == "APPROVE"
    assert found.comparison is not None
    of_30 = Difference(value=0.0, standard_error=0.018, freedom=29)
    few = found.comparison.model_copy(update={"differences": {"roc_auc": of_30}})
    assert judge(found.model_copy(update={"comparison": few}), rules(rule), CHAMPION).decision == "REJECT"


def test_the_same_model_again_is_no_gain() -> None:
    rule = {"metric": "log_loss", "versus_champion": {"min_gain": 0.0}}
    found = evaluation(metric="log_loss", versus=(0.0, 0.0), reference=0.4)
    verdict = judge(found, rules(rule), CHAMPION)
    assert verdict.decision == "REJECT"
    assert "champion 0.4 − candidate 0.4 = 0, lower" in verdict.texts[0]
    assert (
        judge(evaluation(metric="log_loss", versus=(-1e-6, 0.0)), rules(rule), CHAMPION).decision == "APPROVE"
    )


# ---- what cannot be ----------------------------------------------------------------------------------------


def test_predictions_that_are_no_numbers_hold_whatever_the_metrics_say() -> None:
    found = evaluation({"accuracy": 0.9})
    broken = found.candidate.model_copy(update={"unusable": 1})
    verdict = judge(
        found.model_copy(update={"candidate": broken}), rules({"metric": "accuracy", "min": 0.5}), None
    )
    assert verdict.decision == "HOLD"
    assert [result.outcome for result in verdict.rules] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("metric", "value"), [("accuracy", 7.0), ("accuracy", -0.1), ("brier", 1.5), ("rmse", 3.0)]
)
def test_a_value_that_the_metric_cannot_take_holds(metric: str, value: float) -> None:
    asked = rules({"metric": metric, "min": 0.5}, {"metric": metric, "max": 9.0})
    assert judge(evaluation({metric: value}), asked, None).decision == "HOLD"


def test_a_comparison_on_more_rows_than_there_are_counts_those_that_there_are() -> None:
    found = evaluation(versus=(0.0, 0.001), n=40)
    small = found.candidate.model_copy(update={"n": 29})
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert (
        "29 rows, needs ≥ 30"
        in judge(found.model_copy(update={"candidate": small}), asked, CHAMPION).texts[0]
    )


def test_a_champion_that_could_not_be_scored_holds_though_no_rule_compares() -> None:
    found = evaluation({"accuracy": 0.9}, problem="its file is gone")
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.5}), CHAMPION)
    assert (verdict.decision, verdict.texts) == (
        "HOLD",
        ("the champion cannot be compared with: its file is gone",),
    )


def test_a_doubt_holds() -> None:
    verdict = judge(
        evaluation({"accuracy": 0.9}), rules({"metric": "accuracy", "min": 0.5}), None, doubts=[ODD]
    )
    assert (verdict.decision, verdict.texts) == ("HOLD", ("odd",))


def test_rows_that_are_left_out_are_said() -> None:
    found = evaluation(versus=(0.0, 0.001), n=27)
    assert found.comparison is not None
    found = found.model_copy(update={"comparison": found.comparison.model_copy(update={"excluded": 45})})
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert (
        "27 rows (45 more the champion was trained on), needs ≥ 30" in judge(found, asked, CHAMPION).texts[0]
    )
    leaked = evaluation({"accuracy": 0.9}, n=0).model_copy(update={"leaked": 106})
    assert (
        "0 rows (106 more the candidate was trained on), needs ≥ 1"
        in judge(leaked, rules({"metric": "accuracy", "min": 0.5}), None).texts[0]
    )


def test_a_slice_that_nobody_measured_is_not_one_without_rows() -> None:
    asked = rules({"metric": "recall", "slice": {"sex": "female"}, "min": 0.75})
    assert "the evaluation has no such slice" in judge(evaluation(), asked, None).texts[0]
    none = evaluation(slices={"female": (0, {})})
    assert "recall where sex = female: 0 rows, needs ≥ 1" in judge(none, asked, None).texts[0]


def test_rules_of_another_config_are_told_apart() -> None:
    titanic = yaml.safe_load((ROOT / "handsoff.yaml").read_text())["models"]["titanic"]
    found = evaluation().model_copy(update={"classes": ("0", "1")})
    assert of_another_config(found, ModelConfig.model_validate(titanic)) is None
    other = ModelConfig.model_validate({**titanic, "classes": ["1", "0"]})
    said = "the classes changed: the evaluation is of 0, 1, the config says 1, 0"
    assert of_another_config(found, other) == Reason(code="another_classes", text=said)


# ---- data --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "decision"),
    [
        ({"data": "rows", "min": 1047}, "APPROVE"),
        ({"data": "rows", "min": 1048}, "REJECT"),
        ({"data": "rows", "split": "validation", "max": 262}, "APPROVE"),
        ({"data": "rows", "split": "validation", "max": 261}, "REJECT"),
        ({"data": "missing_share", "max": 0.2}, "APPROVE"),
        ({"data": "missing_share", "max": 0.1999}, "REJECT"),
        ({"data": "missing_share", "column": "fare", "max": 0.0}, "APPROVE"),
        ({"data": "missing_share", "split": "validation", "max": 0.2}, "REJECT"),
        ({"data": "missing_share", "column": "nowhere", "max": 0.2}, "HOLD"),
        ({"data": "drift", "max": 0.3}, "APPROVE"),
        ({"data": "drift", "max": 0.2999, "on_fail": "hold"}, "HOLD"),
        ({"data": "drift", "column": "fare", "max": 0.1}, "APPROVE"),
        ({"data": "drift", "column": "sex", "max": 9.0}, "HOLD"),  # NaN
        ({"data": "drift", "column": "nowhere", "max": 9.0}, "HOLD"),
    ],
)
def test_data(rule: dict[str, Any], decision: str) -> None:
    drift = {"age": 0.3, "fare": 0.01} | ({"sex": math.nan} if rule.get("column") == "sex" else {})
    found = evaluation({"accuracy": 0.9}, champion=CHAMPION, drift=drift)
    assert judge(found, rules(rule), CHAMPION).decision == decision


def test_the_worst_feature_is_named() -> None:
    found = evaluation(champion=CHAMPION, drift={"age": 0.3, "fare": 0.01})
    asked = rules({"data": "drift", "max": 0.2}, {"data": "missing_share", "max": 0.1})
    assert [result.text for result in judge(found, asked, CHAMPION).rules[:2]] == [
        "drift of any feature (age): 0.3 − 0 by chance = 0.3, needs ≤ 0.2 → fail",
        "missing share of any feature in train (age): 0.2, needs ≤ 0.1 → fail",
    ]


def test_a_feature_whose_drift_is_not_known_is_the_worst() -> None:
    found = evaluation(champion=CHAMPION, drift={"age": 0.3, "fare": math.nan})
    (asked, _) = judge(found, rules({"data": "drift", "max": 0.5}), CHAMPION).rules
    assert (asked.effect, asked.text) == (
        "hold",
        "drift of any feature (fare): not known → cannot be judged",
    )


def test_drift_without_a_champion_is_skipped_and_with_an_unknown_one_holds() -> None:
    asked = rules({"data": "drift", "max": 0.2}, {"metric": "accuracy", "min": 0.5})
    first = judge(evaluation({"accuracy": 0.9}), asked, None)
    assert (first.decision, first.rules[0].outcome) == ("APPROVE", "skipped")
    unknown = judge(evaluation({"accuracy": 0.9}, champion=CHAMPION), asked, CHAMPION)
    assert (unknown.decision, unknown.rules[0].outcome) == ("HOLD", "unknown")


# ---- a champion that is put aside, or changes -------------------------------------------------------------


def test_a_champion_that_is_put_aside_is_not_asked_about_and_that_is_recorded() -> None:
    asked = rules(
        {"metric": "accuracy", "min": 0.78},
        {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}},
        {"data": "drift", "max": 0.1},
        first_model="hold",
    )
    found = evaluation({"accuracy": 0.9}, problem="made by scikit-learn 1.2")
    assert judge(found, asked, CHAMPION).decision == "HOLD"
    verdict = judge(found, asked, CHAMPION, without_champion="ana: trained before the merger")
    assert verdict.decision == "APPROVE"
    assert (verdict.champion, verdict.without_champion) == (CHAMPION, "ana: trained before the merger")
    assert [result.outcome for result in verdict.rules] == ["pass", "skipped", "skipped", "pass"]
    assert "the champion was put aside: ana: trained before the merger → skipped" in verdict.rules[1].text
    worse = evaluation({"accuracy": 0.7}, problem="made by scikit-learn 1.2")
    assert judge(worse, asked, CHAMPION, without_champion="ana").decision == "REJECT"
    only = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert judge(found, only, CHAMPION, without_champion="ana").decision == "HOLD"


def test_an_approval_is_held_after_all() -> None:
    verdict = judge(evaluation({"accuracy": 0.9}), rules({"metric": "accuracy", "min": 0.78}), None)
    held = held_after_all(verdict, CHAMPION)
    assert held.decision == "HOLD"
    assert held.texts[0] == (
        f"the champion changed: the candidate was compared with none, the champion is now {CHAMPION}"
    )


def test_rules_as_people_read_them() -> None:
    asked = rules(
        {"metric": "recall", "slice": {"sex": "female", "pclass": 1}, "min": 0.7, "max": 0.99},
        {"metric": "rmse", "versus_champion": {"min_gain": 0.05, "relative": True}},
        {"data": "missing_share", "split": "validation", "column": "age", "max": 0.3},
        {"data": "drift", "max": 0.25},
        {"data": "rows", "min": 500},
    )
    assert [describe(rule) for rule in asked.rules] == [
        "recall where sex = female and pclass = 1 min 0.7, max 0.99",
        "rmse min_gain 5 %, confidence 0.95",
        "missing share of age in validation max 0.3",
        "drift of any feature max 0.25",
        "train rows min 500",
    ]


# ---- whatever may come ----------------------------------------------------------------------------------


def mostly(usual: Any, odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What makes an approval possible, and now and then something odd."""
    return st.integers(0, 39).flatmap(lambda drawn: odd if drawn == 0 else st.just(usual))


numbers = st.floats() | st.just(math.nan)
TASKS: list[Task] = ["binary_classification", "multiclass_classification", "regression"]
WHERE = {"sex": "female"}


@st.composite
def cases(draw: st.DrawFn) -> tuple[Evaluation, Approval]:
    """Rules of a task and an evaluation in which any number may be absent, NaN, infinite, or of no rows."""
    task = draw(st.sampled_from(TASKS))
    metric = st.sampled_from([*METRICS[task]])
    on_fail = st.sampled_from(["reject", "hold", "warn"])
    versus = st.builds(
        VersusChampion,
        max_loss=st.floats(0, 0.99),
        relative=st.booleans(),
        confidence=st.floats(0.5, 1, exclude_min=True, exclude_max=True),
    )
    metric_rules = st.builds(
        MetricRule, metric=metric, min=st.floats(0, 0.95), versus_champion=st.none() | versus,
        slice=st.none() | st.just(WHERE), min_samples=st.none() | st.integers(1, 120), on_fail=on_fail,
    )  # fmt: skip
    data_rules = st.builds(
        DataRule, data=st.sampled_from(["missing_share", "drift"]), column=st.none() | st.just("age"),
        max=st.floats(0.05, 1), on_fail=on_fail,
    )  # fmt: skip
    asked = draw(st.lists(metric_rules | data_rules, min_size=1, max_size=3))

    def rows() -> int:
        return int(draw(mostly(200, st.integers(0, 60))))

    def by_metric(make: Callable[[str], Any]) -> dict[str, Any]:
        return {name: make(name) for name in METRICS[task] if draw(mostly(True, st.just(False)))}

    def measured(_name: str) -> Measured:
        return Measured(value=draw(mostly(0.9, numbers)), standard_deviation=draw(mostly(0.01, numbers)))

    def better_by(gain: float) -> Callable[[str], Difference]:
        return lambda name: Difference(
            value=draw(mostly(-gain if name in LOWER_IS_BETTER else gain, numbers)),
            standard_error=draw(mostly(0.001, numbers)),
        )

    def both(**more: Any) -> dict[str, Any]:
        sides = {"candidate": by_metric(measured), "champion": by_metric(measured)}
        return {"n": rows(), **sides, "differences": by_metric(better_by(0.0)), **more}

    split = SplitData(rows=rows(), missing_share={"age": draw(mostly(0.1, numbers))})
    champion = draw(st.sampled_from([None, CHAMPION]))
    slices = [SlicePaired(**both(where=WHERE))] if draw(mostly(True, st.just(False))) else []
    comparison = Comparison(**both(excluded=0, slices=slices)) if draw(mostly(True, st.just(False))) else None
    moved = Moved(psi=draw(mostly(0.1, numbers)), by_chance=draw(mostly(0.02, numbers)))
    drift = Drift(reference=CHAMPION, columns={"age": moved})
    found = Evaluation(
        schema_version=2,
        model="m",
        task=task,
        execution="e",
        batch="b",
        candidate=Scores(n=rows(), metrics=by_metric(measured)),
        slices=(SliceScores(n=rows(), metrics=by_metric(measured), where=WHERE),),
        baseline=Baseline(predicts="it", metrics=by_metric(measured), differences=by_metric(better_by(0.3))),
        data=Data(train=split, validation=split),
        champion=champion,
        comparison=comparison if champion else None,
        drift=drift if champion and draw(mostly(True, st.just(False))) else None,
    )
    return found, Approval(rules=tuple(asked))


def known(rule: MetricRule | DataRule, found: Evaluation) -> bool:
    """Whether every number is there that this rule needs, put down here from the rules' documentation."""
    if isinstance(rule, DataRule):
        if rule.data == "drift" and found.champion is None:
            return True
        if rule.data == "drift":
            moved = found.drift.columns.values() if found.drift else ()
            return bool(moved) and all(math.isfinite(item.psi + item.by_chance) for item in moved)
        held = found.data.train.missing_share
        return bool(held) and all(math.isfinite(value) for value in held.values())
    where = found.candidate if rule.slice is None else next(iter(found.slices), None)
    if where is None or where.n < (rule.min_samples or 1) or rule.metric not in where.metrics:
        return False
    if not math.isfinite(where.metrics[rule.metric].value):
        return False
    if rule.versus_champion is None or found.champion is None:
        return True
    both = found.comparison
    if both is not None and rule.slice is not None:
        both = next(iter(both.slices), None)  # type: ignore[assignment]
    if both is None or both.n < (rule.min_samples or 30) or rule.metric not in both.differences:
        return False
    difference = both.differences[rule.metric]
    values = [difference.value, difference.standard_error]
    for side in (both.candidate, both.champion):
        if rule.metric not in side:
            return False
        values.append(side[rule.metric].value)
        if rule.versus_champion.relative:
            values.append(side[rule.metric].standard_deviation)
    return all(math.isfinite(value) for value in values) and difference.standard_error >= 0


@settings(deadline=None, max_examples=250)
@given(cases())
def test_an_approval_rests_on_every_number_it_needs(case: tuple[Evaluation, Approval]) -> None:
    found, asked = case
    verdict = judge(found, asked, found.champion)
    json.dumps(verdict.model_dump(), allow_nan=False)
    decisive = DECISIVE[found.task]
    if verdict.decision == "APPROVE":
        assert asked.rules
        assert all(known(rule, found) for rule in asked.rules)
        assert found.candidate.n >= 30
        assert math.isfinite(found.baseline.differences[decisive].standard_error)
        for rule in asked.rules:
            if isinstance(rule, MetricRule) and rule.slice is None and rule.on_fail != "warn":
                assert found.candidate.metrics[rule.metric].value >= (rule.min or 0)
    if verdict.decision == "REJECT":
        assert any(result.effect == "reject" and result.outcome == "fail" for result in verdict.rules)
