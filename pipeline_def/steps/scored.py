"""One model's predictions on n rows, by what each metric of them is, and the metrics' values.

binary.py, multiclass.py and regression.py say of each metric what it is: a share of rows, a mean of losses,
the root of one, an area under a ROC curve, a function of the confusion matrix, or another one of which each
row's influence is known. uncertainty.py finds its standard deviation, interval and paired difference from
that. An undefined number is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from scipy import sparse

from clusters import freedom_of, ranked
from job import Array

Interval = tuple[float, float]
"""The lower and the upper end of a two-sided 95 % interval."""

UNKNOWN: Final[Interval] = (math.nan, math.nan)
"""The interval of a metric that has none."""

Ends = Callable[[float], Interval]
"""The lower and the upper one-sided bound of a metric at a confidence."""


@dataclass(frozen=True)
class Area:
    """An area under a ROC curve, or the mean of several.

    `parts` (n) is each row's share of the area's deviation: the row's placement, centred, divided by the rows
    of its class. `group` (n) is each row's class. Of an area of 0 or 1, `pairs` counts the (positive,
    negative) rows of each curve, or the clusters with such rows; of others it is empty. Raises ValueError
    if an area of 0 or 1 has no pairs: its interval is made of them.
    """

    value: float
    parts: Array
    group: Array
    pairs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if self.value in (0.0, 1.0) and not self.pairs:
            raise ValueError(f"an area of {self.value:g} needs the number of rows of each curve")


@dataclass(frozen=True)
class Labels:
    """Actual and predicted class of each row (n each), and the metrics that depend on nothing else.

    `measure` takes three arrays (weightings x classes): the weight of the rows of a class that are predicted
    right, of all rows of the class, and of all rows predicted to be of the class.
    """

    target: Array
    predicted: Array
    classes: int
    measure: Callable[[Array, Array, Array], dict[str, Array]]


@dataclass(frozen=True)
class Smooth:
    """A metric whose deviation is that of the sum of the rows' influences.

    `parts` (n) is the influence of each row (Hampel 1974), divided by n: by how much the metric moves with
    the row's weight. They add up to 0. `ends` makes the one-sided bounds from the standard deviation and the
    confidence of each bound.
    """

    value: float
    parts: Array
    ends: Callable[[float, float], Interval]


@dataclass(frozen=True)
class Resampled:
    """A metric with its values in resamples of the rows; two models on the same rows have the same ones."""

    value: float
    draws: Array


@dataclass(frozen=True)
class Alone:
    """A metric by which two models are not compared; `why` says why. `ends` is None without an interval."""

    value: float
    deviation: float
    ends: Ends | None
    why: str


@dataclass(frozen=True)
class Scored:
    """One model's predictions on n rows, by what each metric is. Every array has n values.

    `clusters` are numbers from 0; None if each row is a cluster. `shares` hold which rows count, and which
    rows are right. `means` hold the loss of each row, `roots` the squared loss of each row, from whose mean
    the root is taken.
    """

    n: int
    clusters: Array | None = None
    shares: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    means: Mapping[str, Array] = field(default_factory=dict)
    roots: Mapping[str, Array] = field(default_factory=dict)
    areas: Mapping[str, Area] = field(default_factory=dict)
    smooth: Mapping[str, Smooth] = field(default_factory=dict)
    resampled: Mapping[str, Resampled] = field(default_factory=dict)
    alone: Mapping[str, Alone] = field(default_factory=dict)
    labels: Labels | None = None

    @cached_property
    def freedom(self) -> float:
        """The number of clusters less 1: the degrees of freedom of a robust standard error."""
        return self.n - 1.0 if self.clusters is None else freedom_of(self.clusters)

    def values(self) -> dict[str, float]:
        """Every metric on the rows as they are."""
        return dict(self._values)

    @cached_property
    def _values(self) -> dict[str, float]:
        with np.errstate(all="ignore"):
            found = label_values(self.labels) if self.labels else {}
            found |= {name: share_of(*rows) for name, rows in self.shares.items()}
            found |= {name: mean_of(losses) for name, losses in self.means.items()}
            found |= {name: math.sqrt(mean_of(squares)) for name, squares in self.roots.items()}
            found |= {name: item.value for name, item in self.areas.items()}
            found |= {name: item.value for name, item in self.smooth.items()}
            found |= {name: item.value for name, item in self.resampled.items()}
            found |= {name: item.value for name, item in self.alone.items()}
        return found


def divide(numerator: Array, denominator: Array) -> Array:
    """The quotient of each pair of elements; NaN where the denominator is zero."""
    undefined = np.full(np.shape(denominator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=denominator != 0))


def share_of(counted: Array, right: Array) -> float:
    """The share of the counted rows that are right; NaN if no row counts."""
    n = int(counted.sum())
    return int((counted & right).sum()) / n if n else math.nan


def mean_of(values: Array) -> float:
    """The mean; NaN if there is no value."""
    return float(values.mean()) if len(values) else math.nan


def mean_and_error(values: Array) -> tuple[float, float]:
    """The mean, and its standard error: NaN for fewer than two values."""
    n = len(values)
    return mean_of(values), float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan


def cells(*columns: Array, classes: int) -> tuple[list[Array], Array, Array]:
    """The distinct combinations of classes among the rows, the number of rows of each, and the combination of
    each row.

    `columns` are classes by row, from 0. The combinations are one array of classes for each column.
    """
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        code *= classes
        code += column
    code, cell = ranked(code, classes ** len(columns))
    counts = np.bincount(cell, minlength=len(code)).astype(float)
    parts = []
    for _ in columns:
        parts.append(code % classes)
        code = code // classes
    return parts[::-1], counts, cell


def label_measure(
    labels: Labels, actual: Array, assigned: Array, contents: sparse.csr_array | None = None
) -> Callable[[Array], dict[str, Array]]:
    """A function that finds the metrics under weights of the cells (weightings x cells).

    `actual` and `assigned` are the actual and the predicted class of each cell. `contents` (contents x cells)
    says how many rows a cluster has in each cell; the weights are then those of contents.
    """

    def belonging(classes: Array, counts: Array) -> sparse.csr_array:
        """Cells, or contents, by classes. Sparse: a hundred classes may have as many cells as rows."""
        place = (np.arange(len(classes)), classes)
        found = sparse.csr_array((counts, place), shape=(len(classes), labels.classes))
        return found if contents is None else contents @ found

    every = np.ones(len(actual))
    right = belonging(actual, (actual == assigned).astype(float))
    both = sparse.hstack([right, belonging(actual, every), belonging(assigned, every)], format="csr")
    return lambda weights: labels.measure(*np.hsplit(weights @ both, 3))


def label_values(labels: Labels) -> dict[str, float]:
    """The metrics of the rows as they are."""
    (actual, assigned), counts, _ = cells(labels.target, labels.predicted, classes=labels.classes)
    values = label_measure(labels, actual, assigned)(counts[None])
    return {name: float(value[0]) for name, value in values.items()}


def joined(results: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Joins the chunks: one array for each metric."""
    return {name: np.concatenate([result[name] for result in results]) for name in results[0]}
