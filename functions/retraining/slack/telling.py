"""Tells a notification in its model's channel, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from retraining.aws import registry
from retraining.aws.ledger import once
from retraining.aws.observability import about, logger
from retraining.collaborators import Collaborators
from retraining.errors import ConfigError
from retraining.facts import keys
from retraining.notifications import recent
from retraining.notifications.messages import Notification
from retraining.slack import messages
from retraining.slack.candidates import Shown, link, model_of, show
from retraining.slack.client import SlackClient

KINDS_OF_CANDIDATES: Final = frozenset({"waiting", "approved", "rejected", "overdue", "rolled_back"})
"""Notifications that the message of their candidate shows. All others are messages of their own."""


UNKNOWN: Final = timedelta(days=1)
"""Age of a message from which a model without config counts as removed. Until then, it may come (back)."""

LATE: Final = timedelta(minutes=10)
"""Age from which a message says when it was published: Slack could not be reached before."""


def tell(
    told: Notification, using: Collaborators, client: SlackClient, *, sent_at: datetime | None = None
) -> None:
    """Tell this notification unless that has been done. A model without a channel is told nowhere.

    `sent_at` is when it was published, where that is known. Raises NotReady while another invocation tells
    it, or changes the message of its candidate, and ConfigError in the first day of a model without config.
    """
    about(model=told.model, execution=told.execution_arn, package=told.model_package_arn)
    config = using.configs.get(told.model)
    if config is None and sent_at and using.clock() - sent_at < UNKNOWN:
        raise ConfigError(f"the model {told.model} has no config in SSM: publish it again")
    channel = config.approvers.slack_channel if config else None
    if config is None or channel is None:
        logger.info("model has no Slack channel", notification=told.notification_id)
        return
    late = sent_at if sent_at and using.clock() - sent_at > LATE else None

    def say() -> None:
        arn = _candidate(told, using)
        review_url = link(arn, using) if arn and told.review_url else None
        message = messages.of_fact(_without_foreign_addresses(told, using), review_url, published=late)
        if told.kind not in KINDS_OF_CANDIDATES or (arn is None and told.kind == "rolled_back"):
            client.post(channel, message)
        elif arn is None:
            logger.warning("no such candidate", kind=told.kind)
            return
        else:
            renew = bool(told.review_url) and told.kind in ("waiting", "overdue")
            shown = show(arn, told.model, config, using, client, renew=renew)
            if _is_said_below(told.kind, shown):
                client.post(channel, message, under=shown.place)

        recent.note_slack(using.ledger, told, now=using.clock())

    first = once(using.ledger, keys.slack_notification(told.notification_id), say, now=using.clock())
    logger.info("told in Slack" if first else "told in Slack before", kind=told.kind)


def _candidate(told: Notification, using: Collaborators) -> str | None:
    """The ARN of the candidate that the notification is about; None where its model has none such (any more).

    Others than handsoff may publish to the topic.
    """
    arn = told.model_package_arn
    if arn is None or model_of(arn, using.settings) != told.model:
        return None
    found = registry.find(using.sagemaker, arn)
    return arn if found and found.arn == arn else None


def _without_foreign_addresses(told: Notification, using: Collaborators) -> Notification:
    """The notification without an evidence address outside this deployment's bucket."""
    ours = (told.evidence_uri or "").startswith(f"s3://{using.settings.bucket}/")
    return told if ours else told.model_copy(update={"evidence_uri": None})


def _is_said_below(kind: str, shown: Shown) -> bool:
    """Whether a reply says it, too: Slack notifies nobody of a changed message.

    What is out of date by now is not said: a reminder of a decided candidate, or that a champion was taken
    back which has been approved again.
    """
    decided = shown.candidate.decided
    if kind == "rolled_back":
        return decided is None or decided.status != "Approved"
    return kind == "overdue" and decided is None and shown.how != "posted"
