"""The usual snapshot of a model's starts, and requests, batches and states to change it by.

It is noon, one landing is pending, train.csv and validation.csv lie in S3 below their marker, and nothing was
started before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from retraining.config.schema import ModelConfig
from retraining.facts.model_state import ModelState
from retraining.facts.starts import BadFile, Marker, Start, StartRequest
from retraining.starts.batches import Batch, DataObject
from retraining.starts.inspection import Fine, Problem
from retraining.starts.snapshot import Inspected, Running, Snapshot, Started


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23 {text}+00:00")


NOON = at("12:00:00")
TRAIN = DataObject("curated/titanic/train.csv", "v1", "aa", 10, at("11:00:00"))
VALIDATION = DataObject("curated/titanic/validation.csv", "v2", "bb", 10, at("11:00:01"))
MARKER = Marker(version_id="v3", landed_at=at("11:00:02"))
NEXT_MARKER = Marker(version_id="v9", landed_at=at("11:30:00"))
CHANGED = DataObject("curated/titanic/train.csv", "v4", "dd", 10, at("11:00:03"))
BATCH = Batch("titanic", (TRAIN, VALIDATION), MARKER)
UNREAD = Batch("titanic", (TRAIN, VALIDATION), MARKER, checksums_read=False)
COVERED = Batch("titanic", (TRAIN, VALIDATION), MARKER, covered=(TRAIN,))
REMAINING = Batch("titanic", (VALIDATION,), MARKER)
LANDING = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=at("11:00:04"))
SCHEDULE = StartRequest(cause="2026", trigger="schedule", requested_by="arn:s", at=at("11:00:04"))
PERSON = StartRequest(cause="r1", trigger="request", requested_by="arn:p", at=at("11:00:04"))
TAKEN = Start(key="k", batch="b", champion="none", requests=(LANDING,), taken_at=at("10:00:00"))
MADE = TAKEN.model_copy(update={"execution_arn": "arn:x/execution/e0"})
BAD = BadFile(
    key=TRAIN.key, version_id="v1", etag="aa", size=10, kind="one_row", text="the file has one row only"
)

ONE_ROW = Problem("one_row", "the file has one row only")
GOOD = (Inspected(TRAIN, Fine(7)), Inspected(VALIDATION, Fine(3)))
ANSWERED = ModelState(pending=(LANDING,), answered_batch="b", answered_marker=MARKER)
REMAINS = ModelState(pending=(LANDING,), remaining_batch=BATCH.identity, remaining_marker="v3")

NOT_READ: dict[str, Any] = {"started": None, "previous": None}
"""Earlier starts have not been read yet."""


def snapshot(
    *pending: StartRequest,
    state: ModelState | None = None,
    batch: Batch | None = None,
    running: str | None = None,
    retrain: dict[str, Any] | None = None,
    started_as: str | None = None,
    previous: tuple[DataObject, ...] | None = (),
    **known: Any,
) -> Snapshot:
    """The usual snapshot, but for what is given. With `batch`, earlier starts were read, too."""
    if batch is not None:
        known = {"started": Started(started_as), "previous": previous, "in_quarantine": ()} | known
    config = {"task": "regression", "target": "y", "features": {"numeric": ["x"]}, "retrain": retrain or {}}
    return Snapshot(
        model="titanic",
        state=state or ModelState(pending=pending or (LANDING,)),
        version=1,
        config=ModelConfig.model_validate(config),
        now=NOON,
        batch=batch,
        running=Running(running) if batch or running else None,
        **known,
    )
