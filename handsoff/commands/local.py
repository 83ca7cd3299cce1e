"""The demo, and AWS on this machine: start, stop, and how to reach it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Annotated

import typer

from handsoff import show
from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.demo import run as run_demo
from handsoff.deploying import containers
from handsoff.deploying.local import FOREIGN, deploy, point_at
from handsoff.deploying.tools import uninterrupted
from local import operator_user, server
from retraining.errors import HandsoffError


def demo() -> None:
    """Show the whole loop on this machine: the Titanic lands, a vetted model lands in the registry.

    Starts an AWS of its own on a free port, deploys to it, and stops it at the end. Exit code 0 only if a
    model package was registered and decided. The evidence stays in .handsoff/evidence.json.
    """
    if not run_demo(terminal.project(), out):
        raise typer.Exit(1)


def up(
    detach: Annotated[bool, typer.Option(help="Return when it is ready, and leave it running.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it listens, on 127.0.0.1.")] = 4566,
    region: Annotated[str, typer.Option(help="The region that it plays.")] = "us-east-1",
    enforce_iam: Annotated[
        bool, typer.Option("--enforce-iam", help="Let nobody but the administrator do what IAM forbids.")
    ] = False,
    for_containers: Annotated[
        bool,
        typer.Option("--for-containers", help="Let Docker's containers reach it, as `make invoke` needs."),
    ] = False,
    deployed: Annotated[
        bool, typer.Option("--deploy/--no-deploy", help="Deploy to it, or leave that to `handsoff deploy`.")
    ] = True,
) -> None:
    """Start AWS on this machine and deploy the project to it. Without --detach it runs until Ctrl-C.

    With --enforce-iam functions, pipelines and people may do what their policies say, and no more;
    `handsoff local env --user data-science-user` makes a shell the operator's.
    """
    where = terminal.project()
    where.sam()  # a tool that is missing is missed before anything runs
    bridge = containers.bridge() if for_containers else None
    with show.step(err, "starting AWS on this machine"):
        cloud = server.start(
            where.local, port=port, region=region, detached=detach, enforce_iam=enforce_iam, bridge=bridge
        )
    try:
        point_at(cloud)
        if deployed:
            with show.step(err, "deploying template.yaml and publishing the pipelines"):
                deploy(where, cloud)
        if enforce_iam and deployed:
            operator_user.make(cloud, prefix=where.config.prefix)
    except BaseException:
        server.stop(where.local)
        raise
    own = where.folder / ".venv" / "bin" / "handsoff"
    command = ".venv/bin/handsoff" if own.exists() and where.folder == Path.cwd() else "handsoff"
    err.print(
        f'ready at {cloud.endpoint}. To use it from a shell: eval "$({command} local env)"', soft_wrap=True
    )
    if detach:
        return
    err.print("Ctrl-C stops it")
    try:
        while server.running(where.local):
            time.sleep(0.5)
        raise HandsoffError("AWS on this machine ended by itself")
    except KeyboardInterrupt:
        pass
    finally:
        with uninterrupted(), err.status("stopping AWS on this machine"):
            server.stop(where.local)
    err.print("stopped")


def update() -> None:
    """Bring AWS on this machine up to date with the project: new models, schedules, rules and code.

    What it holds stays. Where `handsoff deploy` has deployed, that command does it.
    """
    where = terminal.project()
    cloud = server.running(where.local)
    if cloud is None:
        raise HandsoffError("AWS on this machine is not running: `handsoff local up --detach`")
    if (where.local / "terraform").exists():
        raise HandsoffError("`handsoff deploy` has deployed here: it brings that up to date, too")
    point_at(cloud)
    with show.step(err, "deploying template.yaml and publishing the pipelines"):
        deploy(where, cloud)


def down() -> None:
    """Stop AWS on this machine. Its state is gone with it."""
    where = terminal.project().local
    if server.running(where) is None:
        server.stop(where)  # what a server that was killed has left
        err.print("AWS on this machine was not running")
        return
    with show.step(err, "AWS on this machine stops"):
        server.stop(where)


def env(
    user: Annotated[
        str | None, typer.Option(help="Whose keys: without it the administrator's, who may do everything.")
    ] = None,
) -> None:
    """Print the lines that point a shell's AWS clients at AWS on this machine."""
    cloud = server.running(terminal.project().local)
    if cloud is None:
        raise HandsoffError("AWS on this machine is not running: `handsoff local up --detach`")
    typer.echo(f"unset {' '.join(FOREIGN)}")
    for name, value in cloud.environment(user).items():
        typer.echo(f"export {name}={value}")


def invoke(
    function: Annotated[str, typer.Argument(help="As template.yaml names it: StartRetraining.")] = "",
    event: Annotated[Path, typer.Argument(help="A file of events/.")] = Path(),
) -> None:
    """Run a deployed function in a container with this event: `sam local invoke`. Prints what it answers.

    Needs Docker, and `handsoff local up --for-containers`.
    """
    where = terminal.project()
    cloud = server.running(where.local)
    if cloud is None:
        raise containers.NotInvocable(f"AWS on this machine is not running: {containers.UP}")
    command = containers.command(where, cloud, function, event)
    raise typer.Exit(subprocess.run(command, env=containers.environment(cloud), check=False).returncode)
