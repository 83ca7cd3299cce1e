"""The sweep over a model's packages: it finishes what events left unfinished, reminds, and expires.

Cost per model and minute while nothing is to be done: 2 listings and 1 ledger read, and 2 ledger reads for
each of at most 10 decided packages, the champion, and 200 packages that wait (the newest, and those that
wait longest). It describes no package but a champion that is older than all listed ones.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from retraining.aws import registry
from retraining.aws.observability import logger
from retraining.aws.registry import Listed
from retraining.candidates import decisions, judging, recording, telling
from retraining.candidates.state import EXPIRED, RULES, BeingDecided, candidate_state
from retraining.collaborators import Collaborators
from retraining.config.rules import Approval
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, InView, VerdictFact
from retraining.facts.claims import LEASE
from retraining.facts.package import PENDING, Package

Work = Callable[[], object]
"""What is to be done about one package."""

DECIDED: Final = 10
"""The number of newest decided packages of a model whose decisions are looked for in the ledger."""

SOON: Final = timedelta(minutes=1)
"""The time that an event may take. The sweep leaves younger changes to their events."""

MAX_WAIT: Final = timedelta(days=1)
"""The longest wait after a failure. Each wait is as long as the time from the first failure to the last."""

FORGET_AFTER: Final = timedelta(hours=1)
"""A row of failures is forgotten when the next try is overdue by its wait and this time: events have done the
work meanwhile, and a new failure begins a new row."""

_SPOKEN: Final = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def sweep(model: str, using: Collaborators) -> None:
    """Look after a model's packages. A failure with one stops no other; that one is tried ever less often."""
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
            logger.info("package will be looked at again next minute", package=item.arn, why=str(error))
        except Exception as error:
            error.add_note(f"package {item.arn}")
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"packages of {model} that could not be looked after", failures)


def _kept(group: str, listed: list[Listed], using: Collaborators) -> list[Listed]:
    """The packages that are looked at however old they are.

    A package that has been recorded or deleted is dropped from them. So is, after a while, one that was noted
    for a decision that was never taken.
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
    """Whether nothing is left to be done about the decision that was noted then, before it was taken."""
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
    """What is to be done about a package, by the listing and the ledger alone."""
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
    """Write a decision that was taken and never written, and record one that is not recorded."""
    package = registry.package(using.sagemaker, arn)
    decision = using.ledger.get(keys.decision(arn))
    if using.clock() - package.changed_at < SOON:
        return
    state = candidate_state(package, decision, using.clock())
    if isinstance(state, BeingDecided):
        _write(package, state.decision, using)
        package = registry.package(using.sagemaker, arn)
    recording.record(package, using)


def _write(package: Package, decision: DecisionFact, using: Collaborators) -> None:
    if decision.by == RULES:  # the verdict knows the champion that the candidate was compared with
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
    """Remind approvers of a candidate once; reject it when it has waited as long as it may.

    It waits since its verdict, or since it was set back to pending.
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
    decisions.decide(arn, "Rejected", by=EXPIRED, why=why, using=using)
    recording.record(registry.package(using.sagemaker, arn), using)


def _remind(arn: str, since: datetime, rules: Approval, known: VerdictFact, using: Collaborators) -> None:
    package = registry.package(using.sagemaker, arn)
    if not package.pending:
        return
    waited = using.clock() - since
    then = f"; in {spoken(rules.expire_after - waited)} it is rejected" if rules.expire_after else ""
    reasons = (f"it has waited {spoken(waited)} for a person{then}", *known.verdict.texts)
    telling.remind(package, reasons, since, using)
    using.ledger.mark(keys.verdict(arn), reminded=since)


def _patiently(work: Work, arn: str, using: Collaborators) -> None:
    """Do the work, unless it has failed lately: each failure is a message in the failure queue.

    The wait before the next try is the time from the first failure of the row to the last.
    """
    fact = keys.trouble(arn)
    row = trouble = using.ledger.get(fact)
    if trouble:
        since, wait = using.clock() - trouble.last, min(trouble.last - trouble.first, MAX_WAIT)
        if since < wait:
            return
        if since > 2 * wait + FORGET_AFTER:
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
