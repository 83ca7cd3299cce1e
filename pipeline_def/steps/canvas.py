"""A picture as SVG: texts, lines, areas and markers in two colours, for a light page, a dark one, and paper.

Draws with drawsvg, which escapes texts but no attributes. So texts of data are only ever texts here. Colours
are those of Okabe and Ito (2008), which the colour-blind tell apart; what belongs to the champion is also
hollow or dashed. The package comes with the published code, as the job's image has none.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from job import HERE
from scales import plain

sys.path.append(str(HERE / "drawsvg.zip"))  # publish.py puts it there; an installed package comes first

import drawsvg

WIDTH: Final = 360
"""Units of a picture's width. On the narrowest phone one is a pixel, so that 12 units can be read."""

EDGE: Final = 8
"""Units that stay free at the left and at the right."""

LINE_HEIGHT: Final = 15
"""Units from one line of text to the next."""

WIDE: Final = 12.0
"""Units of a sign that is as wide as it is high, as those of Chinese. Others have half of that and a bit."""

NARROW: Final = 6.6
"""Units of any other sign, on average; fonts differ."""

Point = tuple[float, float]
"""Units from the left and from the top."""

Who = Literal["candidate", "champion", "chance"]
"""Whose numbers a marker, a line or an area shows; bars also show what chance explains."""

AREAS: Final[Mapping[Who, str]] = {"candidate": "fa", "champion": "fb", "chance": "fc"}
"""The class of each one's areas."""

LEGEND: Final[Sequence[tuple[Who, str]]] = (("candidate", "candidate"), ("champion", "champion"))
"""Who has which marker, where both are shown."""

_LIGHT: Final = {"paper": "#fff", "ink": "#1a1f26", "soft": "#545d69", "rule": "#cfd4db", "band": "#e6f1e9"}
_DARK: Final = {"paper": "#161b22", "ink": "#e6e9ee", "soft": "#a5aebb", "rule": "#3a434f", "band": "#1b3325"}
_PAIR_LIGHT: Final = {"a": "#0072B2", "b": "#B34E00"}
_PAIR_DARK: Final = {"a": "#56B4E9", "b": "#E69F00"}


def _rules(ground: dict[str, str], pair: dict[str, str]) -> str:
    a, b = pair["a"], pair["b"]
    return (
        f".p{{fill:{ground['paper']}}}text{{fill:{ground['ink']}}}.s{{fill:{ground['soft']}}}"
        f".r{{stroke:{ground['rule']}}}.z{{stroke:{ground['soft']}}}.g{{fill:{ground['band']}}}"
        f".ta{{fill:{a}}}.tb{{fill:{b}}}.a{{fill:{a};stroke:{a}}}.la{{stroke:{a}}}.lb{{stroke:{b}}}"
        f".b{{fill:{ground['paper']};stroke:{b}}}.fa,.c{{fill:{a}}}.fb{{fill:{b}}}"
        f".fc{{fill:{ground['soft']}}}"
    )


STYLE: Final = (
    'text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;'
    "font-variant-numeric:tabular-nums}.h{font-weight:600}.e{text-anchor:end}.m{text-anchor:middle}"
    "path{fill:none}.r,.z{stroke-width:1}.z{stroke-dasharray:2 3}.a,.b{stroke-width:2}"
    ".la,.lb{fill:none;stroke-width:2}.lb{stroke-dasharray:5 3}.fa,.fb,.fc{fill-opacity:.8}.i{opacity:.55}"
    + _rules(_LIGHT, _PAIR_LIGHT)
    + f"@media(prefers-color-scheme:dark){{{_rules(_DARK, _PAIR_DARK)}}}"
    + f"@media print{{{_rules(_LIGHT, _PAIR_LIGHT)}}}"
)
"""The rules of every picture; a colour is a class. Print comes last, so that paper is never dark."""


def width_of(text: str) -> float:
    """Units that the text takes, about."""
    return sum(WIDE if unicodedata.east_asian_width(sign) in "WF" else NARROW for sign in text)


def fitted(text: str, width: float) -> str:
    """The text on one line, cut to about so many units, with an ellipsis to show it."""
    line, found, left = plain(text), "", width
    if width_of(line) <= width:
        return line
    for sign in line:
        left -= width_of(sign)
        if left < WIDE:
            break
        found += sign
    return f"{found.rstrip()}…"


class Canvas:
    """A picture that grows downwards: what is drawn, and `y`, where the next line begins."""

    def __init__(self, title: str) -> None:
        self.title, self.y = plain(title), float(EDGE)
        self._drawn: list[drawsvg.DrawingElement] = []

    def text(self, x: float, y: float, text: str, kind: str = "", *, width: float = WIDTH) -> None:
        """Write one line at its base line. `kind` are classes: h bold, s soft, e ends at x, m is around x."""
        self._drawn.append(drawsvg.Text(fitted(text, width), None, _n(x), _n(y), class_=kind or None))

    def line(self, start: Point, end: Point, kind: str = "r") -> None:
        """A straight line: r a rule, z dotted, la and lb candidate's and champion's, i pale."""
        self.path([start, end], kind)

    def path(self, points: Iterable[Point], kind: str) -> None:
        """A line through these points; none through fewer than two."""
        places = [_n(place) for point in points for place in point]
        if len(places) >= 4:
            self._drawn.append(drawsvg.Lines(*places, class_=kind))

    def area(
        self, x: float, y: float, width: float, height: float, kind: str, opacity: float | None = None
    ) -> None:
        """A rectangle: p paper, g where the candidate is better, c a cell, or one of AREAS.

        `opacity` is from 0 to 1, of a rectangle whose class has none.
        """
        shown = {} if opacity is None else {"fill_opacity": round(opacity, 2)}
        size = _n(x), _n(y), _n(width), _n(height)
        self._drawn.append(drawsvg.Rectangle(*size, class_=kind, **shown))

    def marker(self, x: float, y: float, who: Who) -> None:
        """A full square for the candidate, a hollow circle for the champion."""
        if who == "candidate":
            self._drawn.append(drawsvg.Rectangle(_n(x - 3), _n(y - 3), 6, 6, class_="a"))
        else:
            self._drawn.append(drawsvg.Circle(_n(x), _n(y), 3.5, class_="b"))

    def legend(self, names: Sequence[tuple[Who, str]], *, areas: bool = False) -> None:
        """A line that says which marker, or which area, is whose."""
        x = float(EDGE)
        for who, name in names:
            if areas:
                self.area(x + 6, self.y + 3, 16, 10, AREAS[who])
            else:
                self.line((x, self.y + 8), (x + 22, self.y + 8), "la" if who == "candidate" else "lb")
                self.marker(x + 11, self.y + 8, who)
            self.text(x + 28, self.y + 12, name)
            x += 28 + width_of(name) + 18
        self.y += 22

    def svg(self) -> str:
        """The picture as a document of its own."""
        height = round(self.y + EDGE)
        found = drawsvg.Drawing(WIDTH, height, role="img")
        found.append_title(self.title)
        found.append_css(STYLE)
        for each in (drawsvg.Rectangle(0, 0, WIDTH, height, class_="p"), *self._drawn):
            found.append(each)
        return str(found.as_svg())


def _n(value: float) -> float | int:
    """A position with one digit after the point, which is enough for any screen."""
    rounded = round(float(value), 1)
    return int(rounded) if rounded == int(rounded) else rounded
