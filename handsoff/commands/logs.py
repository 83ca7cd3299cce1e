"""The command about the logs of jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.operating.executions import find_execution
from handsoff.operating.job_logs import NoLog, follow_logs, read_logs
from handsoff.showing.logs import as_json, line_as_json, show_line


def logs(
    execution: Annotated[
        str | None,
        typer.Argument(
            metavar="EXECUTION",
            help="An execution's ARN or id. Without it, the newest execution of any model.",
        ),
    ] = None,
    step: Annotated[
        str | None, typer.Option(metavar="STEP", help="Only this step, such as TrainModel.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show new lines, too, until the execution has ended.")
    ] = False,
    as_json_: Annotated[
        bool,
        typer.Option("--json", help="Print JSON, for scripts; with --follow one object on each line."),
    ] = False,
) -> None:
    """Show what the jobs of an execution have written, step by step.

    Each line begins with its step and its time. Where a step has no log yet, a line on standard error says
    why. Tracebacks have no values of rows unless `approvers.show_values` is true; own code may print some.

    Example: `handsoff logs`

    Example: `handsoff logs p4jn9xou8a8s --step TrainModel --follow`
    """
    deployment = terminal.deployment()
    found = find_execution(deployment, execution)
    if as_json_ and not follow:
        terminal.print_json(as_json(found, read_logs(deployment, found, step)))
        return
    if not as_json_:
        err.print(f"execution {found.identity} ({found.pipeline}): {found.status}", soft_wrap=True)
    for item in (follow_logs if follow else read_logs)(deployment, found, step):
        if as_json_:
            typer.echo(line_as_json(item))
        elif isinstance(item, NoLog):
            err.print(f"[yellow]{item.step} {item.why}[/]", soft_wrap=True)
        else:
            show_line(out, item)
