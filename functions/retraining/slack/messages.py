"""Pure: what approvers see in Slack, and what Slack sends when one of them presses a button.

Text that came from data or from people stands in plain_text, in which Slack reads no markup: nothing in it
can link, format, or mention somebody. mrkdwn are only the table (escaped, in a code block) and the link.
Nothing here imports slack_sdk, which takes a tenth of a second: Slack waits three for an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from retraining.aws.registry import one_line
from retraining.errors import ConfigError
from retraining.verdicts.evaluation import Difference, Evaluation, Measured

Block = dict[str, Any]

HEADER: Final = 150
PLACEHOLDER: Final = 150
VALUE: Final = 2000
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

REASON_LIMIT: Final = 300
"""Characters in which an approver says why."""

WINDOW: Final = 300
"""Seconds by which a request may be older, or newer, than now: Slack's advice against replays."""

HOOKS: Final = "https://hooks.slack.com/"

APPROVE: Final = "approve"
REJECT: Final = "reject"
REASON: Final = "reason"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Notice(_Frozen):
    """What handsoff publishes about one fact: the JSON form of messages.Notification."""

    notification_id: str
    kind: str
    model: str
    execution_arn: str | None = None
    model_package_arn: str | None = None
    reasons: tuple[str, ...] = ()
    review_url: str | None = None
    evidence_uri: str | None = None


class Secret(_Frozen):
    """Either a bot token with the app's signing secret, or the URL of an incoming webhook."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    bot_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    webhook_url: SecretStr | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        app = bool(self.bot_token and self.signing_secret)
        if app == bool(self.webhook_url) or bool(self.bot_token) != bool(self.signing_secret):
            raise ValueError("either botToken and signingSecret, or webhookUrl")
        return self


# ---- messages -------------------------------------------------------------------------------------------


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
class Decided:
    """The decision that stands: Approved or Rejected, by what, by whom, why, and when (ISO)."""

    status: str
    by: str
    who: str
    why: str
    at: str


@dataclass(frozen=True)
class Candidate:
    """What is known of a candidate now. `rolled_back`: it had been approved before it was rejected.

    `may_decide` says whether somebody may decide in Slack; `problem` why there is no evaluation.
    """

    model: str
    arn: str
    decided: Decided | None
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
    """What became of it, and what is wanted of the reader."""
    if candidate.decided is None:
        return "waits for your decision", "Your decision is wanted: approve or reject it, and say why."
    if candidate.rolled_back:
        return "was taken back", "Somebody should look: it had been approved, and may be in use."
    return f"was {candidate.decided.status.lower()}", "Nothing is wanted of you."


_HOW: Final = {
    "rules": "by the rules",
    "superseded": "as a newer one was approved",
    "expired": "as nobody decided in time",
    "link": "through its link",
    "slack": "in Slack",
    "operator": "on the command line",
    "person": "in AWS",
}


def decision_text(decided: Decided) -> str:
    """Who decided what, how, when, and why. Why the rules did stands among the reasons."""
    who = f" by {decided.who}" if decided.who else ""
    if decided.by == "link" and who:
        who = f" by somebody who gave the name {decided.who}"
    said = f"{decided.status} {_HOW.get(decided.by, decided.by)}{who}, {_time(decided.at)}"
    return said if decided.by == "rules" or not decided.why else f"{said}: {decided.why}"


_FACTS: Final = {
    "execution_failed": "retraining FAILED",
    "quarantined": "a file that landed is bad, nothing was started",
    "overdue": "a new model still waits for your decision",
    "rolled_back": "the champion was taken back",
}


def of_fact(notice: Notice) -> Message:
    """A message about something that is no candidate's state: a failure, a bad file, a reminder."""
    title = f"{notice.model}: {_FACTS.get(notice.kind, notice.kind.replace('_', ' '))}"
    wanted = "Your decision is wanted." if notice.kind == "overdue" else "Somebody should look."
    facts = [notice.model_package_arn, notice.execution_arn, notice.evidence_uri]
    blocks = [
        _header(title),
        _plain(wanted),
        *_reasons(notice.reasons),
        *_link(notice.review_url),
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


# ---- text -----------------------------------------------------------------------------------------------

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


def _time(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M %Z}".strip()
    except ValueError:
        return at


# ---- what Slack sends -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """Why a request is not one that a button of ours made; `status` is for HTTP."""

    status: Literal[400, 401]
    why: str


class Interaction(_Frozen):
    """A button that was pressed. Who and when is certain (Slack signs that), whether he may is not."""

    user_id: str
    user_name: str
    action: Literal["approve", "reject"]
    package_arn: str
    reason: str
    response_url: str
    channel: str
    message_ts: str
    pressed_at: AwareDatetime

    @property
    def who(self) -> str:
        """For the record: U0123ABCD (name)."""
        return f"{self.user_id} ({self.user_name})" if self.user_name else self.user_id

    def as_event(self) -> dict[str, Any]:
        """What notify_slack is invoked with."""
        return {"source": "handsoff", "slackDecision": self.model_dump(mode="json", by_alias=True)}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _User(_Part):
    id: Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{1,40}$")]
    username: str = ""
    name: str = ""


class _Action(_Part):
    action_id: Literal["approve", "reject"]
    value: str = Field(min_length=1, max_length=VALUE)


class _Container(_Part):
    channel_id: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,40}$")]
    message_ts: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}\.[0-9]{1,20}$")]


class _Value(_Part):
    value: str | None = None


class _State(_Part):
    values: dict[str, dict[str, _Value]] = {}


class _Pressed(_Part):
    type: Literal["block_actions"]
    user: _User
    actions: Annotated[tuple[_Action, ...], Field(min_length=1, max_length=1)]
    container: _Container
    response_url: str = Field(max_length=2000)
    state: _State = _State()


def interaction(
    headers: Mapping[str, str],
    body: bytes,
    signing_secret: str,
    now: datetime,
    *,
    api_url: str | None = None,
) -> Interaction | Refusal:
    """The button that a request to Slack's endpoint tells of, or why it is refused. It never raises.

    Signature and age are checked on the bytes before anything in them is read. `api_url` is where Slack's
    API is in tests: answers may then go there, too.
    """
    if refusal := _unsigned(headers, body, signing_secret, now):
        return refusal
    try:
        (payload,) = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)["payload"]
        pressed = _Pressed.model_validate_json(payload)
    except (KeyError, ValueError):
        return Refusal(400, "this is no button of ours")
    if not may_answer(pressed.response_url, api_url):
        return Refusal(400, "the answer would not go to Slack")
    (action,) = pressed.actions
    inputs = (value for block in pressed.state.values.values() for value in block.items())
    reason = next((given.value for name, given in inputs if name == REASON), None) or ""
    return Interaction(
        user_id=pressed.user.id,
        user_name=cut(one_line(pressed.user.username or pressed.user.name), 80),
        action=action.action_id,
        package_arn=action.value,
        reason=cut(one_line(reason), REASON_LIMIT),
        response_url=pressed.response_url,
        channel=pressed.container.channel_id,
        message_ts=pressed.container.message_ts,
        pressed_at=datetime.fromtimestamp(int(_stamp(headers)), UTC),
    )


def _unsigned(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Refusal | None:
    """Why this is not from Slack, just now; None if it is."""
    stamp, signature = _stamp(headers), _header_of(headers, "x-slack-signature")
    if not secret or not re.fullmatch("[0-9]{1,12}", stamp):
        return Refusal(401, "this request is not signed")
    if abs(now.timestamp() - int(stamp)) > WINDOW:
        return Refusal(401, "this request is too old, or from the future")
    wanted = hmac.new(secret.encode(), b"v0:%b:%b" % (stamp.encode(), body), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"v0={wanted}".encode(), signature.encode(errors="replace")):
        return Refusal(401, "the signature is not Slack's")
    return None


def _stamp(headers: Mapping[str, str]) -> str:
    """When Slack signed the request: seconds since 1970."""
    return _header_of(headers, "x-slack-request-timestamp")


def _header_of(headers: Mapping[str, str], name: str) -> str:
    return {given.lower(): value for given, value in headers.items()}.get(name, "")


def may_answer(url: str, api_url: str | None = None) -> bool:
    """Whether answers may be sent there: to Slack, or to the stand-in that tests name."""
    try:
        place, hooks = urlsplit(url), urlsplit(HOOKS)
        test = urlsplit(api_url) if api_url else hooks
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    return (place.scheme, place.netloc) in ((hooks.scheme, hooks.netloc), (test.scheme, test.netloc))


def parse_secret(text: str, *, source: str) -> Secret:
    """What Secrets Manager holds. Raises ConfigError, which names `source`, and never what stands in it."""
    try:
        return Secret.model_validate_json(text)
    except ValidationError:
        raise ConfigError(
            f'{source} must hold {{"botToken": "xoxb-…", "signingSecret": "…"}} or {{"webhookUrl": "https://…"}}'
        ) from None
