"""What the command line shows of an execution: live, as one line a step, and as evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from retraining.pipelines import Execution, Step
from retraining.registry import Package
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

STYLES: Final = {
    "Succeeded": "green",
    "Approved": "green",
    "APPROVE": "green",
    "Executing": "cyan",
    "Starting": "cyan",
    "PendingManualApproval": "yellow",
    "HOLD": "yellow",
    "Stopping": "yellow",
    "Stopped": "yellow",
    "Failed": "red",
    "Rejected": "red",
    "REJECT": "red",
}
POLL: Final = 0.5
"""Seconds between two looks at an execution that is followed."""


def coloured(status: str | None) -> str:
    """A status as rich markup."""
    text = status or "—"
    style = STYLES.get(text)
    return f"[{style}]{escape(text)}[/]" if style else escape(text)


def duration(step: Step) -> str:
    """How long a step has taken so far; empty before it has started."""
    if step.start_time is None:
        return ""
    return f"{((step.end_time or datetime.now(UTC)) - step.start_time).total_seconds():.1f} s"


def state(execution: Execution, package: Package | None) -> RenderableType:
    """An execution as a table: a row a step, then the execution, then the package that came of it."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for _ in range(4):
        table.add_column(overflow="fold")
    for step in execution.steps:
        table.add_row(step.name, coloured(step.status), duration(step), escape(step.failure_reason or ""))
    table.add_row("[bold]execution[/]", coloured(execution.status), "", execution.identity)
    if package:
        name = package.arn.rsplit(":", 1)[-1].removeprefix("model-package/")
        table.add_row("[bold]model package[/]", coloured(package.approval_status), "", name)
    return table


@contextmanager
def step(console: Console, text: str) -> Iterator[None]:
    """Say what takes a while, and afterwards how long it took."""
    began = time.monotonic()
    with console.status(text):
        yield
    console.print(f"[green]✓[/] {text} [dim]{time.monotonic() - began:.1f} s[/]")


def follow(
    console: Console,
    look: Callable[[], tuple[Execution, Package | None]],
    finished: Callable[[Execution, Package | None], bool],
    *,
    timeout: float,
) -> tuple[Execution, Package | None]:
    """Show an execution until `finished`. On a terminal the table lives; elsewhere each change is a line.

    Raises TimeoutError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    began = time.monotonic()
    told: dict[str, str] = {}
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            execution, package = look()
            if console.is_terminal:
                live.update(state(execution, package), refresh=True)
            else:
                _tell_changes(console, execution, package, told, time.monotonic() - began)
            if finished(execution, package):
                return execution, package
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"execution {execution.identity} is {execution.status} after {timeout:g} s"
                )
            time.sleep(POLL)


def _tell_changes(
    console: Console, execution: Execution, package: Package | None, told: dict[str, str], elapsed: float
) -> None:
    lines = [(step.name, step.status, duration(step)) for step in execution.steps]
    lines.append(("execution", execution.status, execution.identity))
    if package:
        lines.append(("model package", package.approval_status, package.arn.rsplit("/", 1)[-1]))
    for name, status, detail in lines:
        if told.get(name) != status:
            told[name] = status
            console.print(f"  {elapsed:5.1f} s  {name:<20} {coloured(status):<30} {detail}", highlight=False)


def evidence(console: Console, found: dict[str, Any]) -> None:
    """Print the evidence of an execution for people; long names stay in one piece, to be copied."""
    trigger = found["trigger"]
    asked = f" by {trigger['requestedBy']}" if trigger.get("requestedBy") else ""
    verdict = found["verdict"]
    lines = [
        ("execution", escape(found["pipelineExecutionArn"])),
        ("status", coloured(found["pipelineExecutionStatus"])),
        ("trigger", escape(f"{trigger['kind']}{asked}")),
        ("batch", escape(str(found["data"].get("batch")))),
        ("model package", escape(found["modelPackageArn"] or "—")),
        ("approval", f"{coloured(found['modelApprovalStatus'])} by {escape(found['decidedBy'] or '—')}"),
        ("verdict", coloured(verdict["decision"] if verdict else None)),
        *(("", escape(text)) for text in _reasons(verdict)),
        *(
            (name, "undefined" if value is None else f"{value:.4f}")
            for name, value in found["metrics"].items()
        ),
        ("", ""),
    ]
    for step in found["steps"]:
        times = f"{_clock(step['startTime'])} – {_clock(step['endTime'])}"
        lines.append((step["name"], f"{coloured(step['status'])}  {times}"))
        if step["failureReason"]:
            lines.append(("", f"[red]{escape(step['failureReason'])}[/]"))
        if step["logs"]:
            lines.append(("", f"[dim]{step['logs']['group']}/{step['logs']['streamPrefix']}[/]"))
    for name, value in lines:
        console.print(f"[bold]{name:<18}[/] {value}", soft_wrap=True)


def _reasons(verdict: dict[str, Any] | None) -> list[str]:
    """Every rule's inequality, then the reasons that belong to no rule."""
    if verdict is None:
        return []
    rules = [rule["text"] for rule in verdict["rules"]]
    return [*rules, *(reason for reason in verdict["reasons"] if reason not in rules)]


def _clock(text: str | None) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S") if text else "…"
