"""The metrics of multiclass classification, from n indices of classes and n x classes probabilities."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from clusters import numbered
from job import Array
from probabilities import calibration_error, clipped, roc_auc_ovr
from scored import Labels, Scored, divide

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
"""The metrics that rules may name, in the order of reports."""

SAGEMAKER: Final = {
    "accuracy": "accuracy",
    "weighted_recall": "accuracy",  # a recall weighted by the rows of its class
    "weighted_precision": "precision_weighted",
    "weighted_f0_5": "f0_5_weighted",
    "weighted_f1": "f1_weighted",
    "weighted_f2": "f2_weighted",
}
"""Names in SageMaker's model-quality format, and our metric of each."""


def predicted(probability: Array) -> Array:
    """The index of the most probable class; of equally probable ones, the first."""
    return np.asarray(probability.argmax(axis=1), dtype=np.int64)


def score(target: Array, probability: Array, clusters: Array | None = None) -> Scored:
    """What each metric of these rows is. Brier's score (1950) is a sum over classes, so from 0 to 2."""
    (n, classes), clusters = probability.shape, numbered(clusters)
    area = roc_auc_ovr(target, probability, clusters)  # first: it takes most memory
    assigned, rows = predicted(probability), np.arange(n)
    right = target == assigned
    own, confidence = probability[rows, target], probability[rows, assigned]
    occurring = np.bincount(np.r_[target, assigned], minlength=classes) > 0
    return Scored(
        n=n,
        clusters=clusters,
        shares={"accuracy": (np.ones(n, dtype=bool), right)},
        means={"log_loss": -np.log(clipped(own)), "brier": brier(own, probability)},
        areas={"roc_auc_ovr": area},
        labels=Labels(target, assigned, classes, partial(label_metrics, occurring)),
        alone={"expected_calibration_error": calibration_error(right, confidence, clusters)},
    )


def loss(target: Array, probability: Array) -> Array:
    """The Brier score of each row."""
    return brier(probability[np.arange(len(target)), target], probability)


def brier(own: Array, probability: Array) -> Array:
    """The Brier score of each row, of which `own` is the probability of its class."""
    return np.asarray(np.einsum("nc,nc->n", probability, probability) - 2 * own + 1)


def label_metrics(occurring: Array, right: Array, actual: Array, assigned: Array) -> dict[str, Array]:
    """The metrics that depend on actual and predicted classes alone, as scikit-learn defines them.

    Means are over the classes that rows are of. f1_macro is a mean over the `occurring` classes, which
    includes those that are only predicted. balanced_accuracy is undefined unless there are rows of two
    classes.
    """
    total, counted = actual.sum(axis=1), (actual > 0).sum(axis=1)
    recall = np.nan_to_num(divide(right, actual))
    precision = np.nan_to_num(divide(right, assigned))
    f1 = np.nan_to_num(divide(2 * right, actual + assigned))

    def weighted(by_class: Array) -> Array:
        return divide((actual * by_class).sum(axis=1), total)

    def f_beta(beta: float) -> Array:
        return np.nan_to_num(divide((1 + beta**2) * right, beta**2 * actual + assigned))

    return {
        "balanced_accuracy": np.where(counted > 1, divide(recall.sum(axis=1), counted), np.nan),
        "f1_macro": f1[:, occurring].mean(axis=1) if occurring.any() else np.full(len(f1), np.nan),
        "f1_weighted": weighted(f1),
        "precision_weighted": weighted(precision),
        "f0_5_weighted": weighted(f_beta(0.5)),
        "f2_weighted": weighted(f_beta(2)),
    }
