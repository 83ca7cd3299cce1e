"""What each task is measured by: its metrics, their range, and which direction is better.

Task and metric name decide, never the measured values. pipeline_def/steps computes metrics of the same
names; docs/reference/rules.md has the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Task = Literal["binary_classification", "multiclass_classification", "regression"]
"""What a model predicts: one of two classes, one of several, or a number."""


class Range(NamedTuple):
    """The lowest and the highest value that a metric can take."""

    lowest: float
    highest: float


SHARE: Final = Range(0.0, 1.0)
"""The range of a share of rows, and of metrics that are scaled like one."""

LOSS: Final = Range(0.0, math.inf)
"""The range of a loss without an upper end."""

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
        "calibration_slope": Range(-math.inf, math.inf),
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
"""The metrics of each task, with their range."""

LOWER_IS_BETTER: Final = frozenset(
    {"log_loss", "brier", "expected_calibration_error", "rmse", "mae", "median_absolute_error", "mape"}
)
"""Metrics of which a lower value is better. Of all others but NEITHER_IS_BETTER, a higher one is."""

NEITHER_IS_BETTER: Final = frozenset({"calibration_slope"})
"""Metrics that are best at a value between the ends of their range: a calibration slope at 1."""

NOT_COMPARED: Final = frozenset({"expected_calibration_error", *NEITHER_IS_BETTER})
"""Metrics whose paired difference has no reliable bound, or of which no direction is better.

Chance alone makes a calibration error, and a larger one for a better model. Every bound that was tried held
the truth too rarely (bench/coverage.py).
"""

NEED_PROBABILITIES: Final = frozenset(
    {
        "roc_auc",
        "roc_auc_ovr",
        "average_precision",
        "log_loss",
        "brier",
        "expected_calibration_error",
        "calibration_slope",
    }
)
"""Metrics of classification that a model which returns labels alone does not have."""

NO_INTERVAL: Final = frozenset({"expected_calibration_error"})
"""Metrics whose value has no reliable interval. No interval that was tried held the truth often enough."""

NO_CLASS_COUNTS: Final = frozenset({"accuracy", "log_loss", "brier", "expected_calibration_error"})
"""Metrics of classification that are a mean over all rows. All others depend on the rows of each class."""

DECISIVE: Final[Mapping[Task, str]] = {
    "binary_classification": "roc_auc",
    "multiclass_classification": "roc_auc_ovr",
    "regression": "rmse",
}
"""The metric in which every candidate must be better than guessing.

Neither the shares of the classes nor the units of the target can make it look good.
"""

DECISIVE_OF_LABELS: Final = "balanced_accuracy"
"""The decisive metric of a classifier that returns labels alone. Guessing one class reaches 1/2, or 1 by the
number of classes, whatever their shares are."""

ESTIMATORS: Final[Mapping[Task, frozenset[str]]] = {
    "binary_classification": frozenset({"hist_gradient_boosting", "random_forest", "logistic_regression"}),
    "multiclass_classification": frozenset(
        {"hist_gradient_boosting", "random_forest", "logistic_regression"}
    ),
    "regression": frozenset({"hist_gradient_boosting", "random_forest", "ridge"}),
}
"""The estimators that can be trained for each task."""
