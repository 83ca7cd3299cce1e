"""The metrics of binary classification, from a target of 0 and 1 and the probability of 1."""

from __future__ import annotations

from typing import Final

import numpy as np

from probabilities import average_precision, calibration_error, clipped, roc_auc
from uncertainty import Array, Labels, Scored, divide

THRESHOLD: Final = 0.5
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
)
# Our metrics by the names of SageMaker's model-quality format.
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


def predicted(probability: Array) -> Array:
    """1 where the probability of 1 is above one half, 0 elsewhere."""
    return (probability > THRESHOLD).astype(np.int64)


def score(target: Array, probability: Array) -> Scored:
    """The rows, ready to be measured. The Brier score is Brier's (1950), halved: from 0 to 1."""
    said = predicted(probability)
    right = target == said
    return Scored(
        n=len(target),
        shares={
            "accuracy": (np.ones(len(target), dtype=bool), right),
            "precision": (said == 1, right),
            "recall": (target == 1, right),
            "specificity": (target == 0, right),
        },
        means={
            "log_loss": -np.log(clipped(np.where(target == 1, probability, 1 - probability))),
            "brier": (probability - target) ** 2,
        },
        areas={"roc_auc": roc_auc(target, probability)},
        labels=Labels(target, said, 2, label_metrics),
        resampled={
            "average_precision": average_precision(target, probability),
            "expected_calibration_error": calibration_error(target, probability),
        },
    )


def label_metrics(right: Array, actual: Array, said: Array) -> dict[str, Array]:
    """What actual and predicted classes alone decide; precision and recall are shares of rows as well.

    Undefined without a row of each class, or, precision and f1, without one that is or is said to be 1.
    """
    return {
        "balanced_accuracy": divide(right, actual).mean(axis=1),
        "precision": divide(right[:, 1], said[:, 1]),
        "f1": np.where(actual[:, 1] > 0, divide(2 * right[:, 1], actual[:, 1] + said[:, 1]), np.nan),
    }
