"""A forest plot: values with their intervals, one below the other, in panels with an axis each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from canvas import EDGE, LINE_HEIGHT, WIDTH, Canvas, Who
from scales import Axis, axis, number, tick

NUMBERS: Final = 58
"""Units at the right of each interval, for its value."""

BAR: Final = 13
"""Units from one interval of a row to the next."""


@dataclass(frozen=True)
class Interval:
    """A value and its interval, whose ends are NaN where there is none."""

    who: Who
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What is measured, something about it such as its rows, and the values of one model or of both.

    `limit` is a number that is marked beside the values, such as the difference that is allowed.
    """

    name: str
    beside: str
    intervals: Sequence[Interval]
    limit: float | None = None


@dataclass(frozen=True)
class Panel:
    """Rows on one axis. `zero` is drawn as a line. `better` says on which side of it the candidate is better:
    1 to the right, −1 to the left, 0 on neither."""

    heading: str
    rows: Sequence[Row]
    zero: float | None = None
    better: int = 0
    sign: str = ""


def forest(title: str, panels: Sequence[Panel], names: Sequence[tuple[Who, str]]) -> str:
    """The plot as SVG. `names` say who has which marker."""
    canvas = Canvas(title)
    canvas.legend(names)
    for panel in panels:
        _panel(canvas, panel)
    return canvas.svg()


def _panel(canvas: Canvas, panel: Panel) -> None:
    values = [
        value for row in panel.rows for item in row.intervals for value in (item.value, item.low, item.high)
    ]
    values += [each for each in (panel.zero, *(row.limit for row in panel.rows)) if each is not None]
    across = axis(values, EDGE + 4, WIDTH - EDGE - NUMBERS - 6)
    canvas.y += 6
    canvas.text(EDGE, canvas.y + 12, panel.heading, "h", width=WIDTH - 2 * EDGE)
    canvas.y += 20
    top = canvas.y
    bottom = top + sum(LINE_HEIGHT + 6 + BAR * len(row.intervals) for row in panel.rows)
    _ground(canvas, panel, across, top, bottom)
    for row in panel.rows:
        _row(canvas, row, across, panel.sign)
    for place in across.ticks():
        canvas.text(across.at(place), bottom + 14, tick(place), "s m")
    canvas.y = bottom + 22


def _ground(canvas: Canvas, panel: Panel, across: Axis, top: float, bottom: float) -> None:
    """What lies below the intervals: the side on which the candidate is better, rules, and the zero."""
    if panel.zero is not None and panel.better:
        zero = across.at(panel.zero)
        start, end = (zero, across.end) if panel.better > 0 else (across.start, zero)
        canvas.area(start, top, end - start, bottom - top, "g")
    for place in across.ticks():
        canvas.line((across.at(place), top), (across.at(place), bottom))
    if panel.zero is not None:
        canvas.line((across.at(panel.zero), top), (across.at(panel.zero), bottom), "z")


def _row(canvas: Canvas, row: Row, across: Axis, sign: str) -> None:
    room = WIDTH - 2 * EDGE - len(row.beside) * 6.6 - 10
    canvas.text(EDGE, canvas.y + 12, row.name, width=room)
    if row.beside:
        canvas.text(WIDTH - EDGE, canvas.y + 12, row.beside, "s e")
    canvas.y += LINE_HEIGHT
    if row.limit is not None:
        end = canvas.y + BAR * len(row.intervals)
        canvas.line((across.at(row.limit), canvas.y), (across.at(row.limit), end), "lb i")
    for item in row.intervals:
        y, ours = canvas.y + 7, item.who == "candidate"
        if math.isfinite(item.low) and math.isfinite(item.high):
            canvas.line((across.at(item.low), y), (across.at(item.high), y), "la" if ours else "lb")
        if math.isfinite(item.value):
            canvas.marker(across.at(item.value), y, item.who)
        canvas.text(WIDTH - EDGE, y + 4, number(item.value, sign), f"e {'ta' if ours else 'tb'}")
        canvas.y += BAR
    canvas.y += 6
