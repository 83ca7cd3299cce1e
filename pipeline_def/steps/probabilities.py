"""Metrics of predicted probabilities, for two classes and for more: ranking and calibration."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Final

import numpy as np
from scipy import special

from clusters import count, occurring
from intervals import logit_interval, wilson
from job import Array
from scored import Alone, Area, Interval, Smooth, divide

BINS: Final = 10
"""Bins of the expected calibration error."""

AT_ONCE: Final = 1 << 16
"""Clusters whose sums by bin are in memory at a time, or an eighth of the clusters if those are more."""

MIN_POSITIVES: Final = 3
"""Positive rows, or clusters of them, from which on average precision has a deviation. Of two, more than one
in ten resamples has none, and one says nothing of how they differ."""

DIGITS: Final = float(np.iinfo(np.uint16).max)
"""The largest number of 16 bits, which NumPy sorts by digits (radix sort)."""

EPSILON: Final = float(np.finfo(float).eps)
"""Distance from 0 and 1 that a probability keeps in a logarithm."""


def clipped(probability: Array) -> Array:
    """Probabilities kept away from 0 and 1, as scikit-learn does it, so that a logarithm is finite."""
    return np.clip(probability, EPSILON, 1 - EPSILON)


def ascending(score: Array) -> tuple[Array, Array]:
    """The rows in the order of their scores (n), the lowest first, and the scores in this order.

    Rounded to 16 bits they are sorted by digits, and timsort is fast on what is nearly sorted then. Both
    take half as long as sorting a million probabilities at once. Scores that are no probabilities are sorted
    as well, in the time of one sort.
    """
    score = np.ascontiguousarray(score)
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # any first order will do for a score that 16 bits do not hold
        nearly = np.argsort((score * DIGITS).astype(np.uint16), kind="stable")
    score = score[nearly]
    places = np.argsort(score, kind="stable")
    order = nearly[places]
    del nearly  # as much memory as the scores
    return order, score[places]


class Ranking:
    """The rows in the order of their scores (n), the lowest first. Rows of equal score are one group."""

    def __init__(self, score: Array) -> None:
        self.order, ordered = ascending(score)
        new = ordered[1:] != ordered[:-1]
        self.ends: Array | None = None  # of the groups: 0, and the place behind the last row of each
        if not new.all():
            self.ends = np.r_[0, np.flatnonzero(new) + 1, len(score)]

    def below(self, values: Array) -> Array:
        """For each row, the sum of the values of all groups below its own. Both values and sums are in the
        order of the ranking."""
        return self._spread(self._sums(values)[:-1])

    def up_to(self, values: Array) -> Array:
        """For each row, the sum of the values of its own group and all below, as `below` has it."""
        return self._spread(self._sums(values)[1:])

    def middles(self, values: Array) -> Array:
        """For each row, the sum of the values of all groups below its own, and half of its own group's."""
        sums = self._sums(values)
        middles = np.add(sums[:-1], sums[1:])
        middles /= 2
        return self._spread(middles)

    def middles_of(self, chosen: Array) -> Array:
        """For each chosen row (n, boolean), how many rows there are in all groups below its own, and half of
        its own group's. Both are in the order of the ranking."""
        if self.ends is None:
            return np.flatnonzero(chosen) + 0.5
        return self._spread((self.ends[:-1] + self.ends[1:]) / 2)[chosen]

    def _sums(self, values: Array) -> Array:
        """0, and the sum of the values of each group with all below."""
        sums = np.zeros(len(values) + 1)
        np.cumsum(values, dtype=float, out=sums[1:])
        return sums if self.ends is None else sums[self.ends]

    def _spread(self, by_group: Array) -> Array:
        """For each row, its group's value."""
        return by_group if self.ends is None else np.repeat(by_group, np.diff(self.ends))

    def by_row(self, ordered: Array) -> Array:
        """These values by row."""
        found = np.empty(len(ordered))
        found[self.order] = ordered
        return found


def roc_auc(
    target: Array, score: Array, clusters: Array | None = None, ranking: Ranking | None = None
) -> Area:
    """The area under the ROC curve of n scores for n targets of 0 or 1. A tie counts half.

    The placement of a positive row is the share of negative rows that are ranked below it. The placement of a
    negative row is the share of positive rows that are ranked above it. The mean of either is the area
    (DeLong et al. 1988). Ranks give all of them in n log n (Sun and Xu 2014). `ranking` is that of the
    scores where it is known.
    """
    positive = np.asarray(target, dtype=bool)
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return Area(math.nan, np.full(len(positive), math.nan), positive, ())
    ranking = ranking or Ranking(score)
    ordered = positive[ranking.order]
    lower = ranking.middles(ordered)  # positive rows
    wins = ranking.middles_of(ordered) - lower[ordered]  # negative rows below the positive ones
    # twice the number of wins is whole, so an area of 1 is exactly 1
    value = float(np.rint(2 * wins.sum())) / (2 * positives * negatives)
    lower /= positives
    np.subtract(1, lower, out=lower)
    lower -= value
    lower /= negatives
    lower[ordered] = (wins / negatives - value) / positives
    return Area(value, ranking.by_row(lower), positive, curve_pairs(value, [positive], clusters))


def curve_pairs(value: float, curves: Iterable[Array], clusters: Array | None) -> tuple[tuple[int, int], ...]:
    """`Area.pairs` of curves with these positive rows (n each, boolean)."""
    if value not in (0.0, 1.0):
        return ()
    return tuple((count(clusters, positive), count(clusters, ~positive)) for positive in curves)


def roc_auc_ovr(target: Array, scores: Array, clusters: Array | None = None) -> Area:
    """The mean of the areas of each class against all others, over the classes that rows are of.

    Every row is in every curve. So its share of the mean's deviation is the mean of its shares of theirs,
    which makes DeLong's standard error one for more than two classes.
    """
    present = occurring(target)
    if len(present) < 2:
        return Area(math.nan, np.full(len(target), math.nan), target, ())
    value, parts = 0.0, np.zeros(len(target))
    for which in present:
        one = roc_auc(target == which, scores[:, which], clusters)
        value += one.value / len(present)
        parts += one.parts / len(present)
    if abs(value - round(value)) < 1e-12:  # all curves are 1, or 0
        value = float(round(value))
    return Area(value, parts, target, curve_pairs(value, (target == which for which in present), clusters))


def average_precision(
    target: Array, score: Array, clusters: Array | None = None, ranking: Ranking | None = None
) -> Smooth:
    """The mean over positive rows of the precision at their score. Rows of equal score are one group.

    A row's weight moves the precision at its own score and at all lower ones; the sum of that over the
    positive rows is its influence, the derivative of the metric (Hampel 1974; Efron 1982). The interval is
    that of the logit (Boyd, Eng and Page 2013). If all positive rows come first, it is Wilson's of as many
    hits in as many rows. Positive rows are counted in clusters; fewer than MIN_POSITIVES have no deviation.
    `ranking` is that of the scores where it is known.
    """
    positive = np.asarray(target, dtype=bool)
    positives, hits = count(clusters, positive), int(positive.sum())

    def ends(value: float, deviation: float, confidence: float) -> Interval:
        if value == 1:
            return wilson(positives, positives, confidence)
        small = math.sqrt(positives / max(positives - 1, 1))  # few positive rows deviate more
        return logit_interval(value, deviation * small, positives - 1, confidence)

    if not hits:
        return Smooth(math.nan, np.full(len(positive), math.nan), partial(ends, math.nan))
    ranking = ranking or Ranking(score)
    ordered = positive[ranking.order]
    above = ranking.below(np.ones(len(positive), dtype=bool))
    np.subtract(len(positive), above, out=above)  # rows of this score and higher ones
    precision = ranking.below(ordered)
    np.subtract(hits, precision, out=precision)
    precision /= above
    value = float(precision[ordered].sum()) / hits
    weights = np.divide(ordered, above, out=above)
    gained = ranking.up_to(weights)
    weights *= precision
    precision -= value
    precision += gained
    parts = np.multiply(ordered, precision, out=precision)
    del gained
    parts -= ranking.up_to(weights)
    parts /= hits
    if positives < MIN_POSITIVES:
        parts[:] = math.nan
    return Smooth(value, ranking.by_row(parts), partial(ends, value))


def calibration_error(hit: Array, confidence: Array, clusters: Array | None = None) -> Alone:
    """The expected calibration error (Guo et al. 2017) with 10 bins of equal width: (0, 0.1], (0.1, 0.2], ….

    It is the mean over rows of the distance between the share of hits in a row's bin and the mean confidence
    in that bin. Of two classes, the confidence is the probability of the positive one and a hit is a positive
    row. Of more, the confidence is the probability of the predicted class and a hit is a right prediction.

    It has no interval. Chance alone moves hits away from confidence, so the estimate is too high, the more so
    the better a model is calibrated. No interval that was tried holds the truth often enough
    (bench/coverage.py). The deviation is that of a sum of normal distances without their signs.
    """
    n, units = len(hit), len(hit) if clusters is None else int(clusters.max()) + 1
    bins = np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left").astype(np.int8)
    gaps = hit - confidence
    means = np.bincount(bins, weights=gaps, minlength=BINS) / n if n else np.full(BINS, math.nan)
    deviation = math.nan
    if units > 1:
        products = bin_products(bins, gaps, means, clusters) * (units / (units - 1) / n**2)
        deviation = folded_deviation(means, products)
    return Alone(float(np.abs(means).sum()), deviation, None, "biased, and not alike for any two models")


def bin_products(bins: Array, gaps: Array, means: Array, clusters: Array | None) -> Array:
    """Σ over clusters of the products of what each bin's sum deviates by (bins x bins)."""
    if clusters is None:
        squares = np.bincount(bins, weights=gaps**2, minlength=BINS)
        return np.asarray(np.diag(squares) - len(gaps) * np.outer(means, means))
    many, products = int(clusters.max()) + 1, np.zeros((BINS, BINS))
    size = max(AT_ONCE, math.ceil(many / 8))
    for first in range(0, many, size):
        rows = (clusters >= first) & (clusters < first + size) if many > size else slice(None)
        numbers = clusters[rows] - first
        sizes = np.bincount(numbers)
        numbers *= BINS
        numbers += bins[rows]
        sums = np.bincount(numbers, weights=gaps[rows], minlength=len(sizes) * BINS).reshape(-1, BINS)
        sums -= sizes[:, None] * means
        products += sums.T @ sums
    return products


def folded_deviation(means: Array, covariance: Array) -> float:
    """The standard deviation of Σ |x| over normal x with these means (k) and this covariance (k x k).

    The variance of one |x| is that of Leone, Nelson and Nottingham (1961). Two of them have the covariance of
    their x, times the mean sign of either, which is its first term.
    """
    spread = np.sqrt(np.diag(covariance).clip(0))
    ratio = divide(means, spread)
    signs = np.where(spread > 0, special.erf(ratio / math.sqrt(2)), np.sign(means))
    folded = spread * math.sqrt(2 / math.pi) * np.exp(-(np.nan_to_num(ratio) ** 2) / 2) + means * signs
    products = covariance * np.outer(signs, signs)
    np.fill_diagonal(products, means**2 + spread**2 - folded**2)
    return math.sqrt(max(float(products.sum()), 0.0))
