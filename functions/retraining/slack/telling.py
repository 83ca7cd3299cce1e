"""Tells a notification in its model's channel, once."""

from __future__ import annotations

from typing import Final

from retraining.aws.ledger import once
from retraining.aws.observability import logger
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.notifications.messages import Notification
from retraining.slack import messages
from retraining.slack.candidates import show
from retraining.slack.client import SlackClient

KINDS_OF_CANDIDATES: Final = frozenset({"waiting", "approved", "rejected", "overdue", "rolled_back"})
"""Notifications that the message of their candidate shows. All others are messages of their own."""


def tell(told: Notification, using: Collaborators, client: SlackClient) -> None:
    """Tell this notification unless that has been done. A model without a channel is told nowhere.

    Raises NotReady while another invocation tells it, or changes the message of its candidate.
    """
    config = using.configs.get(told.model)
    channel = config.approvers.slack_channel if config else None
    if config is None or channel is None:
        logger.info("model has no Slack channel", model=told.model, notification=told.notification_id)
        return

    def say() -> None:
        arn = told.model_package_arn
        if arn is None or told.kind not in KINDS_OF_CANDIDATES:
            client.post(channel, messages.of_fact(told))
            return
        shown, place = show(arn, told.model, config, using, client, review_url=told.review_url)
        # Slack notifies nobody of a changed message. So these are said below the message, too.
        if told.kind == "rolled_back" or (told.kind == "overdue" and shown != "posted"):
            client.post(channel, messages.of_fact(told), under=place)

    first = once(using.ledger, keys.slack_notification(told.notification_id), say, now=using.clock())
    logger.info("told in Slack" if first else "told in Slack before", kind=told.kind, model=told.model)
