"""Shows the history of models: all at a glance, and the versions of one with a chart of a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console

from handsoff.operating.overview import Overview
from handsoff.operating.schedules import NextStart
from handsoff.operating.versions import rows_named
from handsoff.showing.console import coloured, escape, moment, print_lines
from handsoff.showing.models import pending_or_refused, waits_line
from retraining.candidates.state import said_by
from retraining.facts.package import PENDING
from retraining.history import Version
from retraining.verdicts.evaluation import Measured
from retraining.verdicts.wording import typeset

WIDTH: Final = 32
"""Characters of the chart in a line."""

Scale = tuple[float, float]
"""The ends of a chart, in units of the metric."""


def age(since: datetime, now: datetime | None = None) -> str:
    """How long ago a time was, in its largest unit: `3 days`, `1 hour`, `less than a minute`."""
    gone = (now or datetime.now(UTC)) - since
    for unit, length in (
        ("day", timedelta(days=1)),
        ("hour", timedelta(hours=1)),
        ("minute", timedelta(minutes=1)),
    ):
        if count := gone // length:
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "less than a minute"


def measured(one: Measured | None) -> str:
    """A metric's value with its 95 % interval, as `0.8130 (0.7612 to 0.8567)`."""
    if one is None or math.isnan(one.value):
        return "not known" if one is None else "undefined"
    low, high = one.interval
    value = typeset(f"{one.value:.4f}")
    return value if math.isnan(low) else f"{value} ({typeset(f'{low:.4f}')} to {typeset(f'{high:.4f}')})"


# ---- all models -------------------------------------------------------------------------------------------


def show_overview(console: Console, item: Overview, now: datetime) -> None:
    """Print a model in a few lines: its name, then what there is of it."""
    lines: list[tuple[str, str]] = []
    if item.pause:
        lines.append(("paused", f"[yellow]{escape(item.pause.text.removeprefix('paused '))}[/]"))
    if item.paused_by_config:
        lines.append(("paused", "[yellow]by handsoff.yaml: retrain.paused is true[/]"))
    lines.append(("champion", _champion(item, now)))
    lines += [("pending" if not n else "", line) for n, line in enumerate(_waiting(item, now))]
    lines += [("last result", _last(item, now)), ("next schedule", _next(item.next))]
    console.print(f"[bold]{escape(item.name)}[/]")
    print_lines(console, [(f"  {name}", value) for name, value in lines])


def _champion(item: Overview, now: datetime) -> str:
    if item.champion is None:
        return "none: no version is approved"
    version = item.champion.arn.rsplit("/", 1)[-1]
    since = f"for {age(item.champion.approved_at, now)}"
    return f"version {version}, {since}, {escape(item.metric)} {measured(item.measured)}"


def _waiting(item: Overview, now: datetime) -> list[str]:
    """What waits: start requests, and candidates; `nothing` where neither does."""
    state = item.state
    line = pending_or_refused(state, now, item.last_pause) if state.pending or state.unmade else None
    return [*([line] if line else []), *(waits_line(one) for one in item.candidates)] or ["nothing"]


def _last(item: Overview, now: datetime) -> str:
    if item.last is None:
        return "no execution yet"
    execution, package = item.last
    made = (
        f", version {package.arn.rsplit('/', 1)[-1]} {coloured(package.approval_status)}" if package else ""
    )
    when = f"started {age(execution.start_time, now)} ago"
    return f"{coloured(execution.status)}{made}, {when} ({escape(execution.identity)})"


def _next(schedule: NextStart | None) -> str:
    if schedule is None:
        return "none: the model has no schedule"
    said = escape(f"{schedule.expression} {schedule.zone}")
    if not schedule.enabled:
        return f"[yellow]disabled in AWS[/]: {said}"
    return f"{schedule.at:%Y-%m-%d %H:%M %Z} ({said})" if schedule.at else said


# ---- the versions of a model ------------------------------------------------------------------------------


def show_versions(console: Console, model: str, found: Sequence[Version], metric: str) -> None:
    """Print the versions, newest first: the metric as a chart, the rows, decisions, and reigns."""
    if not found:
        console.print(
            f"{escape(model)} has no version yet: `handsoff status {escape(model)}` shows what runs"
        )
        return
    scale = scale_of([item.metrics.get(metric) for item in found])
    rows = rows_named(found)
    console.print(f"[bold]{escape(model)}[/]: {escape(metric)} with its 95 % interval, newest version first")
    if scale:
        low, high = (typeset(f"{end:.4g}") for end in scale)
        console.print(f"{'':<21}{low:<{WIDTH - len(high)}}{high}")
    for item in found:
        number = f"{item.number:>4} {'champion' if item.is_champion else '':<9}"
        chart = drawn(item.metrics.get(metric), scale, filled=bool(item.reigns))
        said = measured(item.metrics.get(metric)) if item.problem is None else escape(item.problem)
        console.print(f"[bold]{number}[/]{_rows(item, rows):>6} {chart} {said}", soft_wrap=True)
        for line in _decisions(item):
            console.print(f"     {line}", soft_wrap=True)
    if len(rows) > 1:
        console.print(
            f"{len(rows)} sets of validation rows: compare numbers of different letters with care; "
            f"`handsoff compare {escape(model)} N M` says what two versions share",
            soft_wrap=True,
        )


def _rows(item: Version, rows: dict[str, str]) -> str:
    if item.evaluation is None:
        return ""
    return f"{rows.get(item.evaluation.validation or '', '?')}{item.evaluation.candidate.n}"


def _decisions(item: Version) -> list[str]:
    """When it was registered, what was decided, and when it was champion."""
    lines = [f"registered {moment(item.package.created_at)}"]
    decision = item.decision
    if decision and decision.status != PENDING:
        who, why = said_by(decision.by, decision.who), f": {decision.why}" if decision.by != "rules" else ""
        lines.append(f"{coloured(decision.status)} {escape(who + why)}")
    elif item.package.pending:
        lines.append("[yellow]waits for a decision[/]")
    else:
        lines.append(coloured(item.package.approval_status))
    said = [", ".join(lines)]
    for reign in item.reigns:
        until = f"until {moment(reign.until)}" if reign.until else "until now"
        said.append(f"champion from {moment(reign.since)} {until}")
    return said


def scale_of(values: Sequence[Measured | None]) -> Scale | None:
    """The lowest and the highest end of all intervals; None where no value is known, or all are equal."""
    ends = [end for one in values if one for end in (one.value, *one.interval) if not math.isnan(end)]
    return (min(ends), max(ends)) if ends and min(ends) < max(ends) else None


def drawn(one: Measured | None, scale: Scale | None, *, filled: bool) -> str:
    """A value and its interval as WIDTH characters: `├` and `┤` are the ends, ● or ○ the value."""
    if one is None or scale is None or math.isnan(one.value):
        return " " * WIDTH
    cells = [" "] * WIDTH

    def place(value: float) -> int:
        return round((value - scale[0]) / (scale[1] - scale[0]) * (WIDTH - 1))

    low, high = one.interval
    if not (math.isnan(low) or math.isnan(high)):
        first, last = place(low), place(high)
        cells[first : last + 1] = ["─"] * (last + 1 - first)
        cells[first], cells[last] = "├", "┤"
    cells[place(one.value)] = "●" if filled else "○"
    return "".join(cells)
