"""What each task is measured by: its metrics, the values that they take, and which direction is better.

Decided by the task and the metric's name, never by looking at values. pipeline_def/steps computes the same
names; docs/reference/rules.md has the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Task = Literal["binary_classification", "multiclass_classification", "regression"]


class Range(NamedTuple):
    """The lowest and the highest value that a metric can take."""

    lowest: float
    highest: float


SHARE: Final = Range(0.0, 1.0)
LOSS: Final = Range(0.0, math.inf)

METRICS: Final[Mapping[Task, Mapping[str, Range]]] = {
    "binary_classification": {
        "accuracy": SHARE,
        "balanced_accuracy": SHARE,
        "precision": SHARE,
        "recall": SHARE,
        "f1": SHARE,
        "roc_auc": SHARE,
        "average_precision": SHARE,
        "log_loss": LOSS,
        "brier": SHARE,
        "expected_calibration_error": SHARE,
    },
    "multiclass_classification": {
        "accuracy": SHARE,
        "balanced_accuracy": SHARE,
        "f1_macro": SHARE,
        "f1_weighted": SHARE,
        "roc_auc_ovr": SHARE,
        "log_loss": LOSS,
        "brier": Range(0.0, 2.0),
        "expected_calibration_error": SHARE,
    },
    "regression": {
        "rmse": LOSS,
        "mae": LOSS,
        "r2": Range(-math.inf, 1.0),
        "median_absolute_error": LOSS,
        "mape": LOSS,
    },
}

LOWER_IS_BETTER: Final = frozenset(
    {"log_loss", "brier", "expected_calibration_error", "rmse", "mae", "median_absolute_error", "mape"}
)

NOT_COMPARED: Final = frozenset({"expected_calibration_error"})
"""Metrics whose paired difference has no standard error: chance alone makes a calibration error, the more so
the better the model, and so every bound that was tried held the truth too rarely (bench/coverage.py)."""

NO_CLASS_COUNTS: Final = frozenset({"accuracy", "log_loss", "brier", "expected_calibration_error"})
"""Metrics of classes that are a mean over all rows. Any other is worth what its rarest class is worth."""

DECISIVE: Final[Mapping[Task, str]] = {
    "binary_classification": "roc_auc",
    "multiclass_classification": "roc_auc_ovr",
    "regression": "rmse",
}
"""The metric in which every candidate must beat guessing: one that no share of classes and no choice of units
can make look good."""

ESTIMATORS: Final[Mapping[Task, frozenset[str]]] = {
    "binary_classification": frozenset({"hist_gradient_boosting", "random_forest", "logistic_regression"}),
    "multiclass_classification": frozenset(
        {"hist_gradient_boosting", "random_forest", "logistic_regression"}
    ),
    "regression": frozenset({"hist_gradient_boosting", "random_forest", "ridge"}),
}
