"""The metrics as forest plots: of candidate and champion, and of their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from canvas import LEGEND
from forest import Interval, Panel, Row, forest
from job import DECISIVE, Json, StepConfig
from picture import NotDrawn, Picture, Shown
from scales import UNKNOWN, interval, number
from search import SCORERS

NEITHER: Final = frozenset({"calibration_slope"})
"""Metrics that are best at 1."""

LOWER: Final = frozenset({name for name, scorer in SCORERS.items() if scorer.startswith("neg_")}) | {
    "expected_calibration_error"
}
"""Metrics of which a lower value is better."""

ALONE: Final = frozenset({"mape", "r2"})
"""Metrics in other units than those beside them, which need an axis of their own."""

UNCOMPARED: Final = ("expected_calibration_error", "calibration_slope")
"""Metrics whose difference has no bounds."""

MIN_TOLD: Final = 50
"""Compared rows below which no metric is called better or worse: the bounds are off more often there."""

FEW_ROWS: Final = "too few rows to tell"
"""What is said of them."""

LABELS: Final = "balanced_accuracy"
"""The metric of a classifier that answers classes alone, in place of the task's DECISIVE one."""


def metrics(shown: Shown) -> Picture:
    """Every metric with its interval, of the candidate and, on the same rows, of the champion."""
    compared, alone = shown.compared, shown.evaluation["candidate"]["metrics"]
    ours = compared["candidate"] if compared else alone
    theirs = compared["champion"] if compared else {}
    names = [name for name, metric in ours.items() if _known(metric) or _known(theirs.get(name))]
    if not names:
        raise NotDrawn("no metric is defined: there are no rows, or predictions that are no numbers")
    panels = [
        Panel(heading, [_row(name, ours[name], theirs.get(name)) for name in some])
        for heading, some in _grouped(names)
    ]
    title = _title(shown, ours, theirs)
    return Picture(
        id="metrics",
        title=title,
        alt=_in_words(shown, names, ours, theirs),
        svg=forest(title, panels, LEGEND if theirs else LEGEND[:1]),
        columns=["metric", "candidate", "95 % interval", *(["champion", "95 % interval"] if theirs else [])],
        rows=[
            [
                spaced(name),
                *_cells(ours[name]),
                *(_cells(theirs[name]) if theirs else ()),
            ]
            for name in names
        ],
        note=f"Each line is a 95 % interval {shown.on_rows}. A value without a line has no interval.",
    )


def difference(shown: Shown) -> Picture:
    """Candidate minus champion of each metric whose difference has bounds."""
    if shown.compared is None:
        raise NotDrawn(no_champion(shown))
    found: Mapping[str, Json] = shown.compared["differences"]
    names = [name for name, item in found.items() if math.isfinite(item["bounds"][0])]
    if not names:
        raise NotDrawn("no difference has an interval on these rows")
    gains = {name: gain(name, found[name]) for name in names}
    panels = [
        Panel(
            heading if some[0] in ALONE else f"{heading}: right of 0 the candidate is better",
            [Row(spaced(name), "", [Interval("candidate", *gains[name])]) for name in some],
            zero=0.0,
            better=1,
            sign="+",
        )
        for heading, some in _grouped(names)
    ]
    n = shown.compared["n"]
    words = {name: reading(name, found[name]) if n >= MIN_TOLD else FEW_ROWS for name in names}
    title = _verdict(decisive(shown.config, shown.compared["candidate"]), words, gains, n)
    rows = [
        [spaced(name), number(gains[name][0], "+"), interval(*gains[name][1:], "+"), words[name]]
        for name in names
    ]
    return Picture(
        id="difference",
        title=title,
        alt=f"{title}. The candidate is better by: "
        + "; ".join(f"{name} {value} ({ends}), {word}" for name, value, ends, word in rows)
        + f"; {shown.on_rows}.",
        svg=forest(title, panels, [("candidate", "better than the champion by")]),
        columns=["metric", "better by", "90 % interval", "reading"],
        rows=rows,
        note="Right of 0 the candidate is better: the gain, as rules have it, is candidate − champion, or "
        "champion − candidate where lower is better. Each line lies between two one-sided 95 % bounds on the "
        f"same rows; one that crosses 0 shows no clear difference. Of two equal models, each of {len(names)} "
        f"metrics has a clear difference by chance in one of ten cases.{_left_out(found)}",
    )


def gain(name: str, found: Json) -> tuple[float, float, float]:
    """By how much the candidate is better, and the bounds of that: above 0 is better for every metric."""
    low, high = found["bounds"]
    value: float = found["value"]
    return (-value, -high, -low) if name in LOWER else (value, low, high)


def _left_out(found: Mapping[str, Json]) -> str:
    """Which metrics are not compared although both models have them."""
    names = [
        spaced(name) for name in UNCOMPARED if name in found and not math.isfinite(found[name]["bounds"][0])
    ]
    return f" Not compared: {', '.join(names)}." if names else ""


def reading(name: str, found: Json) -> str:
    """Better or worse, by the metric's own direction, where chance alone does not explain the difference."""
    low, high = found["bounds"]
    if not (math.isfinite(low) and math.isfinite(high)):
        return "not known"
    if low <= 0 <= high:
        return "no clear difference"
    return "better" if (low > 0) != (name in LOWER) else "worse"


def decisive(config: StepConfig, measured: Mapping[str, Json]) -> str:
    """The task's decisive metric; that of labels, if this one is not defined."""
    name = DECISIVE[config.task]
    return name if _known(measured.get(name)) or config.task == "regression" else LABELS


def no_champion(shown: Shown) -> str:
    """Why there is no comparison, in words."""
    problem = shown.evaluation["champion_problem"]
    return f"the champion was not compared: {problem}" if problem else "there is no champion yet"


def spaced(name: str) -> str:
    """The metric's name with spaces."""
    return name.replace("_", " ")


def _known(metric: Json | None) -> bool:
    return metric is not None and math.isfinite(metric["value"])


def _grouped(names: list[str]) -> list[tuple[str, list[str]]]:
    """The metrics of each axis, with its heading: by direction, and some for themselves."""
    groups: dict[str, list[str]] = {}
    for name in names:
        better = "Lower is better" if name in LOWER else "Higher is better"
        heading = "Best at 1" if name in NEITHER else better
        groups.setdefault(f"{heading}: {spaced(name)}" if name in ALONE else heading, []).append(name)
    return list(groups.items())


def _row(name: str, ours: Json, theirs: Json | None) -> Row:
    found = [Interval("candidate", ours["value"], *ours["interval"])]
    if theirs is not None:
        found.append(Interval("champion", theirs["value"], *theirs["interval"]))
    return Row(spaced(name), "", found)


def _cells(metric: Json) -> list[str]:
    return [number(metric["value"]), interval(*metric["interval"])]


def _title(shown: Shown, ours: Mapping[str, Json], theirs: Mapping[str, Json]) -> str:
    """The decisive metric, of more than two classes also F1, which rules often ask for."""
    names = [decisive(shown.config, ours)]
    names += ["f1_macro"] if "f1_macro" in ours and _known(ours["f1_macro"]) else []
    known = [name for name in names if _known(ours[name]) or _known(theirs.get(name))]
    if not known:
        return f"{spaced(names[0])} is not defined {shown.on_rows}"
    if theirs:
        both = (f"{_said(name, ours)}, champion {_value(name, theirs)}" for name in known)
        return f"{'; '.join(both)} {shown.on_rows}; {_read(shown, known[0])}"
    guessed = shown.evaluation["baseline"]["metrics"]
    alone = (f"{_said(name, ours)}, guessing {_value(name, guessed)}" for name in known)
    return f"{'; '.join(alone)} {shown.on_rows}"


def _said(name: str, measured: Mapping[str, Json]) -> str:
    return f"{spaced(name)}: candidate {_value(name, measured)}"


def _value(name: str, measured: Mapping[str, Json]) -> str:
    return number(measured[name]["value"])


def _read(shown: Shown, name: str) -> str:
    """The reading of a metric, for a title that has its values."""
    compared = shown.compared or {}
    word = reading(name, compared["differences"][name]) if compared["n"] >= MIN_TOLD else FEW_ROWS
    return {
        "better": f"clearly better in {spaced(name)}",
        "worse": f"clearly worse in {spaced(name)}",
        "not known": "which is better cannot be told",
    }.get(word, word)


def _in_words(shown: Shown, names: list[str], ours: Mapping[str, Json], theirs: Mapping[str, Json]) -> str:
    parts = []
    for name in names:
        said = f"{spaced(name)}: candidate {_with_interval(ours[name])}"
        parts.append(said + (f", champion {_with_interval(theirs[name])}" if theirs else ""))
    return f"Metrics {shown.on_rows}, each with its 95 % interval. " + "; ".join(parts) + "."


def _with_interval(metric: Json) -> str:
    found = interval(*metric["interval"])
    return number(metric["value"]) + ("" if found == UNKNOWN else f" ({found})")


def _verdict(
    first: str, words: Mapping[str, str], gains: Mapping[str, tuple[float, float, float]], n: int
) -> str:
    """What the decisive metric says; others only lean, as one of so many is clear by chance."""
    unclear = "Whether the candidate is better cannot be told"
    if first not in words:
        return f"{unclear}: the difference in {spaced(first)} has no interval"
    value, low, high = gains[first]
    signed = f"gain {number(value, '+')} ({interval(low, high, '+')})"
    if words[first] == FEW_ROWS:
        return f"{unclear} on {n:,} rows: {spaced(first)}, {signed}"
    if words[first] == "no clear difference":
        said = f"{spaced(first)}: no clear difference, {signed}"
    else:
        ends = interval(low, high) if value >= 0 else interval(-high, -low)
        said = f"The candidate is {words[first]} in {spaced(first)}, by {number(abs(value))} ({ends})"
    leans = (
        (kind, [spaced(name) for name, word in words.items() if word == kind and name != first])
        for kind in ("better", "worse")
    )
    lean = [f"{_listed(names)} lean{'s' * (len(names) == 1)} to {kind}" for kind, names in leans if names]
    return "; ".join([said, *lean])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
