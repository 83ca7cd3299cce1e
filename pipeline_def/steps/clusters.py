"""Clusters: groups of rows that may depend on each other. Rows of different clusters do not.

A ticket, a household or a customer puts related rows into one data set, and a file that landed twice puts
each row there twice. Such rows say less than as many independent ones. So everything that estimates an
uncertainty adds up the rows of a cluster first (Liang and Zeger 1986), and counts clusters instead of rows.
Where each cluster is one row, all numbers are those of independent rows.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from job import Array

FEW: Final = 1 << 16
"""Possible numbers that are counted in an array, however few rows there are."""


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
    """Whether these are small numbers, as `numbered` gives them, and no hashes."""
    return len(clusters) > 0 and bool(clusters.min() >= 0 and clusters.max() < 2 * max(len(clusters), FEW))


def numbered(clusters: Array | None) -> Array | None:
    """The clusters (n) as numbers from 0; None if each cluster is one row.

    The numbers that this function has returned for the same rows are returned as they are, without a copy.
    """
    if clusters is None:
        return None
    if dense(clusters):
        small = clusters.astype(np.int64, copy=False)
        found, numbers = ranked(small, int(small.max()) + 1)
    elif len(different(clusters)) == len(clusters):
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
    """How many clusters rows with these clusters are worth, as `count` has it."""
    if dense(clusters):
        sizes = np.bincount(clusters.astype(np.int64, copy=False))
    else:
        found = np.sort(clusters)
        starts = np.flatnonzero(np.append(found[:1] == found[:1], found[1:] != found[:-1]))
        sizes = np.diff(starts, append=len(found))
    return effective_clusters(sizes)


def effective_clusters(sizes: Array) -> int:
    """How many clusters of these sizes (in rows) there are, as `count` has it."""
    sizes = sizes.astype(float)
    rows = float(sizes.sum())
    sizes *= sizes
    return round(rows**2 / float(sizes.sum())) if rows else 0


def freedom_of(clusters: Array) -> float:
    """The degrees of freedom of a robust standard error: the number of clusters less 1."""
    return count_all(clusters) - 1.0


def different(ids: Array) -> Array:
    """The different ones of these numbers, sorted. np.unique hashes them, which takes ten times as long."""
    ids = np.sort(ids)
    return np.asarray(ids[np.append(ids[:1] == ids[:1], ids[1:] != ids[:-1])])


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
    sums = per_cluster(values, clusters)
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
