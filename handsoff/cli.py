"""The operator's command line.

Every command but `demo` and `local` works on the AWS that the environment names.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import typer
import typer.main
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperArgument, TyperGroup, TyperOption

from handsoff.commands import MARKUP
from handsoff.errors import USE_LOCAL
from local.errors import CloudError
from retraining.errors import HandsoffError

COMMANDS: Final = {
    "demo": "local",
    "init": "init",
    "check": "check",
    "schema": "schema",
    "doctor": "deployment",
    "deploy": "deployment",
    "destroy": "deployment",
    "render": "deployment",
    "publish": "publish",
    "land": "data",
    "data": "data",
    "start": "executions",
    "release": "data",
    "status": "executions",
    "models": "history",
    "evidence": "executions",
    "report": "report",
    "logs": "logs",
    "verify": "verify",
    "export": "export",
    "judge": "decisions",
    "explain": "decisions",
    "approve": "decisions",
    "reject": "decisions",
    "review": "review",
    "predict": "predict",
    "versions": "history",
    "compare": "history",
    "rollback": "steering",
    "pause": "steering",
    "resume": "steering",
    "stop": "steering",
    "anchor": "anchor",
    "notifications": "notifications",
    "failures": "failures",
    "redrive": "failures",
    "local": "local",
}
"""The commands in the order of the help, each with the module of handsoff.commands that has it by its name.

A module is imported when one of its commands is used: all of them take half a second of processor time.
"""


def _value_in_help(self: TyperOption | TyperArgument, ctx: object) -> str | None:
    """The value that an option takes, such as FILE, where Typer would show a Python type such as <str>."""
    del ctx
    return self.metavar if isinstance(self, TyperOption) else None


TyperOption.display_type_rich = TyperArgument.display_type_rich = _value_in_help  # type: ignore[method-assign, assignment]


class _Commands(Mapping[str, Any]):
    """The commands of Click by name. Each is made when it is read."""

    def __getitem__(self, name: str) -> Any:
        return _command(name, COMMANDS[name])

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


@cache
def _command(name: str, module: str) -> Any:
    found = getattr(import_module(f"handsoff.commands.{module}"), name)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, rich_markup_mode=MARKUP)
        found.command(name)(function)
    return typer.main.get_command(found)


class _Group(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment] # nobody adds a command to it

    def list_commands(self, ctx: object) -> list[str]:
        """The names of the commands, which does not import them."""
        del ctx
        return list(self.commands)


app = typer.Typer(
    cls=_Group,
    help="Retrains models on AWS without a person starting anything, and approves them by rules.\n\n"
    "Try it on this machine: `handsoff demo`. Or keep AWS running on this machine: `handsoff local up "
    '--detach`, then `eval "$(handsoff local env)"`; every other command then works on it.',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=MARKUP,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    from handsoff.commands import terminal  # as each command does: --version and --help need nothing of it

    terminal.choose(config)


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
            f"this machine: {USE_LOCAL}"
        )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(message: str) -> None:
    from handsoff.commands import terminal
    from handsoff.showing.console import escape

    terminal.err.print(f"[red]handsoff:[/] {escape(message)}", soft_wrap=True)
    sys.exit(1)
