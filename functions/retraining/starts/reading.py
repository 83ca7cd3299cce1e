"""Reads the Snapshot that a decision about a model's starts is based on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.facts import keys
from retraining.starts import bucket, executions
from retraining.starts.admission import Inspect, ReadData
from retraining.starts.batches import Batch, DataObject
from retraining.starts.inspection import Fine, Problem
from retraining.starts.snapshot import Data, Inspected, Snapshot

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators
    from retraining.config.schema import ModelConfig


def read(model: str, config: ModelConfig, using: Collaborators) -> Snapshot:
    """The model's state, and whether the execution that it names has ended."""
    state, version = using.states.load(model)
    made = state.running.execution_arn if state.running else None
    return Snapshot(
        model=model,
        state=state,
        version=version,
        config=config,
        now=using.clock(),
        execution_ended_at=executions.ended_at(made, using) if made else None,
    )


def read_more(snapshot: Snapshot, asked: ReadData | Inspect, using: Collaborators) -> Snapshot:
    """The snapshot with what the decision asks for."""
    if isinstance(asked, ReadData):
        return replace(snapshot, data=_data(snapshot, using))
    results = bucket.inspect_files(using.s3, using.settings.bucket, asked.files, snapshot.config)
    inspected = tuple(
        _inspected(snapshot.model, file, result, using)
        for file, result in zip(asked.files, results, strict=True)
    )
    return replace(snapshot, inspected=inspected)


def _data(snapshot: Snapshot, using: Collaborators) -> Data:
    model, state = snapshot.model, snapshot.state
    batch = bucket.list_batch(using.s3, using.settings.bucket, model, snapshot.marker)
    previous = (
        bucket.read_manifest(using.s3, using.settings.bucket, model, state.last_batch)
        if state.last_batch
        else []
    )
    return Data(
        batch=batch,
        running=state.running.execution_arn if state.running else executions.running(model, using),
        started_as=_started_as(batch, using),
        previous=tuple(previous),
    )


def _started_as(batch: Batch, using: Collaborators) -> str | None:
    """The id of the execution that this batch was started as before; see Data."""
    before = using.ledger.get(keys.batch(batch.model, batch.identity))
    if before is None:
        return None
    made = using.ledger.get(keys.start(before.start_key))
    return made.execution_arn.rsplit("/", 1)[-1] if made else ""


def _inspected(model: str, file: DataObject, result: Problem | Fine, using: Collaborators) -> Inspected:
    """The result, unless it is a problem and a person has released this file from quarantine."""
    if isinstance(result, Problem) and using.ledger.get(keys.released(model, file.etag, file.key)):
        return Inspected(file, Fine(None))
    return Inspected(file, result)
