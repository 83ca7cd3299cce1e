"""What the command line shows: executions live, a line a step, and as evidence; verdicts as tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape as escape_markup
from rich.table import Table
from rich.text import Text

from retraining.aws.pipelines import Execution, Step
from retraining.aws.registry import Package
from retraining.candidates.state import said_by
from retraining.facts.starts import ModelState
from retraining.verdicts.verdict import Finding, RuleResult, Verdict

SIGNS: Final = {"max": "≤", "better_than_guessing": ">"}
"""What stands before the limit of a question; before all others ≥."""

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
    "pass": "green",
    "fail": "red",
    "unknown": "yellow",
    "reject": "red",
    "hold": "yellow",
    "warn": "yellow",
}
POLL: Final = 0.5
"""Seconds between two looks at an execution that is followed."""


def escape(text: str) -> str:
    """Text that came from elsewhere, for a line of ours: no markup, and nothing that steers a terminal."""
    plain = (sign if sign.isprintable() or sign == "\n" else " " if sign == "\t" else "�" for sign in text)
    return escape_markup("".join(plain))


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
    """An execution in a line a step, then the execution, then the package that came of it."""
    lines = []
    for step in execution.steps:
        lines.append(_line(step.name, step.status, duration(step)))
        if step.failure_reason:
            lines.append(f"      [red]{escape(step.failure_reason)}[/]")
    lines.append(_line("execution", execution.status, execution.identity))
    if package:
        lines.append(_line("model package", package.approval_status, package.arn.split("model-package/")[-1]))
    return Text.from_markup("\n".join(lines))


def _line(name: str, status: str, detail: str) -> str:
    return f"  {name:<18} {coloured(status)}{' ' * (22 - len(status))}{escape(detail)}"


def answer(state: ModelState, now: datetime) -> str | None:
    """Why the model does not start now, if somebody wants it to or was refused; as rich markup."""
    if state.pending:
        who = ", ".join(sorted({request.trigger for request in state.pending}))
        soon = state.due_at is None or state.due_at <= now
        again = (
            "due within a minute" if soon else f"looked at again within a minute of {moment(state.due_at)}"
        )
        return f"[yellow]waiting ({who}):[/] {escape(state.reason or 'not looked at yet')}; {again}"
    if state.answer == "refuse":
        return f"[yellow]nothing started at {moment(state.answered_at)}:[/] {escape(state.reason or '')}"
    return None


def moment(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if at else "—"


@contextmanager
def step(console: Console, text: str) -> Iterator[None]:
    """Say what takes a while, and afterwards how long it took."""
    began = time.monotonic()
    if not console.is_terminal:
        console.print(f"{text} …", soft_wrap=True)
    try:
        with console.status(text):
            yield
    except BaseException:
        if console.is_terminal:
            console.print(f"[red]✗[/] {text}", soft_wrap=True)
        raise
    console.print(f"[green]✓[/] {text} [dim]{time.monotonic() - began:.1f} s[/]", soft_wrap=True)


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
                execution, package = look()  # the decision may have fallen between looking and asking
                if console.is_terminal:
                    live.update(state(execution, package), refresh=True)
                else:
                    _tell_changes(console, execution, package, told, time.monotonic() - began)
                return execution, package
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"execution {execution.identity} is {execution.status} after {timeout:g} s"
                )
            time.sleep(POLL)


def _tell_changes(
    console: Console, execution: Execution, package: Package | None, told: dict[str, str], elapsed: float
) -> None:
    lines = [
        (step.name, step.status, step.failure_reason or (f"took {duration(step)}" if step.end_time else ""))
        for step in execution.steps
    ]
    lines.append(("execution", execution.status, execution.identity))
    if package:
        lines.append(("model package", package.approval_status, package.arn.split("model-package/")[-1]))
    for name, status, detail in lines:
        if told.get(name) != status:
            told[name] = status
            line = (
                f"  {elapsed:5.1f} s  {name:<18} {coloured(status)}{' ' * (22 - len(status))}{escape(detail)}"
            )
            console.print(line.rstrip(), highlight=False, soft_wrap=True)


def evidence(console: Console, found: dict[str, Any]) -> None:
    """Print the evidence of an execution for people; long names stay in one piece, to be copied."""
    trigger = found["trigger"]
    asked = f" by {trigger['requestedBy']}" if trigger.get("requestedBy") else ""
    verdict = found["verdict"]
    lines = [
        ("execution", escape(found["pipelineExecutionArn"])),
        ("status", coloured(found["pipelineExecutionStatus"])),
        ("trigger", escape(f"{trigger['kind']}{asked}")),
        ("started", moment(datetime.fromisoformat(found["startTime"]))),
        ("batch", escape(str(found["data"].get("batch")))),
        *(("", text) for text in _data(found["data"])),
        ("model package", escape(found["modelPackageArn"] or "—")),
        ("approval", _approval(found)),
        *decided_lines(found),
        ("verdict", coloured(verdict["decision"] if verdict else None)),
        *((("champion", escape(verdict["champion"])),) if verdict and verdict["champion"] else ()),
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
            logs = step["logs"]
            lines.append(("", f"[dim]log group {logs['group']}, streams {logs['streamPrefix']}…[/]"))
    _print_lines(console, lines)


def _approval(found: dict[str, Any]) -> str:
    if found["modelApprovalStatus"] is None:
        return "—"
    if found["modelApprovalStatus"] == "PendingManualApproval":
        return f"{coloured('PendingManualApproval')}: waits for a person"
    return f"{coloured(found['modelApprovalStatus'])} {_who(found)}".rstrip()


def _who(found: dict[str, Any]) -> str:
    by = found["decidedBy"]
    return escape(said_by(by, found["decidedWho"])) if by else ""


def decided_lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Who decided, when and why, and what had been decided before."""
    lines = []
    for earlier in found["earlierDecisions"]:
        who = escape(said_by(earlier["by"], earlier.get("who")))
        when = f"{moment(_time(earlier['at']))} {who}: {escape(earlier['why'])}"
        lines.append(("decided before", f"{coloured(earlier['status'])} {when}"))
    if found["decidedAt"]:
        lines.append(("decided", f"{moment(_time(found['decidedAt']))} {_who(found)}"))
        if found["decidedWhy"] and found["decidedBy"] != "rules":
            lines.append(("", escape(found["decidedWhy"])))
    return lines


def _data(data: dict[str, Any]) -> list[str]:
    """What was trained on, in a line or two; nothing where the execution did not get so far."""
    if "splits" not in data:
        return []
    rows = ", ".join(f"{name} {split['rows']:,} rows" for name, split in data["splits"].items())
    ignored = ", ".join(data["ignoredColumns"]) or "none"
    return [escape(rows), escape(f"ignored columns: {ignored}")]


def _reasons(verdict: dict[str, Any] | None) -> list[str]:
    """Every rule's inequality, then the reasons that belong to no rule."""
    if verdict is None:
        return []
    rules = [rule["text"] for rule in verdict["rules"]]
    return [*rules, *(reason for reason in verdict["reasons"] if reason not in rules)]


def _clock(text: str | None) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S") if text else "…"


# ---- verdicts ----------------------------------------------------------------------------------------


def explanation(console: Console, found: dict[str, Any]) -> None:
    """Print what Deployment.judgement knows: the decision, what it rests on, and every rule."""
    verdict = Verdict.model_validate(found["verdict"]) if found["verdict"] else None
    lines = [("model package", escape(found["modelPackageArn"])), ("approval", _approval(found))]
    lines += decided_lines(found)
    if verdict is None:
        _print_lines(console, lines)
        console.print("there is no verdict yet: the package has not been judged")
        return
    lines.append(("judged", moment(_time(found["judgedAt"]))))
    if again := found["judgedAgain"]:
        lines.append(("judged again", f"by {escape(again['by'])}, because {escape(again['why'])}"))
    for earlier in found["earlierVerdicts"]:
        said = Verdict.model_validate(earlier["verdict"])
        when = moment(_time(earlier["takenAt"]))
        lines.append(("earlier", f"{coloured(said.decision)} {when}: {escape('; '.join(said.texts[:1]))}"))
    _print_lines(console, lines)
    show_verdict(console, verdict)


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Print a verdict: what it rests on, its rules as a table, and the reasons in full."""
    lines = [
        ("verdict", coloured(verdict.decision)),
        ("champion", escape(verdict.champion or "none")),
        ("validation rows", str(verdict.n)),
        ("rules sha256", verdict.rules_sha256),
    ]
    if verdict.first_model:
        lines.append(("first model", f"there was no champion, and first_model is {verdict.first_model}"))
    if verdict.without_champion:
        lines.append(("put aside", f"the champion: {escape(verdict.without_champion)}"))
    _print_lines(console, lines)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rule")
    for name in ("observed", "needed", "rows"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outcome → effect")
    for rule in verdict.rules:
        for number, finding in enumerate(rule.findings or (None,)):
            name = escape(rule.rule) if number == 0 else ""
            table.add_row(name, *_cells(finding), _outcome(rule, finding))
    console.print(table)
    for reason in verdict.texts:
        console.print(f"- {escape(reason)}", soft_wrap=True)


def _cells(finding: Finding | None) -> tuple[str, str, str]:
    """Observed, needed and rows of a finding, in as many digits as it takes to see who is above whom."""
    if finding is None:
        return "", "", ""
    rows = "" if finding.n is None else f"{finding.n:,}"
    if finding.limit is None:
        return "", "", rows
    if finding.question == "min_samples":
        return "", f"≥ {finding.limit:.0f} rows", rows
    needed = f"{SIGNS.get(finding.question, '≥')} {finding.limit:.4g}"
    if finding.observed is None:
        return "not known", needed, rows
    value, limit = finding.observed, finding.limit
    texts = [f"{value:.{digits}g}" for digits in range(4, 18)]
    exact = [
        text
        for text in texts
        if (float(text) >= limit, float(text) <= limit) == (value >= limit, value <= limit)
    ]
    compared = finding.question in ("max_loss", "min_gain", "better_than_guessing")
    return (
        f"{'gain ≥ ' if compared else ''}{exact[0]}".replace("-", "−"),
        needed.replace("-", "−"),
        rows,
    )


def _outcome(rule: RuleResult, finding: Finding | None) -> str:
    said = coloured(finding.outcome if finding else rule.outcome)
    return f"{said} → {coloured(rule.effect)}" if rule.effect != "none" else said


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _print_lines(console: Console, lines: list[tuple[str, str]]) -> None:
    """Names and what is said of them, in two columns."""
    width = max(18, *(len(name) for name, _ in lines))
    for name, value in lines:
        console.print(f"[bold]{name:<{width}}[/] {value}" if name or value else "", soft_wrap=True)
