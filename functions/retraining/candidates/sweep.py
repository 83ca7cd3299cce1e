"""The sweep over a model's packages: what events did not bring to its end, and candidates that wait too long.

Cost per model and minute while nothing is to be done: 2 listings, a ledger read, and 2 more for each of at
most 10 decided packages, the champion, and 200 that wait (the newest, and those that wait longest). No
package is described, but for a champion that is older than all of those that are listed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from retraining.aws import registry
from retraining.aws.ledger import LEASE
from retraining.aws.observability import logger
from retraining.aws.registry import PENDING, Listed, Package
from retraining.candidates import decisions, judging, recording
from retraining.collaborators import Collaborators
from retraining.config.rules import Approval
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, InView, VerdictFact
from retraining.notifications.publish import notify

Work = Callable[[], None]

DECIDED: Final = 10
"""Decided packages, the newest of a model, whose decisions are looked for in the ledger."""

SOON: Final = timedelta(minutes=1)
"""How long an event may take; what is younger is left to it."""

LONGEST: Final = timedelta(days=1)
"""After a failure the next try comes when as much time again has passed, but at least this often."""

OVER: Final = timedelta(hours=1)
"""Once a try is overdue by this, and by as long again as its wait, events have done the work: a failure then
begins a new row.
"""

_SPOKEN: Final = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def sweep(model: str, using: Collaborators) -> None:
    """Look after a model's packages. One that fails keeps no other waiting, and is tried ever less often."""
    group = using.settings.resource_name(model)
    listed = registry.newest(using.sagemaker, group)
    kept = _kept(group, listed, using)
    decided = [item for item in listed if item.status != PENDING][-DECIDED:]
    decided += [item for item in kept if item not in decided]
    listed += [item for item in kept if item not in listed]
    failures: list[Exception] = []
    for item in listed:
        if item.status != PENDING and item not in decided:
            continue
        try:
            if work := _due(item, model, using):
                _patiently(work, item.arn, using)
        except NotReady as error:
            logger.info("package is looked at again next minute", package=item.arn, why=str(error))
        except Exception as error:
            error.add_note(f"package {item.arn}")
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"packages of {model} that could not be looked after", failures)


def _kept(group: str, listed: list[Listed], using: Collaborators) -> list[Listed]:
    """What is looked at however old it is; what has been recorded or deleted since is dropped from it.

    So is, after a while, what was noted for a decision that was never taken, as another one stood already.
    """
    fact = keys.in_view(group)
    known = {item.arn: item for item in listed}
    kept = {}
    for name, text in (using.ledger.get(fact) or InView()).notes.items():
        noted, _, arn = text.rpartition(" ")
        found = known.get(arn) or _listed(arn, using)
        if found is None or (noted and _closed(noted, arn, using)):
            gone: dict[str, Any] = {name: None}
            using.ledger.mark(fact, where={name: text}, **gone)
        else:
            kept[arn] = found
    return list(kept.values())


def _closed(noted: str, arn: str, using: Collaborators) -> bool:
    """Whether nothing is left to be done about a decision that was noted then, before it was taken."""
    decision, at = using.ledger.get(keys.decision(arn)), datetime.fromisoformat(noted)
    if decision is None or decision.recorded_at is None:
        return decision is None and not _younger(at, LEASE, using.clock())
    return at <= decision.recorded_at or not _younger(at, LEASE, using.clock())


def _listed(arn: str, using: Collaborators) -> Listed | None:
    found = registry.find(using.sagemaker, arn)
    return Listed(arn, found.approval_status, found.created_at) if found else None


def spoken(time: timedelta) -> str:
    """A duration in its largest unit, rounded down: 25 hours are `1 day`."""
    seconds = int(time.total_seconds())
    unit, size = next(((unit, size) for unit, size in _SPOKEN if seconds >= size), _SPOKEN[-1])
    return f"{seconds // size} {unit}{'' if seconds // size == 1 else 's'}"


def _due(item: Listed, model: str, using: Collaborators) -> Work | None:
    """What is to be done about a package, going by the ledger alone."""
    now = using.clock()
    decision = using.ledger.get(keys.decision(item.arn))
    recorded = decision is not None and decision.status == item.status and decision.recorded_at is not None
    if not recorded and (decision or item.status != PENDING):
        early = decision is not None and _younger(decision.at, LEASE, now)
        return None if early else partial(_finish, item.arn, using)
    known = using.ledger.get(keys.verdict(item.arn))
    if item.status != PENDING and known is None:  # decided before it was judged
        return None
    if known is None or known.done_at is None:
        early = now - item.created_at < SOON or (known is not None and _younger(known.taken_at, LEASE, now))
        return None if early else partial(judging.settle, item.arn, using)
    return _waits(item.arn, known, decision, model, using) if item.status == PENDING else None


def _finish(arn: str, using: Collaborators) -> None:
    """Write a decision that was taken and never written, and record one that nobody has recorded."""
    package = registry.package(using.sagemaker, arn)
    decision = using.ledger.get(keys.decision(arn))
    if using.clock() - package.changed_at < SOON:
        return
    if package.pending and decision and not decisions.set_back(package, decision, using.clock()):
        _write(package, decision, using)
        package = registry.package(using.sagemaker, arn)
    recording.record(package, using)


def _write(package: Package, decision: DecisionFact, using: Collaborators) -> None:
    if decision.by == decisions.RULES:  # who know with what the candidate was compared
        judging.settle(package.arn, using)
        return
    decisions.decide(
        package.arn,
        "Approved" if decision.status == "Approved" else "Rejected",
        by=decision.by,
        who=decision.who,
        why=decision.why,
        using=using,
    )


def _waits(
    arn: str, known: VerdictFact, decision: DecisionFact | None, model: str, using: Collaborators
) -> Work | None:
    """Remind of a candidate once; reject it when it has waited as long as it may.

    It waits since its verdict, or since somebody set it back to pending.
    """
    config = using.configs.get(model)
    if config is None:
        return None
    since = max(known.taken_at, decision.at) if decision else known.taken_at
    waited, rules = using.clock() - since, config.approval
    if rules.expire_after is not None and waited >= rules.expire_after:
        return partial(_expire, arn, waited, rules.expire_after, using)
    if rules.remind_after is None or waited < rules.remind_after or known.reminded == since:
        return None
    return partial(_remind, arn, since, rules, known, using)


def _expire(arn: str, waited: timedelta, limit: timedelta, using: Collaborators) -> None:
    why = f"nobody decided: it waited {spoken(waited)} for a person, and expire_after is {spoken(limit)}"
    decisions.decide(arn, "Rejected", by=decisions.EXPIRED, why=why, using=using)
    recording.record(registry.package(using.sagemaker, arn), using)


def _remind(arn: str, since: datetime, rules: Approval, known: VerdictFact, using: Collaborators) -> None:
    package = registry.package(using.sagemaker, arn)
    if not package.pending:
        return
    waited = using.clock() - since
    then = f"; in {spoken(rules.expire_after - waited)} it is rejected" if rules.expire_after else ""
    reasons = (f"it has waited {spoken(waited)} for a person{then}", *known.verdict.texts)
    at = since.isoformat()
    message = judging.of_candidate(package, "overdue", "HOLD", reasons, occurrence=at, using=using)
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
    using.ledger.mark(keys.verdict(arn), reminded=since)


def _patiently(work: Work, arn: str, using: Collaborators) -> None:
    """Do the work, unless it has failed lately: each failure is a message in the failure queue.

    The next try comes as long after the last as that came after the first of its row.
    """
    fact = keys.trouble(arn)
    row = trouble = using.ledger.get(fact)
    if trouble:
        since, wait = using.clock() - trouble.last, min(trouble.last - trouble.first, LONGEST)
        if since < wait:
            return
        if since > 2 * wait + OVER:
            trouble = None
    try:
        work()
    except NotReady:
        raise
    except Exception:
        now = using.clock()
        using.ledger.mark(fact, first=trouble.first if trouble else now, last=now)
        raise
    if row:
        using.ledger.release(fact)


def _younger(time: datetime, than: timedelta, now: datetime) -> bool:
    return time > now - than
