"""The sweep over a model's packages: it finishes what events left unfinished, reminds, and expires.

Cost of one look while nothing is to be done: 1 listing (2 of a group of 100 packages or more), 1 read of the
facts of at most 10 decided packages, 1 more if the champion is older than these, and 2 ledger reads for each
of 200 packages that wait (the newest, and those that wait longest). It describes no package but a champion
that is older than all listed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from retraining.aws import registry
from retraining.aws.measures import measure
from retraining.aws.observability import logger, scope
from retraining.aws.registry import Listed
from retraining.candidates import blocking, decisions, going_back, judging, recording, reminding
from retraining.candidates.decisions import ChampionChanged
from retraining.candidates.state import RULES, BeingDecided, candidate_state
from retraining.collaborators import Collaborators
from retraining.errors import NotReady, OutOfTime
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, InView, VerdictFact
from retraining.facts.claims import LEASE
from retraining.facts.package import PENDING, Package
from retraining.facts.sweep import EVENT_DELAY
from retraining.starts.back_off import rotated, with_back_off

Work = Callable[[], object]
"""What is to be done about one package."""

DECIDED: Final = 10
"""The number of newest decided packages of a model whose decisions are looked for in the ledger."""

MANY: Final = 2 * DECIDED
"""Packages from which on a sweep begins at another one each minute: slow ones delay no other for ever.
Fewer are looked at from the oldest to the newest."""


def sweep(model: str, using: Collaborators) -> bool:
    """Look after a model's packages. A failure with one stops no other; that one is tried ever less often.

    Says whether no package waits, and all that follows from the decisions is done. Raises OutOfTime if the
    time of this turn does not suffice; the next sweep goes on.
    """
    open_items = _open(using.settings.resource_name(model), using)
    failures: list[Exception] = []
    waiting: list[datetime] = []
    for item in open_items:
        if using.time_left() <= timedelta(0):
            break
        with scope(model=model, package=item.arn):
            try:
                if work := _due(item, model, using, waiting):
                    done = blocking.settled(item.arn, work, using)
                    if not done and item.status == PENDING:
                        _wait_without_verdict(item.arn, model, using, waiting)
            except OutOfTime:
                break
            except NotReady as error:
                logger.info("package will be looked at again next minute", why=str(error))
            except Exception as error:
                logger.exception("package could not be looked after")
                error.add_note(f"package {item.arn}")
                failures.append(error)
    _measure(model, waiting, using)
    if failures:
        raise ExceptionGroup(f"packages of {model} that could not be looked after", failures)
    using.check_time()
    return not open_items


def _open(group: str, using: Collaborators) -> list[Listed]:
    """The packages that wait, and the decided ones of which the ledger does not say that all is done, in the
    order in which they are looked at."""
    listed = registry.newest(using.sagemaker, group)
    decided = [item for item in listed if item.status != PENDING][-DECIDED:]
    done, view = _done(decided, group, using)
    kept = _kept(group, view, listed, using)
    if more := [item for item in kept if item not in decided]:
        done += _done(more, group, using)[0]
        listed += [item for item in more if item not in listed]
    looked_at = [item for item in listed if item.status == PENDING or item in (*decided, *more)]
    ordered = rotated(looked_at, using) if len(listed) > MANY else looked_at
    return [item for item in ordered if item not in done]


def _done(items: Sequence[Listed], group: str, using: Collaborators) -> tuple[list[Listed], InView]:
    """Those of these packages that are decided, and of which the ledger says that all that follows is done.

    And the packages of the group that are looked at however old they are. Both are read together.
    """
    each = [key for item in items for key in (keys.decision(item.arn), keys.verdict(item.arn))]
    facts = using.ledger.get_all([keys.in_view(group), *each])

    def is_done(item: Listed) -> bool:
        known = facts.get(keys.verdict(item.arn))
        judged = known is None or known.done_at is not None
        return judged and item.status != PENDING and _is_recorded(item, facts.get(keys.decision(item.arn)))

    return [item for item in items if is_done(item)], facts.get(keys.in_view(group)) or InView()


def _is_recorded(item: Listed, decision: DecisionFact | None) -> bool:
    """Whether the decision that the listing shows is in the ledger, and all that follows from it is done."""
    return decision is not None and decision.status == item.status and decision.recorded_at is not None


def _kept(group: str, view: InView, listed: list[Listed], using: Collaborators) -> list[Listed]:
    """The packages that are looked at however old they are.

    A package that has been recorded or deleted is dropped from them. So is, after a while, one that was noted
    for a decision that was never taken.
    """
    fact = keys.in_view(group)
    known = {item.arn: item for item in listed}
    kept = {}
    for name, text in view.notes.items():
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


def _measure(model: str, waiting: Sequence[datetime], using: Collaborators) -> None:
    """Measure how long candidates wait for a person, and how many of them for too long."""
    if not waiting:
        return
    now, config = using.clock(), using.configs.get(model)
    measure("OldestCandidate", (now - min(waiting)).total_seconds(), model=model)
    allowed = (config.approval.remind_after or config.approval.link_expires_after) if config else None
    overdue = [since for since in waiting if allowed and now - since > allowed]
    if overdue:
        facts = {"oldest": min(overdue).isoformat()}
        measure("CandidatesOverdue", len(overdue), model=model, facts=facts)


def _due(item: Listed, model: str, using: Collaborators, waiting: list[datetime]) -> Work | None:
    """What is to be done about a package, by the listing and the ledger alone.

    If it waits for a person, since when goes to `waiting`.
    """
    now = using.clock()
    decision = using.ledger.get(keys.decision(item.arn))
    if not _is_recorded(item, decision) and (decision or item.status != PENDING):
        early = decision is not None and _younger(decision.at, LEASE, now)
        return None if early else partial(_finish, item.arn, using)
    known = using.ledger.get(keys.verdict(item.arn))
    if item.status != PENDING and known is None:  # decided before it was judged
        return None
    if known is None or known.done_at is None:
        taken = known is not None and _younger(known.taken_at, LEASE, now)
        early = taken or _younger(item.created_at, EVENT_DELAY, now)
        return None if early else partial(judging.settle, item.arn, using)
    return _waits(item.arn, known, decision, model, using, waiting) if item.status == PENDING else None


def _wait_without_verdict(arn: str, model: str, using: Collaborators, waiting: list[datetime]) -> None:
    """Remind approvers of a candidate that is blocked, or reject it, as if the rules had held it."""
    if (since := reminding.blocked_since(arn, using)) is not None:
        waiting.append(since)
    if work := reminding.due_without_verdict(arn, model, using):
        with_back_off(work, keys.reminder_trouble(arn), using)


def _finish(arn: str, using: Collaborators) -> None:
    """Write a decision that was taken and never written, and record one that is not recorded."""
    package = registry.find(using.sagemaker, arn)
    decision = using.ledger.get(keys.decision(arn))
    if package is None or using.clock() - package.changed_at < EVENT_DELAY:
        return
    state = candidate_state(package, decision, using.clock())
    if isinstance(state, BeingDecided):
        try:
            _write(package, state.decision, using)
        except ChampionChanged as changed:  # a roll-back, whose former champion is champion no more
            logger.info("roll-back was given up", package=arn, champion=changed.champion)
            return
        package = registry.package(using.sagemaker, arn)
    recording.record(package, using)


def _write(package: Package, decision: DecisionFact, using: Collaborators) -> None:
    if decision.rollback:
        going_back.finish(decision, using)
        return
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
    arn: str,
    known: VerdictFact,
    decision: DecisionFact | None,
    model: str,
    using: Collaborators,
    waiting: list[datetime],
) -> Work | None:
    """Remind approvers of a candidate, or reject it when it has waited as long as it may.

    It waits since its verdict, or since it was set back to pending.
    """
    since = max(known.taken_at, decision.at) if decision else known.taken_at
    waiting.append(since)
    return reminding.due(arn, model, since, keys.verdict(arn), known, known.verdict.texts, using)


def _younger(time: datetime, than: timedelta, now: datetime) -> bool:
    return time > now - than
