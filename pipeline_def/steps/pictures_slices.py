"""The candidate on parts of the rows: the slices that rules name, and those that a search has found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from scipy import special

from canvas import LEGEND, Who
from clusters import numbered
from forest import Interval, Panel, Row, forest
from found_slices import ALLOWED, LOSSES, negligible, tested
from job import Json
from picture import NotDrawn, Picture, Shown
from pictures_metrics import decisive, reading, spaced
from scales import cut, interval, number, rows, value
from scoring import TASKS, alike

MAX_NAMED: Final = 12
"""Slices of rules that the picture shows; its table has all."""

MAX_FOUND: Final = 8
"""Found slices that the picture shows, those that are worse by most; its table has all of evaluation.json."""

MAX_TOLD: Final = 3
"""Slices that a title names."""

WORSE: Final = 0.05
"""The corrected p-value below which a found slice is called worse, as in functions/retraining/verdicts."""

SHARE: Final = f"{100 * ALLOWED:.0f} %"
"""The margin of found slices in words."""


def slices(shown: Shown) -> Picture:
    """Each slice with its rows: metric with intervals, or by how much the candidate's loss is lower."""
    compared = shown.compared
    named = compared["slices"] if compared else shown.evaluation["slices"]
    found = sorted(compared["found_slices"], key=_order) if compared else []
    if not named and not found:
        raise NotDrawn(
            "no rule names a slice, and "
            + ("none had enough rows" if compared else "without a champion none is looked for")
        )
    whole = compared or shown.evaluation["candidate"]
    name = decisive(shown.config, _of(whole, "candidate"))
    every = on_all_rows(shown) if found else None
    title = compared_title(named, found, name, compared, every) if compared else _weakest(named, name, whole)
    searched = [("all rows", every)] if every else []
    searched += [(_found(item), item) for item in found]
    table = [_cells("all rows", whole, name)] if named else []
    table += [_cells(_where(item["where"]), item, name) for item in named]
    table += [_found_cells(words, item) for words, item in searched]
    return Picture(
        id="slices",
        title=title,
        alt=f"{title}. " + "; ".join(": ".join((row[0], ", ".join(filter(None, row[1:])))) for row in table),
        svg=forest(title, _panels(named, searched, name, whole), _legend(bool(named), bool(compared))),
        columns=["slice", "rows", "candidate", "champion", "better by", "allowed", "reading"],
        rows=table,
        note=_note(shown, bool(named), bool(found)),
    )


def on_all_rows(shown: Shown) -> Json | None:
    """All rows as the search would test them; None without a champion."""
    target, ours, theirs = shown.both
    if shown.shared is None or theirs is None:
        return None
    task, config = shown.config.task, shown.config
    ours, theirs = alike(ours, theirs)
    loss = TASKS[task].loss(target, theirs)
    clusters = numbered(shown.rows[config.cluster_column].to_numpy()[shown.shared.rows])
    margin = max(ALLOWED * float(loss.mean()), negligible(task, target))
    found = tested(TASKS[task].loss(target, ours) - loss, clusters, margin)
    return {**found, "p_holm": found["p"], "loss": LOSSES[task]}


def _order(item: Json) -> tuple[bool, float]:
    """Those that count as worse first, and of them those that are worse by most."""
    return not is_worse(item), -item["difference"]


def is_worse(item: Json) -> bool:
    """Whether a found slice counts as worse. As in the verdict, one whose p-value is not known does."""
    return not item["p_holm"] >= WORSE


def _panels(
    named: Sequence[Json], searched: Sequence[tuple[str, Json]], name: str, whole: Json
) -> Sequence[Panel]:
    panels = []
    if named:
        every = [("all rows", whole), *((_where(item["where"]), item) for item in named[:MAX_NAMED])]
        lines = [_row(words, item, name) for words, item in every]
        panels.append(Panel(f"On the slices of rules: {spaced(name)}", lines))
    if searched:
        lines = [
            Row(words, f"{'worse, ' if is_worse(item) else ''}n = {rows(item['n'])}", [better_by(item)],
                -item["margin"])
            for words, item in searched[: MAX_FOUND + 1]
        ]  # fmt: skip
        heading = f"{spaced(searched[0][1]['loss'])} by search: right is better, ╎ allowed"
        panels.append(Panel(heading[0].upper() + heading[1:], lines, zero=0.0, better=1, sign="+"))
    return panels


def _legend(named: bool, compared: bool) -> Sequence[tuple[Who, str]]:
    if not named:
        return [("candidate", "better than the champion by")]
    return LEGEND if compared else LEGEND[:1]


def _of(part: Json, who: str) -> Mapping[str, Json]:
    """The metrics of a model in a part of evaluation.json that has both models, or the candidate alone."""
    found: Mapping[str, Json] = part.get(who, {}) if "candidate" in part else part["metrics"]
    return found


def _where(where: Mapping[str, str]) -> str:
    return " and ".join(f"{cut(column)} = {cut(value)}" for column, value in where.items())


def _found(item: Json) -> str:
    """The rows of a found slice as the verdict says them."""
    column = cut(item["column"])
    if item["range"]:
        low, high = (value(end) for end in item["range"])
        return f"{column} = {low}" if low == high else f"{column} is from {low} to {high}"
    return f"{column} is missing" if item["value"] is None else f"{column} = {cut(item['value'])}"


def _row(words: str, part: Json, name: str) -> Row:
    found = [Interval("candidate", *_ends(_of(part, "candidate")[name]))]
    if "candidate" in part:
        found.append(Interval("champion", *_ends(part["champion"][name])))
    return Row(words, f"n = {rows(part['n'])}", found)


def _ends(metric: Json) -> tuple[float, float, float]:
    low, high = metric["interval"]
    return metric["value"], low, high


def better_by(item: Json) -> Interval:
    """By how much the loss is lower, between two one-sided 95 % bounds, by Student's t as it was tested."""
    half = item["standard_error"] * float(special.stdtrit(max(item["clusters"] - 1, 1), 0.95))
    lower = -item["difference"]
    return Interval("candidate", lower, lower - half, lower + half)


def _cells(words: str, part: Json, name: str) -> list[str]:
    ours = _ends(_of(part, "candidate")[name])
    cells = [words, rows(part["n"]), f"{number(ours[0])} ({interval(*ours[1:])})"]
    if "candidate" not in part:
        return [*cells, "", "", "", ""]
    theirs, gap = _ends(part["champion"][name]), part["differences"][name]
    better = -gap["value"] if name == "rmse" else gap["value"]
    return [
        *cells,
        f"{number(theirs[0])} ({interval(*theirs[1:])})",
        number(better, "+"),
        "",
        reading(name, gap),
    ]


def _found_cells(words: str, item: Json) -> list[str]:
    gap = better_by(item)
    word = "worse" if is_worse(item) else "leans to worse" if gap.high < 0 else "not shown to be worse"
    better = f"{number(gap.value, '+')} ({interval(gap.low, gap.high, '+')}) in {spaced(item['loss'])}"
    return [words, rows(item["n"]), "", "", better, number(-item["margin"], "+"), word]


def compared_title(
    named: Sequence[Json], found: Sequence[Json], name: str, compared: Json, every: Json | None
) -> str:
    """Where the candidate is worse: on all rows alike, on slices, or on none as far as that is known."""
    words = {_where(item["where"]): reading(name, item["differences"][name]) for item in named}
    worse = [_found(item) for item in found if is_worse(item)]
    more_so = [_found(item) for item in found if is_worse(item) and _beyond(item, every)]
    at_least = "at least " if len(worse) == len(found) < compared["slices_tested"] else ""
    worse = list(dict.fromkeys([*worse, *(where for where, word in words.items() if word == "worse")]))
    if every and every["p_holm"] < WORSE:
        loss = f"{spaced(every['loss'])} is worse by {number(every['difference'])}"
        beside = f"more so where {_listed(more_so)}" if more_so else "no slice is clearly worse than that"
        return f"The candidate is worse on all rows: {loss}; {beside}"
    if worse:
        return f"The candidate is worse than the champion where {_listed(worse, at_least)}"
    unknown = sum(word == "not known" for word in words.values())
    known = len(words) - unknown + compared["slices_tested"]
    few = f"; {unknown} with too few rows to tell" if unknown else ""
    if not known:
        return "Where the candidate is worse cannot be told: no slice has enough rows"
    by = f" by more than {SHARE} of the champion's loss" if found else ""
    lean = sum(better_by(item).high < 0 for item in found)
    leaning = f"; {lean} of the {len(found)} listed ones lean that way" if lean else ""
    return f"None of {known} slices is shown to be worse{by}{leaning}{few}"


def _beyond(item: Json, every: Json | None) -> bool:
    """Whether the slice is clearly worse than all rows."""
    return every is not None and better_by(item).high < -every["difference"]


def _listed(names: Sequence[str], at_least: str = "") -> str:
    more = f" and {at_least}{len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
    return "; ".join(names[:MAX_TOLD]) + more


def _weakest(named: Sequence[Json], name: str, whole: Json) -> str:
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
            f"A search has tested {shown.compared['slices_tested']:,} slices. Lines are by how much the "
            "candidate's loss is lower than the champion's, between two one-sided 95 % bounds. The dashed "
            f"mark is what is allowed: worse by {SHARE} of the champion's mean loss there. A slice is called "
            f"worse if it is worse by more than that, with a p-value below {WORSE} after correction for the "
            "number of slices; one that lies left of 0 beside it leans to worse."
        )
    return " ".join(parts)
