"""How the training rows of candidate and champion differ: distributions of features, and missing values.

Both are known by their profiles (data_profile.json), so no row is read. A numeric feature is shown in tenths
of the champion's rows; its lowest and its highest value, which are of single rows, are not told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

import drift as moving
from canvas import EDGE, LEGEND, WIDTH, Canvas, Who
from job import Array, Json
from picture import NotDrawn, Picture, Shown
from pictures_metrics import no_champion
from plots import Bars, bars
from scales import FEW, cut, number, percent, value

LARGE: Final = 0.25
"""The population stability index from which a change is called large (Siddiqi 2006)."""

SMALL: Final = 0.1
"""The index, beyond what chance explains, below which a change is not worth a title."""

MAX_SHOWN: Final = 15
"""Features that a picture shows, those with the highest numbers; its table has MAX_LISTED."""

MAX_LISTED: Final = 50
"""Features that a table has."""

MAX_FEATURES: Final = 6
"""Features with a picture of both distributions, of those beyond chance those that moved furthest."""

FEWEST: Final = 10 * FEW
"""The champion's rows with a value from which tenths are told by their ends, which are values of rows."""

MISSING: Final = "no value"
"""The bin of the rows without a value."""


def drift(shown: Shown) -> Iterator[Picture]:
    """The index of each feature, and both distributions of those that moved furthest."""
    before = champions_profile(shown)
    moved = shown.evaluation["drift"]
    found = {"(target)": moved["target"], **moved["columns"]}
    known = {name: item for name, item in found.items() if math.isfinite(item["psi"])}
    if not known:
        raise NotDrawn("no feature was in the champion's training rows in the same form")
    names = sorted(known, key=lambda name: known[name]["psi"] - known[name]["by_chance"], reverse=True)
    yield _overview(known, names, [name for name in found if name not in known])
    for name in beyond_chance(known, names)[:MAX_FEATURES]:
        sides = [_column(profile, name) for profile in (before, shown.profile)]
        yield _distributions(name, known[name], sides[0], sides[1], shown)


def beyond_chance(known: Mapping[str, Json], names: list[str]) -> list[str]:
    """Of the names, those that moved noticeably by more than chance explains."""
    return [name for name in names if known[name]["psi"] - known[name]["by_chance"] >= SMALL]


def champions_profile(shown: Shown) -> Mapping[str, Any]:
    """The profile of the champion's training rows. Raises NotDrawn."""
    if shown.shared is None:
        raise NotDrawn(no_champion(shown))
    loaded = shown.shared.loaded
    if loaded.profile is None or shown.evaluation["drift"] is None:
        raise NotDrawn(
            "the champion has no profile of its training rows; a model of handsoff 0.1 may lack it"
        )
    return moving.with_target(loaded.profile, loaded.report)


def _column(profile: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    column: Mapping[str, Any] = profile["target"] if name == "(target)" else profile["columns"][name]
    return column


def _overview(known: Mapping[str, Json], names: list[str], unknown: list[str]) -> Picture:
    first, *others = beyond_chance(known, names) or [""]
    more = f"; {len(others)} more moved beyond chance" if others else ""
    title = (
        f"{cut(first)} moved most since the champion's training: index {number(known[first]['psi'])}, "
        f"{'large' if known[first]['psi'] >= LARGE else 'less than large'}{more}"
        if first
        else "No feature moved noticeably beyond chance since the champion's training"
    )
    canvas = Canvas(title)
    canvas.text(EDGE, canvas.y + 12, "Population stability index", "h")
    canvas.y += 22
    canvas.legend([("candidate", "index"), ("chance", "explained by chance")], areas=True)
    lines = [
        Bars(name, [("candidate", known[name]["psi"]), ("chance", known[name]["by_chance"])])
        for name in names[:MAX_SHOWN]
    ]
    bars(canvas, lines, number)
    missing = f" Not compared, as new or of another kind: {', '.join(unknown[:10])}." if unknown else ""
    return Picture(
        id="drift",
        title=title,
        alt=f"{title}. Population stability index, candidate's training rows against the champion's: "
        + "; ".join(
            f"{name} {number(known[name]['psi'])} ({number(known[name]['by_chance'])} by chance)"
            for name in names[:MAX_SHOWN]
        )
        + ".",
        svg=canvas.svg(),
        columns=["feature", "index", "by chance"],
        rows=[
            [name, number(known[name]["psi"]), number(known[name]["by_chance"])]
            for name in names[:MAX_LISTED]
        ],
        note=f"From {LARGE} on a change is called large; below {SMALL} beyond chance it is small."
        f"{_still(known, names)}{missing}",
    )


def _still(known: Mapping[str, Json], names: list[str]) -> str:
    """The features that have no picture of their own."""
    still = [cut(name) for name in names if name not in beyond_chance(known, names)]
    more = f" and {len(still) - MAX_SHOWN} more" if len(still) > MAX_SHOWN else ""
    listed = ", ".join(still[:MAX_SHOWN])
    return f" Not beyond chance, so without a picture of their own: {listed}{more}." if still else ""


def _distributions(
    name: str, moved: Json, before: Mapping[str, Any], now: Mapping[str, Any], shown: Shown
) -> Picture:
    """Both distributions of one feature as shares of rows by bins."""
    spelling = shown.config.data.spelling
    before, now = moving.canonical(before, spelling), moving.canonical(now, spelling)
    names = bin_names(before)
    names, theirs, ours = merged(names, *moving.bins(before, now))
    shares = [(each / max(each.sum(), 1)).tolist() for each in (ours, theirs)]
    gaps = np.abs(np.array(shares[0]) - np.array(shares[1]))
    furthest = int(gaps.argmax())
    title = (
        f"{name}: {names[furthest]} was {percent(shares[1][furthest])} of the champion's training rows and "
        f"is {percent(shares[0][furthest])} of the candidate's"
    )
    canvas = Canvas(title)
    canvas.legend(LEGEND, areas=True)
    canvas.text(WIDTH - EDGE, canvas.y + 10, "share of training rows", "s e")
    canvas.y += 18
    lines = [
        Bars(label, [("candidate", shares[0][at]), ("champion", shares[1][at])])
        for at, label in enumerate(names)
    ]
    bars(canvas, lines, percent)
    return Picture(
        id=f"drift:{name}",
        title=title,
        alt=f"{title}. Index {number(moved['psi'])}. Candidate and champion: "
        + "; ".join(
            f"{label} {percent(shares[0][at])} and {percent(shares[1][at])}" for at, label in enumerate(names)
        )
        + ".",
        svg=canvas.svg(),
        columns=["bin", "candidate's training rows", "champion's training rows"],
        rows=[[label, percent(shares[0][at]), percent(shares[1][at])] for at, label in enumerate(names)],
        note=f"Index {number(moved['psi'])}, of which chance explains {number(moved['by_chance'])}. Bins are "
        "tenths of the champion's training rows, or categories with a twentieth of them.",
    )


def bin_names(champion: Mapping[str, Any]) -> list[str]:
    """What the bins of drift.py are called, in their order."""
    if champion["kind"] != "numeric":
        return [*moving.common(champion), "others", MISSING]
    if not champion["points"]:
        return ["a value", MISSING]
    ends = [value(end) for end in moving.deciles(champion)[:-1]]
    if moving.numeric_rows(champion) < FEWEST and ends:
        inside = [f"part {at + 1} of {len(ends) + 1}" for at in range(len(ends) + 1)]
    elif ends:
        between = [f"above {low} to {high}" for low, high in pairwise(ends)]
        inside = [f"up to {ends[0]}", *between, f"above {ends[-1]}"]
    else:
        inside = ["as before"]
    return ["below all before", *inside, "above all before", MISSING]


def merged(names: list[str], theirs: Array, ours: Array) -> tuple[list[str], Array, Array]:
    """The bins without those that are empty on both sides; small ones are one bin, "few rows".

    Small is a bin with one to four rows on a side, and none or as few on the other: it may name people.
    """
    both = np.maximum(theirs, ours)
    small = (both > 0) & (both < FEW)
    kept = both >= FEW
    found = [name for name, keep in zip(names, kept, strict=True) if keep]
    if not small.any():
        return found, theirs[kept], ours[kept]
    rest = [float(each[small].sum()) for each in (theirs, ours)]
    return [*found, "few rows"], np.r_[theirs[kept], rest[0]], np.r_[ours[kept], rest[1]]


def most_missing(shares: Mapping[str, Mapping[str, float]]) -> str:
    """The feature that is missing most often in any of these rows, in which of them, and in the others."""
    every = [(share, where, name) for where, each in shares.items() for name, share in each.items()]
    share, where, name = max(every, key=lambda each: each[0])
    others = (
        f"{percent(each[name])} of {other} rows"
        for other, each in shares.items()
        if other != where and name in each
    )
    return f"{cut(name)} is missing most often: in {percent(share)} of {where} rows; {', '.join(others)}"


def missing(shown: Shown) -> Picture:
    """The share of missing values of each feature that has any."""
    splits = shown.report["splits"]
    train, validation = (splits[name]["missing_share"] for name in ("train", "validation"))
    before = shown.shared.loaded.profile if shown.shared else None
    theirs = (
        {name: item["missing"] / max(before["rows"], 1) for name, item in before["columns"].items()}
        if before
        else {}
    )
    names = sorted(
        (name for name in train if max(train[name], validation.get(name, 0), theirs.get(name, 0)) > 0),
        key=lambda name: -max(train[name], validation.get(name, 0), theirs.get(name, 0)),
    )
    if not names:
        raise NotDrawn("no feature has a missing value")
    title = most_missing({"training": train, "validation": validation, "champion's training": theirs})
    canvas = Canvas(title)
    canvas.legend(LEGEND if theirs else LEGEND[:1], areas=True)
    canvas.text(WIDTH - EDGE, canvas.y + 10, "share of training rows", "s e")
    canvas.y += 18
    lines = []
    for name in names[:MAX_SHOWN]:
        values: list[tuple[Who, float]] = [("candidate", train[name])]
        values += [("champion", theirs[name])] if name in theirs else []
        lines.append(Bars(name, values))
    bars(canvas, lines, percent)
    table = [
        [
            name,
            percent(train[name]),
            percent(validation.get(name, math.nan)),
            percent(theirs.get(name, math.nan)),
        ]
        for name in names[:MAX_LISTED]
    ]
    return Picture(
        id="missing",
        title=title,
        alt=f"{title}. Training rows, validation rows, the champion's training rows: "
        + "; ".join(f"{row[0]} {', '.join(row[1:])}" for row in table[:MAX_SHOWN])
        + ".",
        svg=canvas.svg(),
        columns=["feature", "training rows", "validation rows", "champion's training rows"],
        rows=table,
        note="Features without a missing value are left out.",
    )
