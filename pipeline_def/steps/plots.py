"""Plots of curves and points, and bars above and below a line, or one below the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from canvas import AREAS, EDGE, WIDTH, Canvas, Point, Who
from scales import Axis, tick

LEFT: Final = 44
"""Units at the left of a plot, for the numbers of its vertical axis."""

LABEL: Final = 128
"""Units at the left of horizontal bars, for their names."""

SHARES: Final = 54
"""Units at the right of horizontal bars, for their numbers."""


@dataclass(frozen=True)
class Field:
    """A plot's area: the horizontal axis, and the vertical one, which starts at the bottom."""

    across: Axis
    up: Axis

    def at(self, x: float, y: float) -> Point:
        """The place of a point."""
        return self.across.at(x), self.up.at(y)

    def path(self, canvas: Canvas, xs: Sequence[float], ys: Sequence[float], kind: str) -> None:
        """A line through points."""
        canvas.path([self.at(x, y) for x, y in zip(xs, ys, strict=True)], kind)


def field(
    canvas: Canvas,
    across: tuple[float, float],
    up: tuple[float, float],
    *,
    names: tuple[str, str],
    height: float = 250,
) -> Field:
    """A plot's area with rules and numbers. `names` say what its axes are: across, and up."""
    canvas.text(EDGE, canvas.y + 12, f"↑ {names[1]}", "s")
    top = canvas.y + 22
    bottom = top + height
    found = Field(Axis(*across, LEFT, WIDTH - EDGE - 8), Axis(*up, bottom, top))
    for value in found.up.ticks(6):
        y = found.up.at(value)
        canvas.line((found.across.start, y), (found.across.end, y))
        canvas.text(LEFT - 6, y + 4, tick(value), "s e")
    for value in found.across.ticks(6):
        x = found.across.at(value)
        canvas.line((x, top), (x, bottom))
        canvas.text(x, bottom + 15, tick(value), "s m")
    canvas.text(WIDTH - EDGE, bottom + 31, f"{names[0]} →", "s e")
    canvas.y = bottom + 38
    return found


def mirrored(
    canvas: Canvas,
    heading: str,
    edges: Sequence[float],
    up: Sequence[float],
    down: Sequence[float] | None,
    *,
    across: Axis | None = None,
    height: float = 62,
) -> None:
    """Bars of the candidate above a line, and of the champion below it, on one scale.

    `edges` are the ends of the bins, one more than there are numbers in `up` and in `down`. The axis is
    `across`, or as wide as the picture.
    """
    canvas.text(EDGE, canvas.y + 12, heading, "h", width=WIDTH - 2 * EDGE)
    across = across or Axis(edges[0], edges[-1], EDGE + 4, WIDTH - EDGE - 4)
    most = max([*up, *(down or ()), 1e-12])
    middle = canvas.y + 20 + height
    for ends, above, below in zip(pairwise(edges), up, down or [0.0] * len(up), strict=True):
        start, width = across.at(ends[0]) + 0.5, across.at(ends[1]) - across.at(ends[0]) - 1
        if above:
            canvas.area(start, middle - above / most * height, width, above / most * height, "fa")
        if below:
            canvas.area(start, middle, width, below / most * height, "fb")
    canvas.line((across.start, middle), (across.end, middle), "z")
    bottom = middle + (height if down else 0)
    for value in across.ticks(7):
        canvas.text(across.at(value), bottom + 15, tick(value), "s m")
    canvas.y = bottom + 26


@dataclass(frozen=True)
class Bars:
    """A name, and the numbers of one model or of both, which are not negative."""

    name: str
    values: Sequence[tuple[Who, float]]


def bars(canvas: Canvas, rows: Sequence[Bars], written: Callable[[float], str]) -> None:
    """Horizontal bars, one pair for each row, with their numbers. `written` writes a number."""
    most = max([value for row in rows for _, value in row.values], default=0.0) or 1.0
    across = Axis(0.0, most, EDGE + LABEL, WIDTH - EDGE - SHARES)
    for row in rows:
        height = 13 * len(row.values)
        canvas.text(EDGE, canvas.y + height / 2 + 4, row.name, width=LABEL - 6)
        for who, value in row.values:
            length = max(across.at(value) - across.start, 0.5)
            canvas.area(across.start, canvas.y + 2, length, 9, AREAS[who])
            canvas.text(WIDTH - EDGE, canvas.y + 11, written(value), f"e {_TEXTS[who]}")
            canvas.y += 13
        canvas.y += 7


_TEXTS: Final[Mapping[Who, str]] = {"candidate": "ta", "champion": "tb", "chance": "s"}
