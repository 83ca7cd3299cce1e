"""The endpoint to which Slack sends what people do: `POST /slack` of the Function URL."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from retraining.aws.clients import client
from retraining.aws.observability import logger
from retraining.aws.settings import secret
from retraining.slack.requests import Interaction, Refusal, as_event, interaction
from retraining.slack.secret import parse_secret

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

MAX_BODY: Final = 180 * 1024
"""Bytes of a request that are read. Slack sends the whole message along with a press: up to 110 KB. In base64
this fits into the 256 KB of an asynchronous event of Lambda."""


class Endpoint(NamedTuple):
    """`signing_secret` is the one with which Slack signs, `hand_on` invokes notify_slack with an event.

    `api_url` is where Slack's API is in tests, and `clock` is the time, in UTC.
    """

    signing_secret: str
    hand_on: Callable[[Mapping[str, Any]], None]
    api_url: str | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def from_environment(cls) -> Self | None:
        """The endpoint of this deployment; None without Slack, or with a webhook, which has no buttons."""
        secret_arn, function = os.environ.get("SLACK_SECRET"), os.environ.get("SLACK_FUNCTION")
        if not secret_arn or not function:
            return None
        found = parse_secret(secret(secret_arn), source=f"the secret {secret_arn}")
        if not found.signing_secret:
            return None

        def hand_on(event: Mapping[str, Any]) -> None:
            _lambda().invoke(
                FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
            )

        return cls(
            found.signing_secret.get_secret_value(), hand_on, api_url=os.environ.get("SLACK_API_URL") or None
        )

    def receive(self, headers: Mapping[str, str], body: bytes) -> Interaction | Refusal:
        """Check a request and hand it on as Slack has signed it; its press, or why the request is refused.

        notify_slack checks the signature again, decides, and answers the person. Slack waits three seconds
        for the answer to this.
        """
        if len(body) > MAX_BODY:
            return Refusal(413, f"it is too large: at most {MAX_BODY} bytes are read")
        pressed = interaction(headers, body, self.signing_secret, self.clock(), api_url=self.api_url)
        if isinstance(pressed, Interaction):
            self.hand_on(as_event(headers, body))
            logger.info("press handed to notify_slack", user=pressed.user_id)
        return pressed


@cache
def _lambda() -> LambdaClient:
    return client("lambda")  # type: ignore[no-any-return]
