"""Every candidate must be better than guessing: the gain and the rows at their edges."""

from __future__ import annotations

import math

import pytest

from retraining.config.tasks import Task
from retraining.verdicts.evaluation import Baseline, Difference, Evaluation, Measured
from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import evaluation, rules


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
def test_guessing_at_its_edges_in_each_task(
    task: Task, gain: float, error: float, n: int, decision: str
) -> None:
    metric = "rmse" if task == "regression" else "accuracy"
    asked = rules({"metric": metric, "min": 0.0})
    found = evaluation({metric: 0.99}, task=task, guessing=(gain, error), n=n)
    assert judge(found, asked, None).decision == decision


def test_guessing_rejects_where_all_rules_only_warn() -> None:
    found = evaluation({"accuracy": 0.99}, guessing=(0.0, 0.0))
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.5, "on_fail": "warn"}), None)
    assert verdict.decision == "REJECT"
    assert "→ no better than guessing" in verdict.texts[0]


@pytest.mark.parametrize(("rows", "decision"), [(0, "HOLD"), (9, "HOLD"), (10, "APPROVE"), (None, "APPROVE")])
def test_guessing_holds_below_10_rows_of_a_class(rows: int | None, decision: str) -> None:
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


def labels_only(gain: float, error: float = 0.01, **probabilities: float) -> Evaluation:
    """An evaluation of a model that returns labels: metrics that need probabilities are undefined."""
    found = evaluation({"accuracy": 0.9, "balanced_accuracy": 0.5 + gain})
    undefined = {name: Measured(value=math.nan) for name in ("roc_auc", "log_loss", "brier")}
    metrics = {**found.candidate.metrics, **undefined}
    metrics |= {name: Measured(value=value) for name, value in probabilities.items()}
    baseline = Baseline(
        predicts=found.baseline.predicts,
        metrics={"balanced_accuracy": Measured(value=0.5)},
        differences={"balanced_accuracy": Difference(value=gain, standard_error=error)},
    )
    candidate = found.candidate.model_copy(update={"metrics": metrics})
    return found.model_copy(update={"candidate": candidate, "baseline": baseline})


@pytest.mark.parametrize(
    ("gain", "decision"), [(0.0, "REJECT"), (-0.1, "REJECT"), (0.0232, "HOLD"), (0.0233, "APPROVE")]
)
def test_labels_are_compared_with_guessing_in_balanced_accuracy(gain: float, decision: str) -> None:
    verdict = judge(labels_only(gain), rules({"metric": "accuracy", "min": 0.8}), None)
    assert verdict.decision == decision
    assert any(text.startswith("balanced_accuracy: candidate ") for text in verdict.texts)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "brier"])
def test_a_model_with_probabilities_is_compared_in_the_tasks_metric_even_where_that_is_undefined(
    name: str,
) -> None:
    verdict = judge(labels_only(0.3, **{name: 0.4}), rules({"metric": "accuracy", "min": 0.8}), None)
    assert verdict.decision == "HOLD"
    assert any(text.startswith("roc_auc: undefined on ") for text in verdict.texts)


def test_labels_without_a_row_of_each_class_are_held() -> None:
    found = labels_only(math.nan)
    assert judge(found, rules({"metric": "accuracy", "min": 0.8}), None).decision == "HOLD"
