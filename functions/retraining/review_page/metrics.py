"""Pure: the page's tables of metrics, on all validation rows and on slices, candidate against champion."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from retraining.config.rules import Approval, MetricRule
from retraining.config.tasks import LOWER_IS_BETTER, NOT_COMPARED
from retraining.html.wording import Said, interval, number, spaced, version_of
from retraining.verdicts.evaluation import Difference, Evaluation, Measured, Paired
from retraining.verdicts.guessing import decisive

MAX_SLICE_ROWS: Final = 30
"""Rows of the table of slices; the page says how many more there are."""


class Row(NamedTuple):
    """One metric, on all validation rows or on those of a slice (`where`). Empty text is what is not known.

    `interval` belongs to `candidate`, and `bounds` to `difference`. `shared` is the candidate on the rows on
    which the champion was measured.
    """

    metric: str
    where: str
    rows: str
    candidate: str
    interval: str
    shared: str
    champion: str
    difference: str
    bounds: str
    reading: Said


class Metrics(NamedTuple):
    """All metrics. `champion` is its version, empty where the candidate was not compared.

    `rows` counts the validation rows, `shared_rows` those on which both models were measured, `excluded`
    those that were left out because the champion was trained on them.
    """

    champion: str = ""
    rows: str = ""
    shared_rows: str = ""
    excluded: int = 0
    overall: tuple[Row, ...] = ()
    slices: tuple[Row, ...] = ()
    slices_left: int = 0


def metrics(evaluation: Evaluation, approval: Approval) -> Metrics:
    """The tables of an evaluation, in an order that follows the model's rules."""
    comparison = evaluation.comparison
    slices = _slices(evaluation, approval)
    return Metrics(
        champion=version_of(evaluation.champion) if evaluation.champion else "",
        rows=f"{evaluation.candidate.n:,}",
        shared_rows=f"{comparison.n:,}" if comparison else "",
        excluded=comparison.excluded if comparison else 0,
        overall=tuple(_overall(evaluation, approval)),
        slices=tuple(slices[:MAX_SLICE_ROWS]),
        slices_left=max(0, len(slices) - MAX_SLICE_ROWS),
    )


def reading(metric: str, difference: Difference) -> Said:
    """Better or worse, by the metric's own direction, where chance alone does not explain the difference."""
    low, high = difference.bounds
    if metric in NOT_COMPARED:
        return Said("not compared")
    if not (math.isfinite(low) and math.isfinite(high)):
        return Said("not known", "open")
    if low <= 0 <= high:
        return Said("no clear difference")
    better = (low > 0) != (metric in LOWER_IS_BETTER)
    return Said("better", "good") if better else Said("worse", "bad")


def _overall(evaluation: Evaluation, approval: Approval) -> list[Row]:
    """All metrics: first those that rules ask about, then the task's decisive one, then the others."""
    measured = evaluation.candidate.metrics
    asked = [rule.metric for rule in approval.rules if isinstance(rule, MetricRule)]
    return [
        _row(name, measured[name], evaluation.comparison, rows=evaluation.candidate.n)
        for name in dict.fromkeys([*asked, decisive(evaluation), *measured])
        if name in measured
    ]


def _slices(evaluation: Evaluation, approval: Approval) -> list[Row]:
    """Every slice in the metrics that rules ask about slices, and in the task's decisive one."""
    asked = [
        rule.metric for rule in approval.rules if isinstance(rule, MetricRule) and rule.slice is not None
    ]
    names = dict.fromkeys([*asked, decisive(evaluation)])
    compared = evaluation.comparison.slices if evaluation.comparison else ()
    rows = []
    for part in evaluation.slices:
        paired = next((item for item in compared if item.where == part.where), None)
        where = " and ".join(f"{column} = {value}" for column, value in part.where.items())
        rows += [
            _row(name, part.metrics[name], paired, rows=part.n, where=where)
            for name in names
            if name in part.metrics
        ]
    return rows


def _row(name: str, measured: Measured, paired: Paired | None, *, rows: int, where: str = "") -> Row:
    unknown = Measured(value=math.nan)
    no_difference = Difference(value=math.nan, standard_error=math.nan)
    ours = paired.candidate.get(name, unknown) if paired else unknown
    theirs = paired.champion.get(name, unknown) if paired else unknown
    difference = paired.differences.get(name, no_difference) if paired else no_difference
    return Row(
        metric=spaced(name),
        where=where,
        rows=f"{rows:,}",
        candidate=number(measured.value),
        interval=interval(*measured.interval),
        shared=number(ours.value) if paired else "",
        champion=number(theirs.value) if paired else "",
        difference=number(difference.value, "+") if paired else "",
        bounds=interval(*difference.bounds, "+"),
        reading=reading(name, difference) if paired else Said(""),
    )
