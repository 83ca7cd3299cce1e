"""Triggered by the landings queue: objects that arrived in S3, and requests to retrain (schedules, people).
Changes: notes who wants a start in the ledger, and starts one execution once it may; quarantines bad files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining.aws.events import LANDING_MESSAGE, ObjectCreated
from retraining.aws.observability import logger, metrics
from retraining.facts import keys
from retraining.facts.starts import StartRequest, Stray
from retraining.starts import batches
from retraining.starts.starting import Starting

LANDED = "landing"
"""The cause that all landings share: however many objects land, they are one request."""


@metrics.log_metrics
@logger.inject_lambda_context
def handler(
    event: dict[str, Any], _context: LambdaContext, *, using: Starting | None = None
) -> dict[str, list[dict[str, str]]]:
    """Read each message by itself, then act once for each model; what failed, and only that, comes again."""
    starting = using or Starting.real()
    failed: list[str] = []
    wanted: dict[str, list[tuple[str, StartRequest | None]]] = defaultdict(list)
    for record in event["Records"]:
        try:
            for model, request in read(record["body"], starting):
                wanted[model].append((record["messageId"], request))
        except Exception:
            logger.exception("message cannot be read", message_id=record["messageId"])
            failed.append(record["messageId"])
    for model, messages in wanted.items():
        requests = {request.cause: request for _, request in messages if request}
        try:
            for request in requests.values():
                starting.note(model, request)
            if requests:
                starting.advance(model)
        except Exception:
            logger.exception("model cannot be started", model=model)
            failed += [message for message, request in messages if request]
    metrics.add_metric("MessagesHandled", MetricUnit.Count, len(event["Records"]) - len(failed))
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def read(body: str, starting: Starting) -> Iterator[tuple[str, StartRequest | None]]:
    """The model that a message is about, and the request that follows from it, if one does."""
    message = LANDING_MESSAGE.validate_json(body)
    now = datetime.now(UTC)
    if isinstance(message, ObjectCreated):
        if message.detail.bucket.name != starting.settings.bucket:
            raise ValueError(f"an object of bucket {message.detail.bucket.name}, which is not ours")
        found = batches.arrival(message.detail.object.key)
        config = starting.configs.get(found.model) if found else None
        if found is None or config is None:
            stray(found.model if found else "", message.detail.object.key, starting)
        elif completes(found.rest, config.retrain.ready):
            yield found.model, StartRequest(cause=LANDED, trigger="landing", requested_by="s3", at=now)
    else:
        asked = message.detail
        if starting.configs.get(asked.model) is None:
            raise ValueError(f"no model {asked.model} in this deployment")
        yield (
            asked.model,
            StartRequest(cause=asked.cause, trigger=asked.trigger, requested_by=asked.requested_by, at=now),
        )


def completes(rest: str, ready: Any) -> bool:
    """Whether an object's arrival is a reason to ask if the batch may start."""
    if ready.when == "marker":
        return bool(rest == ready.marker)
    return batches.split_of(rest) is not None


def stray(model: str, key: str, starting: Starting) -> None:
    """An object of no model: told once for each name, so that a flood of them is one line."""
    if starting.ledger.take(keys.stray(model), Stray(key=key, at=datetime.now(UTC))) is None:
        logger.warning("object belongs to no model", model=model, key=key)
        metrics.add_metric("ObjectsOfNoModel", MetricUnit.Count, 1)
