"""Building blocks of everything shown: escaped text, colours, times, two-column lines, timed steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.markup import escape as escape_markup

STYLES: Final = {
    "Succeeded": "green",
    "Approved": "green",
    "APPROVE": "green",
    "Executing": "cyan",
    "Starting": "cyan",
    "PendingManualApproval": "yellow",
    "HOLD": "yellow",
    "Stopping": "yellow",
    "Stopped": "yellow",
    "Failed": "red",
    "Rejected": "red",
    "REJECT": "red",
    "pass": "green",
    "fail": "red",
    "worse": "red",
    "undecided": "yellow",
    "suspicious leap": "yellow",
    "cannot be judged": "yellow",
    "reject": "red",
    "hold": "yellow",
    "warn": "yellow",
}
"""Colours of statuses, decisions, outcomes and effects."""

NAME_WIDTH: Final = 18
"""Characters of the first column."""

STATUS_WIDTH: Final = 22
"""Characters of a status, with the gap behind it."""


def escape(text: str) -> str:
    """`text` from elsewhere, safe to print: no markup, and nothing that controls the terminal."""
    plain = (sign if sign.isprintable() or sign == "\n" else " " if sign == "\t" else "�" for sign in text)
    return escape_markup("".join(plain))


def coloured(status: str | None) -> str:
    """A status as rich markup; — for None."""
    text = status or "—"
    style = STYLES.get(text)
    return f"[{style}]{escape(text)}[/]" if style else escape(text)


def status_line(name: str, status: str, detail: str) -> str:
    """A name, its status in colour, and a detail, in three columns."""
    return f"{name:<{NAME_WIDTH}} {coloured(status)}{' ' * (STATUS_WIDTH - len(status))}{escape(detail)}"


def moment(at: datetime | str | None) -> str:
    """A time (or one in ISO format) in this machine's zone; — for None."""
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if at else "—"


PATIENCE: Final = 2.0
"""Seconds after which a step outside a terminal, such as in CI's log, says that it runs."""


@contextmanager
def step(console: Console, text: str) -> Iterator[None]:
    """Show `text` while the block runs; afterwards print it with the seconds that it took.

    Outside a terminal, a step that takes longer than PATIENCE also prints `text` once while it runs.
    """
    began = time.monotonic()
    soon = threading.Timer(PATIENCE, console.print, (f"{text} …",), {"soft_wrap": True})
    soon.daemon = True
    if not console.is_terminal:
        soon.start()
    try:
        with console.status(text):
            yield
    except BaseException:
        console.print(f"[red]✗[/] {text}", soft_wrap=True)
        raise
    finally:
        soon.cancel()
    console.print(f"[green]✓[/] {text} [dim]{time.monotonic() - began:.1f} s[/]", soft_wrap=True)


def print_lines(console: Console, lines: list[tuple[str, str]]) -> None:
    """Print names and values in two columns; the value is rich markup, an empty name continues a value."""
    width = max(NAME_WIDTH, *(len(name) for name, _ in lines))
    for name, value in lines:
        console.print(f"[bold]{name:<{width}}[/] {value}" if name or value else "", soft_wrap=True)
