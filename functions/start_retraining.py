"""Triggered by the landings queue: objects that landed in S3, and start requests of schedules and people.
Changes: makes start requests pending and starts an execution if one may start; quarantines bad files.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining.aws.observability import logger, metrics
from retraining.collaborators import Collaborators
from retraining.facts.starts import StartRequest
from retraining.starts import requests, starting


@metrics.log_metrics
@logger.inject_lambda_context
def handler(
    event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None
) -> dict[str, list[dict[str, str]]]:
    """Read each message, then answer the requests of each model. The queue delivers again what failed."""
    using = using or Collaborators.real()
    failed: list[str] = []
    wanted: dict[str, list[tuple[str, StartRequest]]] = defaultdict(list)
    for record in event["Records"]:
        try:
            found = requests.read(record["body"], using)
        except Exception:
            logger.exception("message cannot be read", message_id=record["messageId"])
            failed.append(record["messageId"])
        else:
            if found:
                model, request = found
                wanted[model].append((record["messageId"], request))
    for model, messages in wanted.items():
        try:
            starting.request(model, [request for _, request in messages], using)
        except Exception:
            logger.exception("model cannot be started", model=model)
            failed += [message for message, _ in messages]
    metrics.add_metric("MessagesHandled", MetricUnit.Count, len(event["Records"]) - len(failed))
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
