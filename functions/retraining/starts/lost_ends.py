"""The sweep over a model's executions: it brings each to its end whose event was lost.

Cost of one look while nothing is to be done: 1 listing of executions, 1 ledger read, and for each execution
that has failed or was stopped 1 ledger read and 1 description, at most one for each minute since the last
look.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from retraining.aws import pipelines
from retraining.aws.observability import logger, scope
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.starts import ExecutionFact, KnownExecutions
from retraining.facts.sweep import EVENT_DELAY
from retraining.starts import executions, overdue
from retraining.starts.back_off import rotated, with_back_off

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators

MAX_LOOKED_AT: Final = 20
"""Executions at which one sweep looks because their status is new to it; the next one looks at others."""

MAX_RETRIED: Final = 15
"""Ended executions of which one sweep asks whether they were retried; the next one asks of others."""

FORMER: Final = timedelta(hours=1)
"""An end so long before the ledger's first sweep over a model is no news: a former ledger knew it, or there
was none. Executions that the ledger knows are excepted."""


def find_ends(model: str, using: Collaborators) -> bool:
    """Record the ends of a model's executions that no event told of: also of executions that were started,
    stopped or retried in SageMaker directly. A failure with one execution stops no other.

    The newest executions (pipelines.LISTED) are compared with those that the last sweep knew. Says whether
    all of them have ended, and the ledger holds that.
    """
    listed = pipelines.newest(using.sagemaker, using.settings.resource_name(model))
    key = keys.known_executions(model)
    noted = using.ledger.get(key)
    if noted is None:
        noted = KnownExecutions(since=using.clock())
        using.ledger.mark(key, since=noted.since)
    before = noted.statuses
    found = {item["PipelineExecutionArn"]: item["PipelineExecutionStatus"] for item in listed}
    known = {_id(arn): status for arn, status in found.items() if before.get(_id(arn)) == status}
    failures: list[Exception] = []
    for arn in rotated([arn for arn in found if _id(arn) not in known], using)[:MAX_LOOKED_AT]:
        if using.time_left() <= timedelta(0):
            break
        with scope(model=model, execution=arn):
            if _try(arn, found[arn], noted.since, using, failures):
                known[_id(arn)] = found[arn]
    if known != before:
        using.ledger.mark(key, statuses=known)
    overdue.measure_executions(model, listed, noted, using)
    ended = pipelines.TERMINAL - {"Succeeded"}
    may_be_retried = [arn for arn, status in found.items() if status in ended and _id(arn) in known]
    for arn in rotated(may_be_retried, using)[: _minutes_since_look(model, using)]:
        with scope(model=model, execution=arn):
            _try(arn, found[arn], noted.since, using, failures, retried=True)
    if failures:
        raise ExceptionGroup(f"executions of {model} that could not be recorded", failures)
    return len(known) == len(found) and pipelines.TERMINAL.issuperset(found.values())


def _minutes_since_look(model: str, using: Collaborators) -> int:
    """The clock's minutes since the last look at a model, at least 1. `rotated` moves by one each minute.

    Looks come at other seconds of their minutes, so the time between two of them is no whole minute.
    """
    last = using.idle.get(f"{model} ends")
    passed = _minute(using.clock()) - _minute(last) if last else 1
    return min(max(passed, 1), MAX_RETRIED)


def _minute(time: datetime) -> int:
    return int(time.timestamp() // 60)


def _try(
    arn: str,
    status: str,
    since: datetime | None,
    using: Collaborators,
    failures: list[Exception],
    *,
    retried: bool = False,
) -> bool:
    """Bring the ledger to what the listing shows. Says whether it is there; a failure goes to `failures`.

    `since` is when the sweep first looked with this ledger, if that is known. `retried`: the execution may
    have been retried, and have ended with the same status before a sweep saw it.
    """
    try:
        fact = using.ledger.get(keys.execution(arn))
        behind = _is_behind(fact or ExecutionFact(), status)
        if not behind and not retried:
            return True
        changed = pipelines.changed_at(using.sagemaker, arn)
        if changed > using.clock() - EVENT_DELAY:
            return False
        if not behind and not (fact and _is_older(fact, changed)):
            return True
        former = fact is None and since is not None and changed < since - FORMER
        record = executions.take_over if former else executions.track
        return with_back_off(lambda: record(arn, using), keys.execution_trouble(arn), using)
    except NotReady as error:
        logger.info("execution will be looked at again next minute", why=str(error))
    except Exception as error:
        logger.exception("execution could not be looked after")
        error.add_note(f"execution {arn}")
        failures.append(error)
    return False


def _is_behind(fact: ExecutionFact, status: str) -> bool:
    """Whether the ledger lacks an end that the listing shows, or holds one that a retry has undone."""
    if status not in pipelines.TERMINAL:
        return fact.final
    return not fact.final or fact.status != status or fact.settled is False


def _is_older(fact: ExecutionFact, changed: datetime) -> bool:
    """Whether the execution has changed since what the ledger holds. 0.1 wrote times that do not compare."""
    return fact.settled is not None and (fact.version or "") < pipelines.sortable(changed)


def _id(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
