"""Which start requests follow from the messages of the landings queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from retraining.aws.landings import LANDING_MESSAGE, ObjectCreated
from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.facts import keys
from retraining.facts.starts import StartRequest, Stray
from retraining.starts.batches import arrival
from retraining.starts.names import is_data, markers_of
from retraining.text import cut

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators
    from retraining.config.schema import ModelConfig

LANDED: Final = "landing"
"""The cause of every landing: however many objects land, they make one request."""

MAX_REQUESTED_BY: Final = 512
"""Bytes that are kept of who asks for a start."""


class Message(NamedTuple):
    """A message of the queue: a version of an object that landed at `key`, or a request of a person or a
    schedule.

    `model` is "" for an object that is below no model's prefix.
    """

    model: str
    key: str = ""
    version_id: str | None = None
    request: StartRequest | None = None


def read(body: str, using: Collaborators) -> Message:
    """Read a message by itself. Raises ValueError if it has another form, or names another bucket."""
    message = LANDING_MESSAGE.validate_json(body)
    if isinstance(message, ObjectCreated):
        bucket, landed = message.detail.bucket.name, message.detail.object
        if bucket != using.settings.bucket:
            raise ValueError(f"the object is in bucket {bucket}; expected {using.settings.bucket}")
        found = arrival(landed.key)
        return Message(found.model if found else "", landed.key, landed.version_id)
    asked = message.detail
    request = StartRequest(
        cause=asked.cause,
        trigger=asked.trigger,
        requested_by=cut(asked.requested_by, MAX_REQUESTED_BY),
        at=using.clock(),
    )
    return Message(asked.model, request=request)


def requests_of(model: str, messages: Sequence[Message], using: Collaborators) -> list[StartRequest]:
    """The start requests that a model's messages make; none if no object completes a batch.

    While the configuration cannot be read, or is missing for a model that the ledger knows, every object that
    landed makes a request: it is answered later, and a request too many starts nothing. Raises ValueError for
    a request to an unknown model.
    """
    asked = [message.request for message in messages if message.request]
    landed = [message for message in messages if not message.request]
    try:
        config = _config(model, using)
    except Exception:
        logger.exception("configuration cannot be read; requests are noted", model=model)
        return [*asked, *_landings(landed, using)]
    if config is None and using.states.load(model)[1] > 0:
        logger.warning("configuration is missing; requests are noted", model=model)
        return [*asked, *_landings(landed, using)]
    if config is None:
        if landed:
            _note_stray(model, landed[0].key, using)
        if asked:
            raise ValueError(f"no model {model} in this deployment")
        return []
    complete = [message for message in landed if completes(_rest(message.key), config)]
    return [*asked, *_landings(complete, using)]


def _config(model: str, using: Collaborators) -> ModelConfig | None:
    """The model's configuration. SSM is read now before a model counts as unknown: it may be new."""
    if not model:
        return None
    return using.configs.get(model) or using.configs.get(model, fresh=True)


def _landings(landed: Sequence[Message], using: Collaborators) -> list[StartRequest]:
    """One request for each version. All are one landing, unless a version was answered before."""
    at, versions = using.clock(), dict.fromkeys(message.version_id for message in landed)
    return [
        StartRequest(cause=LANDED, trigger="landing", requested_by="s3", at=at, version_id=version)
        for version in versions
    ]


def _rest(key: str) -> str:
    found = arrival(key)
    return found.rest if found else ""


def completes(rest: str, config: ModelConfig) -> bool:
    """Whether the batch may be complete now that this object has landed.

    `rest` is the object's key after `curated/<model>/`. Other objects make no request.
    """
    ready = config.retrain.ready
    if ready.when == "marker":
        return rest in markers_of(ready.marker)
    return is_data(rest, whole=config.data.whole)


def _note_stray(model: str, key: str, using: Collaborators) -> None:
    """Log an object that belongs to no model; one line for each model name, however many objects land."""
    if using.ledger.take(keys.stray(model), Stray(key=key, at=using.clock())) is None:
        logger.warning("object belongs to no model", model=model, key=key)
        measure("ObjectsOfNoModel")
