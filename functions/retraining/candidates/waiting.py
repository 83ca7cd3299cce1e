"""Pure: when approvers are reminded of a candidate that waits, and when it is rejected for waiting.

Every message carries a fresh link. A reminder follows before the newest link expires, so the newest message
always leads to a page that decides. No candidate is rejected without a reminder that named the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from retraining.config.rules import Approval
from retraining.facts.candidates import Reminded

LEAD: Final = timedelta(hours=1)
"""The time before the newest link's end at which a reminder with a fresh one is sent."""

MIN_PERIOD: Final = timedelta(hours=23)
"""The shortest time between two reminders, however short links live."""

MAX_NOTICE: Final = timedelta(hours=24)
"""The time between the last reminder and a rejection, at least. It is shorter only where `expire_after`
leaves less than that after the first reminder."""


@dataclass(frozen=True)
class Remind:
    """Remind approvers. `due` is since when; `expires_at` is when the candidate is rejected, None for never.

    `after` is when approvers were reminded before in this wait, None if they were not.
    """

    due: datetime
    expires_at: datetime | None
    after: datetime | None = None

    @property
    def occurrence(self) -> str:
        """Tells this reminder from all others of the candidate.

        Two reminders may have the same `due`: a changed `expire_after` moves the end of the wait. They differ
        in the reminder before. A reminder that is sent again, as nobody noted it, differs in neither.
        """
        return " after ".join(time.isoformat() for time in (self.due, self.after) if time)


@dataclass(frozen=True)
class Expire:
    """Reject the candidate: approvers were told that it would be rejected by now."""


def next_step(since: datetime, told: Reminded, rules: Approval, now: datetime) -> Remind | Expire | None:
    """What is due for a candidate that waits since then. `told` is the last reminder, of this wait or not."""
    after = told.reminded_at if told.reminded == since else None
    last = (after or since) if told.reminded == since else None
    deadline, warned = None, False
    if rules.expire_after is not None:
        deadline, fair = since + rules.expire_after, notice(rules)
        promised = told.expires_at if last else None
        if last and promised:
            warned = deadline <= promised <= max(deadline, last + fair)
        if warned and promised and now >= promised:
            return Expire()
        if not warned and now >= deadline - fair:
            return Remind(deadline - fair, max(deadline, now + fair), after)
        deadline = promised if warned else deadline
    due = _due(since, last, rules)
    return Remind(due, deadline, after) if due and now >= due else None


def notice(rules: Approval) -> timedelta:
    """The time that approvers have at least between the last reminder and the rejection."""
    if rules.expire_after is None:
        return MAX_NOTICE
    first = rules.expire_after / 2 if rules.remind_after is None else rules.remind_after
    return min(MAX_NOTICE, rules.expire_after - first)


def _due(since: datetime, last: datetime | None, rules: Approval) -> datetime | None:
    """When the next reminder is due, whatever the end of the wait; None if approvers are never reminded."""
    if rules.remind_after is None:
        return None
    period = max(rules.link_expires_after - LEAD, MIN_PERIOD)
    return last + period if last else since + min(rules.remind_after, period)
