"""Shows the logs of an execution's jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from handsoff.operating.job_logs import LogLine, NoLog
from handsoff.showing.console import escape
from retraining.aws.pipelines import Execution


def show_line(console: Console, line: LogLine) -> None:
    """Print a line with its step, and its time in this machine's zone."""
    at = line.at.astimezone().strftime("%H:%M:%S")
    console.print(f"[dim]{escape(line.step)} {at}[/] {escape(line.text)}", soft_wrap=True)


def as_json(execution: Execution, items: Iterable[LogLine | NoLog]) -> dict[str, Any]:
    """The log as `handsoff logs --json` prints it: the lines, and why steps have none."""
    lines: list[dict[str, str]] = []
    missing: list[dict[str, str]] = []
    for item in items:
        (lines if isinstance(item, LogLine) else missing).append(_plain(item))
    return {
        "pipelineExecutionArn": execution.arn,
        "pipelineExecutionStatus": execution.status,
        "lines": lines,
        "withoutLog": missing,
    }


def line_as_json(item: LogLine | NoLog) -> str:
    """One item as `handsoff logs --follow --json` prints it, on one line."""
    return json.dumps(_plain(item), ensure_ascii=False)


def _plain(item: LogLine | NoLog) -> dict[str, str]:
    if isinstance(item, NoLog):
        return {"step": item.step, "noLog": item.why}
    return {"time": item.at.isoformat(), "step": item.step, "stream": item.stream, "message": item.text}
