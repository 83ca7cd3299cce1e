"""Pure: what approvers see in Slack, and what Slack sends when one of them presses a button.

Text that came from data or from people stands in plain_text, in which Slack reads no markup: nothing in it
can link, format, or mention somebody. mrkdwn are only the table (escaped, in a code block) and the link.
Nothing here imports slack_sdk, which takes a tenth of a second: Slack waits three for an answer.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from retraining.aws.registry import one_line
from retraining.facts.candidates import EarlierDecision
from retraining.notifications.messages import Notification
from retraining.slack.requests import APPROVE, REASON, REASON_LIMIT, REJECT, VALUE
from retraining.slack.text import cut, escape, units
from retraining.verdicts.evaluation import Difference, Evaluation, Measured

Block = dict[str, Any]

HEADER: Final = 150
PLACEHOLDER: Final = 150
CONFIRM_TEXT: Final = 300
"""Block Kit's limits in characters (docs.slack.dev/reference/block-kit); tests/slack/limits.py has all."""

FALLBACK: Final = 300
LINE: Final = 1000
MOST_ROWS: Final = 12
ROW: Final = 110
MOST_REASONS: Final = 20
REASON_SHOWN: Final = 300
REASONS: Final = 2000
LINK: Final = 1000
"""Ours: with them a whole message stays well below the 13,000 characters or so at which Slack answers
msg_blocks_too_long, a limit that it does not document (slackapi/bolt-js issue 2509).
"""


@dataclass(frozen=True)
class Message:
    """Blocks, and the text that notifications and screen readers get in their place."""

    text: str
    blocks: Sequence[Block]

    @property
    def digest(self) -> str:
        """The same for the same message."""
        return hashlib.sha256(json.dumps([self.text, self.blocks]).encode()).hexdigest()


@dataclass(frozen=True)
class Candidate:
    """What is known of a candidate now.

    `decided` is the decision that is taken, None while the candidate waits; `written` says whether the
    registry shows it. `rolled_back` says that the candidate had been approved before it was rejected.
    `problem` says why there is no evaluation. `may_decide` says whether anybody may decide in Slack.
    """

    model: str
    arn: str
    decided: EarlierDecision | None
    written: bool
    rolled_back: bool
    reasons: Sequence[str]
    evaluation: Evaluation | None
    problem: str | None
    review_url: str | None
    may_decide: bool

    @property
    def name(self) -> str:
        return self.arn.split(":model-package/")[-1]

    @property
    def version(self) -> str:
        return self.name.rsplit("/", 1)[-1]


def of_candidate(candidate: Candidate) -> Message:
    """The one message of a candidate, as it should look now."""
    decided = candidate.decided
    what, wanted = _state(candidate)
    title = f"{candidate.model}: version {candidate.version} {what}"
    asks = decided is None and candidate.may_decide and units(candidate.arn) <= VALUE
    blocks = [
        _header(title),
        _plain(wanted),
        *([_plain(decision_text(decided))] if decided else []),
        *_table(candidate),
        *_reasons(candidate.reasons),
        *_link(candidate.review_url),
        *(_buttons(candidate) if asks else ()),
        _context(f"Model package {candidate.name}"),
    ]
    return Message(escape(f"{title}. {wanted}", FALLBACK), blocks)


def _state(candidate: Candidate) -> tuple[str, str]:
    """The candidate's state, and what is wanted of the reader."""
    decided = candidate.decided
    if decided is None:
        return "waits for your decision", "Your decision is wanted: approve or reject it, and say why."
    if not candidate.written:
        wanted = "Nothing is wanted of you: the decision is being written to the model registry."
        return f"is being {decided.status.lower()}", wanted
    if candidate.rolled_back:
        return "was taken back", "Somebody should look: it had been approved, and may be in use."
    return f"was {decided.status.lower()}", "Nothing is wanted of you."


_HOW: Final = {
    "rules": "by the rules",
    "superseded": "as a newer one was approved",
    "expired": "as nobody decided in time",
    "link": "through its link",
    "slack": "in Slack",
    "operator": "on the command line",
    "person": "in AWS",
}


def decision_text(decided: EarlierDecision) -> str:
    """Who decided what, how, when, and why. Why the rules did stands among the reasons."""
    who = f" by {decided.who}" if decided.who else ""
    if decided.by == "link" and who:
        who = f" by somebody who gave the name {decided.who}"
    at = f"{decided.at:%Y-%m-%d %H:%M %Z}".strip()
    said = f"{decided.status} {_HOW.get(decided.by, decided.by)}{who}, {at}"
    return said if decided.by == "rules" or not decided.why else f"{said}: {decided.why}"


_FACTS: Final = {
    "execution_failed": "retraining FAILED",
    "quarantined": "a file that landed is bad, nothing was started",
    "overdue": "a new model still waits for your decision",
    "rolled_back": "the champion was taken back",
}


def of_fact(notification: Notification) -> Message:
    """A message about something that is no candidate's state: a failure, a bad file, a reminder."""
    title = f"{notification.model}: {_FACTS.get(notification.kind, notification.kind.replace('_', ' '))}"
    wanted = "Your decision is wanted." if notification.kind == "overdue" else "Somebody should look."
    facts = [notification.model_package_arn, notification.execution_arn, notification.evidence_uri]
    blocks = [
        _header(title),
        _plain(wanted),
        *_reasons(notification.reasons),
        *_link(notification.review_url),
        *([_context("\n".join(fact for fact in facts if fact))] if any(facts) else []),
    ]
    return Message(escape(f"{title}. {wanted}", FALLBACK), blocks)


def of_text(text: str) -> Message:
    """A sentence for the one who pressed a button."""
    return Message(escape(text, LINE) or "–", [_plain(text)])


def _table(candidate: Candidate) -> list[Block]:
    """Candidate against champion where they were compared, otherwise the candidate alone."""
    evaluation = candidate.evaluation
    if evaluation is None:
        return [_plain(f"No numbers: {candidate.problem}")] if candidate.problem else []
    comparison = evaluation.comparison
    if comparison:
        version = (evaluation.champion or "").rsplit("/", 1)[-1]
        title = (
            f"On {comparison.n} rows, against the champion, version {version}; differences have 95 % bounds"
        )
        lines = [("metric", "candidate", "champion", "difference")]
        lines += [
            (
                name,
                _number(value.value),
                _value(comparison.champion, name),
                _difference(comparison.differences, name),
            )
            for name, value in comparison.candidate.items()
        ]
    else:
        why = f": {evaluation.champion_problem}" if evaluation.champion_problem else ""
        title = f"On {evaluation.candidate.n} rows, not compared with a champion{why}"
        lines = [("metric", "candidate", "", "95 % interval")]
        lines += [
            (name, _number(value.value), "", _span(value.interval))
            for name, value in evaluation.candidate.metrics.items()
        ]
    return [_plain(title), *([_code(lines)] if len(lines) > 1 else [])]


def _code(lines: Sequence[tuple[str, ...]]) -> Block:
    """A table in a code block, cut to MOST_ROWS rows."""
    shown = [[cut(one_line(cell).replace("`", "'"), 30) for cell in line] for line in lines[: MOST_ROWS + 1]]
    widths = [max(len(line[column]) for line in shown) for column in range(len(shown[0]))]
    rows = ["  ".join(_cells(line, widths)).rstrip() for line in shown]
    if more := len(lines) - len(shown):
        rows.append(f"… and {more} more")
    text = "\n".join(escape(row, ROW, tidy=False) for row in rows)
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"```{text}```", "verbatim": True}}


def _cells(line: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    """Names to the left, numbers to the right; columns that are empty in every line are left out."""
    return (
        cell.ljust(width) if column in (0, 3) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        if width
    )


def _number(value: float, sign: str = "") -> str:
    if math.isnan(value):
        return "–"
    if abs(value) < 0.0005:
        value = 0.0  # no −0.000
    return f"{value:{sign}.3f}" if abs(value) < 1000 else f"{value:{sign}.4g}"


def _value(scores: Mapping[str, Measured], name: str) -> str:
    return _number(scores[name].value) if name in scores else "–"


def _difference(differences: Mapping[str, Difference], name: str) -> str:
    found = differences.get(name)
    return f"{_number(found.value, '+')} {_span(found.bounds, '+')}" if found else "–"


def _span(ends: tuple[float, float], sign: str = "") -> str:
    return f"({_number(ends[0], sign)} … {_number(ends[1], sign)})"


def _reasons(reasons: Sequence[str]) -> list[Block]:
    shown = [f"• {cut(one_line(reason), REASON_SHOWN)}" for reason in reasons[:MOST_REASONS]]
    if more := len(reasons) - len(shown):
        shown.append(f"… and {more} more")
    return [_plain("\n".join(shown), REASONS, lines=True)] if shown else []


def _link(url: str | None) -> list[Block]:
    """Where the whole story is. A URL that is none of ours in form is not linked."""
    if url is None or not re.fullmatch(r"https?://[!-;=?-{}~]+", url) or units(url) > LINK:
        return []
    text = f"<{url.replace('&', '&amp;')}|Open its page>"
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}]


def _buttons(candidate: Candidate) -> list[Block]:
    """A line for the reason, and two buttons. They carry the ARN, which nobody trusts when it comes back."""
    confirm = {
        "title": _text(f"Approve version {candidate.version}?", 100),
        "text": _text(f"It becomes the champion of {candidate.model}.", CONFIRM_TEXT),
        "confirm": _text("Approve", 30),
        "deny": _text("Cancel", 30),
    }
    approve = {**_button(APPROVE, "Approve", candidate.arn), "style": "primary", "confirm": confirm}
    return [
        {
            "type": "input",
            "label": _text("Why", 2000),
            "element": {
                "type": "plain_text_input",
                "action_id": REASON,
                "max_length": REASON_LIMIT,
                "placeholder": _text("Recorded with your decision", PLACEHOLDER),
            },
        },
        {
            "type": "actions",
            "elements": [approve, {**_button(REJECT, "Reject", candidate.arn), "style": "danger"}],
        },
    ]


def _button(action: str, label: str, value: str) -> Block:
    return {"type": "button", "action_id": action, "text": _text(label, 75), "value": value}


def _header(text: str) -> Block:
    return {"type": "header", "text": _text(text, HEADER)}


def _plain(text: str, limit: int = LINE, *, lines: bool = False) -> Block:
    return {"type": "section", "text": _text(text, limit, lines=lines)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_text(text, LINE, lines=True)]}


def _text(text: str, limit: int, *, lines: bool = False) -> Block:
    """plain_text of 1 to `limit` characters; with `lines` its line breaks stay."""
    tidied = "\n".join(map(one_line, text.split("\n"))) if lines else one_line(text)
    return {"type": "plain_text", "text": cut(tidied, limit) or "–", "emoji": False}
