"""Metrics under many weightings of the rows: draws of the confusion matrix, and the bootstrap.

Dependent rows are drawn together, by cluster. The same rows give the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy import sparse, special

from clusters import effective_rows
from intervals import TWO_SIDED
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


def draw_labels(*scored: Labels, clusters: Array | None = None) -> list[dict[str, Array]]:
    """The metrics of one model, or of two on the same rows, under draws of the (joint) confusion matrix.

    Its cells are drawn from a Dirichlet distribution, as Goutte and Gaussier (2005) do for precision,
    recall and F1. Two rows are added to the counts, so that a matrix without an error is not certain. They
    are split evenly among the classes that occur. Of one model, one row is right and one is wrong; for two
    classes that is Jeffreys' half a row in each cell. Of two models, one row is right only for the first and
    one only for the second, as Bonett and Price (2012) do.

    Clusters are drawn instead of rows, by the Bayesian bootstrap (Rubin 1981), which is the same where each
    cluster is one row. Two clusters are then added, of as many rows as are worth one independent row.
    """
    target, classes = scored[0].target, scored[0].classes
    present = np.unique(target)
    wrong = np.roll(present, -1) if len(present) > 1 else (present + 1) % classes
    added = [[present, wrong], [wrong, present]][: len(scored)]
    columns = [np.r_[target, present, present]]
    columns += [np.r_[item.predicted, *assigned] for item, assigned in zip(scored, added, strict=True)]
    weights = np.r_[np.ones(len(target)), np.full(2 * len(present), 1 / len(present))]
    (actual, *assigned), counts, cell = cells(*columns, classes=classes, weights=weights)
    contents = None
    if clusters is not None:
        right = [(item.predicted == item.target).astype(float) for item in scored]
        size = len(target) / effective_rows(right[0] - sum(right[1:]), clusters)
        counts, contents = compositions(cell, clusters, weights[len(target) :], size)
    return [
        label_metrics_of(item, actual, predicted, gammas(counts, contents))
        for item, predicted in zip(scored, assigned, strict=True)
    ]


def compositions(cell: Array, clusters: Array, added: Array, size: float) -> tuple[Array, sparse.csr_array]:
    """The distinct contents of clusters, and how many clusters have each.

    `cell` is the cell of each row, and then of each added cluster. That has `size` rows, and counts as the
    share `added` of a cluster. The contents are a matrix, contents x cells, of numbers of rows. Clusters of
    the same content are drawn together, as rows of one cell are: small clusters have few contents.
    """
    n = len(clusters)
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(clusters[order]) > 0])
    keys = np.random.default_rng(SEED).integers(0, 2**63, cell.max() + 1, dtype=np.uint64)
    sums = np.add.reduceat(keys[cell[:n][order]], starts)  # equal for equal contents, and else by no chance
    first, place, counts = np.unique(sums, return_index=True, return_inverse=True, return_counts=True)[1:]
    shown = np.isin(clusters, first)
    rows = np.r_[place[clusters[shown]], len(counts) + np.arange(len(added))]
    sizes = np.r_[np.ones(shown.sum()), np.full(len(added), size)]
    contents = sparse.csr_array((sizes, (rows, np.r_[cell[:n][shown], cell[n:]])))
    return np.r_[counts, added], contents


def gammas(counts: Array, contents: sparse.csr_array | None = None) -> Iterator[Array]:
    """Gamma-distributed weights, shape (draws, cells), in blocks.

    Divided by their row sums they are Dirichlet draws. With `contents`, `counts` are those of clusters, and
    those of cells are the sums over the clusters' rows in them. The same counts give the same draws.
    """
    generator = np.random.default_rng(SEED)
    left = RESAMPLES if contents is None else resamples_for(len(counts))
    at_once = max(1, CHUNK // max(len(counts), contents.shape[1] if contents is not None else 0))
    while left:
        size = min(left, at_once)
        left -= size
        weights = generator.standard_gamma(counts, (size, len(counts)))
        yield weights if contents is None else np.asarray(weights @ contents)


def resamples_for(n: int) -> int:
    """How many resamples n rows get: 1,000, and fewer above 50,000 rows, but at least 100."""
    return min(RESAMPLES, max(MIN_RESAMPLES, MAX_WEIGHTS // max(n, 1)))


def resample_weights(n: int, clusters: Array | None = None) -> Iterator[Array]:
    """How often each of n rows is drawn in each resample (resamples x n), some resamples at a time.

    With `clusters`, one less is drawn than there are, each with all of its rows. So the variance of a mean
    over the resamples is that of Liang and Zeger (1986), with its G/(G − 1) (McCarthy and Snowden 1985). The
    same rows give the same draws.
    """
    generator = np.random.default_rng(SEED)
    units = n if clusters is None else int(clusters.max()) + 1
    times = n if clusters is None else units - 1
    left, at_once = resamples_for(n), max(1, CHUNK // max(n, 1))
    while left:
        size = min(left, at_once)
        left -= size
        drawn = generator.integers(0, units, size=(size, times)) + np.arange(size)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units).astype(float)
        yield counts if clusters is None else counts[:, clusters]


def bootstrap(*scored: Scored) -> list[dict[str, Array]]:
    """The metrics of models on the same rows, in the same resamples (Efron 1979). None for one cluster."""
    found: list[list[dict[str, Array]]] = [[] for _ in scored]
    n, clusters = scored[0].n, scored[0].clusters
    if n < 2 or scored[0].freedom < 1 or not scored[0].resampled:
        return [{} for _ in scored]
    with np.errstate(all="ignore"):
        for weights in resample_weights(n, clusters):
            for item, results in zip(scored, found, strict=True):
                results.append({name: metric.measure(weights) for name, metric in item.resampled.items()})
    return [joined(results) for results in found]


def spread(values: Array) -> float:
    """The standard deviation over resamples; NaN if too few of them define the metric."""
    defined = values[np.isfinite(values)]
    if len(defined) < 2 or len(defined) < (1 - UNDEFINED_SHARE) * len(values):
        return math.nan
    return float(defined.std(ddof=1))


def percentiles(
    value: float, values: Array, confidence: float = TWO_SIDED, freedom: float = math.inf
) -> Interval:
    """The percentiles of the defined values at 1 − confidence and confidence, moved outwards to hold `value`.

    With `freedom`, the number of drawn clusters less 1, they are expanded (Hesterberg 2015): resamples vary
    less than the truth, by √((G − 1)/G) for G clusters, and have the tails of a normal distribution instead
    of Student's.
    """
    if math.isnan(spread(values)) or freedom < 1:
        return UNKNOWN
    if math.isfinite(freedom):
        wider = math.sqrt((freedom + 1) / freedom) * float(special.stdtrit(freedom, confidence))
        confidence = float(special.ndtr(wider))
    low, high = np.quantile(values[np.isfinite(values)], [round(1 - confidence, 12), confidence])
    return (min(float(low), value), max(float(high), value))
