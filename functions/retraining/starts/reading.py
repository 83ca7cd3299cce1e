"""Reads the Snapshot that a decision about a model's starts is based on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from retraining.facts import keys
from retraining.starts import bucket, checkpoints, checksums, executions, quarantine
from retraining.starts.actions import (
    Inspect,
    Read,
    ReadBatch,
    ReadChecksums,
    ReadInQuarantine,
    ReadPrevious,
    ReadQuarantined,
    ReadRunning,
    ReadStarted,
)
from retraining.starts.batches import Batch, DataObject
from retraining.starts.inspection import Fine, Problem, head_bytes
from retraining.starts.snapshot import Inspected, Running, Snapshot, Started
from retraining.starts.unreadable import UNREADABLE

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators
    from retraining.config.schema import ModelConfig

MAX_ASKED: Final = 4000
"""Versions that the ledger is asked about before the time is asked for: four seconds."""


def read(model: str, config: ModelConfig, using: Collaborators) -> Snapshot:
    """The model's state, whether it is paused, and whether the execution that it names has ended."""
    state, version = using.states.load(model)
    made = state.running.execution_arn if state.running else None
    now = using.clock()  # before the pause is read: a start that is taken later than a pause saw it
    pause = using.ledger.get(keys.paused(model)) if state.pending else None
    return Snapshot(
        model=model,
        state=state,
        version=version,
        config=config,
        now=now,
        execution_ended_at=executions.ended_at(made, using) if made else None,
        paused=pause if pause and pause.stands else None,
    )


def read_more(snapshot: Snapshot, asked: Read, using: Collaborators) -> Snapshot:
    """The snapshot with what the decision asks for."""
    match asked:
        case ReadRunning():
            return snapshot._replace(running=Running(executions.running(snapshot.model, using)))
        case ReadBatch():
            return snapshot._replace(batch=_listed(snapshot, using))
        case ReadQuarantined(batch, files):
            return snapshot._replace(batch=batch.without(_quarantined(snapshot.model, files, using)))
        case ReadStarted(batch):
            return snapshot._replace(started=_started(snapshot, batch, using))
        case ReadChecksums(batch, previous):
            return snapshot._replace(batch=checksums.of_batch(batch, previous, using), started=None)
        case ReadPrevious():
            return snapshot._replace(previous=_previous(snapshot, using))
        case Inspect(files):
            length = head_bytes(len(files))

            def look(part: Sequence[DataObject]) -> tuple[Inspected, ...]:
                return _inspected(snapshot, part, length, using)

            return checkpoints.inspect(snapshot, files, look, using)
        case ReadInQuarantine(batch):
            found = quarantine.missing_files(using.s3, using.settings.bucket, batch)
            return snapshot._replace(in_quarantine=found)


def _listed(snapshot: Snapshot, using: Collaborators) -> Batch:
    """The batch in S3 now. Its objects are not listed if a landing alone asks, and the newest delivery was
    answered: it is a split's marker that waits for the other one, or an event that came again."""
    state = snapshot.state
    answered = snapshot.triggers == {"landing"} and state.answered_batch is not None
    return bucket.list_batch(
        using.s3,
        using.settings.bucket,
        snapshot.model,
        snapshot.marker,
        state.answered_pair,
        using.check_time,
        unless=state.answered_marker if answered else None,
        whole=snapshot.config.data.whole,
    )


def _quarantined(model: str, files: Sequence[DataObject], using: Collaborators) -> set[DataObject]:
    """Those of these versions that were moved to quarantine. Raises OutOfTime after MAX_ASKED of them."""

    def ask(one: DataObject) -> bool:
        return using.ledger.get(keys.quarantined(model, one.key, one.version_id)) is not None

    found: set[DataObject] = set()
    with ThreadPoolExecutor(bucket.READERS) as readers:
        for first in range(0, len(files), MAX_ASKED):
            if first:
                using.check_time()
            part = files[first : first + MAX_ASKED]
            found.update(one for one, moved in zip(part, readers.map(ask, part), strict=True) if moved)
    return found


def _started(snapshot: Snapshot, batch: Batch, using: Collaborators) -> Started:
    """Whether the batch was started before: by its ETags, its checksums, or as the last one by either."""
    model, last = snapshot.model, snapshot.state.last_batch
    before = using.ledger.get(keys.batch(model, batch.listing))
    if before is None and batch.checksums_read:
        before = using.ledger.get(keys.batch(model, batch.identity))
        if before is None and last is not None and batch.same_as(snapshot.previous or ()):
            before = using.ledger.get(keys.batch(model, last))
    if before is None:
        return Started(None)
    made = using.ledger.get(keys.start(before.start_key))
    return Started(made.execution_arn.rsplit("/", 1)[-1] if made else "")


def _previous(snapshot: Snapshot, using: Collaborators) -> tuple[DataObject, ...]:
    last = snapshot.state.last_batch
    if last is None:
        return ()
    return tuple(bucket.read_manifest(using.s3, using.settings.bucket, snapshot.model, last))


def _inspected(
    snapshot: Snapshot, files: Sequence[DataObject], length: int, using: Collaborators
) -> tuple[Inspected, ...]:
    results = bucket.inspect_files(using.s3, using.settings.bucket, files, snapshot.config, length)
    return tuple(
        _unless_released(snapshot.model, file, result, using)
        for file, result in zip(files, results, strict=True)
    )


def _unless_released(model: str, file: DataObject, result: Problem | Fine, using: Collaborators) -> Inspected:
    """The result, unless it is a problem and a person has released this file from quarantine."""
    if not isinstance(result, Problem) or result.kind == UNREADABLE:
        return Inspected(file, result)
    if using.ledger.get(keys.released(model, file.etag, file.key)):
        return Inspected(file, Fine(None))
    return Inspected(file, result)
