"""The actions that a decision about a model's start can name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from retraining.facts.starts import BadFile, Start
from retraining.starts.batches import Batch, DataObject


@dataclass(frozen=True)
class MoveBadFiles:
    """Move these files to quarantine. The state names them since an earlier decision."""

    files: tuple[BadFile, ...]


@dataclass(frozen=True)
class Make:
    """Make the execution of this start, which was taken before."""

    start: Start


@dataclass(frozen=True)
class End:
    """Note in the state that this execution has ended."""

    execution_arn: str
    at: datetime


@dataclass(frozen=True)
class Rest:
    """Nothing is pending. Look again at `until`; None: not before the next request."""

    until: datetime | None


@dataclass(frozen=True)
class ReadRunning:
    """Look for an execution that runs (`Snapshot.running`), then decide again."""


@dataclass(frozen=True)
class ReadBatch:
    """List the batch (`Snapshot.batch`), then decide again."""


@dataclass(frozen=True)
class ReadQuarantined:
    """Take those of these versions that are in quarantine out of the batch, then decide again."""

    batch: Batch
    files: tuple[DataObject, ...]


@dataclass(frozen=True)
class ReadStarted:
    """Look whether this batch was started before (`Snapshot.started`), then decide again."""

    batch: Batch


@dataclass(frozen=True)
class ReadChecksums:
    """Read the checksums of the batch's objects that `previous` does not have. Then look again whether the
    batch was started before, and decide again."""

    batch: Batch
    previous: tuple[DataObject, ...]


@dataclass(frozen=True)
class ReadPrevious:
    """Read the manifest of the batch that was started last (`Snapshot.previous`), then decide again."""


@dataclass(frozen=True)
class Inspect:
    """Inspect these files (`Snapshot.inspected`), then decide again."""

    files: tuple[DataObject, ...]


@dataclass(frozen=True)
class ReadInQuarantine:
    """Look which files lie in quarantine and are missing in the batch (`Snapshot.in_quarantine`), then decide
    again."""

    batch: Batch


@dataclass(frozen=True)
class Wait:
    """The pending requests wait; decide again at `until`. People are told once for each `occurrence`, if it
    is not None."""

    until: datetime
    reason: str
    occurrence: str | None = None


@dataclass(frozen=True)
class Refuse:
    """The pending requests are refused.

    People are told if only they can help: once for each `occurrence`, which is None for other refusals.
    """

    reason: str
    occurrence: str | None = None


@dataclass(frozen=True)
class Forget:
    """The pending landing is forgotten: its marker was answered before. Nothing is told again."""


@dataclass(frozen=True)
class Quarantine:
    """The pending requests are refused because of these files. Note the files in the state; they are moved
    next. `remaining_batch` is the batch without them (`Batch.listing`), `marker` the marker's version."""

    files: tuple[BadFile, ...]
    reason: str
    remaining_batch: str
    marker: str | None


@dataclass(frozen=True)
class Take:
    """Take a start on this batch, which serves all pending requests."""

    batch: Batch


Change = End | Rest | Wait | Refuse | Forget | Quarantine
"""Actions that change the model's state and nothing else."""

Read = (
    ReadRunning
    | ReadBatch
    | ReadQuarantined
    | ReadStarted
    | ReadChecksums
    | ReadPrevious
    | Inspect
    | ReadInQuarantine
)
"""Actions that ask for a larger snapshot."""

Action = Read | MoveBadFiles | Make | Take | Change

ANSWERS: Final = (Take, Refuse, Quarantine, Forget)
"""Actions after which no landing is pending any more."""
