"""Pure: what approvers see in Slack.

Nothing here imports slack_sdk, whose import takes a tenth of a second: Slack waits three for an answer.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from retraining.facts.candidates import EarlierDecision
from retraining.notifications.messages import Notification
from retraining.slack import blocks
from retraining.slack.blocks import Block
from retraining.slack.text import escape
from retraining.verdicts.evaluation import Difference, Evaluation, Measured, Paired

MAX_FALLBACK: Final = 300
"""Characters of the text that stands for the blocks in notifications and screen readers."""

MAX_PICTURE: Final = 2000
"""Characters of the text alternative of a picture. Block Kit takes 3,000; a message takes about 13,000."""

MAX_ANSWER: Final = 1000
"""Characters of an answer to a press."""

_HOW: Final = {
    "rules": "by the rules",
    "superseded": "as a newer one was approved",
    "expired": "as nobody decided in time",
    "link": "through its link",
    "slack": "in Slack",
    "operator": "on the command line",
    "person": "in AWS",
}
"""How a decision came about, by what decided (facts.candidates.By)."""

_FACTS: Final = {
    "execution_failed": "retraining FAILED",
    "execution_stopped": "retraining was STOPPED",
    "quarantined": "a file that landed is bad, nothing was started",
    "overdue": "a new model still waits for your decision",
    "rolled_back": "the champion was taken back",
    "start_blocked": "retraining is blocked",
    "candidate_blocked": "a new model is blocked: it cannot be judged or recorded",
    "anchor_moved": "the anchor was moved by a person",
}
"""The title of a message that is no candidate's state, by the kind of the notification."""


_WANTED: Final = {"overdue": "Your decision is wanted.", "anchor_moved": "Nothing to do."}
"""What is wanted of people, by the kind; for every other kind, somebody should look."""


class Message(NamedTuple):
    """Blocks, and the text that notifications and screen readers get in place of the blocks."""

    text: str
    blocks: Sequence[Block]

    @property
    def digest(self) -> str:
        """The same for equal messages, and only for them."""
        return hashlib.sha256(json.dumps([self.text, self.blocks]).encode()).hexdigest()


class Candidate(NamedTuple):
    """What is known of a candidate now.

    `decided` is the decision that is taken, None while the candidate waits; `written` says whether the
    registry shows it. `rolled_back` says that the candidate had been approved before it was rejected.
    `problem` says why there is no evaluation. `may_decide` says whether anybody may decide in Slack.
    `picture` is the text alternative of the picture of the metrics; None where there is no picture.
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
    picture: str | None = None

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
    asks = decided is None and candidate.may_decide and blocks.fits_button(candidate.arn)
    return Message(
        escape(f"{title}. {wanted}", MAX_FALLBACK),
        [
            blocks.header(title),
            blocks.plain(wanted),
            *([blocks.plain(decision_text(decided))] if decided else []),
            *_numbers(candidate),
            *([blocks.plain(candidate.picture, MAX_PICTURE)] if candidate.picture else []),
            *blocks.reasons(candidate.reasons),
            *blocks.link(candidate.review_url),
            *_command(candidate),
            *(
                blocks.buttons(candidate.arn, version=candidate.version, model=candidate.model)
                if asks
                else []
            ),
            blocks.context(f"Model package {candidate.name}"),
        ],
    )


def of_fact(told: Notification, review_url: str | None, *, published: datetime | None = None) -> Message:
    """The message of a notification that the candidate's own message does not show.

    That is a failure, a stop, a bad file, something that is blocked, a reminder or a roll-back. `review_url`
    is our own link. The one that the notification names is not shown: others may publish to the topic.
    `published` is when the fact was published, if that is long ago.
    """
    title = f"{told.model}: {_FACTS.get(told.kind, told.kind.replace('_', ' '))}"
    wanted = _WANTED.get(told.kind, "Somebody should look.")
    facts = [fact for fact in (told.model_package_arn, told.execution_arn, told.evidence_uri) if fact]
    if published:
        facts.append(f"Published {published:%Y-%m-%d %H:%M %Z}; Slack could not be reached before.")
    return Message(
        escape(f"{title}. {wanted}", MAX_FALLBACK),
        [
            blocks.header(title),
            blocks.plain(wanted),
            *blocks.reasons(told.reasons),
            *blocks.link(review_url),
            *([blocks.context("\n".join(facts))] if facts else []),
        ],
    )


def of_text(text: str) -> Message:
    """A sentence for the person who pressed a button."""
    return Message(escape(text, MAX_ANSWER) or "–", [blocks.plain(text)])


def decision_text(decided: EarlierDecision) -> str:
    """Who decided what, how, when, and why. The reasons of the message have the rules' own reason."""
    who = f" by {decided.who}" if decided.who else ""
    if decided.by == "link" and who:
        who = f" by somebody who gave the name {decided.who}"
    at = f"{decided.at:%Y-%m-%d %H:%M %Z}".strip()
    said = f"{decided.status} {_HOW.get(decided.by, decided.by)}{who}, {at}"
    return said if decided.by == "rules" or not decided.why else f"{said}: {decided.why}"


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


def _command(candidate: Candidate) -> list[Block]:
    """The command that decides, where neither a link nor buttons do."""
    if candidate.decided is not None or candidate.review_url or candidate.may_decide:
        return []
    return [blocks.plain(f'Decide by command: handsoff approve {candidate.name} --reason "…" (or reject)')]


def _numbers(candidate: Candidate) -> list[Block]:
    """Candidate against champion where they were compared, otherwise the candidate alone."""
    evaluation = candidate.evaluation
    if evaluation is None:
        return [blocks.plain(f"No numbers: {candidate.problem}")] if candidate.problem else []
    comparison = evaluation.comparison
    if comparison:
        version = (evaluation.champion or "").rsplit("/", 1)[-1]
        title = (
            f"On {comparison.n} rows, against the champion, version {version}; differences have 95 % bounds"
        )
        lines = _compared(comparison)
    else:
        why = f": {evaluation.champion_problem}" if evaluation.champion_problem else ""
        title = f"On {evaluation.candidate.n} rows, not compared with a champion{why}"
        lines = _alone(evaluation.candidate.metrics)
    return [blocks.plain(title), *([blocks.table(lines)] if len(lines) > 1 else [])]


def _compared(comparison: Paired) -> list[tuple[str, ...]]:
    """The lines of the table with the champion's values and the differences."""
    return [
        ("metric", "candidate", "champion", "difference"),
        *(
            (
                name,
                _number(value.value),
                _value(comparison.champion, name),
                _difference(comparison.differences, name),
            )
            for name, value in comparison.candidate.items()
        ),
    ]


def _alone(metrics: Mapping[str, Measured]) -> list[tuple[str, ...]]:
    """The lines of the table with the candidate's values and intervals."""
    return [
        ("metric", "candidate", "", "95 % interval"),
        *((name, _number(value.value), "", _span(value.interval)) for name, value in metrics.items()),
    ]


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
