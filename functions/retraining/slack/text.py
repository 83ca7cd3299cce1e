"""Pure: text cut and escaped as Slack counts and reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from retraining.text import one_line

_ESCAPED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""Source: https://docs.slack.dev/messaging/formatting-message-text"""


def units(text: str) -> int:
    """The length of `text` in UTF-16 code units, as JavaScript counts. It is never less than Python's."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` units, with an ellipsis at its end if it had more."""
    return _within(text, limit)


def escape(text: str, limit: int, *, tidy: bool = True) -> str:
    """`text` for mrkdwn, in which it makes no link and no mention.

    At most `limit` units, and no entity is cut in two. With `tidy`, on one line and without controls.
    """
    return _within([_ESCAPED.get(sign, sign) for sign in (one_line(text) if tidy else text)], limit)


def _within(parts: Sequence[str], limit: int) -> str:
    """As many parts as fit into `limit` units, with an ellipsis if that is not all of them."""
    if units(whole := "".join(parts)) <= limit:
        return whole
    kept, length = [], 1
    for part in parts:
        length += units(part)
        if length > limit:
            break
        kept.append(part)
    return "".join(kept) + "…"
