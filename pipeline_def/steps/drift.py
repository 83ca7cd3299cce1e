"""How far the candidate's training rows have moved from the champion's, feature by feature.

Both are data_profile.json as data_profile.py writes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from data_profile import MOST_POINTS

DECILES: Final = 10
COMMON: Final = 0.05
"""The share of rows that makes a category a bin of its own: many rare ones would be noise."""
PRIOR: Final = 0.5
"""Rows added to each bin, so that an empty one stays finite."""

Array = np.ndarray[Any, Any]


def drift(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Of each of the candidate's features `psi`, and `by_chance` what it is on average where nothing moved.

    NaN for a feature that the champion had not, or had as another kind.
    """
    found = {}
    for name, column in candidate["columns"].items():
        before = champion["columns"].get(name)
        if not before or before["kind"] != column["kind"]:
            found[name] = {"psi": math.nan, "by_chance": math.nan}
            continue
        expected, actual = bins(before, column)
        found[name] = {"psi": psi(expected, actual), "by_chance": by_chance(expected, actual)}
    return found


def by_chance(expected: Array, actual: Array) -> float:
    """The mean of the index where both are drawn from the same distribution: (k − 1)(1/n + 1/m) of k bins.

    Yurdakul (2018): scaled so, the index is distributed as chi-squared with k − 1 degrees of freedom. Bins
    that are empty in both do not count.
    """
    used = int(((expected + actual) > 0).sum())
    return float((used - 1) * (1 / max(expected.sum(), 1) + 1 / max(actual.sum(), 1)))


def psi(expected: Array, actual: Array) -> float:
    """Σ (a − e) ln(a / e) over the bins' shares of rows (Siddiqi 2006): 0 for none, from 0.25 on much.

    A share is (rows + ½) / (n + k/2) of k bins: half a row in each before any is counted.
    """
    shares = [(rows + PRIOR) / (rows.sum() + PRIOR * len(rows)) for rows in (expected, actual)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def bins(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[Array, Array]:
    """The champion's and the candidate's rows by bins that are the champion's."""
    if champion["kind"] == "numeric":
        return by_decile(champion, candidate)
    return by_category(champion, candidate)


def by_decile(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[Array, Array]:
    """Rows between the champion's deciles, below its lowest value, above its highest, and missing ones.

    Deciles that coincide are one. A profile without any value has one bin for values.
    """
    points, below = np.array(champion["points"], dtype=float), np.array(champion["below"], dtype=float)
    if not len(points):
        found = ([values(profile), profile["missing"]] for profile in (champion, candidate))
        expected, actual = (np.array(rows, dtype=float) for rows in found)
        return expected, actual
    targets = np.arange(1, DECILES + 1) / DECILES * below[-1]
    cuts = np.unique(points[np.searchsorted(below, targets, side="left")])
    counted = []
    for profile in (champion, candidate):
        # Where a coarse profile cannot tell, rows are within the champion's range.
        reached = [up_to(profile, points[0], inclusive=False, place=0.0)]
        reached += [up_to(profile, cut) for cut in cuts[:-1]]
        reached += [up_to(profile, cuts[-1], place=1.0)]
        counted.append(np.r_[np.diff([0.0, *reached, values(profile)]), profile["missing"]])
    return counted[0], counted[1]


def values(profile: Mapping[str, Any]) -> float:
    """How many rows are not missing."""
    return float(profile["below"][-1]) if profile["below"] else 0.0


def up_to(
    profile: Mapping[str, Any], value: float, *, inclusive: bool = True, place: float | None = None
) -> float:
    """How many rows have no more than this value (or less than it).

    A coarse profile has points at even quantiles, so between two of them lie few rows, however many lie on
    them. `place` says how many of those few are counted; by default as many as the value is on the way.
    """
    points, below = profile["points"], profile["below"]
    index = int(np.searchsorted(points, value, side="right" if inclusive else "left"))
    reached = float(below[index - 1]) if index else 0.0
    if profile["exact"] or index in (0, len(points)) or points[index] == value:
        return reached
    if place is None:
        place = float((value - points[index - 1]) / (points[index] - points[index - 1]))
    between = min(below[index] - below[index - 1], values(profile) / (MOST_POINTS - 1))
    return reached + place * float(between)


def values_of(profile: Mapping[str, Any]) -> int:
    """How many rows of a categorical column are not missing."""
    return int(sum(profile["counts"].values()) + profile["other"])


def by_category(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[Array, Array]:
    """Rows of each category that is 5 % of the champion's, of all others, and missing ones."""
    names = [name for name, rows in champion["counts"].items() if rows >= COMMON * values_of(champion)]
    counted = []
    for profile in (champion, candidate):
        named = [profile["counts"].get(name, 0) for name in names]
        others = values_of(profile) - sum(named)
        counted.append(np.array([*named, others, profile["missing"]], dtype=float))
    return counted[0], counted[1]
