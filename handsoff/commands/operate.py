"""Operating: land data, start, release from quarantine, see what goes on and what came of it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from handsoff import show
from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.deployment import Deployment, NothingThere, landing_name
from retraining.aws import pipelines, registry
from retraining.aws.pipelines import Execution
from retraining.aws.registry import Package
from retraining.errors import HandsoffError

FOLLOW_TIMEOUT = 24 * 3600
"""Seconds for which `status --watch` follows one execution."""

GRACE = timedelta(seconds=12)
"""For how long it waits for what was just landed or asked for."""

RECENT = timedelta(minutes=1)
"""A refusal this old is what somebody who watches now wants to hear."""


def land(
    model: Annotated[str, typer.Argument(help="Whose data it is.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="train.csv, validation.csv, …")],
    split: Annotated[
        str | None, typer.Option("--as", help="train or validation, for files of other names.")
    ] = None,
    marker: Annotated[bool, typer.Option(help="Land the marker last, which completes the batch.")] = True,
) -> None:
    """Land files in S3 as a model's data, and last the marker that says they are complete."""
    where = terminal.project()
    where.model(model)
    if split not in (None, "train", "validation"):
        raise HandsoffError(f"--as takes train or validation, not {split}")
    for path in files:
        if not path.is_file():
            raise NothingThere(f"{path} is no file: nothing was landed")
        if not path.stat().st_size:
            raise NothingThere(f"{path} is empty: nothing was landed")
    named = [(path, landing_name(path, split)) for path in files]
    names = [name for _, name in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise NothingThere(f"two files would land as {twice[0]}: nothing was landed")
    deployment = terminal.deployment(where)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks = {path: progress.add_task(str(path), total=path.stat().st_size) for path, _ in named}
        deployment.land(
            model, named, marker=marker, progress=lambda path, sent: progress.advance(tasks[path], sent)
        )
    for path, name in named:
        line = f"{escape(str(path))} → s3://{deployment.bucket}/curated/{model}/{escape(name)}"
        out.print(line, soft_wrap=True)
    if where.config.models[model].retrain.ready.when != "marker":
        out.print("`handsoff status --watch` shows what follows")
    elif marker:
        out.print("the marker has landed: `handsoff status --watch` shows what follows")
    else:
        out.print("no marker has landed, so nothing starts yet")


def start(model: Annotated[str, typer.Argument(help="Which model to retrain.")]) -> None:
    """Retrain a model on the data that lies in S3, though it may have been trained on it before."""
    where = terminal.project()
    terminal.deployment(where).request(where.model(model))
    out.print("asked for: `handsoff status --watch` shows what follows")


def release(
    model: Annotated[str, typer.Argument(help="Whose file it is.")],
    key: Annotated[
        str | None, typer.Argument(help="The file in quarantine; without it, list what is there and why.")
    ] = None,
) -> None:
    """Put a file back from quarantine, on your word that it is good; its first rows are not checked again."""
    where = terminal.project()
    deployment = terminal.deployment(where)
    if key is None:
        reports = deployment.quarantined(where.model(model))
        for report in reports:
            replaced = " (has landed again since)" if report["replaced"] else ""
            out.print(
                f"{escape(report['quarantineKey'])}{replaced}\n  {escape(report['text'])}", soft_wrap=True
            )
        if not reports:
            out.print(f"nothing of {model} is in quarantine")
        return
    back = deployment.release(where.model(model), key)
    out.print(f"{escape(back)} is back: `handsoff status --watch` shows what follows", soft_wrap=True)


def status(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    watch: Annotated[bool, typer.Option(help="Follow the newest execution to its end and decision.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Executions to show of each model.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show the newest executions of each model, their steps, and what became of the model packages."""
    where = terminal.project()
    deployment = terminal.deployment(where)
    names = [where.model(model)] if model else list(where.config.models)
    if watch and as_json:
        raise HandsoffError("--watch is for people: take --json without it, again and again")
    if watch:
        _watch(deployment, names)
        return
    found = {
        name: [(execution, deployment.package(execution)) for execution in deployment.executions(name, limit)]
        for name in names
    }
    states = {name: deployment.state(name) for name in names}
    held = {
        name: [report for report in deployment.quarantined(name) if not report["replaced"]] for name in names
    }
    champions = {
        name: registry.champion(deployment.sagemaker, deployment.resource_name(name)) for name in names
    }
    if as_json:
        shown = {
            name: {
                **states[name].model_dump(mode="json", by_alias=True),
                "champion": champion.arn if (champion := champions[name]) else None,
                "quarantined": [report["quarantineKey"] for report in held[name]],
                "executions": [_brief(*pair) for pair in pairs],
            }
            for name, pairs in found.items()
        }
        typer.echo(json.dumps(shown, indent=1))
        return
    for name, pairs in found.items():
        out.print(f"[bold]{name}[/]" + ("" if pairs else ": nothing has been executed yet"))
        if line := show.answer(states[name], datetime.now(UTC)):
            out.print(f"  {line}", soft_wrap=True)
        if champion := champions[name]:
            line = f"{champion.name}, approved {show.moment(champion.approved_at)}"
            out.print(f"  champion: {escape(line)}", soft_wrap=True)
        for report in held[name]:
            line = f"[red]in quarantine:[/] {escape(report['quarantineKey'])}: {escape(report['text'])}"
            out.print(f"  {line}", soft_wrap=True)
        if held[name]:
            out.print(f"  to put one back: `handsoff release {name} KEY`", soft_wrap=True)
        for execution, package in pairs:
            out.print(f"  started {execution.start_time.astimezone():%Y-%m-%d %H:%M:%S}")
            out.print(show.state(execution, package))


def _brief(execution: Execution, package: Package | None) -> dict[str, object]:
    return {
        "pipelineExecutionArn": execution.arn,
        "pipelineExecutionStatus": execution.status,
        "startTime": execution.start_time.isoformat(),
        "steps": {step.name: step.status for step in execution.steps},
        "modelPackageArn": package.arn if package else None,
        "modelApprovalStatus": package.approval_status if package else None,
    }


def _watch(deployment: Deployment, models: list[str]) -> None:
    """Follow the newest execution that runs; wait for one while somebody wants it or may have just asked."""
    execution = _awaited(deployment, models)
    if execution is None:
        return

    def look() -> tuple[Execution, Package | None]:
        now = pipelines.describe(deployment.sagemaker, execution.arn)
        return now, deployment.package(now)

    ended, package = show.follow(out, look, deployment.settled, timeout=FOLLOW_TIMEOUT)
    if package is not None and package.pending:
        name = escape(package.name.removeprefix(f"{deployment.prefix}-"))
        out.print(
            f'it waits for a person\'s decision: `handsoff approve {name} --reason "…"`, or reject',
            soft_wrap=True,
        )
    out.print(f"`handsoff evidence {ended.identity}` has the rest", soft_wrap=True)
    if ended.status != "Succeeded":
        raise typer.Exit(1)


def _awaited(deployment: Deployment, models: list[str]) -> Execution | None:
    """The execution to follow: one that runs, or else the first to start while one is to be expected.

    Says why it waits, and why nothing comes: whoever lands the same bytes twice should learn so.
    """
    began = datetime.now(UTC)
    seen = {item.arn for name in models for item in deployment.executions(name, 1)}
    said: set[str] = set()
    with err.status("looking for an execution (Ctrl-C leaves it to itself)"):
        while True:
            now = datetime.now(UTC)
            newest = [item for name in models for item in deployment.executions(name, 1)]
            states = {name: deployment.state(name) for name in models}
            for name, state in states.items():
                recent = bool(state.answered_at and now - state.answered_at < RECENT)
                line = show.answer(state, now)
                before = "" if state.pending or (state.answered_at or now) >= began else "earlier, "
                if line and (state.pending or recent) and (text := f"{name}: {before}{line}") not in said:
                    out.print(text, soft_wrap=True)
                    said.add(text)
            new = [item for item in newest if item.arn not in seen or not _over(deployment, item)]
            if new:
                return max(new, key=lambda item: item.start_time)
            if any(state.pending for state in states.values()):
                time.sleep(show.POLL)
                continue
            refused = [s.answered_at for s in states.values() if s.answer == "refuse" and s.answered_at]
            if any(at >= began for at in refused):
                return None
            if now - began > GRACE:
                if any(began - at < RECENT for at in refused):
                    return None
                out.print("nothing is under way, and nobody waits for a start; the newest:")
                return max(newest, key=lambda item: item.start_time, default=None)
            time.sleep(show.POLL)


def _over(deployment: Deployment, execution: Execution) -> bool:
    return deployment.settled(execution, deployment.package(execution))


def evidence(
    execution: Annotated[
        str | None, typer.Argument(help="An execution's ARN or id; without it, the newest of any model.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole of it, for scripts.")] = False,
) -> None:
    """Show the evidence of an execution: steps, logs, data, model package, decision, and why."""
    deployment = terminal.deployment()
    found = deployment.evidence(deployment.execution(execution))
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        show.evidence(out, found)
