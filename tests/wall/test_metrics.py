"""Tasks, estimators and metrics: their names, the better direction, and the values that they can take."""

from __future__ import annotations

import math
from typing import Any, Final, get_args

import numpy as np
import pytest

import inference
import job
import scoring
import train
from retraining.config.tasks import DECISIVE, ESTIMATORS, LOWER_IS_BETTER, METRICS, NEITHER_IS_BETTER, Task

TARGETS: Final[dict[Task, np.ndarray[Any, Any]]] = {
    "binary_classification": np.array([0, 1] * 10),
    "multiclass_classification": np.array([0, 1, 2, 0] * 5),
    "regression": np.arange(1.0, 21.0),
}
"""Twenty targets of each task."""


def predictions(task: Task, *, good: bool) -> np.ndarray[Any, Any]:
    """Predictions that are nearly right for each row, or for few."""
    target = TARGETS[task]
    if task == "regression":
        return target + (0.1 if good else 8.0) * np.where(np.arange(20) % 3, 1.0, -1.0)
    seen = target if good else np.roll(target, 1)
    if task == "binary_classification":
        return np.where(seen == 1, 0.9, 0.1)
    return np.where(np.arange(3) == seen[:, None], 0.9, 0.05)


def values(task: Task, *, good: bool) -> dict[str, float]:
    """The metrics of these predictions, as ModelEvaluation computes them."""
    found = scoring.scores(task, TARGETS[task], predictions(task, good=good))["metrics"]
    return {name: metric["value"] for name, metric in found.items()}


def test_tasks_are_the_same() -> None:
    names = ("binary_classification", "multiclass_classification", "regression")
    assert get_args(Task) == get_args(job.Task) == tuple(scoring.TASKS) == tuple(METRICS) == names


def test_metrics_are_those_that_rules_may_name() -> None:
    assert {task: module.METRICS for task, module in scoring.TASKS.items()} == {
        task: tuple(metrics) for task, metrics in METRICS.items()
    }


def test_estimators_are_those_that_a_config_may_name() -> None:
    for task, names in ESTIMATORS.items():
        assert set(train.REGRESSORS if task == "regression" else train.CLASSIFIERS) == names


DIRECTIONS: Final[list[tuple[Task, str, bool]]] = [
    ("binary_classification", "accuracy", False),
    ("binary_classification", "balanced_accuracy", False),
    ("binary_classification", "precision", False),
    ("binary_classification", "recall", False),
    ("binary_classification", "f1", False),
    ("binary_classification", "roc_auc", False),
    ("binary_classification", "average_precision", False),
    ("binary_classification", "log_loss", True),
    ("binary_classification", "brier", True),
    ("binary_classification", "expected_calibration_error", True),
    ("multiclass_classification", "accuracy", False),
    ("multiclass_classification", "balanced_accuracy", False),
    ("multiclass_classification", "f1_macro", False),
    ("multiclass_classification", "f1_weighted", False),
    ("multiclass_classification", "roc_auc_ovr", False),
    ("multiclass_classification", "log_loss", True),
    ("multiclass_classification", "brier", True),
    ("multiclass_classification", "expected_calibration_error", True),
    ("regression", "rmse", True),
    ("regression", "mae", True),
    ("regression", "r2", False),
    ("regression", "median_absolute_error", True),
    ("regression", "mape", True),
]
"""Task, metric, and whether a lower value is better."""


@pytest.mark.parametrize(("task", "name", "lower"), DIRECTIONS)
def test_better_predictions_move_a_metric_in_the_direction_that_rules_take(
    task: Task, name: str, lower: bool
) -> None:
    good, bad = values(task, good=True)[name], values(task, good=False)[name]
    assert (good < bad) == lower == (name in LOWER_IS_BETTER)
    assert good != bad
    lowest, highest = METRICS[task][name]
    assert lowest <= min(good, bad)
    assert max(good, bad) <= highest


def test_table_has_every_metric() -> None:
    assert [row[:2] for row in DIRECTIONS] == [
        (task, name) for task in METRICS for name in METRICS[task] if name not in NEITHER_IS_BETTER
    ]


@pytest.mark.parametrize("task", METRICS)
def test_the_decisive_metric_is_defined_for_guessing(task: Task) -> None:
    """Every candidate must beat guessing in it, so guessing must have a value."""
    target = TARGETS[task]
    shares = np.bincount(target.astype(int)) / len(target)
    guesses = {
        "binary_classification": np.full(20, shares[1] if len(shares) > 1 else 0.0),
        "multiclass_classification": np.tile(shares[:3], (20, 1)),
        "regression": np.full(20, target.mean()),
    }
    assert math.isfinite(scoring.scores(task, target, guesses[task])["metrics"][DECISIVE[task]]["value"])


def test_serving_and_evaluation_have_one_threshold() -> None:
    """A probability of exactly one half is the negative class for both."""
    assert inference.THRESHOLD == 0.5
    predicted = scoring.TASKS["binary_classification"].predicted
    assert predicted(np.array([0.5, 0.5000001])).tolist() == [0, 1]
