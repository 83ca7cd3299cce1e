"""Pure: everything that one decision about a model's starts is based on. starts/reading.py reads it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from retraining.config.schema import ModelConfig
from retraining.facts.model_state import ModelState
from retraining.facts.pauses import PauseFact
from retraining.facts.starts import BadFile, Trigger
from retraining.starts.batches import Batch, DataObject
from retraining.starts.inspection import Fine, Problem
from retraining.starts.unreadable import UNREADABLE


class Running(NamedTuple):
    """Whether an execution of the model runs: its ARN, whether started by handsoff or in SageMaker directly;
    None if none runs."""

    execution_arn: str | None = None


@dataclass(frozen=True)
class Started:
    """Whether the batch was started before: `execution` is the id of its execution, "" if that is not known,
    None if it was not started before."""

    execution: str | None


class Inspected(NamedTuple):
    """A file, and what its first bytes show."""

    file: DataObject
    result: Problem | Fine

    @property
    def unreadable(self) -> bool:
        """Whether the file may be good. It stays where it is, and a person makes it readable."""
        return isinstance(self.result, Problem) and self.result.kind == UNREADABLE

    @property
    def bad_file(self) -> BadFile | None:
        """The file with its problem; None if it has none."""
        if not isinstance(self.result, Problem):
            return None
        file, problem = self.file, self.result
        return BadFile(
            key=file.key,
            version_id=file.version_id,
            etag=file.etag,
            size=file.size,
            kind=problem.kind,
            text=problem.text,
            row=problem.row,
            column=problem.column,
        )


class Snapshot(NamedTuple):
    """A model, its state and the state's version in the ledger, its config, and the time.

    `execution_ended_at` is when the execution of `state.running` ended; None while it runs, or if there is
    none. `paused` is the pause that stands, None if there is none; it is read where requests are pending.
    `batch` is the batch as S3 lists it now, `previous` are the objects of the batch that was started last.
    `in_quarantine` are the keys in quarantine of files that are missing in the batch. `running`, `batch`,
    `started`, `previous`, `inspected` and `in_quarantine` are None until the decision asks for them.
    """

    model: str
    state: ModelState
    version: int
    config: ModelConfig
    now: datetime
    execution_ended_at: datetime | None = None
    paused: PauseFact | None = None
    running: Running | None = None
    batch: Batch | None = None
    started: Started | None = None
    previous: tuple[DataObject, ...] | None = None
    inspected: tuple[Inspected, ...] | None = None
    in_quarantine: tuple[str, ...] | None = None

    @property
    def triggers(self) -> Set[Trigger]:
        """What asked for the pending requests."""
        return {request.trigger for request in self.state.pending}

    @property
    def marker(self) -> str | None:
        """The marker's key after `curated/<model>/`; None if the model uses no marker."""
        ready = self.config.retrain.ready
        return ready.marker if ready.when == "marker" else None
