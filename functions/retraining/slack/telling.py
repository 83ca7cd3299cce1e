"""Tells a notification in its model's channel, once."""

from __future__ import annotations

from typing import Final

from retraining.aws.ledger import once
from retraining.aws.observability import logger
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.slack import messages
from retraining.slack.candidates import show
from retraining.slack.client import SlackClient
from retraining.slack.messages import Notice

KINDS_OF_CANDIDATES: Final = frozenset({"waiting", "approved", "rejected", "overdue", "rolled_back"})
"""Notifications that the message of their candidate shows. All others are messages of their own."""


def tell(notice: Notice, using: Collaborators, client: SlackClient) -> None:
    """Tell this notification unless that has been done. A model without a channel is told nowhere.

    Raises NotReady while another invocation tells it, or changes the message of its candidate.
    """
    config = using.configs.get(notice.model)
    channel = config.approvers.slack_channel if config else None
    if config is None or channel is None:
        logger.info("model has no Slack channel", model=notice.model, notification=notice.notification_id)
        return

    def say() -> None:
        arn = notice.model_package_arn
        if arn is None or notice.kind not in KINDS_OF_CANDIDATES:
            client.post(channel, messages.of_fact(notice))
            return
        shown, place = show(arn, notice.model, config, using, client, review_url=notice.review_url)
        # A reader who has seen the message is not told of its change. So these are said below it, too.
        if notice.kind == "rolled_back" or (notice.kind == "overdue" and shown != "posted"):
            client.post(channel, messages.of_fact(notice), under=place)

    did = once(using.ledger, keys.slack_notification(notice.notification_id), say, now=using.clock())
    logger.info("told in Slack" if did else "told in Slack before", kind=notice.kind, model=notice.model)
