"""The command about reports."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.errors import UsageError
from handsoff.operating.executions import find_execution
from handsoff.operating.reports import report_of, save


def report(
    execution: Annotated[
        str | None,
        typer.Argument(
            metavar="EXECUTION",
            help="An execution's ARN or id. Without it, the newest execution of any model.",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write it to this file, not to .handsoff/report.html."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print its addresses as JSON, for scripts.")
    ] = False,
) -> None:
    """Download the report of an execution: decision, pictures, rules, versions and lineage in one HTML file.

    It opens without a network. Where an execution has no report yet, it is made from the evidence.

    Example: `handsoff report --open`

    Example: `handsoff report p4jn9xou8a8s --output titanic.html`
    """
    deployment = terminal.deployment()
    found = find_execution(deployment, execution)
    stored = report_of(deployment, found)
    path = output or _default()
    try:
        address = save(stored.html, path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}): name another file by --output"
        ) from None
    if as_json:
        terminal.print_json({"pipelineExecutionArn": found.arn, "report": address, "storedAt": stored.uri})
    else:
        origin = f"from {stored.uri}" if stored.uri else "made now: none lies beside the evidence"
        out.print(f"report  {address}", soft_wrap=True)
        out.print(f"        [dim]{origin}[/]", soft_wrap=True)
    if show and not webbrowser.open(address):
        err.print("no browser could be started: open the address above", soft_wrap=True)


def _default() -> Path:
    project = terminal.project()
    project.make_work()
    return project.work / "report.html"
