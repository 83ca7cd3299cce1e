"""How the candidate's data differs from the champion's: rows, files, columns, ranges, categories, gaps.

Both are given as data_report.json and data_profile.json. A report of an earlier version lacks some numbers;
what either side lacks is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cells import PLAIN, Spelling
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
) -> Json:
    """The champion's number and the candidate's number of each thing, as pairs.

    `before` and `now` are data reports. `spelling` is the candidate's; categories are compared in it. Ranges
    and categories are those of the training rows; without a profile of the champion they are left out.
    """
    return {
        "batch": [before.get("batch"), now.get("batch")],
        "files": [len(report["files"]) if "files" in report else None for report in (before, now)],
        "rows": {split: [_split(report, split).get("rows") for report in (before, now)] for split in SPLITS},
        "columns": _columns(before, now),
        "missing_share": {split: _shares(before, now, split) for split in SPLITS},
        "ranges": _ranges(profile_before, profile_now) if profile_before else {},
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


def _ranges(before: Profile, now: Profile) -> Json:
    """The `min` and `max` of each numeric feature of which one differs."""
    found = {}
    for name, old, new in _both(before, now, "numeric"):
        ends = [[points[0], points[-1]] if (points := one["points"]) else None for one in (old, new)]
        if ends[0] != ends[1]:
            found[name] = ends
    return found


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
