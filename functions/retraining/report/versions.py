"""The picture of a metric over the versions of a model, with the champion at each time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from retraining.config.tasks import LOWER_IS_BETTER
from retraining.facts.package import PENDING
from retraining.history import Reign, Version
from retraining.html.pictures import Picture, Table
from retraining.html.wording import interval, moment_text, number, spaced
from retraining.report.canvas import WIDTH, Canvas
from retraining.verdicts.evaluation import Measured

_LEFT: Final = 52
"""Units for the labels of the axis."""

_RIGHT: Final = WIDTH - 14

_TOP: Final = 52
"""Units for the legend."""

_BOTTOM: Final = 190
"""Where the axis of the metric ends."""

_LABEL: Final = 26
"""Units that two labels of versions must be apart."""

_STATUSES: Final = {PENDING: "Waits"}


@dataclass(frozen=True)
class _Drawn:
    """A version that is drawn, with its value and the position of its marker."""

    version: Version
    measured: Measured
    x: float


def history(versions: Sequence[Version], metric: str, this: str | None = None) -> Picture | None:
    """`metric` over `versions`, which history.versions has read; `this` is the ARN of one of them.

    None where fewer than two versions have a finite value of the metric.
    """
    known = sorted(
        (
            (version, found)
            for version in versions
            if (found := version.metrics.get(metric)) and math.isfinite(found.value)
        ),
        key=lambda pair: pair[0].package.created_at,
    )
    if len(known) < 2:
        return None
    wide = (_RIGHT - _LEFT) / len(known)
    better = "lower" if metric in LOWER_IS_BETTER else "higher"
    said = _rows_said([version for version, _ in known])
    drawn = [
        _Drawn(version, found, _LEFT + (place + 0.5) * wide) for place, (version, found) in enumerate(known)
    ]
    return Picture(
        id="history",
        title=_title(drawn, metric, this),
        alt=f"{spaced(metric)} by version: {'; '.join(_in_words(item, this) for item in drawn)}.",
        svg=_svg(drawn, metric, this),
        table=Table(
            columns=(
                "Version",
                "Registered",
                spaced(metric),
                "95 % interval",
                "Status",
                "Champion",
            ),
            rows=tuple(_row(item) for item in reversed(drawn)),
        ),
        note=f"{spaced(metric).capitalize()}: {better} is better. {said}",
    )


def _rows_said(found: Sequence[Version]) -> str:
    """Whether the versions were measured on the same validation rows, and what follows."""
    rows = {version.evaluation.validation if version.evaluation else None for version in found}
    if None in rows:
        return "It is not known whether all versions were measured on the same validation rows."
    if len(rows) == 1:
        return "All versions were measured on the same validation rows."
    return (
        f"The versions were measured on {len(rows)} different sets of validation rows: a difference may come "
        "from the rows as well as from the models."
    )


def _svg(drawn: Sequence[_Drawn], metric: str, this: str | None) -> str:
    ends = [end for item in drawn for end in (item.measured.value, *item.measured.interval)]
    finite = [end for end in ends if math.isfinite(end)]
    low, high = min(finite), max(finite)
    span = (high - low) or abs(high) or 1.0

    def at(value: float) -> float:
        return _BOTTOM - (value - low) / span * (_BOTTOM - _TOP)

    canvas = Canvas(_BOTTOM + 44)
    _frame(canvas, metric, this is not None, {value: at(value) for value in (low, low + span / 2, high)})
    _champions(canvas, drawn, {item.version.package.arn: at(item.measured.value) for item in drawn})
    for item in drawn:
        ours = item.version.package.arn == this
        ends_at = [at(end) for end in item.measured.interval if math.isfinite(end)]
        if len(ends_at) == 2:
            canvas.line(item.x, ends_at[0], item.x, ends_at[1], "ours" if ours else "soft", "thick" * ours)
        y = at(item.measured.value)
        if ours:
            canvas.square(item.x, y, "ours")
        elif item.version.reigns:
            canvas.ring(item.x, y, "theirs")
        else:
            canvas.ring(item.x, y, "soft")
    _labels(canvas, drawn, this)
    return canvas.svg()


def _frame(canvas: Canvas, metric: str, has_ours: bool, ticks: dict[float, float]) -> None:
    """The axis, and the legend in two lines. Marks are as in every picture: this version is a full square."""
    if has_ours:
        canvas.square(14, 12, "ours")
        canvas.text(24, 16, "this version")
    canvas.ring(136, 12, "theirs")
    canvas.text(146, 16, "was or is champion")
    canvas.line(4, 30, 24, 30, "theirs", "dashed")
    canvas.text(30, 34, "champion then")
    canvas.ring(136, 30, "soft")
    canvas.text(146, 34, "was never champion")
    for value, y in ticks.items():
        canvas.line(_LEFT, y, _RIGHT, y, "rule")
        canvas.text(_LEFT - 6, y + 4, number(value), "soft", "end")
    canvas.text(_LEFT, _BOTTOM + 38, f"version (from old to new); {spaced(metric)}", "soft")


def _champions(canvas: Canvas, drawn: Sequence[_Drawn], heights: dict[str, float]) -> None:
    """A dashed line at the champion's value for as long as it was champion, over the order of versions."""
    begins = [item.version.package.created_at for item in drawn]
    terms = sorted(
        ((reign, item.version.package.arn) for item in drawn for reign in item.version.reigns),
        key=lambda term: term[0].since,
    )
    before: tuple[float, float] | None = None
    for reign, arn in terms:
        start, end = _span(reign, begins, drawn)
        y = heights[arn]
        if before and before[0] >= start - 0.1:
            canvas.line(start, before[1], start, y, "theirs", "dashed")
        canvas.line(start, y, end, y, "theirs", "dashed")
        before = (end, y)


def _span(reign: Reign, begins: Sequence[datetime], drawn: Sequence[_Drawn]) -> tuple[float, float]:
    """Where a reign begins and ends. A time lies between the versions that were registered around it."""

    def at(time: datetime) -> float:
        after = bisect_right(begins, time)
        if after == 0:
            return _LEFT
        left = drawn[after - 1].x
        if after == len(drawn):
            return (left + _RIGHT) / 2
        share = (time - begins[after - 1]) / (begins[after] - begins[after - 1])
        return left + share * (drawn[after].x - left)

    return at(reign.since), _RIGHT if reign.until is None else at(reign.until)


def _labels(canvas: Canvas, drawn: Sequence[_Drawn], this: str | None) -> None:
    """The numbers of versions below the axis, as many as fit; always that of this one."""
    ours = next((item for item in drawn if item.version.package.arn == this), None)
    taken = [ours.x] if ours else []
    if ours:
        canvas.text(ours.x, _BOTTOM + 18, str(ours.version.number), "bold", "middle")
    for item in reversed(drawn):
        if all(abs(item.x - x) >= _LABEL for x in taken):
            canvas.text(item.x, _BOTTOM + 18, str(item.version.number), "soft", "middle")
            taken.append(item.x)


def _title(drawn: Sequence[_Drawn], metric: str, this: str | None) -> str:
    name = spaced(metric)
    ours = next((item for item in drawn if item.version.package.arn == this), None)
    if ours is None:
        return f"{name.capitalize()} of {len(drawn)} versions"
    others = [item for item in drawn if item is not ours]
    better = [item for item in others if _clearly_better(item.measured, ours.measured, metric)]
    worse = [item for item in others if _clearly_better(ours.measured, item.measured, metric)]
    version = f"ersion {ours.version.number}"
    if len(worse) == len(others):
        return f"V{version} has the best {name} of {len(drawn)} versions"
    if len(better) == len(others):
        return f"V{version} has the worst {name} of {len(drawn)} versions"
    if not better and not worse:
        of = (
            f"version {others[0].version.number}" if len(others) == 1 else f"the {len(others)} other versions"
        )
        return f"In {name}, v{version} is not clearly different from {of}"
    counts = [f"better than {len(worse)}"] if worse else []
    counts += [f"worse than {len(better)}"] if better else []
    return f"In {name}, v{version} is clearly {' and '.join(counts)} of {len(others)} other versions"


def _clearly_better(one: Measured, other: Measured, metric: str) -> bool:
    """Whether the 95 % intervals lie apart, on the better side. An unknown interval tells nothing."""
    if metric in LOWER_IS_BETTER:
        return one.interval[1] < other.interval[0]
    return one.interval[0] > other.interval[1]


def _in_words(item: _Drawn, this: str | None) -> str:
    ours = " (this one)" if item.version.package.arn == this else ""
    champion = (
        ", champion now" if item.version.is_champion else ", was champion" if item.version.reigns else ""
    )
    return f"version {item.version.number}{ours} {number(item.measured.value)}{champion}"


def _row(item: _Drawn) -> tuple[str, ...]:
    version = item.version
    reigns = "; ".join(
        f"{moment_text(reign.since)} to {moment_text(reign.until) if reign.until else 'now'}"
        for reign in version.reigns
    )
    status = version.package.approval_status
    return (
        str(version.number),
        moment_text(version.package.created_at),
        number(item.measured.value),
        interval(*item.measured.interval) or "—",
        _STATUSES.get(status, status),
        reigns or "—",
    )
