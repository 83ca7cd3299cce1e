"""A model's data: the batch that would train now, and what the newest execution found in its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from handsoff.deployment import Deployment
from handsoff.operating.deliveries import (
    Delivery,
    deliveries_of,
    delivery_as_json,
    list_now,
    marker_of,
)
from handsoff.operating.executions import evidence_of, newest_executions
from handsoff.operating.quarantine import quarantined_files
from handsoff.operating.states import model_state
from retraining.aws.pipelines import Execution
from retraining.facts.model_state import ModelState
from retraining.starts import checksums
from retraining.starts.batches import ROOT, Batch

MAX_NAMED: Final = 1000
"""Files of a batch whose identity is computed: S3 is asked for the checksum of each, two seconds for all."""

SEARCHED: Final = 10
"""Newest executions among which one with a data report is looked for."""

Report = dict[str, Any]
"""The data report as the evidence holds it."""


@dataclass(frozen=True)
class LastReport:
    """What DataPreProcessing said of an execution's data.

    `changes` say how it differs from the data of the champion that it was compared with; None without one.
    """

    execution: Execution
    report: Report
    changes: dict[str, Any] | None


@dataclass(frozen=True)
class ModelData:
    """What `handsoff data` shows of a model. `last` is None if no execution has read data yet.

    `identity` is the batch's; None for an empty batch and for one of more than MAX_NAMED files.
    """

    model: str
    batch: Batch
    identity: str | None
    marker: str | None
    deliveries: tuple[Delivery, ...]
    refused: str | None
    """Why the batch does not train; None if it would, or if no start was asked for."""

    last: LastReport | None


def model_data(deployment: Deployment, model: str) -> ModelData:
    """Read a model's data. `batch` is what would train now: nothing that lies in quarantine is in it.

    Raises NotDeployed where the model has no pipeline.
    """
    last = _last_report(deployment, model)
    marker, state = marker_of(deployment, model), model_state(deployment, model)
    batch = list_now(deployment, model, state)
    bad = {(file.key, file.version_id) for file in quarantined_files(deployment, model)}
    kept = batch.without({one for one in batch.objects if (one.key, one.version_id) in bad})
    identity = _identity(deployment, kept) if 0 < len(kept.objects) <= MAX_NAMED else None
    refused = _refused(kept, state)
    return ModelData(model, kept, identity, marker, deliveries_of(batch, marker, state), refused, last)


def _refused(batch: Batch, state: ModelState) -> str | None:
    """Why this batch does not train, by what lies in S3 or by the last answer, if that was about it."""
    if said := batch.too_large or batch.table or batch.misplaced:
        return said
    if batch.missing:
        return batch.no_data
    about_it = state.answer == "refuse" and not state.pending and state.answered_batch == batch.listing
    return state.reason if about_it else None


def _identity(deployment: Deployment, batch: Batch) -> str:
    """The batch's identity, which rests on S3's checksums."""
    found = checksums.read(deployment.s3, deployment.bucket, batch.objects)
    return batch.with_checksums(found).identity


def _last_report(deployment: Deployment, model: str) -> LastReport | None:
    """The report of the newest execution that has one."""
    for execution in newest_executions(deployment, model, SEARCHED):
        found = evidence_of(deployment, execution)
        if "splits" in found["data"]:
            return LastReport(execution, found["data"], found["dataChanges"])
    return None


def as_json(found: ModelData) -> dict[str, Any]:
    """What `handsoff data --json` prints."""
    batch, last = found.batch, found.last
    landed = batch.marker
    return {
        "model": found.model,
        "batch": found.identity,
        "marker": f"{ROOT}{found.model}/{found.marker}" if found.marker else None,
        "asOf": landed.landed_at.isoformat() if landed else None,
        "missing": batch.missing,
        "refused": found.refused,
        "files": [
            {
                "key": item.key,
                "versionId": item.version_id,
                "bytes": item.size,
                "landedAt": item.landed_at.isoformat() if item.landed_at else None,
            }
            for item in batch.objects
        ],
        "ignored": [{"key": item.key, "reason": item.reason} for item in batch.ignored],
        "ignoredCount": batch.ignored_count,
        "table": batch.table,
        "deliveries": [delivery_as_json(item) for item in found.deliveries],
        "lastReport": {
            "pipelineExecutionArn": last.execution.arn,
            "pipelineExecutionStatus": last.execution.status,
            "data": last.report,
            "dataChanges": last.changes,
        }
        if last
        else None,
    }
