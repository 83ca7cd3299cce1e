"""Commands about what could not be handled: show the failure queues, send their messages again."""

from __future__ import annotations

from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.operating import failures as failed
from handsoff.showing.console import escape
from handsoff.showing.failures import ID_SHOWN, as_json, show_failures


def failures(
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show what lies in the failure queues: events and requests that could not be handled or delivered.

    Nothing is removed. Remove the cause first, then send the messages again: `handsoff redrive`.

    Example: `handsoff failures`
    """
    with err.status("reading the failure queues"), failed.opened(terminal.deployment()) as messages:
        if as_json_:
            terminal.print_json([as_json(message) for message in messages])
            return
    show_failures(out, messages)
    if messages:
        out.print("`handsoff redrive` sends all of them again, `handsoff redrive ID` one of them")
    else:
        out.print("the failure queues are empty")


def redrive(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID…]", help="Messages, by their ids in `handsoff failures`. Without, all."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove these messages instead. Needs their ids.")
    ] = False,
) -> None:
    """Send failed messages again to their receivers, and remove them from the failure queues.

    A message that is out of date, or is sent twice, changes nothing. A message that could not be sent stays
    in its queue, and the exit code is 1.

    Example: `handsoff redrive 4f1c2a9e`
    """
    if remove and not ids:
        raise typer.BadParameter("--remove needs the ids of the messages to remove")
    deployment, kept = terminal.deployment(), 0
    with failed.opened(deployment) as messages:
        for message in failed.chosen(messages, ids or []):
            name = f"{escape(message.id[:ID_SHOWN])} ({escape(message.what)})"
            if remove:
                failed.remove(deployment, message)
                out.print(f"removed: {name}", soft_wrap=True)
            elif (why := failed.send_again(deployment, message)) is None:
                out.print(f"sent again: {name}", soft_wrap=True)
            else:
                kept += 1
                out.print(f"[red]not sent:[/] {name}: {escape(why)}", soft_wrap=True)
        if not messages:
            out.print("the failure queues are empty")
    if kept:
        raise typer.Exit(1)
