"""Executions of a model: made from a start that was taken, watched, and recorded when they change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from retraining.aws import pipelines
from retraining.aws.job_words import OWN_CODE_FAILED, tellable
from retraining.aws.measures import measure
from retraining.aws.observability import about, logger
from retraining.aws.pipelines import Execution
from retraining.aws.refusals import is_refusal
from retraining.facts import keys
from retraining.facts.starts import BatchStarted, RequestAnswered, Start, StartFact, StopAsked
from retraining.notifications.messages import Notification
from retraining.notifications.publish import notify
from retraining.starts import overdue
from retraining.starts.admission import LOOK_AGAIN
from retraining.text import shorten

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators

LOG_KNOWS_THE_REASON: Final = ("ExecuteUserScriptError", "See job logs")
"""Parts of SageMaker's failure reasons that tell no cause; the step's log does."""

RESULTS: Final = {"Succeeded": "ExecutionsSucceeded", "Stopped": "ExecutionsStopped"}
"""The metric of each status in which an execution ends; that of all others is ExecutionsFailed."""

LogLines = dict[str, list[str]]
"""What may be told of the last log lines of failed steps, oldest first, by the step's name."""


CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""By how much SageMaker's clock may be behind that of a function."""


class StartRefused(ClientError):
    """SageMaker has said no to the start with this key, so that this call made no execution."""

    def __init__(self, error: ClientError, key: str) -> None:
        super().__init__(error.response, error.operation_name)
        self.key = key


# ---- made ------------------------------------------------------------------------------------------------


def make(model: str, start: Start, using: Collaborators, *, repeated: bool = False) -> None:
    """Make the execution of a start that was taken. Every call may be repeated: the token starts one only.

    AWS does not say how long SageMaker knows a token. So a start that was tried before (`repeated`) is first
    looked for among the newest executions. Raises StartRefused if SageMaker refuses the start. That leaves no
    trace: another may take its place.
    """
    request = start.request
    name = f"{request.trigger}-{start.batch[:12]}-{start.key[:8]}"
    parameters = _parameters(start)
    arn = _made_before(model, start, name, parameters, using) if repeated else None
    try:
        arn = arn or pipelines.start(
            using.sagemaker,
            using.settings.resource_name(model),
            token=start.key,
            display_name=name,
            **parameters,
        )
    except ClientError as error:
        if refuses(error):
            raise StartRefused(error, start.key) from error
        raise
    _record_made(model, start, arn, using)
    look_again = using.clock() + LOOK_AGAIN
    using.states.change(model, lambda state: state.made(start.key, arn, look_again))
    logger.info("execution started", model=model, batch=start.batch, trigger=request.trigger, execution=arn)
    measure("ExecutionsStarted", model=model)
    if start.landed_at is not None:
        measure("LandingToStart", (using.clock() - start.landed_at).total_seconds(), model=model)


def _parameters(start: Start) -> dict[str, str]:
    """The parameters of a start's execution. A pipeline has no others than it needs: those that are None are
    left out."""
    given = {
        "Batch": start.batch,
        "Champion": start.champion,
        "Trigger": start.request.trigger,
        "Anchor": start.anchor,
        "ChampionImage": start.champion_image,
        "AnchorImage": start.anchor_image,
    }
    return {name: value for name, value in given.items() if value is not None}


def _made_before(
    model: str, start: Start, name: str, parameters: Mapping[str, str], using: Collaborators
) -> str | None:
    """The execution that an earlier call for this start made, if it is among the newest ones.

    It has this display name, unless a person has renamed it. Then it is one that was made since the start was
    taken, has the start's parameters, and is known as no other start's.
    """
    newest = pipelines.newest(using.sagemaker, using.settings.resource_name(model))
    for item in newest:
        if item.get("PipelineExecutionDisplayName") == name:
            return item["PipelineExecutionArn"]
    for item in newest:
        if item["StartTime"] < start.taken_at - CLOCKS_DIFFER:
            break
        arn = item["PipelineExecutionArn"]
        known = using.ledger.get(keys.execution(arn))
        if known is not None and known.start_key not in (None, start.key):
            continue
        if parameters.items() <= pipelines.parameters(using.sagemaker, arn).items():
            return arn
    return None


def refuses(error: Exception) -> bool:
    """Whether SageMaker has said no to a start, so that no execution was made.

    A timeout, an error of SageMaker's own, throttling or a quota is no such answer: the same call may succeed
    later, or has succeeded already.
    """
    if not isinstance(error, ClientError) or error.operation_name != "StartPipelineExecution":
        return False
    return is_refusal(error)


def _record_made(model: str, start: Start, arn: str, using: Collaborators) -> None:
    request = start.request
    made = StartFact(
        model=model,
        batch=start.batch,
        cause=request.cause,
        trigger=request.trigger,
        requested_by=request.requested_by,
        requests=start.requests,
        champion=start.champion,
        anchor=start.anchor,
        taken_at=start.taken_at,
        config_sha256=start.config_sha256,
        rules_sha256=start.rules_sha256,
        execution_arn=arn,
    )
    of_execution = {
        name: value for name, value in made if name not in ("champion", "anchor", "execution_arn")
    }
    using.ledger.mark(keys.execution(arn), **of_execution, start_key=start.key, landed_at=start.landed_at)
    using.ledger.mark(keys.start(start.key), **dict(made))
    for name in (start.batch, start.listing):
        if name is not None:
            using.ledger.take(keys.batch(model, name), BatchStarted(start_key=start.key))
    for served in start.requests:
        if served.trigger != "landing":
            using.ledger.take(keys.asked(model, served.cause), RequestAnswered(start_key=start.key))


# ---- watched ---------------------------------------------------------------------------------------------


def running(model: str, using: Collaborators) -> str | None:
    """The ARN of an execution of this model that runs, started by handsoff or in SageMaker directly."""
    return pipelines.running(using.sagemaker, using.settings.resource_name(model))


def ended_at(execution_arn: str, using: Collaborators) -> datetime | None:
    """When an execution ended; None while it runs. One that SageMaker no longer knows has ended now."""
    execution = pipelines.find(using.sagemaker, execution_arn)
    if execution is None:
        return using.clock()
    return execution.last_modified if execution.terminal else None


# ---- recorded --------------------------------------------------------------------------------------------


def track(execution_arn: str, using: Collaborators) -> None:
    """Record the execution as SageMaker knows it now. At its end write its evidence, tell approvers of a
    failure or a stop, and make the model's pending requests due. Safe to repeat, in any order of events.

    Nothing is left to record of an execution that was deleted together with its pipeline.
    """
    about(model=using.settings.model_in(execution_arn), execution=execution_arn)
    execution = pipelines.find(using.sagemaker, execution_arn)
    if execution is None:
        logger.warning("execution no longer exists")
        return
    model = using.settings.model_of(execution.pipeline)
    log_lines = {
        step.name: tellable(pipelines.last_log_lines(using.logs, step.logs), step.failure_reason)
        for step in execution.failed
        if step.logs
    }
    execution = execution.told_by(log_lines)
    if _record(execution, model, log_lines, using):
        _report(execution, model, log_lines)
    if not execution.terminal:
        return
    using.states.change(model, lambda state: state.ended(execution_arn, execution.last_modified))
    if message := _told_of_end(execution, model, log_lines, using):
        notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
    from retraining import records  # the start of an execution needs none of it

    overdue.note_run(execution, model, using)
    written = records.write(using.sources, model, execution_arn)
    using.ledger.mark(keys.execution(execution_arn), where={"version": execution.version}, settled=True)
    records.make_report(using.sources, model, written)


def take_over(execution_arn: str, using: Collaborators) -> None:
    """Record an end from before this ledger, as settled: it is no news, and nobody is told."""
    execution = pipelines.find(using.sagemaker, execution_arn)
    if execution and execution.terminal:
        _record(execution, using.settings.model_of(execution.pipeline), {}, using, settled=True)
        logger.info("end taken over from before this ledger")


def _record(
    execution: Execution, model: str, log_lines: LogLines, using: Collaborators, *, settled: bool = False
) -> bool:
    """Record the state unless a newer one is recorded. Says whether it did. `settled` is that of an end."""
    key = keys.execution(execution.arn)
    known = using.ledger.get(key)
    if known and known.version and not known.version.endswith("+00:00"):  # local time, as 0.1 wrote it
        version = pipelines.sortable(datetime.fromisoformat(known.version))
        using.ledger.mark(key, where={"version": known.version}, version=version)
    return using.ledger.advance(
        key,
        version=execution.version,
        final=execution.terminal,
        settled=settled if execution.terminal else None,
        model=model,
        status=execution.status,
        failure_reason=execution.failure_reason,
        steps={step.name: step.status for step in execution.steps},
        log_lines=log_lines,
    )


def _report(execution: Execution, model: str, log_lines: LogLines) -> None:
    """Log a newly recorded state, and count an end."""
    logger.info(
        "execution changed",
        execution=execution.arn,
        model=model,
        status=execution.status,
        steps={step.name: step.status for step in execution.steps},
    )
    for step in execution.failed:
        logger.error(
            "step failed",
            execution=execution.arn,
            model=model,
            step=step.name,
            reason=step.failure_reason,
            job=step.arn,
            log_lines=log_lines.get(step.name, []),
        )
    if execution.terminal:
        measure(RESULTS.get(execution.status, "ExecutionsFailed"), model=model)
        for step in execution.steps:
            if step.start_time and step.end_time:
                took = (step.end_time - step.start_time).total_seconds()
                measure("StepDuration", took, model=model, step=step.name)


def _told_of_end(
    execution: Execution, model: str, log_lines: LogLines, using: Collaborators
) -> Notification | None:
    """What approvers read of an execution's end; None where it succeeded."""
    from retraining import evidence  # the start of an execution needs none of it

    where = evidence.uri(using.sources, model, execution)
    if execution.status == "Failed":
        return _failure(execution, model, log_lines, where)
    if execution.status == "Stopped":
        known = using.ledger.get(keys.execution(execution.arn))
        ours = known is not None and known.start_key is not None
        return _stop(
            execution, model, where, ours=ours, asked=using.ledger.get(keys.stop_asked(execution.arn))
        )
    return None


def _stop(
    execution: Execution, model: str, evidence_uri: str, *, ours: bool, asked: StopAsked | None
) -> Notification:
    """The notification about a stopped execution: where it was stopped, and how the model is retrained.

    SageMaker does not say who stopped it; no function of this deployment may. `handsoff stop` notes it
    (`asked`). The batch of an execution that handsoff started (`ours`) counts as started, so no landing of it
    starts again.
    """
    steps = ", ".join(step.name for step in execution.steps if step.status == "Stopped")
    made = execution.package_arn
    left = f"; it had registered {made.rsplit(':', 1)[-1]}, which is judged as any other" if made else ""
    by = f" by {asked.by}" if asked else ""
    why = f" ({asked.why})" if asked and asked.why else ""
    again = "The same files start nothing when they land again: " if ours else ""
    return Notification.about(
        execution.arn,
        "execution_stopped",
        model=model,
        reasons=[
            f"the execution was stopped{f' in {steps}' if steps else ''}{by}{why}{left}. "
            f"{again}`handsoff start {model}` trains on the newest batch"
        ],
        execution_arn=execution.arn,
        evidence_uri=evidence_uri,
        # A stopped execution may be retried, and fail or be stopped again.
        occurrence=execution.failure,
    )


def _failure(execution: Execution, model: str, log_lines: LogLines, evidence_uri: str) -> Notification:
    """The notification about a failed execution: each failed step with its reason."""
    reasons = []
    for step in execution.failed:
        reason = shorten(step.failure_reason or "no reason given")
        lines = [line.strip() for line in log_lines.get(step.name, []) if line.strip()]
        told = any(line.startswith(OWN_CODE_FAILED) for line in lines)
        if lines and not told and any(part in reason for part in LOG_KNOWS_THE_REASON):
            reason = f"{reason} (its log ends: {lines[-1]})"
        reasons.append(f"{step.name}: {reason}")
    return Notification.about(
        execution.arn,
        "execution_failed",
        model=model,
        reasons=reasons or [execution.failure_reason or "no reason given"],
        execution_arn=execution.arn,
        evidence_uri=evidence_uri,
        log_lines=[line for lines in log_lines.values() for line in lines],
        # A failed execution may be retried and fail again: each failure is a fact of its own.
        occurrence=execution.failure,
    )
