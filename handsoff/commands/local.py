"""Commands that need no AWS account: the demo, and AWS on this machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from handsoff.commands import MARKUP, terminal
from handsoff.commands.terminal import err, out
from handsoff.demo import run as run_demo
from handsoff.deploying import containers
from handsoff.deploying.local import FOREIGN, deploy, point_at
from handsoff.deploying.tools import uninterrupted
from handsoff.errors import START_LOCAL, NotInvocable, UsageError
from handsoff.project import Project
from handsoff.showing.console import escape, step
from local import operator_user, server
from local.server import Cloud
from retraining.errors import HandsoffError

QUOTA: Final = "ml.m5.large for training job usage=1"
"""What --quota takes: a quota's name in Service Quotas, and its value."""

NOT_RUNNING: Final = f"AWS on this machine is not running: {START_LOCAL}"
"""The error of commands that need AWS on this machine."""

EnforceIam = Annotated[
    bool, typer.Option("--enforce-iam", help="Refuse calls that IAM policies do not allow.")
]
"""The option of AWS on this machine that knows IAM."""

ForContainers = Annotated[
    bool,
    typer.Option(
        "--for-containers", help="Let Docker containers reach it, as `handsoff local invoke` needs."
    ),
]
"""The option of AWS on this machine that containers can reach."""

Quotas = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=NUMBER", help=f'A quota that SageMaker keeps, such as "{QUOTA}".'),
]
"""The option of the quotas that SageMaker keeps."""


def demo() -> None:
    """Show the whole loop on this machine: data lands, a model is trained, judged and decided.

    It starts an AWS of its own on a free port, deploys to it, and stops it at the end. The exit code is 0
    only if a model package was registered and decided. Evidence and report stay in
    .handsoff/evidence.json and report.html. It works in any folder: unless handsoff.yaml has a model titanic,
    it shows handsoff's own sample.

    Example: `handsoff demo`
    """
    if not run_demo(terminal.project_to_show(), out):
        raise typer.Exit(1)


def up(
    detach: Annotated[bool, typer.Option(help="Return when it is ready, and leave it running.")] = False,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="The port on 127.0.0.1.")
    ] = 4566,
    region: Annotated[str, typer.Option(metavar="REGION", help="The region that it plays.")] = "us-east-1",
    enforce_iam: EnforceIam = False,
    for_containers: ForContainers = False,
    quota: Quotas = None,
    deployed: Annotated[
        bool,
        typer.Option("--deploy/--no-deploy", help="Deploy the project, or leave it to `handsoff deploy`."),
    ] = True,
) -> None:
    """Start AWS on this machine and deploy the project to it. Without --detach it runs until Ctrl-C.

    With --enforce-iam, functions, pipelines and users may do what their policies allow, and nothing else.
    `handsoff local env --user data-science-user` prints the operator's credentials.

    Example: `handsoff local up --detach`
    """
    where = terminal.project_to_publish() if deployed else terminal.project()
    quotas = _quotas(quota or [])
    terminal.need_to_build(where)
    bridge = containers.bridge() if for_containers else None
    with step(err, "starting AWS on this machine"):
        cloud = server.start(
            where.local,
            port=port,
            region=region,
            detached=detach,
            enforce_iam=enforce_iam,
            bridge=bridge,
            quotas=quotas,
        )
    with _stopped_on_failure(where):
        point_at(cloud)
        if deployed:
            _deploy(where, cloud, make_user=enforce_iam)
    _print_ready(cloud)
    if not detach:
        _run_until_interrupted(where)


@contextmanager
def _stopped_on_failure(where: Project) -> Iterator[None]:
    """Stop AWS on this machine if what is done with it first fails or is interrupted."""
    try:
        yield
    except BaseException:
        server.stop(where.local)
        raise


def _quotas(texts: list[str]) -> dict[str, int]:
    """Quotas by name, from `NAME=NUMBER`. Raises UsageError."""
    found = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals or not number.isascii() or not number.isdigit():
            raise UsageError(f"--quota takes NAME=NUMBER, such as {QUOTA}, not {text}")
        found[name] = int(number)
    return found


def _print_ready(cloud: Cloud) -> None:
    command = escape(terminal.again("local", "env"))
    err.print(f'ready at {cloud.endpoint}. To use it from a shell: eval "$({command})"', soft_wrap=True)


def _deploy(where: Project, cloud: Cloud, *, make_user: bool = False) -> None:
    with step(err, "deploying template.yaml and publishing the pipelines"):
        deploy(where, cloud, err.print)
    if make_user:
        operator_user.make(cloud, prefix=where.config.prefix)


def _run_until_interrupted(where: Project) -> None:
    err.print("Ctrl-C stops it")
    try:
        while server.running(where.local):
            time.sleep(0.5)
        raise HandsoffError("AWS on this machine has ended unexpectedly: see .handsoff/local/server.log")
    except KeyboardInterrupt:
        pass
    finally:
        with uninterrupted(), err.status("stopping AWS on this machine"):
            server.stop(where.local)
    err.print("stopped")


def update() -> None:
    """Update AWS on this machine with the project's models, schedules, rules and code.

    Its data stay. Where `handsoff deploy` made the deployment, use that command instead.

    Example: `handsoff local update`
    """
    where = terminal.project_to_publish()
    cloud = server.running(where.local)
    if cloud is None:
        raise HandsoffError(NOT_RUNNING)
    if (where.local / "terraform").exists():
        raise HandsoffError("this deployment was made by `handsoff deploy`: update it with the same command")
    terminal.need_to_build(where)
    point_at(cloud)
    _deploy(where, cloud)


def down() -> None:
    """Stop AWS on this machine and delete everything in it.

    Example: `handsoff local down`
    """
    where = terminal.project().local
    if server.running(where) is None:
        server.stop(where)  # removes the files of a server that was killed
        err.print("AWS on this machine was not running")
        return
    with step(err, "AWS on this machine stops"):
        server.stop(where)


def env(
    user: Annotated[
        str | None,
        typer.Option(
            metavar="USER",
            help="The user whose keys are printed; by default the administrator, who may do everything.",
        ),
    ] = None,
) -> None:
    """Print the shell lines that make AWS clients use AWS on this machine.

    Example: `eval "$(handsoff local env)"`
    """
    cloud = server.running(terminal.project().local)
    if cloud is None:
        raise HandsoffError(NOT_RUNNING)
    typer.echo(f"unset {' '.join(FOREIGN)}")
    for name, value in cloud.environment(user).items():
        typer.echo(f"export {name}={value}")


def invoke(
    function: Annotated[
        str,
        typer.Argument(
            metavar="FUNCTION", help="The function's name in template.yaml, such as StartRetraining."
        ),
    ] = "",
    event: Annotated[
        Path,
        typer.Argument(
            metavar="EVENT", show_default=False, help="The event, a JSON file such as those in events/."
        ),
    ] = Path(),
) -> None:
    """Run a deployed function in a Docker container with an event, and print its answer.

    It needs Docker, and AWS on this machine started with --for-containers.

    Example: `handsoff local invoke Reconcile events/each_minute.json`
    """
    where = terminal.project()
    cloud = server.running(where.local)
    if cloud is None:
        raise NotInvocable(f"AWS on this machine is not running: {containers.UP}")
    command = containers.command(where, cloud, function, event)
    raise typer.Exit(subprocess.run(command, env=containers.environment(cloud), check=False).returncode)


local = typer.Typer(
    name="local",
    help="Run AWS on this machine: start it, update it, use it, stop it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=MARKUP,
)
"""The group of the commands of AWS on this machine."""

for command in (up, update, down, env, invoke):
    local.command()(command)
