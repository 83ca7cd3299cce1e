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
    panels = [
        Panel(
            f"{heading.split(':')[0]}: {'right' if better > 0 else 'left'} of 0 the candidate is better",
            [
                Row(spaced(name), "", [Interval("candidate", found[name]["value"], *found[name]["bounds"])])
                for name in some
            ],
            zero=0.0,
            better=better,
            sign="+",
        )
        for heading, some in _grouped(names)
        for better in [-1 if some[0] in LOWER else 1]
    ]
    words = {name: reading(name, found[name]) for name in names}
    title = _verdict(words)
    return Picture(
        id="difference",
        title=title,
        alt="Candidate minus champion: "
        + "; ".join(
            f"{spaced(name)} {number(found[name]['value'], '+')} ({_bounds(found[name])}), {words[name]}"
            for name in names
        )
        + f"; {shown.on_rows}.",
        svg=forest(title, panels, [("candidate", "candidate − champion")]),
        columns=["metric", "candidate − champion", "90 % interval", "reading"],
        rows=[
            [
                spaced(name),
                number(found[name]["value"], "+"),
                _bounds(found[name]),
                words[name],
            ]
            for name in names
        ],
        note="Each line lies between two one-sided 95 % bounds of the difference on the same rows. A line "
        "that crosses 0 shows no clear difference. The calibration error and slope are not compared.",
    )


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
    name = decisive(shown.config, ours)
    said = f"{spaced(name)}: candidate {number(ours[name]['value'])}"
    if theirs:
        return f"{said}, champion {number(theirs[name]['value'])} {shown.on_rows}"
    guessed = shown.evaluation["baseline"]["metrics"][name]["value"]
    return f"{said} {shown.on_rows}; guessing reaches {number(guessed)}"


def _in_words(shown: Shown, names: list[str], ours: Mapping[str, Json], theirs: Mapping[str, Json]) -> str:
    parts = []
    for name in names:
        said = f"{spaced(name)}: candidate {_with_interval(ours[name])}"
        parts.append(said + (f", champion {_with_interval(theirs[name])}" if theirs else ""))
    return f"Metrics {shown.on_rows}, each with its 95 % interval. " + "; ".join(parts) + "."


def _with_interval(metric: Json) -> str:
    found = interval(*metric["interval"])
    return number(metric["value"]) + ("" if found == UNKNOWN else f" ({found})")


def _bounds(found: Json) -> str:
    low, high = found["bounds"]
    return interval(low, high, "+")


def _verdict(words: Mapping[str, str]) -> str:
    """In which metrics the candidate is better, and in which it is worse."""
    better, worse = (
        [spaced(name) for name, word in words.items() if word == kind] for kind in ("better", "worse")
    )
    if not better and not worse:
        return f"No clear difference between candidate and champion in {len(words)} metrics"
    said = [
        f"{word} in {', '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names
    ]
    others = len(words) - len(better) - len(worse)
    unclear = f"; no clear difference in {others} others" if others else ""
    return f"The candidate is {' and '.join(said)}{unclear}"
