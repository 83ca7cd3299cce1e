"""Metrics of predicted probabilities, for two classes and for more: ranking and calibration."""

from __future__ import annotations

import math
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

MIN_POSITIVES: Final = 3
"""Positive rows, or clusters of them, from which on average precision has a deviation. Of two, more than one
in ten resamples has none, and one says nothing of how they differ."""

EPSILON: Final = float(np.finfo(float).eps)
"""Distance from 0 and 1 that a probability keeps in a logarithm."""


def clipped(probability: Array) -> Array:
    """Probabilities kept away from 0 and 1, as scikit-learn does it, so that a logarithm is finite."""
    return np.clip(probability, EPSILON, 1 - EPSILON)


class Ranking:
    """The rows in the order of their scores (n), the lowest first. Rows of equal score are one group."""

    def __init__(self, score: Array) -> None:
        self.order = np.argsort(score)
        ordered = score[self.order]
        new = ordered[1:] != ordered[:-1]
        self.groups: tuple[Array, Array] | None = None  # the first place of each row's, and behind its last
        if not new.all():
            starts = np.append(0, np.flatnonzero(new) + 1)
            sizes = np.diff(starts, append=len(score))
            self.groups = np.repeat(starts, sizes), np.repeat(starts + sizes, sizes)

    def sums(self, values: Array) -> tuple[Array, Array]:
        """For each row, the sum of the values of all groups below its own, and with its own. Both `values`
        and sums are in the order of the ranking."""
        sums = np.zeros(len(values) + 1)
        np.cumsum(values, dtype=float, out=sums[1:])
        if self.groups is None:
            return sums[:-1], sums[1:]
        return sums[self.groups[0]], sums[self.groups[1]]

    def middles(self, values: Array) -> Array:
        """For each row, the sum of the values of all groups below its own, and half of its own group's."""
        below, up_to = self.sums(values)
        return np.asarray((below + up_to) / 2)

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
    wins = ranking.middles(~ordered)[ordered]  # negative rows below the positive ones
    # twice the number of wins is whole, so an area of 1 is exactly 1
    value = float(np.rint(2 * wins.sum())) / (2 * positives * negatives)
    lower = (1 - lower / positives - value) / negatives
    lower[ordered] = (wins / negatives - value) / positives
    pairs = (count(clusters, positive), count(clusters, ~positive))
    return Area(value, ranking.by_row(lower), positive, (pairs,))


def roc_auc_ovr(target: Array, scores: Array, clusters: Array | None = None) -> Area:
    """The mean of the areas of each class against all others, over the classes that rows are of.

    Every row is in every curve. So its share of the mean's deviation is the mean of its shares of theirs,
    which makes DeLong's standard error one for more than two classes.
    """
    present = occurring(target)
    if len(present) < 2:
        return Area(math.nan, np.full(len(target), math.nan), target, ())
    value, parts = 0.0, np.zeros(len(target))
    pairs: list[tuple[int, int]] = []
    for which in present:
        one = roc_auc(target == which, scores[:, which], clusters)
        value += one.value / len(present)
        parts += one.parts / len(present)
        pairs += one.pairs
    if abs(value - round(value)) < 1e-12:  # all curves are 1, or 0
        value = float(round(value))
    return Area(value, parts, target, tuple(pairs))


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
    above = len(positive) - ranking.sums(np.ones(len(positive)))[0]  # rows of this score and higher ones
    precision = (hits - ranking.sums(ordered)[0]) / above
    value = float(precision[ordered].sum()) / hits
    weights = ordered / above
    gained, lost = ranking.sums(weights)[1], ranking.sums(weights * precision)[1]
    parts = np.where(ordered, precision - value + gained, 0.0) - lost
    if positives < MIN_POSITIVES:
        parts[:] = math.nan
    return Smooth(value, ranking.by_row(parts / hits), partial(ends, value))


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
    bins = np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")
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
    many = int(clusters.max()) + 1
    sums = np.bincount(clusters * BINS + bins, weights=gaps, minlength=many * BINS).reshape(many, BINS)
    sums -= np.bincount(clusters)[:, None] * means
    return np.asarray(sums.T @ sums)


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
