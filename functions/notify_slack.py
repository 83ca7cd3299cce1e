"""Triggered by notifications, and by review_candidate when a person presses a button in Slack.
Changes: the one message of each candidate in its channel; after a press that Slack has signed, the decision.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining.aws.observability import logger, metrics
from retraining.aws.settings import secret
from retraining.collaborators import Collaborators
from retraining.notifications.messages import Notification
from retraining.slack.client import SlackClient
from retraining.slack.presses import Press
from retraining.slack.requests import from_event
from retraining.slack.secret import parse_secret
from retraining.slack.telling import tell

SPARE_SECONDS: Final = 5.0
"""Seconds of the function's time that are not spent on waiting for Slack."""

Connect = Callable[[Callable[[], float]], SlackClient]
"""Makes the client from a function that says how many seconds may still be spent on waiting."""


@metrics.log_metrics
@logger.inject_lambda_context
def handler(
    event: dict[str, Any],
    context: LambdaContext,
    *,
    using: Collaborators | None = None,
    connect: Connect | None = None,
) -> None:
    """Tell what a notification says, or decide as a button says."""
    using = using or Collaborators.real()
    client = (connect or connected)(lambda: context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS)
    if "Records" not in event:
        pressed = from_event(event, client.signing_secret, using.clock(), api_url=client.api_url)
        Press(pressed, using, client).decide()
        return
    for record in event["Records"]:
        tell(Notification.model_validate_json(record["Sns"]["Message"]), using, client)


def connected(patience: Callable[[], float]) -> SlackClient:
    """The client with the secret and the address of Slack that the environment names."""
    arn = os.environ["SLACK_SECRET"]
    found = parse_secret(secret(arn), source=f"the secret {arn}")
    return SlackClient(found, api_url=os.environ.get("SLACK_API_URL") or None, patience=patience)
