"""Draws a picture with drawsvg: texts, lines, boxes and markers, in colours for light, dark and paper.

drawsvg escapes texts, and no attributes. So texts of data are only ever texts here, and colours are classes.
The colours are those of Okabe and Ito (2008), which the colour-blind tell apart.
"""

from __future__ import annotations

from typing import Final, Literal

import drawsvg

from retraining.html.wording import plain

WIDTH: Final = 360
"""Units of a picture's width. On a narrow phone one is a pixel, so that 12 units can be read."""

LETTER: Final = 6.8
"""Units that a letter takes, about."""

Kind = Literal["ours", "theirs", "good", "bad", "open", "soft", "rule"]
"""What a line, a box or a text belongs to: this version, the champion, how it reads, or the frame."""

_LIGHT: Final = {
    "paper": "#fff", "ink": "#1a1f26", "soft": "#545d69", "rule": "#cfd4db", "ours": "#0072B2",
    "theirs": "#B34E00", "good": "#0d5f2a", "bad": "#9b1024", "open": "#744000",
}  # fmt: skip
_DARK: Final = {
    "paper": "#161b22", "ink": "#e6e9ee", "soft": "#a5aebb", "rule": "#3a434f", "ours": "#56B4E9",
    "theirs": "#E69F00", "good": "#86e3a4", "bad": "#ffb3ae", "open": "#f4cb77",
}  # fmt: skip


def _rules(colours: dict[str, str]) -> str:
    kinds = "".join(
        f".{kind}{{stroke:{colour};fill:{colour}}}"
        for kind, colour in colours.items()
        if kind not in ("paper", "ink")
    )
    paper, ink, soft = colours["paper"], colours["ink"], colours["soft"]
    texts = f"text{{fill:{ink}}}text.soft{{fill:{soft};stroke:none}}"
    return f".paper{{fill:{paper}}}{kinds}{texts}.hollow{{fill:{paper}}}"


STYLE: Final = (
    'text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;'
    "font-variant-numeric:tabular-nums;stroke:none}text.bold{font-weight:600}path{fill:none}"
    ".thick{stroke-width:2}.dashed{stroke-dasharray:5 3;stroke-width:2}"
    + _rules(_LIGHT)
    + f"@media(prefers-color-scheme:dark){{{_rules(_DARK)}}}"
    + f"@media print{{{_rules(_LIGHT)}}}"
)
"""The style of every picture. Print comes last, so that paper is never dark."""


class Canvas:
    """A picture that is WIDTH wide and `height` high. Positions are units from the left and from the top."""

    def __init__(self, height: float) -> None:
        self._drawing = drawsvg.Drawing(WIDTH, round(height), role="img")
        self._drawing.append_css(STYLE)
        self._drawing.append(drawsvg.Rectangle(0, 0, WIDTH, round(height), class_="paper"))

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """Write one line whose base line is at `y`. `kind` are classes: soft, bold."""
        placed = drawsvg.Text(plain(text), None, _n(x), _n(y), class_=kind, text_anchor=anchor)
        self._drawing.append(placed)

    def line(self, x: float, y: float, to_x: float, to_y: float, kind: Kind, style: str = "") -> None:
        """A straight line; `style` is thick or dashed."""
        classes = f"{kind} {style}".strip()
        self._drawing.append(drawsvg.Line(_n(x), _n(y), _n(to_x), _n(to_y), class_=classes))

    def box(self, x: float, y: float, width: float, height: float, kind: Kind) -> None:
        """A filled box."""
        self._drawing.append(drawsvg.Rectangle(_n(x), _n(y), _n(width), _n(height), class_=kind))

    def square(self, x: float, y: float, kind: Kind) -> None:
        """A full square around a position."""
        self.box(x - 4, y - 4, 8, 8, kind)

    def ring(self, x: float, y: float, kind: Kind) -> None:
        """A hollow circle around a position."""
        self._drawing.append(drawsvg.Circle(_n(x), _n(y), 4, class_=f"{kind} thick hollow"))

    def svg(self) -> str:
        """The picture as a document of its own."""
        return str(self._drawing.as_svg())


def shortened(text: str, width: float) -> str:
    """`text` on one line, cut to about so many units with an ellipsis to show it."""
    line, most = plain(text), max(1, int(width / LETTER))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _n(value: float) -> float | int:
    """A position with one digit after the point."""
    rounded = round(float(value), 1)
    return int(rounded) if rounded == int(rounded) else rounded
