"""Triggered by the queue of notifications, and by review_candidate when a person presses a button in Slack.
Changes: the one message of each candidate in its channel; after a press that Slack has signed, the decision.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from retraining.aws.clients import client
from retraining.aws.observability import handling, logger
from retraining.aws.settings import secret
from retraining.collaborators import Collaborators
from retraining.notifications.messages import Notification
from retraining.slack import inbox
from retraining.slack.client import SlackClient
from retraining.slack.inbox import Postpone
from retraining.slack.presses import Press
from retraining.slack.requests import from_event
from retraining.slack.secret import parse_secret
from retraining.slack.telling import tell

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_sqs import SQSClient

SPARE_SECONDS: Final = 5.0
"""Seconds of the function's time that are not spent on waiting for Slack."""

ENOUGH_SECONDS: Final = 15.0
"""Seconds that must be left for another notification of the batch. Those that are not begun come again."""

Connect = Callable[[Callable[[], float]], SlackClient]
"""Makes the client from a function that says how many seconds may still be spent on waiting."""


@logger.inject_lambda_context
def handler(
    event: dict[str, Any],
    context: LambdaContext,
    *,
    using: Collaborators | None = None,
    connect: Connect | None = None,
    postpone: Postpone | None = None,
) -> dict[str, list[dict[str, str]]] | None:
    """Tell what each notification says, or decide as a button says. The queue delivers again what failed."""
    using = using or Collaborators.real()

    def left() -> float:
        return context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS

    client = (connect or connected)(left)
    if "Records" not in event:
        pressed = from_event(event, client.signing_secret, using.clock(), api_url=client.api_url)
        with handling():
            Press(pressed, using, client).decide()
        return None

    def say(text: str, sent_at: datetime | None) -> None:
        tell(Notification.model_validate_json(text), using, client, sent_at=sent_at)

    failed = inbox.work(
        inbox.deliveries(event["Records"]),
        say,
        postpone or postponed,
        enough_time=lambda: left() > ENOUGH_SECONDS,
    )
    return {"batchItemFailures": [{"itemIdentifier": identity} for identity in failed]}


def connected(patience: Callable[[], float]) -> SlackClient:
    """The client with the secret and the address of Slack that the environment names."""
    arn = os.environ["SLACK_SECRET"]
    found = parse_secret(secret(arn), source=f"the secret {arn}")
    return SlackClient(found, api_url=os.environ.get("SLACK_API_URL") or None, patience=patience)


def postponed(receipt: str, seconds: int) -> None:
    """Let the queue deliver a message again after this time."""
    _sqs().change_message_visibility(
        QueueUrl=os.environ["SLACK_QUEUE"], ReceiptHandle=receipt, VisibilityTimeout=seconds
    )


@cache
def _sqs() -> SQSClient:
    return client("sqs")  # type: ignore[no-any-return]
