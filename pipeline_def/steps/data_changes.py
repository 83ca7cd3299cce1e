"""How the candidate's data differs from the champion's: rows, files, columns, ranges, categories, gaps.

Both are given as data_report.json and data_profile.json. A report of an earlier version lacks some numbers;
what either side lacks is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cells import PLAIN, Spelling
from data_counts import FEWEST, TAILS
from drift import canonical
from job import SPLITS, Json

Profile = Mapping[str, Any]
"""A data_profile.json."""


def data_changes(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    profile_before: Profile | None,
    profile_now: Profile,
    spelling: Spelling = PLAIN,
    *,
    show: bool = False,
) -> Json:
    """The champion's number and the candidate's number of each thing, as pairs.

    `before` and `now` are data reports. `spelling` is the candidate's; categories are compared in it. Ranges
    and categories are those of the training rows; without a profile of the champion they are left out.
    Ranges are percentiles 5 and 95; with `show` the least and the greatest value, which single rows have.
    """
    return {
        "batch": [before.get("batch"), now.get("batch")],
        "files": [len(report["files"]) if "files" in report else None for report in (before, now)],
        "rows": {split: [_split(report, split).get("rows") for report in (before, now)] for split in SPLITS},
        "columns": _columns(before, now),
        "missing_share": {split: _shares(before, now, split) for split in SPLITS},
        "ranges": _ranges(profile_before, profile_now, show=show) if profile_before else {},
        "categories": _categories(profile_before, profile_now, spelling) if profile_before else {},
    }


def _split(report: Mapping[str, Any], split: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = report.get("splits", {}).get(split, {})
    return found


def _columns(before: Mapping[str, Any], now: Mapping[str, Any]) -> Json | None:
    """The names of columns that files have `new`, and those that are `gone`; None if they are not known."""
    if "columns" not in before:
        return None
    old, new = ({name for names in report["columns"] for name in names} for report in (before, now))
    return {"new": sorted(new - old), "gone": sorted(old - new)}


def _shares(before: Mapping[str, Any], now: Mapping[str, Any], split: str) -> Json:
    """The shares of missing values, of the features in which they differ."""
    old, new = (_split(report, split).get("missing_share", {}) for report in (before, now))
    return {name: [old.get(name), share] for name, share in new.items() if old.get(name) != share}


def _ranges(before: Profile, now: Profile, *, show: bool) -> Json:
    """The ends of each numeric feature of which one differs."""
    found = {}
    for name, old, new in _both(before, now, "numeric"):
        pair = [_ends(one["points"], one["below"], show=show) for one in (old, new)]
        if pair[0] != pair[1]:
            found[name] = pair
    return found


def _ends(points: Sequence[float], below: Sequence[int], *, show: bool) -> list[float] | None:
    """The ends of a column by its profile; None without a value, and for percentiles of too few of them.

    A percentile lies between the values of two rows, as numpy.quantile has it.
    """
    if not points or (not show and below[-1] < FEWEST):
        return None
    if show:
        return [points[0], points[-1]]
    places = np.array(TAILS) * (below[-1] - 1) + 1  # of rows, counted from 1
    low, high = (np.array(points)[np.searchsorted(below, round_(places))] for round_ in (np.floor, np.ceil))
    return [float(end) for end in low + (high - low) * (places - np.floor(places))]


def _categories(before: Profile, now: Profile, spelling: Spelling) -> Json:
    """How many categories are `new` and `gone`, of the features where any is; `rows` have a new one.

    A profile names the most frequent categories. Where the champion has more, a category that
    its profile does not name may be an old one: the numbers are None.
    """
    found: Json = {}
    for name, *both in _both(before, now, "categorical"):
        old, new = (canonical(column, spelling) for column in both)
        if old["other"] or new["other"]:
            if old["counts"] != new["counts"]:
                found[name] = {"new": None, "gone": None, "rows": None}
            continue
        fresh = new["counts"].keys() - old["counts"].keys()
        gone = old["counts"].keys() - new["counts"].keys()
        if fresh or gone:
            rows = sum(new["counts"][category] for category in fresh)
            found[name] = {"new": len(fresh), "gone": len(gone), "rows": rows}
    return found


def _both(before: Profile, now: Profile, kind: str) -> list[tuple[str, Json, Json]]:
    """The columns that both profiles have, as this kind."""
    found = []
    for name, new in now["columns"].items():
        old = before["columns"].get(name)
        if old and old["kind"] == new["kind"] == kind:
            found.append((name, old, new))
    return found
