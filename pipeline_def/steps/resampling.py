"""Metrics under many weightings of the rows: draws of the confusion matrix, and the bootstrap.

The same rows give the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from job import Array
from scored import UNKNOWN, Interval, Labels, Scored, cells, joined, label_metrics_of

SEED: Final = 0
"""The seed of every draw."""

RESAMPLES: Final = 1000
"""Draws of the confusion matrix, and resamples of the rows."""

MIN_RESAMPLES: Final = 100
"""Resamples that any number of rows gets."""

MAX_WEIGHTS: Final = 50_000_000
"""Resamples times rows. Above it fewer resamples are drawn, so that a million rows take seconds."""

CHUNK: Final = 2_000_000
"""Weights that are in memory at a time."""

UNDEFINED_SHARE: Final = 0.05
"""A standard deviation is undefined if the metric is undefined in more than this share of the resamples."""


def draw_labels(*scored: Labels) -> list[dict[str, Array]]:
    """The metrics of one model, or of two on the same rows, under draws of the (joint) confusion matrix.

    Its cells are drawn from a Dirichlet distribution, as Goutte and Gaussier (2005) do for precision,
    recall and F1. Two rows are added to the counts, so that a matrix without an error is not certain. They
    are split evenly among the classes that occur. Of one model, one row is right and one is wrong; for two
    classes that is Jeffreys' half a row in each cell. Of two models, one row is right only for the first and
    one only for the second, as Bonett and Price (2012) do.
    """
    target, classes = scored[0].target, scored[0].classes
    present = np.unique(target)
    wrong = np.roll(present, -1) if len(present) > 1 else (present + 1) % classes
    added = [[present, wrong], [wrong, present]][: len(scored)]
    columns = [np.r_[target, present, present]]
    columns += [np.r_[item.predicted, *assigned] for item, assigned in zip(scored, added, strict=True)]
    weights = np.r_[np.ones(len(target)), np.full(2 * len(present), 1 / len(present))]
    (actual, *assigned), counts = cells(*columns, classes=classes, weights=weights)
    return [
        label_metrics_of(item, actual, predicted, gammas(counts))
        for item, predicted in zip(scored, assigned, strict=True)
    ]


def gammas(counts: Array) -> Iterator[Array]:
    """Gamma-distributed weights, shape (draws, cells), in blocks.

    Divided by their row sums they are Dirichlet draws. The same counts give the same draws.
    """
    generator = np.random.default_rng(SEED)
    left, at_once = RESAMPLES, max(1, CHUNK // len(counts))
    while left:
        size = min(left, at_once)
        left -= size
        yield generator.standard_gamma(counts, (size, len(counts)))


def resamples_for(n: int) -> int:
    """How many resamples n rows get: 1,000, and fewer above 50,000 rows, but at least 100."""
    return min(RESAMPLES, max(MIN_RESAMPLES, MAX_WEIGHTS // max(n, 1)))


def resample_weights(n: int) -> Iterator[Array]:
    """How often each of n rows is drawn in each resample (resamples x n), some resamples at a time.

    The same n gives the same draws.
    """
    generator = np.random.default_rng(SEED)
    left, at_once = resamples_for(n), max(1, CHUNK // max(n, 1))
    while left:
        size = min(left, at_once)
        left -= size
        rows = generator.integers(0, n, size=(size, n)) + np.arange(size)[:, None] * n
        yield np.bincount(rows.ravel(), minlength=size * n).reshape(size, n).astype(float)


def bootstrap(*scored: Scored) -> list[dict[str, Array]]:
    """The metrics of models on the same rows, in the same resamples (Efron 1979). None for one row."""
    found: list[list[dict[str, Array]]] = [[] for _ in scored]
    n = scored[0].n
    if n < 2 or not scored[0].resampled:
        return [{} for _ in scored]
    with np.errstate(all="ignore"):
        for weights in resample_weights(n):
            for item, results in zip(scored, found, strict=True):
                results.append({name: metric.measure(weights) for name, metric in item.resampled.items()})
    return [joined(results) for results in found]


def spread(values: Array) -> float:
    """The standard deviation over resamples; NaN if too few of them define the metric."""
    defined = values[np.isfinite(values)]
    if len(defined) < 2 or len(defined) < (1 - UNDEFINED_SHARE) * len(values):
        return math.nan
    return float(defined.std(ddof=1))


def percentiles(value: float, values: Array) -> Interval:
    """The 2.5th and 97.5th percentile of the defined values, moved outwards to hold `value`."""
    if math.isnan(spread(values)):
        return UNKNOWN
    low, high = np.quantile(values[np.isfinite(values)], [0.025, 0.975])
    return (min(float(low), value), max(float(high), value))
