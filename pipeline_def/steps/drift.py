"""How far one set of rows differs from another, feature by feature and in the target.

Such sets are the training rows of the candidate and of the champion; split_drift.py compares others. Both are
given as data_profile.json, which data_profile.py writes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from cells import PLAIN, Spelling, category
from data_profile import MAX_POINTS
from job import Array, Json

DECILES: Final = 10
"""Bins of a numeric feature: tenths of the champion's rows."""

COMMON: Final = 0.05
"""The share of the champion's rows from which a category is a bin of its own. Rare ones would be noise."""

PRIOR: Final = 0.5
"""Rows added to each bin, so that the logarithm of an empty one is finite."""


def shift(before: Mapping[str, Any], now: Mapping[str, Any], spelling: Spelling = PLAIN) -> Json:
    """The drift between two sets of rows, of which these are the profiles: by feature, and of the target.

    The target's is undefined if `before` has none, as profiles of earlier versions.
    """
    return {
        "columns": drift(before, now, spelling),
        "target": moved(before.get("target"), now["target"], spelling),
    }


def drift(
    champion: Mapping[str, Any], candidate: Mapping[str, Any], spelling: Spelling = PLAIN
) -> dict[str, dict[str, float]]:
    """The `psi` of each feature of the candidate, and in `by_chance` the mean psi of equal distributions.

    Profiles of handsoff 0.1 have categories as files spelled them; they count by their canonical text.
    """
    return {
        name: moved(champion["columns"].get(name), column, spelling)
        for name, column in candidate["columns"].items()
    }


def moved(before: Mapping[str, Any] | None, now: Mapping[str, Any], spelling: Spelling) -> dict[str, float]:
    """The psi of one column and its part by chance; NaN if there was none, or one of another kind."""
    if not before or before["kind"] != now["kind"]:
        return {"psi": math.nan, "by_chance": math.nan}
    expected, actual = bins(canonical(before, spelling), canonical(now, spelling))
    return {"psi": psi(expected, actual), "by_chance": by_chance(expected, actual)}


def with_target(profile: Mapping[str, Any], report: Mapping[str, Any]) -> Mapping[str, Any]:
    """The profile of a model of an earlier version with its target, where its report has class shares."""
    split = report["splits"]["train"]
    if "target" in profile or "class_share" not in split:
        return profile
    counts = {name: round(share * split["rows"]) for name, share in split["class_share"].items()}
    return {**profile, "target": {"kind": "categorical", "missing": 0, "counts": counts, "other": 0}}


def canonical(profile: Mapping[str, Any], spelling: Spelling) -> Mapping[str, Any]:
    """The profile of a column with its categories' canonical texts; words of missing values are missing."""
    if profile["kind"] != "categorical":
        return profile
    counts: Counter[str | None] = Counter()
    for text, rows in profile["counts"].items():
        counts[category(text, spelling.plain)] += rows
    return {**profile, "missing": profile["missing"] + counts.pop(None, 0), "counts": counts}


def by_chance(expected: Array, actual: Array) -> float:
    """The mean index of n and m rows from the same distribution: (k − 1)(1/n + 1/m) for k bins.

    Divided by (1/n + 1/m), the index has a chi-squared distribution with k − 1 degrees of freedom (Yurdakul
    2018). Bins that are empty in both do not count.
    """
    used = int(((expected + actual) > 0).sum())
    return float((used - 1) * (1 / max(expected.sum(), 1) + 1 / max(actual.sum(), 1)))


def psi(expected: Array, actual: Array) -> float:
    """The population stability index (Siddiqi 2006): Σ (a − e) ln(a / e) over the bins' shares of rows.

    It is 0 for equal shares; from 0.25 on a change is called large. A share is (rows + ½) / (n + k/2) for k
    bins.
    """
    shares = [(rows + PRIOR) / (rows.sum() + PRIOR * len(rows)) for rows in (expected, actual)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def bins(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[Array, Array]:
    """The champion's and the candidate's rows by the champion's bins (k each)."""
    if champion["kind"] == "numeric":
        return by_decile(champion, candidate)
    return by_category(champion, candidate)


def by_decile(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[Array, Array]:
    """Rows between the champion's deciles, below its lowest value, above its highest, and without a value.

    Deciles that coincide are one. If the champion has no value at all, all values are one bin.
    """
    points = np.array(champion["points"], dtype=float)
    if not len(points):
        found = ([numeric_rows(profile), profile["missing"]] for profile in (champion, candidate))
        expected, actual = (np.array(rows, dtype=float) for rows in found)
        return expected, actual
    cuts = deciles(champion)
    counted = []
    for profile in (champion, candidate):
        # A coarse profile does not say on which side of a bound some rows are: they count as inside.
        reached = [up_to(profile, points[0], inclusive=False, place=0.0)]
        reached += [up_to(profile, cut) for cut in cuts[:-1]]
        reached += [up_to(profile, cuts[-1], place=1.0)]
        counted.append(np.r_[np.diff([0.0, *reached, numeric_rows(profile)]), profile["missing"]])
    return counted[0], counted[1]


def deciles(profile: Mapping[str, Any]) -> Array:
    """The different deciles of a numeric column with values; the last one is its highest value."""
    points, below = np.array(profile["points"], dtype=float), np.array(profile["below"], dtype=float)
    targets = np.arange(1, DECILES + 1) / DECILES * below[-1]
    return np.unique(points[np.searchsorted(below, targets, side="left")])


def numeric_rows(profile: Mapping[str, Any]) -> float:
    """How many rows of a numeric column have a value."""
    return float(profile["below"][-1]) if profile["below"] else 0.0


def up_to(
    profile: Mapping[str, Any], value: float, *, inclusive: bool = True, place: float | None = None
) -> float:
    """How many rows have at most this value, or less than it if not `inclusive`.

    A coarse profile has points at even quantiles, so few rows are between two of them, however many are at
    them. `place` is the share of those few that counts, from 0 to 1; by default it is the value's position
    between the two points.
    """
    points, below = profile["points"], profile["below"]
    index = int(np.searchsorted(points, value, side="right" if inclusive else "left"))
    reached = float(below[index - 1]) if index else 0.0
    if profile["exact"] or index in (0, len(points)) or points[index] == value:
        return reached
    if place is None:
        place = float((value - points[index - 1]) / (points[index] - points[index - 1]))
    between = min(below[index] - below[index - 1], numeric_rows(profile) / (MAX_POINTS - 1))
    return reached + place * float(between)


def categorical_rows(profile: Mapping[str, Any]) -> int:
    """How many rows of a categorical column have a value."""
    return int(sum(profile["counts"].values()) + profile["other"])


def common(profile: Mapping[str, Any]) -> list[str]:
    """The categories that are bins of their own, the most frequent first."""
    return [name for name, rows in profile["counts"].items() if rows >= COMMON * categorical_rows(profile)]


def by_category(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[Array, Array]:
    """Rows of each category that has 5 % of the champion's, of all others together, and without a value."""
    names = common(champion)
    counted = []
    for profile in (champion, candidate):
        named = [profile["counts"].get(name, 0) for name in names]
        others = categorical_rows(profile) - sum(named)
        counted.append(np.array([*named, others, profile["missing"]], dtype=float))
    return counted[0], counted[1]
