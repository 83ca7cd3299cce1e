"""Pure: text cut and escaped as Slack counts and reads it."""

from __future__ import annotations

from typing import Final

from retraining.aws.registry import one_line

_ESCAPED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def units(text: str) -> int:
    """Its length as JavaScript counts it, which is never less than as Python does."""
    return len(text) + sum(sign > "\uffff" for sign in text)


def cut(text: str, limit: int) -> str:
    """`text`, with an ellipsis at its end if it is longer than `limit`."""
    if units(text) <= limit:
        return text
    kept, length = [], 1
    for sign in text:
        length += units(sign)
        if length > limit:
            break
        kept.append(sign)
    return "".join(kept) + "…"


def escape(text: str, limit: int, *, tidy: bool = True) -> str:
    """`text` for mrkdwn: no link and no mention comes of it; at most `limit` characters, no entity halved."""
    parts = [_ESCAPED.get(sign, sign) for sign in (one_line(text) if tidy else text)]
    if sum(map(units, parts)) <= limit:
        return "".join(parts)
    kept, length = [], 1
    for part in parts:
        length += units(part)
        if length > limit:
            break
        kept.append(part)
    return "".join(kept) + "…"
