"""The command that mints links to the review page."""

from __future__ import annotations

from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err
from handsoff.errors import UsageError
from handsoff.operating.packages import find_package
from handsoff.operating.review_links import Minted, as_json, mint_for_model, mint_for_package
from handsoff.showing.console import moment


def review(
    package: Annotated[
        str | None,
        typer.Argument(metavar="PACKAGE", help="Its ARN, or model and version, such as titanic/3."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Link to this model's history in place of PACKAGE.")
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="The link only shows: nobody can decide by it.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the link in a browser, too.")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Make a link to the page on which a candidate is decided, and print it.

    A person with the link can decide by it, once and under any name, until it expires. Pass it on with care,
    or make one with --read-only. The command needs the permission to read the secret that signs links.
    Operators do not have it by themselves; the command then says what to do.

    With --model the link opens the model's history: champion, versions, decisions, executions. It decides
    nothing.

    Example: `handsoff review titanic/3 --open`

    Example: `handsoff review --model titanic`
    """
    minted = _minted(package, model, read_only)
    if as_json_:
        terminal.print_json(as_json(minted))
    else:
        does = "decides once" if minted.decides else "only shows"
        decided = f"{package} is decided already: " if minted.kind == "review" and not minted.decides else ""
        err.print(f"{decided}it {does}, and expires at {moment(minted.expires_at)}", soft_wrap=True)
        typer.echo(minted.url)
    if open_ and typer.launch(minted.url) != 0:
        err.print("[yellow]no browser could be opened here: open the link by hand[/]", soft_wrap=True)


def _minted(package: str | None, model: str | None, read_only: bool) -> Minted:
    if (package is None) == (model is None):
        raise UsageError("give either PACKAGE, such as titanic/3, or --model MODEL: see --help")
    if model is not None:
        where = terminal.project()
        return mint_for_model(terminal.deployment(where), where.model(model))
    deployment = terminal.deployment()
    return mint_for_package(deployment, find_package(deployment, package or ""), read_only=read_only)
