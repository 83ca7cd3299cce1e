"""The standard deviation and the two-sided 95 % interval of one metric, in closed form.

An undefined number is NaN. bench/coverage.py shows how often the intervals hold the truth.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import stats

from job import Array, Json
from scored import UNKNOWN, Area, Interval, divide, mean_and_error

Z: Final = float(stats.norm.ppf(0.975))
"""The normal distribution's quantile of a two-sided 95 % interval."""

NEWCOMBE_STEPS: Final = 60
"""Bisections by which `newcombe` finds its limit: more than a float has bits."""

CUBIC_SKEWNESS: Final = 1e-6
"""Below this skewness, over the root of n, Hall's correction changes nothing that a float can hold."""


def wilson(hits: int, n: int) -> Interval:
    """The score interval of a share of `hits` in `n` rows (Wilson 1927). It has a width even for 0 hits."""
    if not n:
        return UNKNOWN
    share, tail = hits / n, Z**2 / n
    middle, half = share + tail / 2, Z * math.sqrt(share * (1 - share) / n + tail / (4 * n))
    low, high = (middle - half) / (1 + tail), (middle + half) / (1 + tail)
    return (0.0 if hits == 0 else low, 1.0 if hits == n else high)


def share(counted: Array, right: Array) -> Json:
    """The share of the counted rows that are right, with the standard deviation of a binomial share."""
    n, hits = int(counted.sum()), int((counted & right).sum())
    value = hits / n if n else math.nan
    return result(value, math.sqrt(value * (1 - value) / n) if n else math.nan, wilson(hits, n))


def mean(losses: Array) -> Json:
    """A mean of losses, none negative, with Student's interval corrected for skewness."""
    value, deviation = mean_and_error(losses)
    return result(value, deviation, skewed_mean_interval(losses))


def root_of_mean(squares: Array) -> Json:
    """The root of a mean. Delta method: its standard deviation is the mean's, divided by twice the root."""
    value, deviation = mean_and_error(squares)
    low, high = skewed_mean_interval(squares)
    root = math.sqrt(value)
    return result(root, deviation / (2 * root) if root else deviation, (math.sqrt(low), math.sqrt(high)))


def skewed_mean_interval(losses: Array) -> Interval:
    """The interval of a mean of losses, none of them negative.

    Losses are skewed to the right, so the truth is above Student's interval far more often than below. Hall
    (1992) corrects Student's t by a cubic that can be inverted: t + a t²/3 + a² t³/27 + a/6, where a is the
    skewness divided by √n.
    """
    n = len(losses)
    value, error = mean_and_error(losses)
    if not (math.isfinite(value) and math.isfinite(error)):
        return UNKNOWN
    if not error:
        return (value, value)
    skewness = float((((losses - value) / losses.std()) ** 3).mean()) / math.sqrt(n)
    quantile = float(stats.t.ppf(0.975, n - 1))
    ends = []
    for bound in (quantile, -quantile):
        t = bound
        if abs(skewness) > CUBIC_SKEWNESS:
            t = 3 / skewness * (float(np.cbrt(1 + skewness * (bound - skewness / 6))) - 1)
        ends.append(max(value - error * t, 0.0))
    return (ends[0], ends[1])


def logit_interval(value: float, error: float, freedom: float) -> Interval:
    """Student's interval of the value's logit, transformed back. The value must be between 0 and 1."""
    if not (math.isfinite(error) and freedom > 0 and 0 < value < 1):
        return UNKNOWN
    half = float(stats.t.ppf(0.975, freedom)) * error / (value * (1 - value))
    middle = math.log(value / (1 - value))
    return (float(stats.logistic.cdf(middle - half)), float(stats.logistic.cdf(middle + half)))


def area(found: Area) -> Json:
    """An area with the standard deviation of DeLong, DeLong and Clarke-Pearson (1988).

    The interval is that of the logit, which holds the truth more often near 1 than that of the area. Its
    degrees of freedom are Satterthwaite's, as in Brunner and Munzel (2000). If all pairs are ranked right, or
    all wrong, DeLong's deviation is 0; then the interval is Newcombe's.
    """
    by_class, freedom = variances(found.parts, found.group)
    deviation = math.sqrt(by_class.sum())
    if found.value in (0.0, 1.0):
        return result(found.value, deviation, saturated(found))
    if not deviation:  # all scores tie
        return result(found.value, deviation, (found.value, found.value))
    return result(
        found.value, deviation, logit_interval(found.value, deviation, satterthwaite(by_class, freedom))
    )


def variances(parts: Array, group: Array) -> tuple[Array, Array]:
    """The share of each class in the variance of an area, and the degrees of freedom of each share.

    `parts` and `group` (n) are those of an `Area`. For two classes this is DeLong et al. (1988): the variance
    of the placements of the positive rows, divided by their number, and the same of the negative rows. NaN
    for a class of one row.
    """
    _, group, sizes = np.unique(group, return_inverse=True, return_counts=True)
    scale = divide(sizes.astype(float), sizes - 1.0)
    return np.bincount(group, weights=parts**2, minlength=len(sizes)) * scale, sizes - 1.0


def satterthwaite(variances: Array, freedom: Array) -> float:
    """The degrees of freedom of the sum of these variances (Satterthwaite 1946); NaN if all of them are 0."""
    return float(divide(variances.sum() ** 2, (variances**2 / freedom).sum()))


def saturated(found: Area) -> Interval:
    """The interval of an area of 1 or 0: the mean of Newcombe's limits (2006, method 5) over the curves."""
    far = sum(newcombe(*pairs) for pairs in found.pairs) / len(found.pairs)
    return (far, 1.0) if found.value == 1 else (0.0, 1 - far)


def newcombe(positives: int, negatives: int) -> float:
    """The lower end of the interval of an area of 1: the t with 1 − t = Z · the deviation of an area t."""
    pairs, spare = positives * negatives, (positives + negatives) / 2 - 1
    low, high = 0.0, 1.0
    for _ in range(NEWCOMBE_STEPS):
        t = (low + high) / 2
        variance = t * (1 - t) * (1 + spare * (1 - t) / (2 - t) + spare * t / (1 + t)) / pairs
        low, high = (low, t) if 1 - t < Z * math.sqrt(variance) else (t, high)
    return (low + high) / 2


def result(value: float, deviation: float, interval: Interval) -> Json:
    """A metric as evaluation.json has it. If the value is not finite, nothing of it is defined."""
    if not math.isfinite(value):
        value, deviation, interval = math.nan, math.nan, UNKNOWN
    return {"value": value, "standard_deviation": deviation, "interval": list(interval)}
