"""Clusters: groups of rows that may depend on each other. Rows of different clusters do not.

A ticket, a household or a customer puts related rows into one data set, and a file that landed twice puts
each row there twice. Such rows say less than as many independent ones. So everything that estimates an
uncertainty adds up the rows of a cluster first (Liang and Zeger 1986), and counts clusters instead of rows.
Where each cluster is one row, all numbers are those of independent rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from job import Array

FEW: Final = 1 << 16
"""Possible numbers that are counted in an array, however few rows there are."""

MAX_CELLS: Final = 1 << 22
"""Numbers by cluster and class that are in memory at a time."""


def ranked(numbers: Array, size: int) -> tuple[Array, Array]:
    """The different ones of these numbers, sorted, and the place of each number among them.

    The numbers are from 0, and below `size`. If few are possible they are counted, which takes no sorting. If
    all occur, the numbers are their own places, and are not copied.
    """
    if size > max(len(numbers), FEW):
        found, places = np.unique(numbers, return_inverse=True)
        return found, places
    occurs = np.bincount(numbers, minlength=size) > 0
    if occurs.all():
        return np.arange(len(occurs)), numbers
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[numbers]


def occurring(classes: Array) -> Array:
    """The different ones of these classes, which are numbers from 0, sorted."""
    return np.flatnonzero(np.bincount(classes))


def dense(clusters: Array) -> bool:
    """Whether these numbers are from 0 and small: below twice the rows, or twice FEW. Hashes are larger."""
    return len(clusters) > 0 and bool(clusters.min() >= 0 and clusters.max() < 2 * max(len(clusters), FEW))


def numbered(clusters: Array | None) -> Array | None:
    """The clusters (n) as numbers from 0; None if each cluster is one row.

    Numbers that it made before are returned without a copy, so a caller may number the same rows again.
    """
    if clusters is None:
        return None
    if dense(clusters):
        small = clusters.astype(np.int64, copy=False)
        found, numbers = ranked(small, int(small.max()) + 1)
    elif all_different(clusters[:FEW]) and all_different(clusters):  # few rows tell most ids that repeat
        return None
    else:
        import pandas as pd  # here: DataPreProcessing needs none, and it takes a quarter of a second

        numbers, found = pd.factorize(clusters, sort=True)  # hashes them: np.unique sorts all rows
    return numbers if len(found) < len(clusters) else None


def count(clusters: Array | None, rows: Array) -> int:
    """How many clusters the `rows` (n, boolean) are worth: their number if all have equally many rows.

    It is the effective number of Carter, Schnepel and Steigerwald (2017) where variances are equal, that is
    n² / Σ (rows of the cluster)², rounded. A cluster with most of the rows makes the mean its own, so
    that it deviates little from it, and the robust error is too small.
    """
    return int(rows.sum()) if clusters is None else count_all(clusters[rows])


def count_all(clusters: Array) -> int:
    """`count` of all rows. `clusters` (n) has the cluster of each row."""
    if dense(clusters):
        sizes = np.bincount(clusters.astype(np.int64, copy=False))
    else:
        found = np.sort(clusters)
        starts = np.flatnonzero(np.append(found[:1] == found[:1], found[1:] != found[:-1]))
        sizes = np.diff(starts, append=len(found))
    return int(effective_clusters(sizes))


def effective_clusters(sizes: Array) -> Array:
    """How many clusters of these sizes (in rows) there are, as `count` has it; 0 if there are no rows.

    `sizes` are those of each cluster, or of each cluster and class; then it is one number for each class.
    """
    rows, squares = np.einsum("g...->...", sizes), np.einsum("g...,g...->...", sizes, sizes)
    return np.asarray(np.rint(rows.astype(float) ** 2 / np.maximum(squares, 1)), dtype=np.int64)


def in_classes(clusters: Array, group: Array, weights: Array | None = None) -> Iterator[Array]:
    """How many rows each cluster has of each class (clusters x classes), or the sums of their `weights`.

    `group` (n) are classes from 0. Some classes at a time are in memory: MAX_CELLS numbers, or one class.
    """
    many, classes = int(clusters.max()) + 1, int(group.max()) + 1
    width = max(1, MAX_CELLS // many)
    for first in range(0, classes, width):
        some = min(width, classes - first)
        rows = (group >= first) & (group < first + some) if classes > width else slice(None)
        place = clusters[rows] * some
        place += group[rows]
        place -= first
        used = None if weights is None else weights[rows]
        yield np.bincount(place, weights=used, minlength=many * some).reshape(many, some)


def count_classes(clusters: Array | None, group: Array) -> dict[int, int]:
    """How many clusters the rows of each occurring class are worth, as `count` has it."""
    if clusters is None:
        return {name: int(rows) for name, rows in enumerate(np.bincount(group)) if rows}
    found = np.concatenate([effective_clusters(sizes) for sizes in in_classes(clusters, group)])
    return {name: int(worth) for name, worth in enumerate(found) if worth}


def freedom_of(clusters: Array) -> float:
    """The degrees of freedom of a robust standard error: the number of clusters less 1."""
    return count_all(clusters) - 1.0


def different(ids: Array) -> Array:
    """The different ones of these numbers, sorted. np.unique hashes them, which takes ten times as long."""
    ids = np.sort(ids)
    return np.asarray(ids[np.append(ids[:1] == ids[:1], ids[1:] != ids[:-1])])


def all_different(ids: Array) -> bool:
    """Whether no number occurs twice."""
    return len(different(ids)) == len(ids)


def per_cluster(values: Array, clusters: Array | None) -> Array:
    """One value for each cluster, of which the mean is that of all `values`, one for each row.

    It is the mean plus the sum of the cluster's deviations from it, in units of the mean cluster. So the
    formula of the standard error of a mean of independent values, applied to these, gives the robust one:
    Var = G/(G − 1) · Σ over G clusters of (Σ deviation / n)² (Liang and Zeger 1986).
    """
    if clusters is None or not len(values):
        return values
    mean = values.mean()
    sums = np.bincount(clusters, weights=values - mean)
    return np.asarray(mean + sums * (len(sums) / len(values)))


def effective_rows(values: Array, clusters: Array | None) -> float:
    """How many independent rows would give the mean the same variance: at most as many as there are.

    If all values are equal, the clusters are the rows, because nothing tells how alike rows of one are.
    """
    if clusters is None or not len(values):
        return float(len(values))
    return rows_worth(values, per_cluster(values, clusters))


def rows_worth(values: Array, sums: Array) -> float:
    """`effective_rows` of values of which `per_cluster` has made these sums."""
    variance, of_mean = float(values.var()), float(sums.var()) / len(sums)
    if not variance:
        return float(len(sums))
    return min(float(len(values)), variance / of_mean) if of_mean else float(len(values))


def dot(one: Array, other: Array) -> float:
    """Σ one · other (n each), on one processor: for long vectors BLAS starts threads, which cost more."""
    return float(np.einsum("i,i", one, other))


def deviation_of(parts: Array, clusters: Array | None) -> float:
    """The standard deviation of a metric of which these are the rows' influences, as `Smooth` has them.

    It is the infinitesimal jackknife (Efron 1982) with the factor G/(G − 1) for G clusters, or rows (Liang
    and Zeger 1986). NaN for fewer than two.
    """
    sums = parts if clusters is None else np.bincount(clusters, weights=parts)
    return math.sqrt(len(sums) / (len(sums) - 1) * dot(sums, sums)) if len(sums) > 1 else math.nan
