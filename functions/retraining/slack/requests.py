"""Pure: what Slack sends when somebody presses a button, with its signature.

The endpoint checks the signature and hands the signed request on as it came. notify_slack, which decides,
checks it again: who pressed is known from Slack's signature only, never from an event's own words.
Nothing here imports slack_sdk, which takes a tenth of a second: Slack waits three for an answer.

HandsoffError
└── NotSigned          an event asks for a decision and holds no press that Slack has signed
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from retraining.errors import HandsoffError
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

MAX_SKEW: Final = timedelta(minutes=5)
"""How far the time of a request may lie before or after now: Slack's advice against replays."""

MAX_QUEUED: Final = timedelta(days=14)
"""Age up to which a press is read where it decides: as long as a queue keeps it. presses.MAX_AGE says up to
which age it decides."""

STAMP: Final = "x-slack-request-timestamp"
"""The header with the time at which Slack signed, in seconds since 1970."""

SIGNATURE: Final = "x-slack-signature"
"""The header with the signature: `v0=` and an HMAC of SHA-256 in hexadecimal digits."""

HOOKS: Final = "https://hooks.slack.com/"
"""Where answers to a press go."""


class Refusal(NamedTuple):
    """Why a request is refused, with the HTTP status of the answer."""

    status: Literal[400, 401, 413]
    why: str


class NotSigned(HandsoffError):
    """An event asks for a decision and holds no press that Slack has signed. Nothing was decided."""


class Interaction(NamedTuple):
    """A press of a button. Slack has signed who pressed and when. Nothing says yet that they may decide."""

    user_id: str
    user_name: str
    action: Literal["approve", "reject"]
    package_arn: str
    reason: str
    response_url: str
    channel: str
    message_ts: str
    pressed_at: datetime

    @property
    def who(self) -> str:
        """The person as it is recorded: `U0123ABCD (name)`."""
        return f"{self.user_id} ({self.user_name})" if self.user_name else self.user_id


class _Part(BaseModel):
    """Part of what Slack sends: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")


class _SignedRequest(_Part):
    """What `as_event` makes of a request."""

    headers: dict[str, str]
    body: str


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
    state: _State = _State.model_construct()


def interaction(
    headers: Mapping[str, str],
    body: bytes,
    signing_secret: str,
    now: datetime,
    *,
    api_url: str | None = None,
    max_age: timedelta = MAX_SKEW,
) -> Interaction | Refusal:
    """The press that a request to Slack's endpoint carries, or why the request is refused. It never raises.

    Signature and age are checked before anything in the body is read. `api_url` is where Slack's API is in
    tests: answers may then go there, too.
    The signature: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    if refusal := _unsigned(headers, body, signing_secret, now, max_age):
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


def as_event(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """What notify_slack is invoked with: the request as Slack has signed it. The body is in base64."""
    signed = {name: _header_of(headers, name) for name in (STAMP, SIGNATURE)}
    return {
        "source": "handsoff",
        "slackPress": {"headers": signed, "body": base64.b64encode(body).decode()},
    }


def from_event(
    event: Mapping[str, Any], signing_secret: str, now: datetime, *, api_url: str | None = None
) -> Interaction:
    """The press that an event of `as_event` carries. Its signature is checked here again.

    Raises NotSigned where Slack has not signed it, or more than MAX_QUEUED ago.
    """
    try:
        signed = _SignedRequest.model_validate(event.get("slackPress"))
        body = base64.b64decode(signed.body, validate=True)
    except ValueError:
        raise NotSigned(
            "the event asks for a decision without a press that Slack has signed; nothing was decided"
        ) from None
    found = interaction(signed.headers, body, signing_secret, now, api_url=api_url, max_age=MAX_QUEUED)
    if isinstance(found, Refusal):
        raise NotSigned(f"the press is refused, and nothing was decided: {found.why}")
    return found


def _unsigned(
    headers: Mapping[str, str], body: bytes, secret: str, now: datetime, max_age: timedelta
) -> Refusal | None:
    """Why Slack has not signed this within `max_age`; None if it has."""
    stamp, signature = _stamp(headers), _header_of(headers, SIGNATURE)
    if not secret or not re.fullmatch("[0-9]{1,12}", stamp):
        return Refusal(401, "the request is not signed")
    age = now.timestamp() - int(stamp)
    if not -MAX_SKEW.total_seconds() <= age <= max_age.total_seconds():
        limit = "five minutes" if max_age == MAX_SKEW else f"{max_age.days} days"
        return Refusal(401, f"the request is more than {limit} old, or from the future")
    wanted = hmac.new(secret.encode(), b"v0:%b:%b" % (stamp.encode(), body), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"v0={wanted}".encode(), signature.encode(errors="replace")):
        return Refusal(401, "the signature is not Slack's")
    return None


def _stamp(headers: Mapping[str, str]) -> str:
    """When Slack signed the request, in seconds since 1970; empty where the request does not say."""
    return _header_of(headers, STAMP)


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
