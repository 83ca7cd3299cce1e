"""Executions of a model: made from a start that was taken, and watched."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from retraining.aws import pipelines
from retraining.aws.observability import logger, metrics
from retraining.facts import keys
from retraining.facts.starts import BatchStarted, RequestAnswered, Start, StartFact
from retraining.starts.admission import LOOK_AGAIN

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators


# ---- made ------------------------------------------------------------------------------------------------


def make(model: str, start: Start, using: Collaborators) -> None:
    """Make the execution of a start that was taken. Every call may be repeated: the token starts one only.

    Raises ClientError if SageMaker refuses the start; the model's state then says so.
    """
    request = start.request
    for served in start.requests:
        if served.trigger != "landing":
            using.ledger.take(keys.asked(model, served.cause), RequestAnswered(start_key=start.key))
    using.ledger.take(keys.batch(model, start.batch), BatchStarted(start_key=start.key))
    try:
        arn = pipelines.start(
            using.sagemaker,
            using.settings.resource_name(model),
            token=start.key,
            display_name=f"{request.trigger}-{start.batch[:12]}-{start.key[:8]}",
            Batch=start.batch,
            Champion=start.champion,
            Trigger=request.trigger,
        )
    except ClientError as error:
        reason, at = f"SageMaker refuses the start: {error}", using.clock()
        using.states.change(model, lambda state: state.start_failed(reason, at))
        raise
    _record_made(model, start, arn, using)
    look_again = using.clock() + LOOK_AGAIN
    using.states.change(model, lambda state: state.made(start.key, arn, look_again))
    logger.info("execution started", model=model, batch=start.batch, trigger=request.trigger, execution=arn)
    metrics.add_metric("ExecutionsStarted", MetricUnit.Count, 1)


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
        execution_arn=arn,
    )
    of_execution = {name: value for name, value in made if name not in ("champion", "execution_arn")}
    using.ledger.mark(keys.execution(arn), **of_execution, start_key=start.key)
    using.ledger.mark(keys.start(start.key), **dict(made))


# ---- watched ---------------------------------------------------------------------------------------------


def running(model: str, using: Collaborators) -> str | None:
    """The ARN of an execution of this model that runs, started by handsoff or in SageMaker directly."""
    answer = using.sagemaker.list_pipeline_executions(
        PipelineName=using.settings.resource_name(model),
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=20,
    )
    for item in answer["PipelineExecutionSummaries"]:
        if item["PipelineExecutionStatus"] not in pipelines.TERMINAL:
            return item["PipelineExecutionArn"]
    return None


def ended_at(execution_arn: str, using: Collaborators) -> datetime | None:
    """When an execution ended; None while it runs. One that SageMaker no longer knows has ended now."""
    try:
        execution = pipelines.describe(using.sagemaker, execution_arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
            raise
        return using.clock()
    return execution.last_modified if execution.terminal else None
