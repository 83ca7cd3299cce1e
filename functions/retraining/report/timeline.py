"""The picture of an execution's steps over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from retraining.html.pictures import Picture, Table
from retraining.html.wording import TONES, duration, moment_text, plain
from retraining.report.canvas import WIDTH, Canvas, Kind, shortened
from retraining.report.told import Step

MAX_STEPS: Final = 20
"""Steps that are drawn. A pipeline of handsoff has seven at most."""

_ROW: Final = 38
"""Units of height for each step: its name and its bar below."""

_EDGE: Final = 8
"""Units that stay free at each side."""

_SIGNS: Final = {"good": "✓", "bad": "✕", "open": "●"}


def timeline(steps: Sequence[Step]) -> Picture | None:
    """Each step as a bar from its start to its end; None where no step has started."""
    begun = [(step, step.start_time) for step in steps if step.start_time][:MAX_STEPS]
    if not begun:
        return None
    first = min(start for _, start in begun)
    last = max((step.end_time or start) for step, start in begun)
    span = max((last - first).total_seconds(), 1.0)
    canvas = Canvas(len(begun) * _ROW + 34)

    def at(time: datetime) -> float:
        return _EDGE + (time - first).total_seconds() / span * (WIDTH - 2 * _EDGE)

    for number, (step, start) in enumerate(begun):
        _draw(canvas, step, number * _ROW, at(start), at(step.end_time or last))
    bottom = len(begun) * _ROW + 10
    canvas.line(_EDGE, bottom, WIDTH - _EDGE, bottom, "rule")
    canvas.text(_EDGE, bottom + 16, "0", "soft")
    canvas.text(WIDTH - _EDGE, bottom + 16, duration(last - first), "soft", "end")
    return Picture(
        id="timeline",
        title=_title([step for step, _ in begun], last - first),
        alt=f"From {moment_text(first)} on: {'; '.join(_in_words(step) for step, _ in begun)}.",
        svg=canvas.svg(),
        table=Table(
            columns=("Step", "Status", "Began", "Took"),
            rows=tuple(_row(step, start) for step, start in begun),
        ),
    )


def _draw(canvas: Canvas, step: Step, top: float, left: float, right: float) -> None:
    tone = TONES.get(step.status or "", "plain")
    kind: Kind = "soft" if tone == "plain" else tone
    sign = _SIGNS.get(tone, "")
    canvas.text(_EDGE, top + 16, shortened(f"{sign} {step.name}".strip(), 250))
    canvas.text(WIDTH - _EDGE, top + 16, _took(step) or plain(step.status or ""), "soft", "end")
    canvas.box(left, top + 22, max(right - left, 2), 9, kind)


def _title(steps: Sequence[Step], took: timedelta) -> str:
    failed = next((step for step in steps if step.status == "Failed"), None)
    if failed:
        return f"{failed.name} failed after {duration(took)}"
    longest = max(steps, key=lambda step: _seconds(step))
    if not _seconds(longest):
        return "The steps began"
    return f"The steps took {duration(took)}, of which {longest.name} {_took(longest)}"


def _seconds(step: Step) -> float:
    if step.start_time is None or step.end_time is None:
        return 0.0
    return (step.end_time - step.start_time).total_seconds()


def _took(step: Step) -> str:
    if step.start_time is None or step.end_time is None:
        return ""
    return duration(step.end_time - step.start_time)


def _in_words(step: Step) -> str:
    return f"{step.name} {(step.status or 'began').lower()}" + (f", {_took(step)}" if _took(step) else "")


def _row(step: Step, start: datetime) -> tuple[str, ...]:
    return (step.name, step.status or "—", moment_text(start), _took(step) or "—")
