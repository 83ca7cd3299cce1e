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
    """Print each message: what it asked for, why it failed, what redrive does with it, what else helps."""
    for one in messages:
        console.print(f"[bold]{escape(one.id[:ID_SHOWN])}[/]  {moment(one.sent_at)}  in {escape(one.queue)}")
        for name, line in lines(one):
            console.print(f"  [dim]{name:<9}[/] {escape(one_line(line))}", soft_wrap=True)


def lines(message: FailedMessage) -> list[tuple[str, str]]:
    """A message in words: names and texts."""
    identity, means = message.id[:ID_SHOWN], message.means
    return [
        ("message", message.what),
        ("asks for", means.asks),
        ("failed", message.why),
        ("redrive", redrive_does(message)),
        ("instead", means.instead.replace(" ID`", f" {identity}`")),
    ]


def redrive_does(message: FailedMessage) -> str:
    """What `handsoff redrive` does with the message, in words."""
    if message.to is None:
        return "is not possible: the receiver is not known"
    return f"sends it {destination(message)}, which {message.means.effect}"


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
        "asks": message.means.asks,
        "sentAgain": destination(message),
        "effect": message.means.effect if message.to else None,
        "instead": message.means.instead,
        "body": message.body,
    }


def result_as_json(message: FailedMessage, result: str, why: str | None) -> dict[str, str | None]:
    """What became of a message, as `handsoff redrive --json` prints it.

    `result` is `sent again`, `removed` or `not sent`, and `why` says why it was not sent.
    """
    return {
        "id": message.id,
        "queue": message.queue,
        "what": message.what,
        "sentAgain": destination(message),
        "effect": message.means.effect,
        "result": result,
        "why": why,
    }


def show_result(console: Console, found: dict[str, str | None]) -> None:
    """Print what became of a message, and what happens next."""
    name = f"{(found['id'] or '')[:ID_SHOWN]} ({one_line(found['what'] or '')})"
    if found["result"] == "not sent":
        line = f"[red]not sent:[/] {escape(name)}: {escape(found['why'] or '')}"
    elif found["result"] == "removed":
        line = f"removed: {escape(name)}"
    else:
        then = f"{name} {found['sentAgain']}, which {found['effect']}"
        line = f"sent again: {escape(then)}"
    console.print(line, soft_wrap=True)
