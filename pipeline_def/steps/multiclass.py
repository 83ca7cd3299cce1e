"""The metrics of multiclass classification, from the index of the class and the probability of each class."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from probabilities import calibration_error, clipped, roc_auc_ovr
from uncertainty import Array, Labels, Scored, divide

METRICS: Final = (
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "f1_weighted",
    "roc_auc_ovr",
    "log_loss",
    "brier",
    "expected_calibration_error",
)
# Our metrics by the names of SageMaker's model-quality format.
SAGEMAKER: Final = {
    "accuracy": "accuracy",
    "weighted_recall": "accuracy",  # each class's recall weighs as many rows as it is a share of
    "weighted_precision": "precision_weighted",
    "weighted_f0_5": "f0_5_weighted",
    "weighted_f1": "f1_weighted",
    "weighted_f2": "f2_weighted",
}


def predicted(probability: Array) -> Array:
    """The most probable class; of equally probable ones the first."""
    return np.asarray(probability.argmax(axis=1), dtype=np.int64)


def score(target: Array, probability: Array) -> Scored:
    """The rows, ready to be measured. The Brier score is Brier's (1950), a sum over classes: from 0 to 2."""
    n, classes = probability.shape
    said = predicted(probability)
    right = target == said
    own = probability[np.arange(n), target]
    occurring = np.isin(np.arange(classes), np.r_[target, said])
    return Scored(
        n=n,
        shares={"accuracy": (np.ones(n, dtype=bool), right)},
        means={"log_loss": -np.log(clipped(own)), "brier": (probability**2).sum(axis=1) - 2 * own + 1},
        areas={"roc_auc_ovr": roc_auc_ovr(target, probability)},
        labels=Labels(target, said, classes, partial(label_metrics, occurring)),
        resampled={"expected_calibration_error": calibration_error(right, probability.max(axis=1))},
    )


def label_metrics(occurring: Array, right: Array, actual: Array, said: Array) -> dict[str, Array]:
    """What actual and predicted classes alone decide, as scikit-learn defines it.

    Means over classes are over those that rows are of, for f1_macro also over those that rows are said to
    be of (`occurring`). balanced_accuracy is undefined unless rows are of two classes.
    """
    total, counted = actual.sum(axis=1), (actual > 0).sum(axis=1)
    recall = np.nan_to_num(divide(right, actual))
    precision = np.nan_to_num(divide(right, said))
    f1 = np.nan_to_num(divide(2 * right, actual + said))

    def weighted(by_class: Array) -> Array:
        return divide((actual * by_class).sum(axis=1), total)

    def f_beta(beta: float) -> Array:
        return np.nan_to_num(divide((1 + beta**2) * right, beta**2 * actual + said))

    return {
        "balanced_accuracy": np.where(counted > 1, divide(recall.sum(axis=1), counted), np.nan),
        "f1_macro": f1[:, occurring].mean(axis=1) if occurring.any() else np.full(len(f1), np.nan),
        "f1_weighted": weighted(f1),
        "precision_weighted": weighted(precision),
        "f0_5_weighted": weighted(f_beta(0.5)),
        "f2_weighted": weighted(f_beta(2)),
    }
