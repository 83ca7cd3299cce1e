"""Which start request follows from a message of the landings queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.metrics import MetricUnit

from retraining.aws.events import LANDING_MESSAGE, ObjectCreated
from retraining.aws.observability import logger, metrics
from retraining.facts import keys
from retraining.facts.starts import StartRequest, Stray
from retraining.starts.batches import arrival, split_of

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators
    from retraining.config.schema import Retrain

LANDED: Final = "landing"
"""The cause of every landing: however many objects land, they make one request."""


def read(body: str, using: Collaborators) -> tuple[str, StartRequest] | None:
    """The model and the request that a message makes; None if the object completes no batch.

    Raises ValueError if the message has another form, or names another bucket or an unknown model.
    """
    message = LANDING_MESSAGE.validate_json(body)
    if isinstance(message, ObjectCreated):
        bucket = message.detail.bucket.name
        if bucket != using.settings.bucket:
            raise ValueError(f"the object is in bucket {bucket}; expected {using.settings.bucket}")
        return _of_landing(message.detail.object.key, using)
    asked = message.detail
    if using.configs.get(asked.model) is None:
        raise ValueError(f"no model {asked.model} in this deployment")
    return asked.model, StartRequest(
        cause=asked.cause, trigger=asked.trigger, requested_by=asked.requested_by, at=using.clock()
    )


def _of_landing(key: str, using: Collaborators) -> tuple[str, StartRequest] | None:
    found = arrival(key)
    config = using.configs.get(found.model) if found else None
    if found is None or config is None:
        _note_stray(found.model if found else "", key, using)
        return None
    if not completes(found.rest, config.retrain):
        return None
    request = StartRequest(cause=LANDED, trigger="landing", requested_by="s3", at=using.clock())
    return found.model, request


def completes(rest: str, retrain: Retrain) -> bool:
    """Whether the batch may be complete now that this object has landed.

    `rest` is the object's key after `curated/<model>/`. Other objects make no request.
    """
    if retrain.ready.when == "marker":
        return rest == retrain.ready.marker
    return split_of(rest) is not None


def _note_stray(model: str, key: str, using: Collaborators) -> None:
    """Log an object that belongs to no model; one line for each model name, however many objects land."""
    if using.ledger.take(keys.stray(model), Stray(key=key, at=using.clock())) is None:
        logger.warning("object belongs to no model", model=model, key=key)
        metrics.add_metric("ObjectsOfNoModel", MetricUnit.Count, 1)
