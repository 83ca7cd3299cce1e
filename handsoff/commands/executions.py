"""Commands about executions: start one, show what runs, follow it, show its evidence."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.deployment import Deployment
from handsoff.errors import NotDeployed, NotFound, UsageError
from handsoff.operating import alarms, failures
from handsoff.operating.executions import (
    described,
    evidence_of,
    find_execution,
    is_settled,
    kept_evidence,
    package_of,
    why_blocked,
)
from handsoff.operating.following import (
    Follow,
    KeepWaiting,
    ShowNewest,
    Snapshot,
    StopRefused,
    next_step,
    notices,
    take_snapshot,
)
from handsoff.operating.job_logs import traceback_ends
from handsoff.operating.reports import uri_of
from handsoff.operating.start_requests import request_start
from handsoff.operating.states import ModelStatus, model_status, standing_pause
from handsoff.operating.states import as_json as status_as_json
from handsoff.showing.alarms import alarm_lines
from handsoff.showing.console import escape
from handsoff.showing.evidence import show_evidence
from handsoff.showing.executions import POLL, follow, traceback_line
from handsoff.showing.models import after_stop, pending_or_refused, show_model
from retraining.aws.pipelines import Execution
from retraining.evidence import Evidence
from retraining.facts.package import Package

MAX_FOLLOW: Final = 24 * 3600
"""Seconds for which `status --watch` follows one execution."""


def start(model: Annotated[str, typer.Argument(metavar="MODEL", help="The model to retrain.")]) -> None:
    """Request an execution on the newest batch, even if the model was trained on it before.

    With a marker, that is the data as it was when the newest marker landed; without one, the data that lies
    in S3 now. The request ignores readiness, cooldown and `min_new_rows`. It waits while an execution runs,
    while the model is paused, and while the daily limit is reached.

    Example: `handsoff start titanic`
    """
    where = terminal.project()
    where.model(model)
    deployment = terminal.deployment(where)
    request_start(deployment, model)
    if pause := standing_pause(deployment, model):
        out.print(f"requested: it waits, as the model is {escape(pause.text)}", soft_wrap=True)
        out.print(f"`handsoff resume {escape(model)}` starts it", soft_wrap=True)
    else:
        out.print("requested: `handsoff status --watch` shows what follows")


def status(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Only this model.")] = None,
    watch: Annotated[
        bool, typer.Option(help="Follow the newest execution until it has ended and is decided.")
    ] = False,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=50, help="Executions to show of each model.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show what runs, what waits and for what, and each model's newest executions and champion.

    What waits: start requests, deliveries, candidates and failed messages. Files in quarantine and alarms
    that ring are listed, too.

    With --watch the exit code is 1 if the execution did not succeed, or if the start was refused at most a
    minute ago, also because of files in quarantine; the reason is printed. Otherwise it is 0.

    Example: `handsoff status titanic --watch`
    """
    where = terminal.project()
    deployment = terminal.deployment(where)
    names = [where.model(model)] if model else list(where.config.models)
    if watch and as_json:
        raise UsageError("--watch and --json exclude each other: run --json repeatedly")
    if watch:
        _watch(deployment, names)
        return
    found, missing = _statuses(deployment, names, limit)
    if as_json:
        terminal.print_json({item.name: status_as_json(item) for item in found})
    else:
        for item in found:
            show_model(out, item, datetime.now(UTC))
        _show_messages(deployment)
        for line in alarm_lines(alarms.ringing(deployment)):
            out.print(line, soft_wrap=True)
    doubt = None if as_json else terminal.doubt()
    for problem in [*missing, *([doubt] if doubt else [])]:
        err.print(f"[yellow]{escape(str(problem))}[/]", soft_wrap=True)


def _statuses(
    deployment: Deployment, models: list[str], limit: int
) -> tuple[list[ModelStatus], list[NotDeployed]]:
    """The models' statuses, and an error for each model that is not deployed. Raises it if none is."""
    found, missing = [], []
    for model in models:
        try:
            found.append(model_status(deployment, model, limit))
        except NotDeployed as error:
            missing.append(error)
    if len(missing) == len(models):
        raise missing[0]
    return found, missing


def _show_messages(deployment: Deployment) -> None:
    """Say how many messages wait in the landings queue, and how many have failed."""
    if number := failures.undelivered(deployment):
        out.print(f"messages in the landings queue, not taken yet or waiting for their next try: {number}")
    for queue, number in failures.waiting(deployment).items():
        out.print(f"[red]failed messages in {escape(queue)}: {number}[/]; `handsoff failures` shows them")


def _watch(deployment: Deployment, models: list[str]) -> None:
    """Follow the execution that runs or is about to start, and say how it ended."""
    execution = _execution_to_follow(deployment, models)
    if execution is None:
        return

    def look() -> tuple[Execution, Package | None]:
        now = described(deployment, execution.arn)
        return now, package_of(deployment, now)

    def finished(now: Execution, package: Package | None) -> bool:
        return is_settled(deployment, now, package)

    ended, package = follow(out, look, finished, timeout=MAX_FOLLOW)
    if package is not None and (why := why_blocked(deployment, package)):
        out.print(f"[red]the candidate is blocked:[/] {escape(why)}", soft_wrap=True)
    if package is not None and package.pending:
        name = escape(package.name.removeprefix(f"{deployment.prefix}-"))
        out.print(
            f'it waits for a person\'s decision: `handsoff approve {name} --reason "…"`, or reject',
            soft_wrap=True,
        )
    for name, end in traceback_ends(deployment, ended).items():
        out.print(f"{name}: [red]{traceback_line(end)}[/]", soft_wrap=True)
    if line := after_stop(ended, ended.pipeline.removeprefix(f"{deployment.prefix}-")):
        out.print(line, soft_wrap=True)
    out.print(f"`handsoff evidence {ended.identity}` has the rest", soft_wrap=True)
    if ended.status != "Succeeded":
        raise typer.Exit(1)


def _execution_to_follow(deployment: Deployment, models: list[str]) -> Execution | None:
    """Wait until `next_step` names an execution, or that none follows; show meanwhile why it waits.

    Raises Exit with code 1 if the start was refused; the reason has been shown then.
    """
    first = take_snapshot(deployment, models, datetime.now(UTC))
    shown: set[str] = set()
    with err.status("looking for an execution (Ctrl-C stops looking; executions continue)"):
        now = first
        while True:
            _show_notices(first, now, shown)
            match next_step(first, now):
                case Follow(execution):
                    return execution
                case StopRefused():
                    raise typer.Exit(1)
                case ShowNewest(newest):
                    out.print("no execution runs, and no start is pending; the newest execution:")
                    return newest
                case KeepWaiting():
                    time.sleep(POLL)
            now = take_snapshot(deployment, models, datetime.now(UTC))


def _show_notices(first: Snapshot, now: Snapshot, shown: set[str]) -> None:
    for notice in notices(first, now):
        line = pending_or_refused(now.models[notice.model].state, now.at)
        if line is None:
            continue
        before = " (answered shortly before this command began)" if notice.earlier else ""
        text = f"{notice.model}: {line}{before}"
        if text not in shown:
            out.print(text, soft_wrap=True)
            shown.add(text)


def _evidence(deployment: Deployment, name: str | None) -> tuple[Execution | None, Evidence]:
    """The execution and its evidence now; None and the copy of it where SageMaker does not know it."""
    try:
        found = find_execution(deployment, name)
    except (NotDeployed, NotFound):
        copy = kept_evidence(deployment, name) if name else None
        if copy is None:
            raise
        return None, copy
    return found, evidence_of(deployment, found)


def evidence(
    execution: Annotated[
        str | None,
        typer.Argument(
            metavar="EXECUTION",
            help="An execution's ARN or id. Without it, the newest execution of any model.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for scripts.")] = False,
) -> None:
    """Show the evidence of an execution: steps, logs, data, model package, decision and reasons.

    Of an execution that SageMaker no longer knows, it shows the copy in the data bucket.

    Example: `handsoff evidence --json > evidence.json`
    """
    deployment = terminal.deployment()
    named, found = _evidence(deployment, execution)
    if as_json:
        terminal.print_json(found)
        return
    show_evidence(out, found)
    if named:
        command = terminal.again("report", named.identity, "--open")
        out.print(f"\nreport: {uri_of(deployment, named)}; `{escape(command)}` opens it", soft_wrap=True)
