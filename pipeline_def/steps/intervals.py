"""The standard deviation, the two-sided 95 % interval and the one-sided bounds of one metric, in closed form.

`clusters` (n) are numbers from 0, or None if the rows are independent; clusters.py says what follows from
them. `confidence` is that of one end: 0.975 makes a two-sided interval of 95 %. An undefined number is NaN.
bench/coverage.py shows how often the intervals hold the truth.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import numpy as np
from scipy import special

from clusters import (
    deviation_of,
    dot,
    effective_clusters,
    freedom_of,
    in_classes,
    numbered,
    per_cluster,
    ranked,
    rows_worth,
)
from job import Array, Json
from scored import UNKNOWN, Alone, Area, Ends, Interval, Smooth, divide, mean_and_error

Z: Final = float(special.ndtri(0.975))
"""The normal distribution's quantile of a two-sided 95 % interval."""

TWO_SIDED: Final = 0.975
"""The confidence of either end of a two-sided 95 % interval."""

CONFIDENCES: Final = (0.8, 0.9, 0.95, 0.975, 0.99)
"""The confidences of the one-sided bounds that evaluation.json has, and that rules may name."""

NEWCOMBE_STEPS: Final = 60
"""Bisections by which `newcombe` finds its limit: more than a float has bits."""

CUBIC_SKEWNESS: Final = 1e-6
"""Below this skewness, over the root of n, Hall's correction changes nothing that a float can hold."""


def wilson(hits: float, n: float, confidence: float = TWO_SIDED, freedom: float = math.inf) -> Interval:
    """The score interval of a share of `hits` in `n` rows (Wilson 1927). It has a width even for 0 hits.

    Both may be fractions: `n` is then the effective number of dependent rows. With `freedom`, Student's
    quantile takes the place of the normal one.
    """
    if not n:
        return UNKNOWN
    quantile = float(
        special.stdtrit(freedom, confidence) if math.isfinite(freedom) else special.ndtri(confidence)
    )
    share, tail = hits / n, quantile**2 / n
    middle, half = share + tail / 2, quantile * math.sqrt(share * (1 - share) / n + tail / (4 * n))
    low, high = (middle - half) / (1 + tail), (middle + half) / (1 + tail)
    return (0.0 if hits == 0 else low, 1.0 if hits == n else high)


def share(counted: Array, right: Array, clusters: Array | None = None) -> Json:
    """The share of the counted rows that are right, with the standard deviation of a binomial share.

    Of dependent rows the deviation is the robust one, and Wilson's interval is that of their effective number
    (Kott and Carr 1997; Franco et al. 2019 compare it with others).
    """
    n, hits = int(counted.sum()), int((counted & right).sum())
    value = hits / n if n else math.nan
    every = n == len(counted)
    within = numbered(clusters if every else clusters[counted]) if clusters is not None else None
    if within is None:
        deviation = math.sqrt(value * (1 - value) / n) if n else math.nan
        return result(value, deviation, partial(wilson, hits, n))
    rights = (right if every else right[counted]).astype(float)
    sums = per_cluster(rights, within)
    rows, freedom, deviation = rows_worth(rights, sums), freedom_of(within), mean_and_error(sums)[1]
    return result(value, deviation, lambda confidence: wilson(value * rows, rows, confidence, freedom))


def mean(losses: Array) -> Json:
    """A mean of losses, none negative, with Student's interval corrected for skewness.

    `losses` are those of independent rows, or what `per_cluster` makes of those of dependent ones.
    """
    value, deviation = mean_and_error(losses)
    return result(value, deviation, skewed_mean_ends(losses))


def root_of_mean(squares: Array) -> Json:
    """The root of a mean. Delta method: its standard deviation is the mean's, divided by twice the root."""
    value, deviation = mean_and_error(squares)
    root, of_mean = math.sqrt(value), skewed_mean_ends(squares)

    def ends(confidence: float) -> Interval:
        low, high = of_mean(confidence)
        return (math.sqrt(low), math.sqrt(high))

    return result(root, deviation / (2 * root) if root else deviation, ends)


def skewed_mean_interval(losses: Array, confidence: float = TWO_SIDED) -> Interval:
    """The interval of a mean of losses, none of them negative, as `skewed_mean_ends` makes it."""
    return skewed_mean_ends(losses)(confidence)


def skewed_mean_ends(losses: Array) -> Ends:
    """The one-sided bounds of a mean of losses, none of them negative.

    Losses are skewed to the right, so the truth is above Student's interval far more often than below. Hall
    (1992) corrects Student's t by a cubic that can be inverted: t + a t²/3 + a² t³/27 + a/6, where a is the
    skewness divided by √n.
    """
    n = len(losses)
    value, error = mean_and_error(losses)
    if not (math.isfinite(value) and math.isfinite(error)):
        return lambda _: UNKNOWN
    if not error:
        return lambda _: (value, value)
    deviations = losses - value
    third = dot(deviations * deviations, deviations) / n
    skewness = third / (error * math.sqrt(n - 1)) ** 3 / math.sqrt(n)

    def ends(confidence: float) -> Interval:
        quantile = float(special.stdtrit(n - 1, confidence))
        found = []
        for bound in (quantile, -quantile):
            t = bound
            if abs(skewness) > CUBIC_SKEWNESS:
                t = 3 / skewness * (float(np.cbrt(1 + skewness * (bound - skewness / 6))) - 1)
            found.append(max(value - error * t, 0.0))
        return (found[0], found[1])

    return ends


def logit_interval(value: float, error: float, freedom: float, confidence: float = TWO_SIDED) -> Interval:
    """Student's interval of the value's logit, transformed back. The value must be between 0 and 1."""
    if not (math.isfinite(error) and freedom > 0 and 0 < value < 1):
        return UNKNOWN
    half = float(special.stdtrit(freedom, confidence)) * error / (value * (1 - value))
    middle = math.log(value / (1 - value))
    return (float(special.expit(middle - half)), float(special.expit(middle + half)))


def area(found: Area, clusters: Array | None = None) -> Json:
    """An area with the standard deviation of DeLong, DeLong and Clarke-Pearson (1988).

    The interval is that of the logit, which holds the truth more often near 1 than that of the area. Its
    degrees of freedom are Satterthwaite's, as in Brunner and Munzel (2000). If all pairs are ranked right, or
    all wrong, DeLong's deviation is 0; then the interval is Newcombe's.
    """
    variance, freedom = area_variance(found.parts, found.group, clusters)
    deviation = math.sqrt(variance)
    if found.value in (0.0, 1.0):
        return result(found.value, deviation, partial(saturated, found))
    if not deviation:  # all scores tie
        return result(found.value, deviation, lambda _: (found.value, found.value))
    return result(found.value, deviation, partial(logit_interval, found.value, deviation, freedom))


def area_variance(parts: Array, group: Array, clusters: Array | None) -> tuple[float, float]:
    """The variance of an area, and its degrees of freedom. NaN if a class has one row or cluster.

    `parts` and `group` (n) are those of an `Area`. For two classes of independent rows this is DeLong et al.
    (1988): the variance of the placements of the positive rows, divided by their number, and the same of the
    negative rows. Rows of one cluster are added up within each class, and the covariance of the classes'
    sums counts twice (Obuchowski 1997). The degrees of freedom are then the clusters of the rarest class less
    1, which holds the truth more often than Satterthwaite's.
    """
    if not len(group):
        return math.nan, math.nan
    if clusters is not None:
        return clustered_area_variance(parts, group, clusters)
    numbers = group.astype(np.int64, copy=False)
    group = ranked(numbers, int(numbers.max()) + 1)[1]
    sizes = np.bincount(group)
    by_class = np.bincount(group, weights=parts**2) * divide(sizes.astype(float), sizes - 1.0)
    return float(by_class.sum()), satterthwaite(by_class, sizes - 1.0)


def clustered_area_variance(parts: Array, group: Array, clusters: Array) -> tuple[float, float]:
    """`area_variance` of dependent rows."""
    counted = [
        (np.count_nonzero(rows, axis=0), effective_clusters(rows)) for rows in in_classes(clusters, group)
    ]
    many, worth = (np.concatenate(each) for each in zip(*counted, strict=True))
    squares = np.concatenate(
        [np.einsum("gk,gk->k", some, some) for some in in_classes(clusters, group, parts)]
    )
    occurs, whole = many > 0, np.bincount(clusters, weights=parts)
    within, rarest = float(squares.sum()), min(freedom_of(clusters) + 1, *worth[occurs])
    variance = float(divide(squares * many, many - 1.0)[occurs].sum())
    between = float(divide(np.array(dot(whole, whole) - within), 1 - 1 / np.array(len(whole))))
    return variance + between, rarest - 1.0


def satterthwaite(variances: Array, freedom: Array) -> float:
    """The degrees of freedom of the sum of these variances (Satterthwaite 1946); NaN if all of them are 0."""
    return float(divide(variances.sum() ** 2, (variances**2 / freedom).sum()))


def saturated(found: Area, confidence: float = TWO_SIDED) -> Interval:
    """The interval of an area of 1 or 0: the mean of Newcombe's limits (2006, method 5) over the curves."""
    far = sum(newcombe(*pairs, confidence) for pairs in found.pairs) / len(found.pairs)
    return (far, 1.0) if found.value == 1 else (0.0, 1 - far)


def newcombe(positives: int, negatives: int, confidence: float = TWO_SIDED) -> float:
    """The lower end of the interval of an area of 1: the t with 1 − t = z · the deviation of an area t."""
    pairs, spare = positives * negatives, (positives + negatives) / 2 - 1
    quantile = float(special.ndtri(confidence))
    low, high = 0.0, 1.0
    for _ in range(NEWCOMBE_STEPS):
        t = (low + high) / 2
        variance = t * (1 - t) * (1 + spare * (1 - t) / (2 - t) + spare * t / (1 + t)) / pairs
        low, high = (low, t) if 1 - t < quantile * math.sqrt(variance) else (t, high)
    return (low + high) / 2


def smooth(found: Smooth, clusters: Array | None = None) -> Json:
    """A metric with the standard deviation of its rows' influences, and its own interval."""
    deviation = deviation_of(found.parts, clusters)
    return result(
        found.value, deviation, partial(found.ends, deviation) if math.isfinite(deviation) else None
    )


def alone(found: Alone) -> Json:
    """A metric that comes with its standard deviation."""
    return result(found.value, found.deviation, found.ends)


def result(value: float, deviation: float, ends: Ends | None) -> Json:
    """A metric as evaluation.json has it. `ends` is None for a metric without an interval.

    If the value is not finite, nothing of it is defined.
    """
    if not math.isfinite(value):
        value, deviation, ends = math.nan, math.nan, None
    interval, bounds = ends(TWO_SIDED) if ends else UNKNOWN, {}
    if not np.isfinite(interval).all():
        interval = UNKNOWN
    elif ends:
        bounds = {str(confidence): list(ends(confidence)) for confidence in CONFIDENCES}
    return {"value": value, "standard_deviation": deviation, "interval": list(interval), "bounds": bounds}
