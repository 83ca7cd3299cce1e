"""Commands about what could not be handled: show the failure queues, send their messages again."""

from __future__ import annotations

from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.deployment import Deployment
from handsoff.operating import failures as failed
from handsoff.operating.failed_messages import FailedMessage
from handsoff.showing.failures import as_json, result_as_json, show_failures, show_result


def failures(
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show what lies in the failure queues: events and requests that could not be handled or delivered.

    Of each message it says what it asked for, why it failed, what `handsoff redrive` does with it, and what
    to do instead. Nothing is removed. Remove the cause first, then send the messages again:
    `handsoff redrive`.

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
        typer.Argument(
            metavar="ID", help="Messages, by their ids in `handsoff failures`. Without an id, all."
        ),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove these messages instead. Needs their ids.")
    ] = False,
    as_json_: Annotated[
        bool, typer.Option("--json", help="Print what became of each message as JSON, for scripts.")
    ] = False,
) -> None:
    """Send failed messages again to their receivers, and remove them from the failure queues.

    A message that is out of date, or is sent twice, changes nothing. A message that could not be sent stays
    in its queue, and the exit code is 1.

    Example: `handsoff redrive 4f1c2a9e`
    """
    if remove and not ids:
        raise typer.BadParameter("--remove needs the ids of the messages to remove")
    deployment = terminal.deployment()
    results = []
    with failed.opened(deployment) as messages:
        for message in failed.chosen(messages, ids or []):
            results.append(_redrive(deployment, message, remove))
            if not as_json_:
                show_result(out, results[-1])
    if as_json_:
        terminal.print_json(results)
    elif not results:
        out.print("the failure queues are empty")
    if any(result["result"] == "not sent" for result in results):
        raise typer.Exit(1)


def _redrive(deployment: Deployment, message: FailedMessage, remove: bool) -> dict[str, str | None]:
    """Send one message again, or remove it. What became of it, as `handsoff redrive --json` prints it."""
    if remove:
        failed.remove(deployment, message)
        return result_as_json(message, "removed", None)
    why = failed.send_again(deployment, message)
    return result_as_json(message, "not sent" if why else "sent again", why)
