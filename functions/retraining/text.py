"""Pure: text on one line, as it is recorded and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

DESCRIPTION_LIMIT: Final = 1024
"""Characters of the description of an approval: SageMaker's maximum."""

MAX_NAMED: Final = 10
"""Names that a text lists, unless it says otherwise."""


def one_line(text: str) -> str:
    """`text` on one line, without control characters and without marks that change the writing direction."""
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(text.split())


def shorten(text: str, limit: int = DESCRIPTION_LIMIT) -> str:
    """`text` on one line, cut to `limit` characters with an ellipsis to show it."""
    line = one_line(text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def cut(text: str, limit: int) -> str:
    """`text` on one line, cut to `limit` bytes of UTF-8 with an ellipsis to show it.

    The time is bounded by `limit`, not by the length of `text`.
    """
    data = one_line(text[: limit + 1]).encode(errors="replace")
    if len(text) <= limit and len(data) <= limit:
        return data.decode()
    return data[: limit - len("…".encode())].decode(errors="ignore") + "…"


def first_of(names: Sequence[str], limit: int = MAX_NAMED) -> str:
    """The first `limit` names, separated by commas, and how many more there are."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
