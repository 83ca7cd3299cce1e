"""What takes longer than usual for a model. The sweep measures it each minute, from what it reads anyway.

An alarm watches each metric over all models; the metric's line in the log names model, execution and times.
A metric that is not sent ends the alarm.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from retraining.aws import pipelines
from retraining.aws.measures import measure
from retraining.config.schedule_times import period
from retraining.errors import ConfigError
from retraining.facts import keys, usual
from retraining.facts.starts import KnownExecutions, Run

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import PipelineExecutionSummaryTypeDef

    from retraining.aws.ledger import Facts, Ledger
    from retraining.aws.pipelines import Execution
    from retraining.collaborators import Collaborators
    from retraining.config.schema import ModelConfig
    from retraining.facts.model_state import ModelState

LONGER: Final = timedelta(minutes=15)
"""By how much an execution takes longer than the longest one before it is overdue, at least."""

NEW: Final = timedelta(days=1)
"""After how long an execution is overdue while too few have succeeded for a usual duration."""

LATER: Final = timedelta(hours=1)
"""By how much a landing comes later than after the longest wait before it is overdue, at least."""

PAUSES_EVERY: Final = 15
"""Minutes between two looks at whether a model is paused: each is a read of the ledger."""


def note_run(execution: Execution, model: str, using: Collaborators) -> None:
    """Keep how long a successful execution took. The sweep's first look at the model begins the history."""
    key = keys.known_executions(model)
    known = using.ledger.get(key)
    if execution.status != "Succeeded" or known is None:
        return
    took = execution.last_modified - execution.start_time
    run = Run(id=execution.identity, ended_at=execution.last_modified, seconds=int(took.total_seconds()))
    others = [one for one in known.runs if one.id != run.id]
    runs = sorted([*others, run], key=lambda one: one.ended_at)[-usual.KEPT :]
    if tuple(runs) != known.runs:
        using.ledger.mark(key, runs=tuple(runs))


def measure_executions(
    model: str,
    listed: Iterable[PipelineExecutionSummaryTypeDef],
    known: KnownExecutions,
    using: Collaborators,
) -> None:
    """Measure executions that run longer than usual, and whether the last success is too long ago."""
    now, allowed = using.clock(), duration_limit(known)
    for item in listed:
        took = now - item["StartTime"]
        if item["PipelineExecutionStatus"] not in pipelines.TERMINAL and took > allowed:
            facts = {"execution": item["PipelineExecutionArn"], "took": _text(took), "limit": _text(allowed)}
            measure("ExecutionsOverdue", model=model, facts=facts)
    measure_successes(model, known, using, using.ledger)


def measure_successes(
    model: str, known: KnownExecutions, using: Collaborators, facts: Ledger | Facts
) -> None:
    """Measure whether the last success is too long ago. `facts` has the model's pause."""
    config, now = _config(model, using), using.clock()
    if config is None:
        return
    due = success_due(known, config, now)
    if due is None or now <= due or is_paused(model, config, facts):
        return
    pause = facts.get(keys.paused(model))
    if pause and pause.resumed:
        due = success_due(known, config, now, resumed=pause.resumed.at) or due
    if now > due:
        measure("SuccessesOverdue", model=model, facts={"due": due.isoformat()})


def measure_landings(model: str, state: ModelState, using: Collaborators, facts: Ledger | Facts) -> None:
    """Measure data that lands later than usual, and at times whether the model is paused, as `facts` say."""
    config, now = _config(model, using), using.clock()
    if config is None:
        return
    due = landing_due(state)
    late, looks = due is not None and now > due, now.minute % PAUSES_EVERY == 0
    paused = (late or looks) and is_paused(model, config, facts)
    if looks and paused:
        measure("ModelsPaused", model=model)
    if due is not None and late and not paused:
        told = {"due": due.isoformat(), "landed": state.landed[-1].isoformat()}
        measure("LandingsOverdue", model=model, facts=told)


def duration_limit(known: KnownExecutions) -> timedelta:
    """After how long an execution is overdue."""
    took = [timedelta(seconds=run.seconds) for run in known.runs]
    return usual.limit(took, LONGER) or NEW


def success_due(
    known: KnownExecutions, config: ModelConfig, now: datetime, resumed: datetime | None = None
) -> datetime | None:
    """By when an execution must have succeeded; None for a model without a schedule, or that is new here.

    That is a period of the schedule and a long execution after the last success, or after the last pause,
    which ended when it was `resumed`. Where cooldown or daily_limit let it start less often than the schedule
    asks, that is the period.
    """
    retrain = config.retrain
    last = known.runs[-1].ended_at if known.runs else known.since
    asked = period(retrain.schedule, retrain.schedule_timezone, now.year) if retrain.schedule else None
    if last is None or asked is None:
        return None
    last = max(last, resumed) if resumed else last
    limited = timedelta(days=1) if asked * retrain.daily_limit < timedelta(days=1) else asked
    return last + max(asked, limited, retrain.cooldown) + duration_limit(known)


def landing_due(state: ModelState) -> datetime | None:
    """By when data must have landed; None if too little has landed to tell."""
    allowed = usual.limit(usual.gaps(state.landed), LATER)
    return state.landed[-1] + allowed if allowed else None


def is_paused(model: str, config: ModelConfig, facts: Ledger | Facts) -> bool:
    """Whether the model is paused, by its configuration or by a person."""
    if config.retrain.paused:
        return True
    pause = facts.get(keys.paused(model))
    return pause is not None and pause.stands


def _config(model: str, using: Collaborators) -> ModelConfig | None:
    """The model's configuration; None if it has none that is valid. It is read at most once a minute."""
    try:
        return using.configs.get(model)
    except ConfigError:
        return None


def _text(took: timedelta) -> str:
    return str(timedelta(seconds=int(took.total_seconds())))
