"""The candidate on parts of the rows: the slices that rules name, and those that a search has found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from scipy import special

from canvas import LEGEND, Who
from forest import Interval, Panel, Row, forest
from job import Json
from picture import NotDrawn, Picture, Shown
from pictures_metrics import decisive, reading, spaced
from scales import interval, number, rows, value

MAX_NAMED: Final = 12
"""Slices of rules that the picture shows; its table has all."""

MAX_FOUND: Final = 8
"""Found slices that the picture shows, those with the lowest p-values; evaluation.json has more."""

WORSE: Final = 0.05
"""The corrected p-value below which a found slice is called worse."""


def slices(shown: Shown) -> Picture:
    """Each slice with its rows: metric with intervals, or how much higher the candidate's loss is."""
    compared = shown.compared
    named = compared["slices"] if compared else shown.evaluation["slices"]
    found = compared["found_slices"][:MAX_FOUND] if compared else []
    if not named and not found:
        raise NotDrawn(
            "no rule names a slice, and "
            + ("none had enough rows" if compared else "without a champion none is looked for")
        )
    whole = compared or shown.evaluation["candidate"]
    name = decisive(shown.config, _of(whole, "candidate"))
    panels = []
    if named:
        every = [("all rows", whole), *((_where(item["where"]), item) for item in named)]
        lines = [_row(words, item, name) for words, item in every[: MAX_NAMED + 1]]
        panels.append(Panel(f"On the slices of rules: {spaced(name)}", lines))
    if found:
        loss = spaced(found[0]["loss"])
        panels.append(
            Panel(
                f"Found by search: {loss}; left of 0 is better",
                [Row(_found(item), f"n = {rows(item['n'])}", [_difference(item)]) for item in found],
                zero=0.0,
                better=-1,
                sign="+",
            )
        )
    title = _title(named, found, name, whole)
    table = [*(_cells(_where(item["where"]), item, name) for item in named), *map(_found_cells, found)]
    return Picture(
        id="slices",
        title=title,
        alt=f"{title}. " + "; ".join(": ".join((row[0], ", ".join(row[1:]))) for row in table) + ".",
        svg=forest(title, panels, _legend(bool(named), bool(compared))),
        columns=["slice", "rows", "candidate", "champion", "candidate − champion", "reading"],
        rows=table,
        note=_note(shown, bool(named), bool(found)),
    )


def _legend(named: bool, compared: bool) -> Sequence[tuple[Who, str]]:
    if not named:
        return [("candidate", "candidate − champion")]
    return LEGEND if compared else LEGEND[:1]


def _of(part: Json, who: str) -> Mapping[str, Json]:
    """The metrics of a model in a part of evaluation.json that has both models, or the candidate alone."""
    found: Mapping[str, Json] = part.get(who, {}) if "candidate" in part else part["metrics"]
    return found


def _where(where: Mapping[str, str]) -> str:
    return " and ".join(f"{column} = {value}" for column, value in where.items())


def _found(item: Json) -> str:
    if item["range"]:
        low, high = (value(end) for end in item["range"])
        return f"{item['column']}: {low}" if low == high else f"{item['column']}: {low} to {high}"
    return f"{item['column']} is missing" if item["value"] is None else f"{item['column']} = {item['value']}"


def _row(words: str, part: Json, name: str) -> Row:
    found = [Interval("candidate", *_ends(_of(part, "candidate")[name]))]
    if "candidate" in part:
        found.append(Interval("champion", *_ends(part["champion"][name])))
    return Row(words, f"n = {rows(part['n'])}", found)


def _ends(metric: Json) -> tuple[float, float, float]:
    low, high = metric["interval"]
    return metric["value"], low, high


def _difference(item: Json) -> Interval:
    """Between two one-sided 95 % bounds, by Student's t as the search has tested it."""
    half = item["standard_error"] * float(special.stdtrit(max(item["clusters"] - 1, 1), 0.95))
    return Interval("candidate", item["difference"], item["difference"] - half, item["difference"] + half)


def _cells(words: str, part: Json, name: str) -> list[str]:
    ours = _ends(_of(part, "candidate")[name])
    cells = [words, rows(part["n"]), f"{number(ours[0])} ({interval(*ours[1:])})"]
    if "candidate" not in part:
        return [*cells, "", "", ""]
    theirs, gap = _ends(part["champion"][name]), part["differences"][name]
    return [
        *cells,
        f"{number(theirs[0])} ({interval(*theirs[1:])})",
        number(gap["value"], "+"),
        reading(name, gap),
    ]


def _found_cells(item: Json) -> list[str]:
    worse = item["p_holm"] < WORSE
    gap = f"{number(item['difference'], '+')} in {spaced(item['loss'])}"
    return [_found(item), rows(item["n"]), "", "", gap, "worse" if worse else "not clearly worse"]


def _title(named: list[Json], found: list[Json], name: str, whole: Json) -> str:
    if "candidate" in whole:
        worse = [
            _where(item["where"])
            for item in named
            if reading(name, item["differences"][name]) == "worse"
        ] + [_found(item) for item in found if item["p_holm"] < WORSE]  # fmt: skip
        if worse:
            more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
            return f"The candidate is worse than the champion where {'; '.join(worse[:3])}{more}"
        return f"In none of {len(named) + whole['slices_tested']} slices is the candidate clearly worse"
    known = [item for item in named if math.isfinite(item["metrics"][name]["value"])]
    if not known:
        return f"{spaced(name)} is not defined on any slice"
    lower = name == "rmse"
    weakest = (max if lower else min)(known, key=lambda item: item["metrics"][name]["value"])
    return (
        f"Weakest where {_where(weakest['where'])}: {spaced(name)} "
        f"{number(weakest['metrics'][name]['value'])}, on all rows {number(whole['metrics'][name]['value'])}"
    )


def _note(shown: Shown, named: bool, found: bool) -> str:
    parts = [f"Values are {shown.on_rows}."]
    if named:
        parts.append("Slices of rules have 95 % intervals of each model.")
    if found and shown.compared:
        parts.append(
            f"A search has tested {shown.compared['slices_tested']:,} slices; those with the lowest p-values "
            "are shown, with candidate minus champion between two one-sided 95 % bounds. A slice is called "
            f"worse if its p-value, corrected for their number, is below {WORSE}."
        )
    return " ".join(parts)
