"""What the ledger knows of the notifications about a model."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from retraining.facts.fact import Fact, Moment

MAX_NOTIFICATIONS: Final = 50
"""Notifications that the ledger lists of a model, the newest ones. They must fit an item."""

NOTIFICATIONS_KEPT: Final = timedelta(days=90)
"""The age from which a notification is left out of the list when another one comes."""


class ToldFact(Fact):
    """One notification: its id, what it tells, and when it was published first.

    `why` is its first reason on one line. `slack_at` is when Slack took it; None where it has not, or where
    the model has no channel.
    """

    id: str
    kind: str
    at: Moment
    execution_arn: str | None = None
    model_package_arn: str | None = None
    decision: str | None = None
    why: str = ""
    slack_at: Moment | None = None


class RecentFact(Fact):
    """The newest notifications of a model, newest first. A writer replaces them only at `version`."""

    told: tuple[ToldFact, ...] = ()
    version: int = 0

    def with_one(self, new: ToldFact, *, now: datetime) -> tuple[ToldFact, ...]:
        """`new` and the notifications, without those too many or too old; unchanged if it is there."""
        if any(one.id == new.id for one in self.told):
            return self.told
        young = (one for one in self.told if now - one.at < NOTIFICATIONS_KEPT)
        return (new, *young)[:MAX_NOTIFICATIONS]

    def in_slack(self, identity: str, at: datetime) -> tuple[ToldFact, ...]:
        """The notifications, of which Slack has taken this one at `at`, unless it had before."""

        def taken(one: ToldFact) -> ToldFact:
            first = one.id == identity and one.slack_at is None
            return one.model_copy(update={"slack_at": at}) if first else one

        return tuple(taken(one) for one in self.told)


Change = Callable[[RecentFact], tuple[ToldFact, ...]]
"""What a list of notifications becomes."""
