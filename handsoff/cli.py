"""The operator's command line. All but `demo` and `local` works on whatever AWS the environment names."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

from handsoff.commands import decide, deploy, local, operate, terminal
from local.errors import CloudError
from retraining.errors import HandsoffError

app = typer.Typer(
    help="Retrains models on AWS with nobody at the wheel.\n\n"
    "Try it on this machine: `handsoff demo`. Or keep AWS on this machine running: `handsoff local up "
    '--detach`, then `eval "$(handsoff local env)"`, and every other command works against it.',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    context_settings={"help_option_names": ["-h", "--help"]},
)
local_app = typer.Typer(help="AWS on this machine: start, stop, and how to reach it.", no_args_is_help=True)
app.add_typer(local_app, name="local")


@app.callback()
def options(
    config: Annotated[Path, typer.Option(help="The file that names the models.")] = Path("handsoff.yaml"),
) -> None:
    terminal.choose(config)


for command in (
    local.demo,
    deploy.doctor,
    deploy.deploy,
    deploy.destroy,
    deploy.render,
    deploy.publish,
    operate.land,
    operate.start,
    operate.release,
    operate.status,
    operate.evidence,
    decide.judge,
    decide.explain,
    decide.approve,
    decide.reject,
):
    app.command()(command)
for command in (local.up, local.update, local.down, local.env, local.invoke):
    local_app.command()(command)


def main() -> None:
    """Run the command line; what goes wrong becomes one clear line and exit code 1.

    TERM and HUP unwind as Ctrl-C does, so that whatever a command started ends with it. Who says AWS_REGION
    is understood by boto3, too, which looks at AWS_DEFAULT_REGION only.
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
            f"AWS cannot be reached: {str(error).rstrip('.')}. Is the environment set? For AWS on this "
            'machine: `handsoff local up --detach`, then `eval "$(handsoff local env)"`'
        )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(message: str) -> None:
    terminal.err.print(f"[red]handsoff:[/] {escape(message)}", soft_wrap=True)
    sys.exit(1)
