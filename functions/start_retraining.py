"""Triggered by the landings queue: objects that arrived in S3, and requests to retrain (schedules, people).
Changes: writes the batch's manifest, takes the start in the ledger, starts one execution per start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from retraining import landing, pipelines, registry
from retraining.events import LANDING_MESSAGE, ObjectCreated
from retraining.ledger import Ledger
from retraining.observability import logger, metrics
from retraining.settings import ModelConfigs, Settings, from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True)
class Collaborators:
    settings: Settings
    configs: ModelConfigs
    s3: S3Client
    sagemaker: SageMakerClient
    ledger: Ledger


@cache
def collaborators() -> Collaborators:
    settings = from_environment()
    return Collaborators(
        settings=settings,
        configs=ModelConfigs(settings.prefix),
        s3=boto3.client("s3"),
        sagemaker=boto3.client("sagemaker"),
        ledger=Ledger(boto3.resource("dynamodb").Table(settings.table)),
    )


@metrics.log_metrics
@logger.inject_lambda_context
def handler(
    event: dict[str, Any], context: LambdaContext, *, using: Collaborators | None = None
) -> dict[str, Any]:
    """Handle each message on its own: those that raise, and only those, return to the queue."""
    collaborating = using or collaborators()
    answer = process_partial_response(
        event=event,
        record_handler=lambda record: receive(record, collaborating),
        processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
        context=context,
    )
    return dict(answer)


def receive(record: SQSRecord, using: Collaborators) -> None:
    """One message: a start if it completes a batch or asks for one, otherwise nothing."""
    message = LANDING_MESSAGE.validate_json(record.body)
    if isinstance(message, ObjectCreated):
        arrived(message, using)
    else:
        request = message.detail
        start(request.model, request.cause, request.trigger, request.requested_by, using)


def arrived(message: ObjectCreated, using: Collaborators) -> None:
    """An object landed: if it is its model's marker, the batch is complete."""
    key = message.detail.object.key
    if message.detail.bucket.name != using.settings.bucket:
        raise ValueError(f"an object of bucket {message.detail.bucket.name}, which is not ours: {key}")
    found = landing.arrival(key)
    config = using.configs.get(found.model) if found else None
    if found is None or config is None:
        logger.warning("object belongs to no model", key=key)
        metrics.add_metric("ObjectsOfNoModel", MetricUnit.Count, 1)
        return
    if found.rest == config.retrain.ready.marker:
        start(found.model, "landing", "landing", "s3", using)


def start(model: str, cause: str, trigger: str, requested_by: str, using: Collaborators) -> None:
    """Start an execution on the batch that lies in S3 now, once per (model, batch, cause).

    Dying between any two calls is safe: the message comes again, finds the start taken, and goes on with
    what was taken, under the same ClientRequestToken.
    """
    if using.configs.get(model) is None:
        raise ValueError(f"no model {model} in this deployment")
    batch = landing.list_batch(using.s3, using.settings.bucket, model)
    if batch.missing:
        logger.warning("batch is incomplete: nothing starts", model=model, missing=batch.missing, cause=cause)
        metrics.add_metric("BatchesIncomplete", MetricUnit.Count, 1)
        return
    landing.write_manifest(using.s3, using.settings.bucket, batch)
    key = landing.start_key(model, batch.identity, cause)
    champion = registry.champion(using.sagemaker, using.settings.resource_name(model))
    wish = {
        "model": model,
        "batch": batch.identity,
        "cause": cause,
        "trigger": trigger,
        "requestedBy": requested_by,
        "champion": champion.arn if champion else "none",
        "takenAt": datetime.now(UTC).isoformat(),
    }
    taken = using.ledger.take(f"start#{key}", wish) or wish
    if arn := taken.get("executionArn"):
        logger.info(
            "batch was started before: nothing starts", model=model, batch=batch.identity, execution=arn
        )
        metrics.add_metric("StartsRepeated", MetricUnit.Count, 1)
        return
    arn = pipelines.start(
        using.sagemaker,
        using.settings.resource_name(model),
        token=key,
        display_name=f"{trigger}-{batch.identity[:12]}-{key[:8]}",
        Batch=batch.identity,
        Champion=taken["champion"],
        Trigger=trigger,
    )
    facts = {"model": model, "cause": cause, "requestedBy": taken["requestedBy"], "startKey": key}
    using.ledger.mark(f"execution#{arn}", facts)
    using.ledger.mark(f"start#{key}", {"executionArn": arn, "startedAt": datetime.now(UTC).isoformat()})
    logger.info("execution started", model=model, batch=batch.identity, trigger=trigger, execution=arn)
    metrics.add_metric("ExecutionsStarted", MetricUnit.Count, 1)
