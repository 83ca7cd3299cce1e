"""The metrics of regression, from n targets and n predictions in the target's units."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import special

from clusters import deviation_of, effective_rows, freedom_of, numbered
from job import Array
from resampling import expanded, resampled_sums
from scored import UNKNOWN, Interval, Resampled, Scored, Smooth, divide

METRICS: Final = ("rmse", "mae", "r2", "median_absolute_error", "mape")
"""The metrics that rules may name, in the order of reports."""

SAGEMAKER: Final = {"mae": "mae", "mse": "mse", "rmse": "rmse", "r2": "r2"}
"""Names in SageMaker's model-quality format, and our metric of each."""
NO_VARIANCE: Final = 1e-12
"""If the variance of some rows is at most this share of their mean square, their targets are one value."""

REACH: Final = 9.0
"""Standard deviations of the rank of a resample's median, beyond which the chance is nothing in a float."""


def score(target: Array, prediction: Array, clusters: Array | None = None) -> Scored:
    """What each metric of these rows is. mape is a share from 0; it is undefined if a target is 0."""
    with np.errstate(all="ignore"):  # the square of a huge error is infinite, and then undefined
        error = loss(target, prediction)
        squares = error**2
        percentage = error / np.abs(target) if (target != 0).all() else np.full(len(target), np.nan)
    clusters = numbered(clusters)
    return Scored(
        n=len(target),
        clusters=clusters,
        means={"mae": error, "mape": percentage, "mse": squares},
        roots={"rmse": squares},
        smooth={"median_absolute_error": median(error, clusters)},
        resampled={"r2": r2(target, squares, clusters)},
    )


def loss(target: Array, prediction: Array) -> Array:
    """The absolute error of each row."""
    return np.asarray(np.abs(prediction - target))


def r2(target: Array, squares: Array, clusters: Array | None) -> Resampled:
    """1 − the squared errors over those of the rows' mean. Undefined if all targets are one value.

    It is a bootstrap of the four sums that it depends on. Few rows may dominate two of these, and then no
    closed form that was tried holds the truth as often: Student's interval of R² or of the logarithm of
    1 − R², either corrected for skewness (Hall 1992), or Fieller's (1954), which few rows leave without ends.
    """
    with np.errstate(all="ignore"):
        centred = target - target[:1].sum()
        columns = (np.ones(len(target)), centred, centred**2, squares)
        whole = np.array([[column.sum() for column in columns]])
        return Resampled(float(r2_of(whole)[0]), r2_of(resampled_sums(columns, clusters)))


def r2_of(sums: Array) -> Array:
    """R² by the sums of 1, target, target² and squared error (weightings x 4)."""
    total, first, second, squares = sums.T
    variation = second - divide(first**2, total)
    return np.asarray(1 - divide(squares, np.where(variation > NO_VARIANCE * second, variation, 0.0)))


def median(values: Array, clusters: Array | None) -> Smooth:
    """The median of n values, or the mean of the middle two.

    A resample's median is at most the k-th value with the probability that half of the resample is: the
    regularised beta function of k/n, both parameters (n + 1)/2. So its deviation and percentiles need no
    resample (Efron 1979; Maritz and Jarrett 1978). Of dependent rows n is the number of independent rows that
    would know the share of values below the median as well (Woodruff 1952). A row's influence is the side of
    the median on which it lies, scaled to that deviation.
    """
    n = len(values)
    if not n:
        return Smooth(math.nan, values, lambda *_: UNKNOWN)
    middle = np.partition(values, [(n - 1) // 2, n // 2])
    value = float(middle[(n - 1) // 2] + middle[n // 2]) / 2
    side = (values > value) - (values < value).astype(float)
    side -= side.mean()
    rows, freedom = float(n), math.inf
    if clusters is not None:
        if not clusters.max():  # one cluster says nothing of others
            return Smooth(value, np.full(n, math.nan), lambda *_: UNKNOWN)
        rows, freedom = effective_rows(side, clusters), freedom_of(clusters)
        rows *= 1 - 1 / (clusters.max() + 1)
    shape, reach = (rows + 1) / 2, math.ceil(REACH * n / (2 * math.sqrt(rows)))
    first, last = max(0, n // 2 - reach), min(n, n // 2 + reach + 1)
    near = np.sort(np.partition(middle, [first, last - 1])[first:last])
    chance = np.diff(special.betainc(shape, shape, np.arange(first, last + 1) / n))
    with np.errstate(all="ignore"):
        deviation = math.sqrt(chance @ (near - chance @ near) ** 2)
        unit = deviation_of(side, clusters)
        parts = side * (deviation / unit if unit else 0.0)

    def ends(_: float, confidence: float) -> Interval:
        if freedom < 1:
            return UNKNOWN
        share = special.betaincinv(shape, shape, 1 - expanded(confidence, freedom))
        place = max(1, math.ceil(n * float(share)))
        low, high = (near[min(max(at - first, 0), len(near) - 1)] for at in (place - 1, n - place))
        return (min(float(low), value), max(float(high), value))

    return Smooth(value, parts, ends)
