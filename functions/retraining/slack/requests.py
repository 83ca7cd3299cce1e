"""Pure: what Slack sends when somebody presses a button, with its signature.

Nothing here imports slack_sdk, which takes a tenth of a second: Slack waits three for an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from retraining.slack.text import cut
from retraining.text import one_line

APPROVE: Final = "approve"
"""The action_id of the button that approves."""

REJECT: Final = "reject"
"""The action_id of the button that rejects."""

REASON: Final = "reason"
"""The action_id of the field for the reason."""

MAX_REASON: Final = 300
"""Characters of a person's reason."""

MAX_VALUE: Final = 2000
"""Characters of the value of a button: Block Kit's limit."""

MAX_SKEW: Final = 300
"""Seconds by which a request may be older or newer than now: Slack's advice against replays."""

HOOKS: Final = "https://hooks.slack.com/"
"""Where answers to a press go."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused, with the HTTP status of the answer."""

    status: Literal[400, 401, 413]
    why: str


class Interaction(BaseModel):
    """A press of a button. Slack has signed who pressed and when. Nothing says yet that they may decide."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

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
        """The person as it is recorded: `U0123ABCD (name)`."""
        return f"{self.user_id} ({self.user_name})" if self.user_name else self.user_id

    def as_event(self) -> dict[str, Any]:
        """What notify_slack is invoked with."""
        return {"source": "handsoff", "slackDecision": self.model_dump(mode="json", by_alias=True)}


class _Part(BaseModel):
    """Part of Slack's payload: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _User(_Part):
    id: Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{1,40}$")]
    username: str = ""
    name: str = ""


class _Action(_Part):
    action_id: Literal["approve", "reject"]
    value: str = Field(min_length=1, max_length=MAX_VALUE)


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
    """The press that a request to Slack's endpoint carries, or why the request is refused. It never raises.

    Signature and age are checked before anything in the body is read. `api_url` is where Slack's API is in
    tests: answers may then go there, too.
    The signature: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    if refusal := _unsigned(headers, body, signing_secret, now):
        return refusal
    try:
        (payload,) = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)["payload"]
        pressed = _Pressed.model_validate_json(payload)
    except (KeyError, ValueError):
        return Refusal(400, "this is not a press of one of our buttons")
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
        reason=cut(one_line(reason), MAX_REASON),
        response_url=pressed.response_url,
        channel=pressed.container.channel_id,
        message_ts=pressed.container.message_ts,
        pressed_at=datetime.fromtimestamp(int(_stamp(headers)), UTC),
    )


def _unsigned(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Refusal | None:
    """Why Slack has not signed this just now; None if it has."""
    stamp, signature = _stamp(headers), _header_of(headers, "x-slack-signature")
    if not secret or not re.fullmatch("[0-9]{1,12}", stamp):
        return Refusal(401, "the request is not signed")
    if abs(now.timestamp() - int(stamp)) > MAX_SKEW:
        return Refusal(401, "the request is more than five minutes old, or from the future")
    wanted = hmac.new(secret.encode(), b"v0:%b:%b" % (stamp.encode(), body), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"v0={wanted}".encode(), signature.encode(errors="replace")):
        return Refusal(401, "the signature is not Slack's")
    return None


def _stamp(headers: Mapping[str, str]) -> str:
    """When Slack signed the request, in seconds since 1970; empty where the request does not say."""
    return _header_of(headers, "x-slack-request-timestamp")


def _header_of(headers: Mapping[str, str], name: str) -> str:
    return {given.lower(): value for given, value in headers.items()}.get(name, "")


def may_answer(url: str, api_url: str | None = None) -> bool:
    """Whether an answer may go to this URL: to Slack, or to the API that tests name."""
    try:
        place, hooks = urlsplit(url), urlsplit(HOOKS)
        test = urlsplit(api_url) if api_url else hooks
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    return (place.scheme, place.netloc) in ((hooks.scheme, hooks.netloc), (test.scheme, test.netloc))
