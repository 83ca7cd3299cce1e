"""Shows models: pending start requests, the champion, files in quarantine, the newest executions."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console

from handsoff.operating.states import ModelStatus
from handsoff.showing.console import escape, moment
from handsoff.showing.executions import execution_table
from retraining.facts.starts import ModelState


def pending_or_refused(state: ModelState, now: datetime) -> str | None:
    """Why a requested start has not happened, as rich markup; None where none is pending or refused."""
    if state.blocked and (state.pending or state.unmade):
        blocked = f"[red]blocked since {moment(state.blocked.since)}:[/] {escape(state.blocked.reason)}"
        return f"{blocked}; tried again within a minute of {moment(state.blocked.until)}"
    if state.pending:
        triggers = ", ".join(sorted({request.trigger for request in state.pending}))
        if state.due_at is None or state.due_at <= now:
            again = "due within a minute"
        else:
            again = f"looked at again within a minute of {moment(state.due_at)}"
        return f"[yellow]waiting ({triggers}):[/] {escape(state.reason or 'not looked at yet')}; {again}"
    if state.answer == "refuse":
        return f"[yellow]nothing started at {moment(state.answered_at)}:[/] {escape(state.reason or '')}"
    return None


def show_model(console: Console, status: ModelStatus, now: datetime) -> None:
    """Print a model's status."""
    console.print(f"[bold]{status.name}[/]" + ("" if status.executions else ": no execution yet"))
    if line := pending_or_refused(status.state, now):
        console.print(f"  {line}", soft_wrap=True)
    if status.champion:
        line = f"{status.champion.name}, approved {moment(status.champion.approved_at)}"
        console.print(f"  champion: {escape(line)}", soft_wrap=True)
    for file in status.quarantined:
        line = f"[red]in quarantine:[/] {escape(file.quarantine_key)}: {escape(file.text)}"
        console.print(f"  {line}", soft_wrap=True)
    if status.quarantined:
        console.print(f"  to put one back: `handsoff release {status.name} KEY`", soft_wrap=True)
    for execution, package in status.executions:
        console.print(f"  started {execution.start_time.astimezone():%Y-%m-%d %H:%M:%S}")
        console.print(execution_table(execution, package))
