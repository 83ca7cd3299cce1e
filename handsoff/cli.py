"""The operator's command line.

Every command but `demo` and `local` works on the AWS that the environment names.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from handsoff.commands import (
    anchor,
    check,
    data,
    decisions,
    deployment,
    executions,
    export,
    failures,
    history,
    init,
    local,
    logs,
    notifications,
    predict,
    publish,
    report,
    review,
    schema,
    steering,
    terminal,
    verify,
)
from handsoff.showing.console import escape
from local.errors import CloudError
from retraining.errors import HandsoffError

app = typer.Typer(
    help="Retrains models on AWS without a person starting anything, and approves them by rules.\n\n"
    "Try it on this machine: `handsoff demo`. Or keep AWS running on this machine: `handsoff local up "
    '--detach`, then `eval "$(handsoff local env)"`; every other command then works on it.',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    context_settings={"help_option_names": ["-h", "--help"]},
)
local_app = typer.Typer(
    help="Run AWS on this machine: start it, update it, use it, stop it.", no_args_is_help=True
)
app.add_typer(local_app, name="local")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"handsoff {version('handsoff')}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="The configuration file, which names the models.")
    ] = Path("handsoff.yaml"),
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    terminal.choose(config)


for command in (
    local.demo,
    init.init,
    check.check,
    schema.schema,
    deployment.doctor,
    deployment.deploy,
    deployment.destroy,
    deployment.render,
    publish.publish,
    data.land,
    data.data,
    executions.start,
    data.release,
    executions.status,
    history.models,
    executions.evidence,
    report.report,
    logs.logs,
    verify.verify,
    export.export,
    decisions.judge,
    decisions.explain,
    decisions.approve,
    decisions.reject,
    review.review,
    predict.predict,
    history.versions,
    history.compare,
    steering.rollback,
    steering.pause,
    steering.resume,
    steering.stop,
    anchor.anchor,
    notifications.notifications,
    failures.failures,
    failures.redrive,
):
    app.command()(command)
for command in (local.up, local.update, local.down, local.env, local.invoke):
    local_app.command()(command)


def main() -> None:
    """Run the command line. An expected error is printed as one message, and the exit code is 1.

    TERM and HUP end a command as Ctrl-C does, so that what it started is stopped. AWS_REGION is copied to
    AWS_DEFAULT_REGION, the only one of the two that boto3 reads.
    """
    if region := os.environ.get("AWS_REGION"):
        os.environ.setdefault("AWS_DEFAULT_REGION", region)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        app()
    except (HandsoffError, CloudError, TimeoutError) as error:
        _fail(str(error))
    except ClientError as error:
        _fail(f"AWS refused {error.operation_name}: {error.response['Error'].get('Message', error)}")
    except BotoCoreError as error:
        _fail(
            f"AWS cannot be reached: {str(error).rstrip('.')}. Are region and credentials set? For AWS on "
            'this machine: `handsoff local up --detach`, then `eval "$(handsoff local env)"`'
        )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(message: str) -> None:
    terminal.err.print(f"[red]handsoff:[/] {escape(message)}", soft_wrap=True)
    sys.exit(1)
