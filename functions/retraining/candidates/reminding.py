"""Reminds approvers of candidates that wait, and rejects those that have waited as long as they may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from retraining.aws import registry
from retraining.aws.observability import about
from retraining.candidates import decisions, recording, telling
from retraining.candidates.state import EXPIRED
from retraining.candidates.waiting import Expire, Remind, next_step
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.facts.candidates import Reminded
from retraining.facts.fact import Key

R = TypeVar("R", bound=Reminded)

_SPOKEN: Final = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def due(
    arn: str,
    model: str,
    since: datetime,
    key: Key[R],
    told: Reminded,
    why: Sequence[str],
    using: Collaborators,
) -> Callable[[], None] | None:
    """The reminder or the rejection that is due for a candidate that waits since then; None if nothing is.

    `key` is the fact that holds the last reminder, `told`; `why` is why the candidate waits.
    """
    config = using.configs.get(model)
    if config is None:
        return None
    match next_step(since, told, config.approval, using.clock()):
        case Remind() as reminder:
            return partial(_remind, arn, since, reminder, key, why, using)
        case Expire():
            return partial(_expire, arn, since, config.approval.expire_after, using)
        case None:
            return None


def due_without_verdict(arn: str, model: str, using: Collaborators) -> Callable[[], None] | None:
    """The same for a candidate that has no verdict. It waits since approvers were told that it is blocked."""
    key = keys.trouble(arn)
    trouble, since = using.ledger.get(key), blocked_since(arn, using)
    if trouble is None or since is None:
        return None
    return due(arn, model, since, key, trouble, (f"it is blocked: {trouble.why}",), using)


def blocked_since(arn: str, using: Collaborators) -> datetime | None:
    """Since when a candidate without a verdict or decision waits for a person; None if it does not."""
    trouble = using.ledger.get(keys.trouble(arn))
    if trouble is None or trouble.told is None or using.ledger.get(keys.decision(arn)):
        return None
    verdict = using.ledger.get(keys.verdict(arn))
    return None if verdict and verdict.done_at else trouble.told


def _expire(arn: str, since: datetime, limit: timedelta | None, using: Collaborators) -> None:
    waited = spoken(using.clock() - since)
    why = (
        f"nobody decided: it waited {waited} for a person, and expire_after is {spoken(limit or timedelta())}"
    )
    decisions.decide(arn, "Rejected", by=EXPIRED, why=why, using=using)
    recording.record(registry.package(using.sagemaker, arn), using)


def _remind(
    arn: str,
    since: datetime,
    reminder: Remind,
    key: Key[R],
    why: Sequence[str],
    using: Collaborators,
) -> None:
    package = registry.package(using.sagemaker, arn)
    about(execution=package.execution, package=arn)
    if not package.pending:
        return
    now = using.clock()
    then = f"; in {spoken(reminder.expires_at - now)} it is rejected" if reminder.expires_at else ""
    reasons = (f"it has waited {spoken(now - since)} for a person{then}", *why)
    telling.remind(package, reasons, reminder.occurrence, using)
    using.ledger.mark(key, reminded=since, reminded_at=now, expires_at=reminder.expires_at)


def spoken(time: timedelta) -> str:
    """A duration in its largest unit, rounded down: 25 hours are `1 day`."""
    seconds = int(time.total_seconds())
    unit, size = next(((unit, size) for unit, size in _SPOKEN if seconds >= size), _SPOKEN[-1])
    return f"{seconds // size} {unit}{'' if seconds // size == 1 else 's'}"
