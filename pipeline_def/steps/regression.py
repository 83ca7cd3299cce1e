"""The metrics of regression, from n targets and n predictions in the target's units."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from clusters import freedom_of, numbered
from job import Array
from resampling import percentiles
from scored import Measure, Resampled, Scored, divide

METRICS: Final = ("rmse", "mae", "r2", "median_absolute_error", "mape")
"""The metrics that rules may name, in the order of reports."""

SAGEMAKER: Final = {"mae": "mae", "mse": "mse", "rmse": "rmse", "r2": "r2"}
"""Names in SageMaker's model-quality format, and our metric of each."""
NO_VARIANCE: Final = 1e-12
"""If the variance of some rows is at most this share of their mean square, their targets are one value."""


def score(target: Array, prediction: Array, clusters: Array | None = None) -> Scored:
    """What each metric of these rows is. mape is a share from 0; it is undefined if a target is 0."""
    with np.errstate(all="ignore"):  # the square of a huge error is infinite, and then undefined
        error = np.abs(prediction - target)
        squares = error**2
        percentage = error / np.abs(target) if (target != 0).all() else np.full(len(target), np.nan)
    clusters = numbered(clusters)
    interval = percentiles if clusters is None else partial(percentiles, freedom=freedom_of(clusters))
    return Scored(
        n=len(target),
        clusters=clusters,
        means={"mae": error, "mape": percentage, "mse": squares},
        roots={"rmse": squares},
        resampled={
            "r2": Resampled(r2(target, squares), interval),
            "median_absolute_error": Resampled(weighted_median(error), interval),
        },
    )


def r2(target: Array, squares: Array) -> Measure:
    """1 − the squared errors over those of the rows' mean. Undefined if all targets are one value."""
    centred = target - target[0] if len(target) else target

    def measure(weights: Array) -> Array:
        total, first, second = (weights @ np.column_stack([np.ones(len(target)), centred, centred**2])).T
        variation = second - divide(first**2, total)
        variation = np.where(variation > NO_VARIANCE * second, variation, 0.0)
        return 1 - divide(weights @ squares, variation)

    return measure


def weighted_median(values: Array) -> Measure:
    """The median of n values, or the mean of the middle two."""
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
