"""The metrics of regression, from targets and predictions in the target's units."""

from __future__ import annotations

from typing import Final

import numpy as np

from uncertainty import Array, Measure, Resampled, Scored, divide, percentiles

METRICS: Final = ("rmse", "mae", "r2", "median_absolute_error", "mape")
# Our metrics by the names of SageMaker's model-quality format.
SAGEMAKER: Final = {"mae": "mae", "mse": "mse", "rmse": "rmse", "r2": "r2"}
NO_VARIANCE: Final = 1e-12
"""Rows whose variance is this share of the mean square of all, or less, are of one target value."""


def score(target: Array, prediction: Array) -> Scored:
    """The rows, ready to be measured. mape is undefined if a target is 0."""
    with np.errstate(all="ignore"):  # the square of a huge error is infinite, and then undefined
        error = np.abs(prediction - target)
        squares = error**2
        percentage = error / np.abs(target) if (target != 0).all() else np.full(len(target), np.nan)
    return Scored(
        n=len(target),
        means={"mae": error, "mape": percentage, "mse": squares},
        roots={"rmse": squares},
        resampled={
            "r2": Resampled(r2(target, squares), percentiles),
            "median_absolute_error": Resampled(weighted_median(error), percentiles),
        },
    )


def r2(target: Array, squares: Array) -> Measure:
    """1 − the squared errors over those of the rows' mean; undefined where all targets are one value."""
    centred = target - target[0] if len(target) else target

    def measure(weights: Array) -> Array:
        total, first, second = (weights @ np.column_stack([np.ones(len(target)), centred, centred**2])).T
        variation = second - divide(first**2, total)
        variation = np.where(variation > NO_VARIANCE * second, variation, 0.0)
        return 1 - divide(weights @ squares, variation)

    return measure


def weighted_median(values: Array) -> Measure:
    """The median; between two values, their mean."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]

    def measure(weights: Array) -> Array:
        if not len(ranked):
            return np.full(len(weights), np.nan)
        reached = np.cumsum(weights[:, order], axis=1)
        half = reached[:, -1:] / 2
        lower, upper = ((reached >= half).argmax(axis=1), (reached > half).argmax(axis=1))
        return np.asarray((ranked[lower] + ranked[upper]) / 2)

    return measure
