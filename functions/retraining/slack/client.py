"""The calls to Slack. A failure that may pass is retried while there is time.

No error and no log holds a secret: the text of an error of slack_sdk or of Python may quote the webhook's
address or a header, so only its kind is told.

HandsoffError
├── SlackRefused       Slack refuses until a person does what the text says
└── SlackFailed        the request failed before Slack answered; SlackApiError tells of other answers
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import HttpResponse, RetryHandler
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)
from slack_sdk.web import SlackResponse, WebClient
from slack_sdk.webhook import WebhookClient

from retraining.errors import HandsoffError
from retraining.slack.messages import Message
from retraining.slack.requests import may_answer
from retraining.slack.secret import Secret

TIMEOUT: Final = 10
"""Seconds for one request."""

_RENEW: Final = "Slack does not take the bot token: put a valid one into the secret"
_REMEDIES: Final = {
    "channel_not_found": "Slack has no channel {channel} that the app may see: "
    "correct approvers.slack_channel, or invite the app there",
    "not_in_channel": "the app is not in the channel {channel}: /invite it there",
    "is_archived": "the channel {channel} is archived: name another one in approvers.slack_channel",
    "restricted_action": "the channel {channel} is closed to apps: its owner must let this app post",
    "missing_scope": "the app lacks the scope chat:write: add the scope and install the app again",
    "invalid_auth": _RENEW,
    "not_authed": _RENEW,
    "account_inactive": _RENEW,
    "token_revoked": _RENEW,
    "token_expired": _RENEW,
}
_GONE: Final = frozenset(
    {
        "message_not_found",
        "thread_not_found",
        "cant_update_message",
        "edit_window_closed",
        "channel_not_found",
        "is_archived",
    }
)
"""Errors after which a message can never be updated or replied to. A new message is posted then."""


_SILENT: Final = logging.Logger("slack_sdk", logging.CRITICAL + 1)
"""The log of slack_sdk goes nowhere: it names the webhook's address, and quotes errors that do."""

_CODE: Final = re.compile(r"[a-z_]{1,60}", re.ASCII)
"""An error's name in an answer of Slack. Nothing else of an answer is quoted: it may echo the request."""

T = TypeVar("T")


class SlackRefused(HandsoffError):
    """Slack refuses this until a person does what the text says."""


class SlackFailed(HandsoffError):
    """The request failed before Slack answered. The text names the kind of failure and quotes nothing."""


class Place(NamedTuple):
    """A message: the id of its channel, and its `ts`, the time of its posting, which identifies it there."""

    channel: str
    ts: str


class SlackClient:
    """Posts and updates messages. `patience` returns the seconds that may still be spent on waiting.

    `signing_secret` is the one with which Slack signs presses, empty with a webhook. `api_url` is where
    Slack's API is in tests.
    """

    def __init__(
        self, secret: Secret, *, api_url: str | None = None, patience: Callable[[], float] = lambda: 30.0
    ) -> None:
        self.api_url = api_url
        self.signing_secret = secret.signing_secret.get_secret_value() if secret.signing_secret else ""
        self._handlers: list[RetryHandler] = [
            _RateLimit(patience),
            ServerErrorRetryHandler(max_retry_count=2),
            ConnectionErrorRetryHandler(max_retry_count=1),
        ]
        self._web: WebClient | None = None
        if secret.bot_token:
            self._web = WebClient(
                secret.bot_token.get_secret_value(),
                base_url=api_url or WebClient.BASE_URL,
                timeout=TIMEOUT,
                retry_handlers=self._handlers,
                logger=_SILENT,
            )
        self._webhook = secret.webhook_url.get_secret_value() if secret.webhook_url else ""

    @property
    def interactive(self) -> bool:
        """Whether messages can have buttons and be updated. Those of a webhook cannot."""
        return self._web is not None

    def post(self, channel: str, message: Message, *, under: Place | None = None) -> Place | None:
        """Post a message, and return its place. With `under`, it is a reply that the channel shows, too.

        A webhook posts to its own channel and returns None. Raises SlackRefused.
        """
        if self._web is None:
            self._send(self._webhook, message, what="the webhook")
            return None
        thread: dict[str, Any] = {"thread_ts": under.ts, "reply_broadcast": True} if under else {}
        post = partial(
            self._web.chat_postMessage,
            channel=under.channel if under else channel,
            text=message.text,
            blocks=message.blocks,
            unfurl_links=False,
            unfurl_media=False,
            **thread,
        )
        try:
            answer = _safely(post)
        except SlackApiError as error:
            if under and error.response.get("error") in _GONE:
                return self.post(channel, message)
            _raise(error, channel)
        return Place(str(answer["channel"]), str(answer["ts"]))

    def update(self, place: Place, message: Message) -> bool:
        """Replace a message. False if it is gone, or cannot be changed. Raises SlackRefused."""
        if self._web is None:
            return False
        update = partial(
            self._web.chat_update,
            channel=place.channel,
            ts=place.ts,
            text=message.text,
            blocks=message.blocks,
        )
        try:
            _safely(update)
        except SlackApiError as error:
            if error.response.get("error") in _GONE:
                return False
            _raise(error, place.channel)
        return True

    def answer(self, url: str, message: Message) -> bool:
        """Tell the person who pressed a button, and nobody else. False if it is too late (30 minutes)."""
        if not may_answer(url, self.api_url):
            raise SlackRefused("an answer must go to https://hooks.slack.com/, and this one would not")
        return self._send(url, message, what="an answer", ephemeral=True)

    def _send(self, url: str, message: Message, *, what: str, ephemeral: bool = False) -> bool:
        private = {"response_type": "ephemeral", "replace_original": False} if ephemeral else {}
        body = {
            "text": message.text,
            "blocks": message.blocks,
            "unfurl_links": False,
            "unfurl_media": False,
            **private,
        }
        client = WebhookClient(url, timeout=TIMEOUT, retry_handlers=self._handlers, logger=_SILENT)
        answer = _safely(lambda: client.send_dict(body))
        if answer.status_code == 200:
            return True
        if ephemeral and 400 <= answer.status_code < 500 and answer.status_code != 429:
            return False
        raise SlackRefused(f"Slack has not taken {what}: {answer.status_code} {_code(answer.body)}".rstrip())


def _safely(call: Callable[[], T]) -> T:
    """What the call returns. Its errors are replaced by errors that quote nothing of request and answer.

    Raises SlackApiError with Slack's name of the error, and SlackFailed. Neither has a cause or a context.
    """
    try:
        return call()
    except SlackApiError as error:
        answer = error.response if isinstance(error.response, Mapping | SlackResponse) else {}
        status = getattr(answer, "status_code", "")
        code = _code(str(answer.get("error", "")))
        said = {"ok": False, "error": code or "unknown"}
        failure: Exception = SlackApiError(f"Slack answered {status}".rstrip(), said)  # type: ignore[no-untyped-call]
    except Exception as error:
        reason = getattr(error, "reason", error)
        why = f": {reason.strerror}" if isinstance(reason, OSError) and reason.errno else ""
        failure = SlackFailed(f"the request to Slack failed: {type(error).__name__}{why}")
    raise failure


def _code(text: str) -> str:
    """The name of an error that Slack answered; empty if the text is something else."""
    return text if _CODE.fullmatch(text) else ""


def _raise(error: SlackApiError, channel: str) -> NoReturn:
    code = str(error.response.get("error", ""))
    if code in _REMEDIES:
        raise SlackRefused(f"{_REMEDIES[code].format(channel=channel)} ({code})") from None
    raise error


class _RateLimit(RateLimitErrorRetryHandler):
    """Waits as long as Slack says, unless the function ends before: Lambda's retry comes later."""

    def __init__(self, patience: Callable[[], float]) -> None:
        super().__init__(max_retry_count=3)
        self._patience = patience

    def _can_retry(self, *, response: HttpResponse | None = None, **_: Any) -> bool:
        if response is None or response.status_code != 429:
            return False
        named = {name.lower(): values for name, values in response.headers.items()}
        wait = str((named.get("retry-after") or ["1"])[0])
        return wait.isascii() and wait.isdigit() and int(wait[:6]) + 1 < self._patience()
