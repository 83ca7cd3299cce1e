"""Shows models: pending start requests, the champion, files in quarantine, the newest executions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.console import Console

from handsoff.operating.candidates import WaitingCandidate
from handsoff.operating.deliveries import Delivery
from handsoff.operating.quarantine import QuarantinedFile
from handsoff.operating.states import ModelStatus
from handsoff.showing.console import escape, moment
from handsoff.showing.executions import execution_table
from retraining.aws.pipelines import Execution
from retraining.facts.model_state import ModelState
from retraining.facts.pauses import PauseFact
from retraining.text import first_of

MAX_NAMED: Final = 5
"""Files in quarantine for the same reason that a line names; `handsoff release` lists all."""


def pending_or_refused(state: ModelState, now: datetime, pause: PauseFact | None = None) -> str | None:
    """Why a requested start has not happened, as rich markup; None where none is pending or refused.

    `pause` is the last pause. While it stands it is the reason; what was said before its end is so no longer.
    """
    if state.blocked and (state.pending or state.unmade or state.bad_files):
        blocked = f"[red]blocked since {moment(state.blocked.since)}:[/] {escape(state.blocked.reason)}"
        return f"{blocked}; next try within a minute of {moment(state.blocked.until)}"
    if state.pending:
        triggers = ", ".join(sorted({request.trigger for request in state.pending}))
        if pause and pause.stands:
            return f"[yellow]waiting ({triggers}):[/] for the end of the pause"
        if pause and pause.resumed and (state.answered_at is None or state.answered_at < pause.resumed.at):
            resumed = f"the pause ended at {moment(pause.resumed.at)}"
            return f"[yellow]waiting ({triggers}):[/] {resumed}; looked at again within two minutes"
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
    if line := pending_or_refused(status.state, now, status.last_pause):
        console.print(f"  {line}", soft_wrap=True)
    if status.pause:
        console.print(
            f"  [yellow]{escape(status.pause.text)}[/]; `handsoff resume {escape(status.name)}` ends it",
            soft_wrap=True,
        )
    for delivery in status.deliveries:
        console.print(f"  {delivery_line(delivery, paused=status.pause is not None)}", soft_wrap=True)
    if status.left_out:
        console.print(f"  [yellow]not read:[/] {escape(status.left_out)}", soft_wrap=True)
    for candidate in status.candidates:
        console.print(f"  {waits_line(candidate)}", soft_wrap=True)
    if status.champion:
        line = f"{status.champion.name}, approved {moment(status.champion.approved_at)}"
        console.print(f"  champion: {escape(line)}", soft_wrap=True)
    if status.anchor:
        console.print(f"  anchor: {escape(status.anchor)}", soft_wrap=True)
    for line in _quarantined(status.quarantined):
        console.print(f"  {line}", soft_wrap=True)
    if any(file.may_be_released for file in status.quarantined):
        console.print(f"  to put one back: `handsoff release {status.name} KEY`", soft_wrap=True)
    for execution, package in status.executions:
        console.print(f"  started {execution.start_time.astimezone():%Y-%m-%d %H:%M:%S}")
        console.print(execution_table(execution, package, status.tracebacks.get(execution.arn, {})))
    if status.executions and (line := after_stop(status.executions[0][0], status.name)):
        console.print(f"  {line}", soft_wrap=True)


def after_stop(newest: Execution, model: str) -> str:
    """How a model is retrained whose newest execution was stopped, as rich markup; empty if it was not."""
    if newest.status != "Stopped":
        return ""
    return f"[yellow]it was stopped:[/] `handsoff start {escape(model)}` trains on the newest batch"


def _quarantined(files: Sequence[QuarantinedFile]) -> list[str]:
    """A line for each reason: the first files that are in quarantine for it, and how many more there are."""
    by_text: dict[str, list[str]] = {}
    for file in files:
        by_text.setdefault(file.text, []).append(file.quarantine_key)
    lines = []
    for text, names in by_text.items():
        lines.append(f"[red]in quarantine:[/] {escape(first_of(names, MAX_NAMED))}: {escape(text)}")
    return lines


def delivery_line(item: Delivery, *, paused: bool = False) -> str:
    """A line about a delivery: when its marker landed, and what became of it.

    That of a model that is `paused` does not say why it waits: the pause has a line of its own.
    """
    if item.marker is None:
        return f"delivery {item.answer}: {escape(item.reason)}"
    said = {"waits": "[yellow]waits for its start[/]", "answered": "", "superseded": "started nothing"}
    why = "" if paused and item.answer == "waits" else escape(item.reason)
    parts = [part for part in (said[item.answer], why) if part]
    return f"delivery of {moment(item.marker.landed_at)}: {', '.join(parts)}"


WAITS_FOR: Final = {
    "person": "[yellow]waits for a person[/]",
    "verdict": "is being judged",
    "writing": "is decided, and the decision is being written",
    "repair": "[red]is blocked[/]",
}
"""What a candidate waits for, as rich markup."""


def waits_line(item: WaitingCandidate) -> str:
    """A line about a candidate: for what it waits, since when, why, and what ends it."""
    line = f"{escape(item.name)} {WAITS_FOR[item.waits_for]} since {moment(item.since)}"
    if item.why:
        line += f": {escape('; '.join(item.why))}"
    if item.rejected_at:
        line += f"; rejected at {moment(item.rejected_at)} unless somebody decides"
    if item.waits_for in ("person", "repair"):
        line += f'; `handsoff approve {escape(item.name)} --reason "…"`, or reject'
    return line
