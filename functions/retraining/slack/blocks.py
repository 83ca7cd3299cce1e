"""Pure: the blocks of Slack's Block Kit that messages are made of, within its limits.

Text from data or from people stands in plain_text, in which Slack reads no markup: nothing there can link,
format or mention anybody. Only the table (escaped, in a code block) and the link are mrkdwn.
Block Kit: https://docs.slack.dev/reference/block-kit. tests/slack/limits.py has all of its limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from retraining.slack.requests import APPROVE, MAX_REASON, MAX_VALUE, REASON, REJECT
from retraining.slack.text import cut, escape, units
from retraining.text import one_line

Block = dict[str, Any]
"""A block as Slack's API takes it."""

MAX_HEADER: Final = 150
"""Characters of a header block: Block Kit's limit."""

MAX_PLACEHOLDER: Final = 150
"""Characters of a placeholder: Block Kit's limit."""

MAX_CONFIRMATION: Final = 300
"""Characters of the question that confirms a press: Block Kit's limit."""

# The limits below are our own. They keep a whole message well below about 13,000 characters, at which Slack
# answers msg_blocks_too_long. Slack does not document that limit (slackapi/bolt-js issue 2509).

MAX_LINE: Final = 1000
"""Characters of a section of plain text."""

MAX_ROWS: Final = 12
"""Rows of a table below its head; the last line says how many more there are."""

MAX_ROW: Final = 110
"""Characters of a row of a table."""

MAX_CELL: Final = 30
"""Characters of a cell of a table."""

MAX_REASONS: Final = 20
"""Reasons that are shown; the last line says how many more there are."""

MAX_REASON_SHOWN: Final = 300
"""Characters of one reason."""

MAX_ALL_REASONS: Final = 2000
"""Characters of all reasons together."""

MAX_LINK: Final = 1000
"""Characters of a URL; a longer one is not linked."""


def header(text: str) -> Block:
    """The title of a message."""
    return {"type": "header", "text": _text(text, MAX_HEADER)}


def plain(text: str, limit: int = MAX_LINE, *, lines: bool = False) -> Block:
    """A section of plain text; with `lines` its line breaks stay."""
    return {"type": "section", "text": _text(text, limit, lines=lines)}


def context(text: str) -> Block:
    """Plain text in small type."""
    return {"type": "context", "elements": [_text(text, MAX_LINE, lines=True)]}


def reasons(texts: Sequence[str]) -> list[Block]:
    """The reasons as a list; no block where there are none."""
    shown = [f"• {cut(one_line(text), MAX_REASON_SHOWN)}" for text in texts[:MAX_REASONS]]
    if more := len(texts) - len(shown):
        shown.append(f"… and {more} more")
    return [plain("\n".join(shown), MAX_ALL_REASONS, lines=True)] if shown else []


def link(url: str | None) -> list[Block]:
    """A link to the page about the candidate. A URL that does not look like ours is not linked."""
    if url is None or not re.fullmatch(r"https?://[!-;=?-{}~]+", url) or units(url) > MAX_LINK:
        return []
    text = f"<{url.replace('&', '&amp;')}|Open its page>"
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}]


def table(lines: Sequence[tuple[str, ...]]) -> Block:
    """Lines of four cells as a table in a code block; the first line is its head."""
    shown = [
        [cut(one_line(cell).replace("`", "'"), MAX_CELL) for cell in line] for line in lines[: MAX_ROWS + 1]
    ]
    widths = [max(len(line[column]) for line in shown) for column in range(len(shown[0]))]
    rows = ["  ".join(_cells(line, widths)).rstrip() for line in shown]
    if more := len(lines) - len(shown):
        rows.append(f"… and {more} more")
    text = "\n".join(escape(row, MAX_ROW, tidy=False) for row in rows)
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"```{text}```", "verbatim": True}}


def buttons(arn: str, *, version: str, model: str) -> list[Block]:
    """A field for the reason, and two buttons that carry the ARN. A press brings it back, to be checked."""
    confirm = {
        "title": _text(f"Approve version {version}?", 100),
        "text": _text(f"It becomes the champion of {model}.", MAX_CONFIRMATION),
        "confirm": _text("Approve", 30),
        "deny": _text("Cancel", 30),
    }
    approve = {**_button(APPROVE, "Approve", arn), "style": "primary", "confirm": confirm}
    return [
        {
            "type": "input",
            "label": _text("Why", 2000),
            "element": {
                "type": "plain_text_input",
                "action_id": REASON,
                "max_length": MAX_REASON,
                "placeholder": _text("Recorded with your decision", MAX_PLACEHOLDER),
            },
        },
        {
            "type": "actions",
            "elements": [approve, {**_button(REJECT, "Reject", arn), "style": "danger"}],
        },
    ]


def fits_button(arn: str) -> bool:
    """Whether a button can carry this ARN."""
    return units(arn) <= MAX_VALUE


def _cell(text: str) -> str:
    """`text` in one cell: a backtick would end the code block."""
    return cut(one_line(text).replace("`", "'"), MAX_CELL)


def _cells(line: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    """Names to the left, numbers to the right. A column that is empty in every line is left out."""
    return (
        cell.ljust(width) if column in (0, 3) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        if width
    )


def _button(action: str, label: str, value: str) -> Block:
    return {"type": "button", "action_id": action, "text": _text(label, 75), "value": value}


def _text(text: str, limit: int, *, lines: bool = False) -> Block:
    """plain_text of 1 to `limit` characters; with `lines` its line breaks stay."""
    tidied = "\n".join(map(one_line, text.split("\n"))).strip() if lines else one_line(text)
    return {"type": "plain_text", "text": cut(tidied, limit) or "–", "emoji": False}
