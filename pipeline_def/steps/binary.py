"""The metrics of binary classification, from n targets of 0 or 1 and n probabilities of 1."""

from __future__ import annotations

from typing import Final

import numpy as np

from clusters import numbered
from inference import THRESHOLD
from job import Array
from probabilities import Ranking, average_precision, calibration_error, clipped, roc_auc
from recalibration import calibration_slope
from scored import Labels, Scored, divide

METRICS: Final = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "expected_calibration_error",
    "calibration_slope",
)
"""The metrics that rules may name, in the order of reports."""

SAGEMAKER: Final = {
    "recall": "recall",
    "precision": "precision",
    "accuracy": "accuracy",
    "true_positive_rate": "recall",
    "true_negative_rate": "specificity",
    "auc": "roc_auc",
    "au_prc": "average_precision",
    "f1": "f1",
}
"""Names in SageMaker's model-quality format, and our metric of each."""


def predicted(probability: Array) -> Array:
    """1 where the probability of 1 is above THRESHOLD, 0 elsewhere."""
    return (probability > THRESHOLD).astype(np.int8)


def score(target: Array, probability: Array, clusters: Array | None = None) -> Scored:
    """What each metric of these rows is. The Brier score is half of Brier's (1950), so from 0 to 1."""
    assigned, clusters = predicted(probability), numbered(clusters)
    right, ranking = target == assigned, Ranking(probability)
    roc = roc_auc(target, probability, clusters, ranking)
    precision = average_precision(target, probability, clusters, ranking)
    del ranking  # as much memory as the probabilities
    return Scored(
        n=len(target),
        clusters=clusters,
        shares={
            "accuracy": (np.ones(len(target), dtype=bool), right),
            "precision": (assigned == 1, right),
            "recall": (target == 1, right),
            "specificity": (target == 0, right),
        },
        means={
            "log_loss": -np.log(clipped(np.where(target == 1, probability, 1 - probability))),
            "brier": loss(target, probability),
        },
        areas={"roc_auc": roc},
        smooth={"average_precision": precision},
        alone={
            "calibration_slope": calibration_slope(target, probability, clusters),
            "expected_calibration_error": calibration_error(target, probability, clusters),
        },
        labels=Labels(target, assigned, 2, label_metrics),
    )


def loss(target: Array, probability: Array) -> Array:
    """The Brier score of each row."""
    return np.asarray((probability - target) ** 2)


def label_metrics(right: Array, actual: Array, assigned: Array) -> dict[str, Array]:
    """The metrics that depend on actual and predicted classes alone; see `Labels.measure`.

    balanced_accuracy is undefined without a row of each class, precision without a row predicted to be 1, and
    f1 without a row of class 1.
    """
    return {
        "balanced_accuracy": divide(right, actual).mean(axis=1),
        "precision": divide(right[:, 1], assigned[:, 1]),
        "f1": np.where(actual[:, 1] > 0, divide(2 * right[:, 1], actual[:, 1] + assigned[:, 1]), np.nan),
    }
