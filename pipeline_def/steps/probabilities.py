"""Metrics of predicted probabilities, for two classes and for more: ranking and calibration."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import stats

from clusters import count
from intervals import logit_interval, wilson
from job import Array
from resampling import spread
from scored import Area, Interval, Resampled, divide

BINS: Final = 10
"""Bins of the expected calibration error."""

EPSILON: Final = float(np.finfo(float).eps)
"""Distance from 0 and 1 that a probability keeps in a logarithm."""


def clipped(probability: Array) -> Array:
    """Probabilities kept away from 0 and 1, as scikit-learn does it, so that a logarithm is finite."""
    return np.clip(probability, EPSILON, 1 - EPSILON)


def roc_auc(target: Array, score: Array, clusters: Array | None = None) -> Area:
    """The area under the ROC curve of n scores for n targets of 0 or 1. A tie counts half.

    The placement of a positive row is the share of negative rows that are ranked below it. The placement of a
    negative row is the share of positive rows that are ranked above it. The mean of either is the area
    (DeLong et al. 1988). Ranks give all of them in n log n (Sun and Xu 2014).
    """
    positive = np.asarray(target, dtype=bool)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return Area(math.nan, np.full(len(positive), math.nan), positive, ())
    ranks = stats.rankdata(score)
    parts = np.empty(len(positive))
    parts[positive] = (ranks[positive] - stats.rankdata(score[positive])) / negatives
    parts[~positive] = 1 - (ranks[~positive] - stats.rankdata(score[~positive])) / positives
    # twice the number of wins is whole, so an area of 1 is exactly 1
    value = float(np.rint(2 * parts[positive].sum() * negatives)) / (2 * positives * negatives)
    parts = (parts - value) / np.where(positive, positives, negatives)
    pairs = (count(clusters, positive), count(clusters, ~positive))
    return Area(value, parts, positive, (pairs,))


def roc_auc_ovr(target: Array, scores: Array, clusters: Array | None = None) -> Area:
    """The mean of the areas of each class against all others, over the classes that rows are of.

    Every row is in every curve. So its share of the mean's deviation is the mean of its shares of theirs,
    which makes DeLong's standard error one for more than two classes.
    """
    present = np.unique(target)
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


def average_precision(target: Array, score: Array, clusters: Array | None = None) -> Resampled:
    """The mean over positive rows of the precision at their score. Rows of equal score are one group.

    The interval is that of the logit (Boyd, Eng and Page 2013). If all positive rows come first, it is
    Wilson's of as many hits in as many rows. Positive rows are counted in clusters.
    """
    order = np.argsort(-score, kind="stable")
    ranked, positive = score[order], target[order].astype(float)
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.empty(0, int)

    def measure(weights: Array) -> Array:
        if not len(ranked):
            return np.full(len(weights), np.nan)
        weights = weights[:, order]
        hits, precision = weights * positive, weights  # `precision` holds rows until the division
        if len(starts) < len(ranked):
            hits, precision = (np.add.reduceat(item, starts, axis=1) for item in (hits, precision))
        np.cumsum(precision, axis=1, out=precision)
        so_far = np.cumsum(hits, axis=1)
        np.divide(so_far, precision, out=precision, where=precision != 0)
        return divide((hits * precision).sum(axis=1), so_far[:, -1])

    positives = count(clusters, target == 1)

    def interval(value: float, resampled: Array, confidence: float) -> Interval:
        if value == 1:
            return wilson(positives, positives, confidence)
        return logit_interval(value, spread(resampled), positives - 1, confidence)

    return Resampled(measure, interval)


def calibration_error(hit: Array, confidence: Array) -> Resampled:
    """The expected calibration error (Guo et al. 2017) with 10 bins of equal width: (0, 0.1], (0.1, 0.2], ….

    It is the mean over rows of the distance between the share of hits in a row's bin and the mean confidence
    in that bin. Of two classes, the confidence is the probability of the positive one and a hit is a positive
    row. Of more, the confidence is the probability of the predicted class and a hit is a right prediction.

    It has no interval. Chance alone moves hits away from confidence, so the estimate is too high, the more so
    the better a model is calibrated. No interval that was tried holds the truth often enough
    (bench/coverage.py).
    """
    bins = np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")
    gaps = np.eye(BINS)[bins] * (hit - confidence)[:, None]

    def measure(weights: Array) -> Array:
        return divide(np.abs(weights @ gaps).sum(axis=1), weights.sum(axis=1))

    return Resampled(measure, interval=None)
