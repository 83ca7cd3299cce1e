"""How far the candidate's training rows have moved from the champion's, feature by feature.

Both are data_profile.json as data_profile.py writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from data_profile import MOST_POINTS

DECILES: Final = 10
PRIOR: Final = 0.5
"""Rows added to each bin, so that an empty one stays finite."""

Array = np.ndarray[Any, Any]


def drift(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> dict[str, float]:
    """The population stability index of each feature that both profiles have as the same kind."""
    return {
        name: psi(*bins(column, other))
        for name, column in champion["columns"].items()
        if (other := candidate["columns"].get(name)) and other["kind"] == column["kind"]
    }


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


def by_category(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[Array, Array]:
    """Rows of each category that the champion's profile names, of all others, and missing ones."""
    names = list(champion["counts"])
    counted = []
    for profile in (champion, candidate):
        named = [profile["counts"].get(name, 0) for name in names]
        others = profile["other"] + sum(profile["counts"].values()) - sum(named)
        counted.append(np.array([*named, others, profile["missing"]], dtype=float))
    return counted[0], counted[1]
