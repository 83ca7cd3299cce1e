"""Slices that no rule names, in which the candidate is worse than the champion.

Each category of each feature and each quartile of each numeric feature is tested for a mean loss that is
higher by more than a margin (Chung et al. 2019, automated data slicing), and the p-values are corrected for
their number (Holm 1979). Without a margin, enough rows would show a difference between any two models. The
loss is bounded where that is possible, because Student's t errs more often on few rows of a loss with a heavy
tail: the Brier score of classes, and the absolute error of numbers. bench/slice_search.py shows how often.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from clusters import count, numbered, per_cluster
from data_counts import TAILS
from job import Array, Json, StepConfig, Task
from scored import mean_and_error
from scoring import TASKS, alike, unusable

MIN_CLUSTERS: Final = 30
"""Clusters from which a slice is tested; so it has as many rows at least."""

MAX_FOUND: Final = 20
"""Slices that evaluation.json has, those with the lowest p-values."""

LOSSES: Final = {
    "binary_classification": "brier",
    "multiclass_classification": "brier",
    "regression": "absolute_error",
}
"""What evaluation.json calls the loss of one row, by task; `loss` of the task's module computes it."""

ALLOWED: Final = 0.05
"""The margin, as a share of the champion's mean loss. Honest retrains differ by less in each slice."""

NEGLIGIBLE: Final = 1e-6
"""The lowest margin: a Brier score, or a share of the mean absolute deviation of the target.

The deviation is taken to be at least this share of the mean absolute target; what is less is rounding.
"""


def worse_slices(config: StepConfig, rows: pd.DataFrame, candidate: Array, champion: Array) -> Json:
    """The slices of the compared rows, those with the lowest p-values first, and how many were tested.

    `candidate` and `champion` are both models' predictions. None is tested if one of them is unusable.
    """
    if not len(rows) or unusable(config.task, candidate) or unusable(config.task, champion):
        return {"slices_tested": 0, "found_slices": []}
    loss = TASKS[config.task].loss
    candidate, champion = alike(candidate, champion)
    target, clusters = rows[config.target].to_numpy(), numbered(rows[config.cluster_column].to_numpy())
    theirs = loss(target, champion)
    higher = loss(target, candidate) - theirs
    lowest = max(ALLOWED * float(theirs.mean()), negligible(config.task, target))
    found = [
        {
            **slice_,
            **tested(
                higher[inside],
                None if clusters is None else numbered(clusters[inside]),
                max(ALLOWED * float(theirs[inside].mean()), lowest),
            ),
            "loss": LOSSES[config.task],
        }
        for slice_, inside in slices(config, rows, MIN_CLUSTERS)
        if (clusters is None or count(clusters, inside) >= MIN_CLUSTERS) and len(inside) < len(rows)
    ]
    found.sort(key=lambda item: item["p"])
    for item, p in zip(found, holm([item["p"] for item in found]), strict=True):
        item["p_holm"] = p
    return {"slices_tested": len(found), "found_slices": found[:MAX_FOUND]}


def slices(config: StepConfig, rows: pd.DataFrame, fewest: int = 0) -> Iterator[tuple[Json, Array]]:
    """Each category and each quartile of each feature, and the places of its rows; and the rows without a
    value. Slices of less than the `fewest` rows are left out.

    Dates are left out. Equal numbers are in one quartile, so a feature with few of them has fewer quartiles.
    The two numbers of a quartile's `range` are those of `ends_of`.
    """
    for column in (name for name in config.features.names if name not in config.features.date):
        values = rows[column]
        if column in config.features.numeric:
            numbers = values.to_numpy(dtype=float)
            codes, names = quartiles(numbers)
        else:
            codes, categories = pd.factorize(values, sort=False)
            names = np.asarray(categories)
        for code, inside in enumerate(places(codes + 1, len(names) + 1)):
            found: Json = {"column": column, "value": None, "range": None}
            if len(inside) < fewest or (code and not len(inside)):
                continue
            if code and column in config.features.numeric:
                found["range"] = ends_of(numbers[inside], show=config.show_values)
            elif code:
                boolean = column in config.features.boolean
                name = names[code - 1]
                found["value"] = {1.0: "true", 0.0: "false"}[float(name)] if boolean else str(name)
            yield found, inside


def quartiles(numbers: Array) -> tuple[Array, Array]:
    """The quartile of each number (−1 of NaN), and the quartiles."""
    missing = np.isnan(numbers)
    edges = np.unique(np.quantile(numbers[~missing], (0.25, 0.5, 0.75))) if not missing.all() else np.empty(0)
    return np.where(missing, -1, np.searchsorted(edges, numbers, side="left")), np.arange(len(edges) + 1)


def places(codes: Array, many: int) -> list[Array]:
    """The places of each code from 0 to `many`, without it, in ascending order."""
    few = codes.astype(np.int16) if many < np.iinfo(np.int16).max else codes  # which are sorted by counting
    order = np.argsort(few, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes, minlength=many))[:-1])


def ends_of(numbers: Array, *, show: bool) -> list[float]:
    """Between which two numbers a quartile's values lie: most of them, or all with `show`.

    The least and the greatest value are single rows'. Without `show` the ends are the percentiles 5 and 95.
    """
    low, high = (numbers.min(), numbers.max()) if show else np.quantile(numbers, TAILS)
    return [float(low), float(high)]


def negligible(task: Task, target: Array) -> float:
    """A difference of the mean loss that is too small to mean anything, in units of the loss."""
    if task != "regression":
        return NEGLIGIBLE
    deviation = float(np.abs(target - target.mean()).mean())
    return NEGLIGIBLE * max(deviation, NEGLIGIBLE * float(np.abs(target).mean()))


def tested(higher: Array, clusters: Array | None, margin: float) -> Json:
    """Student's one-sided test that the mean of `higher`, candidate − champion by row, is at most `margin`.

    Rows that all differ by the same amount have no standard error, and p is then 0 or 1.
    """
    difference, error = mean_and_error(per_cluster(higher, clusters))
    worth, above = count(clusters, np.ones(len(higher), dtype=bool)), difference - margin
    p = float(stats.t.sf(above / error, worth - 1)) if error else float(above <= 0)
    return {
        "n": len(higher),
        "clusters": worth,
        "difference": difference,
        "margin": margin,
        "standard_error": error,
        "p": p,
    }


def holm(p: list[float]) -> list[float]:
    """The p-values, in ascending order, corrected for their number (Holm 1979)."""
    corrected = np.minimum(np.array(p) * np.arange(len(p), 0, -1), 1.0)
    return [float(value) for value in np.maximum.accumulate(corrected)]
