"""Keeps the newest notifications of each model in the ledger, so that nobody has to search for them.

The list is for people. A notification that cannot be noted is published all the same.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from retraining.aws.ledger import Ledger
from retraining.aws.observability import logger
from retraining.facts import keys
from retraining.facts.notifications import Change, RecentFact, ToldFact
from retraining.notifications.messages import Notification
from retraining.text import shorten

TRIES: Final = 5
"""Times that the list is read anew because another function has replaced it."""

MAX_WHY: Final = 300
"""Characters of the reason that is kept."""


def note(ledger: Ledger, message: Notification, *, now: datetime) -> None:
    """Put a notification that is about to be published into its model's list. A failure is logged."""
    told = ToldFact(
        id=message.notification_id,
        kind=message.kind,
        at=now,
        execution_arn=message.execution_arn,
        model_package_arn=message.model_package_arn,
        decision=message.decision,
        why=shorten(next(iter(message.reasons), ""), MAX_WHY),
    )
    _change(ledger, message.model, lambda recent: recent.with_one(told, now=now))


def note_slack(ledger: Ledger, message: Notification, *, now: datetime) -> None:
    """Note that Slack has taken a notification. A failure is logged."""
    _change(ledger, message.model, lambda recent: recent.in_slack(message.notification_id, now))


def _change(ledger: Ledger, model: str, change: Change) -> None:
    key = keys.recent_notifications(model)
    try:
        for _ in range(TRIES):
            known = ledger.get(key) or RecentFact()
            told = change(known)
            if told == known.told or ledger.swap(key, version=known.version, told=told):
                return
        logger.warning("notification not noted: others replaced the list", model=model)
    except Exception:
        logger.exception("notification not noted", model=model)
