"""Shows what lies in the failure queues."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from rich.console import Console

from handsoff.operating.failed_messages import FailedMessage, Function, Queue
from handsoff.showing.console import escape, moment
from retraining.text import one_line

ID_SHOWN = 8
"""Characters of a message's id that are shown; they name it in `handsoff redrive`."""


def show_failures(console: Console, messages: list[FailedMessage]) -> None:
    """Print each message: when it came, what it is, why it lies there, and where it would be sent again."""
    for one in messages:
        console.print(f"[bold]{escape(one.id[:ID_SHOWN])}[/]  {moment(one.sent_at)}  in {escape(one.queue)}")
        for line in (one_line(one.what), one_line(one.why), f"sent again: {destination(one)}"):
            console.print(f"  {escape(line)}", soft_wrap=True)


def destination(message: FailedMessage) -> str:
    """Where the message is sent again, in words."""
    match message.to:
        case Function(name):
            return f"to the function {name}"
        case Queue(name):
            return f"to the queue {name}"
        case None:
            return "not possible, its receiver is not known"


def as_json(message: FailedMessage) -> dict[str, Any]:
    """A message as `handsoff failures --json` prints it. The body is what is sent again."""
    return {
        "id": message.id,
        "queue": message.queue,
        "sentAt": message.sent_at.astimezone(UTC).isoformat(),
        "what": message.what,
        "why": message.why,
        "sentAgain": destination(message),
        "body": message.body,
    }
