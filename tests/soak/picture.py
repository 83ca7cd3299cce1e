"""Draws what a soak has measured: one panel for each measurement, from zero, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMNS: Final = 2
"""Panels side by side."""

PANEL: Final = (4.5, 1.9)
"""Width and height of a panel in inches."""

LINE, MEANS = "#1f4e79", "#c05a1c"
"""Colours of a measurement, and of the means of its first and last tenth."""


def draw(measured: Mapping[str, Sequence[float]], title: str, out: Path) -> None:
    """Write the picture. Each measurement has one value for each minute of virtual time.

    The same values give the same bytes with the same matplotlib.
    """
    mpl.rcParams["svg.hashsalt"] = "soak"
    rows = -(-len(measured) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * PANEL[0], rows * PANEL[1] + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(rows, COLUMNS, sharex=True, squeeze=False)
    for (name, values), panel in zip(measured.items(), panels.flat, strict=False):
        _panel(panel, name, values)
    for panel in panels[-1]:
        panel.set_xlabel("hours of virtual time", fontsize=8)
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})


def _panel(panel: Axes, name: str, values: Sequence[float]) -> None:
    """One measurement, with the means of its first and its last tenth as thick lines."""
    hours = [minute / 60 for minute in range(len(values))]
    panel.plot(hours, values, color=LINE, linewidth=0.9)
    tenth = max(len(values) // 10, 1)
    first, last = fmean(values[:tenth]), fmean(values[-tenth:])
    panel.hlines(
        [first, last], [hours[0], hours[-tenth]], [hours[tenth - 1], hours[-1]], MEANS, linewidth=2.5
    )
    panel.set_ylim(0, 1.15 * max(max(values), 1.0))
    panel.set_title(f"{name}: last tenth {last / first:.2f} of the first", fontsize=9)
    panel.tick_params(labelsize=8)
    panel.grid(alpha=0.3)
