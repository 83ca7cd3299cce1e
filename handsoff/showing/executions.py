"""Shows executions: a line for each step, and live until an execution is settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from handsoff.operating.executions import waits_for_capacity
from handsoff.showing.console import escape, status_line
from retraining.aws.pipelines import Execution, Step
from retraining.facts.package import Package

POLL: Final = 0.5
"""Seconds between two reads of an execution that is followed."""

Look = Callable[[], tuple[Execution, Package | None]]
"""Reads an execution and the model package that it registered."""


def execution_table(
    execution: Execution, package: Package | None, tracebacks: Mapping[str, str] = MappingProxyType({})
) -> RenderableType:
    """A line for each step, one for the execution and one for its model package.

    `tracebacks` has the last line of the traceback of failed steps by their names.
    """
    lines = []
    for step in execution.steps:
        lines.append(f"  {status_line(step.name, step.status, _detail(step))}")
        if step.failure_reason:
            lines.append(f"      [red]{escape(step.failure_reason)}[/]")
        if step.name in tracebacks:
            lines.append(f"      [red]{traceback_line(tracebacks[step.name])}[/]")
    lines.append(f"  {status_line('execution', execution.status, execution.identity)}")
    if package:
        lines.append(f"  {status_line('model package', package.approval_status, package.name)}")
    return Text.from_markup("\n".join(lines))


def traceback_line(end: str) -> str:
    """What the end of a traceback is shown as, as rich markup."""
    return f"its traceback ends: {escape(end)}"


def _detail(step: Step) -> str:
    """How long a step has taken, and that it waits for capacity where it does."""
    waits = waits_for_capacity(step, datetime.now(UTC))
    return f"waits for capacity, {_duration(step)}" if waits else _duration(step)


def _duration(step: Step) -> str:
    """How long a step has taken so far; empty before it has started."""
    if step.start_time is None:
        return ""
    return f"{((step.end_time or datetime.now(UTC)) - step.start_time).total_seconds():.1f} s"


def follow(
    console: Console,
    look: Look,
    finished: Callable[[Execution, Package | None], bool],
    *,
    timeout: float,
) -> tuple[Execution, Package | None]:
    """Show an execution until it is `finished`: on a terminal a live table, elsewhere a line for each change.

    Raises TimeoutError after `timeout` seconds.
    """
    began = time.monotonic()
    shown: dict[str, str] = {}
    with Live(console=console, auto_refresh=False, transient=False) as live:

        def show(execution: Execution, package: Package | None) -> None:
            if console.is_terminal:
                live.update(execution_table(execution, package), refresh=True)
            else:
                _print_changes(console, execution, package, shown, time.monotonic() - began)

        while True:
            execution, package = look()
            show(execution, package)
            if finished(execution, package):
                execution, package = look()  # the decision may be newer than the first look
                show(execution, package)
                return execution, package
            if time.monotonic() - began > timeout:
                raise TimeoutError(
                    f"execution {execution.identity} is {execution.status} after {timeout:g} s"
                )
            time.sleep(POLL)


def _print_changes(
    console: Console, execution: Execution, package: Package | None, shown: dict[str, str], elapsed: float
) -> None:
    """Print a line for each status that is not in `shown` yet, and note it there."""
    now = datetime.now(UTC)
    waiting = [step.name for step in execution.steps if waits_for_capacity(step, now)]
    lines = [
        (step.name, step.status, step.failure_reason or (f"took {_duration(step)}" if step.end_time else ""))
        for step in execution.steps
        if step.name not in waiting
    ]
    lines += [(name, "Waiting", "for capacity") for name in waiting]
    lines.append(("execution", execution.status, execution.identity))
    if package:
        lines.append(("model package", package.approval_status, package.name))
    for name, status, detail in lines:
        if shown.get(name) != status:
            shown[name] = status
            line = f"  {elapsed:5.1f} s  {status_line(name, status, detail)}"
            console.print(line.rstrip(), highlight=False, soft_wrap=True)
