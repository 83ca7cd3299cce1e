"""Pure: where a model comes from: files, batch, execution, model, package, decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from retraining.html.pictures import Table
from retraining.html.wording import decider, moment_text, plain
from retraining.report.told import Artifact, Told

MAX_FILES: Final = 50
"""Files that are listed."""

_TRIGGERS: Final = {
    "landing": "started by new data that landed",
    "schedule": "started by the model's schedule",
    "request": "started as a person asked for it",
    "manual": "started by hand in SageMaker",
}


@dataclass(frozen=True)
class Link:
    """One part of the chain: what it is, its name, and more about it."""

    what: str
    name: str
    more: tuple[str, ...] = ()


def lineage(told: Told) -> tuple[tuple[Link, ...], Table]:
    """The chain from the files to the decision, and the table of the files."""
    return tuple(_links(told)), _files(told)


def _links(told: Told) -> Iterator[Link]:
    data = told.data
    rows = [f"{split.rows:,} rows of {name}" for name, split in data.splits.items() if split.rows is not None]
    files = data.file_count or len(data.files)
    names = f"{files:,} file{'s' * (files != 1)}" if files else "The files that the manifest names"
    yield Link("Files", names, tuple(rows))
    if data.batch:
        yield Link("Batch", plain(data.batch), (plain(data.manifest),) if data.manifest else ())
    yield Link("Execution", plain(told.pipeline_execution_arn), tuple(_execution(told)))
    if uri := told.artifact.uri or told.model_data_url:
        yield Link("Model artifact", plain(uri), _digest(told.artifact))
    if told.evaluation.uri:
        yield Link("Evaluation", plain(told.evaluation.uri), _digest(told.evaluation))
    if told.model_package_arn is None:
        yield Link("Model package", "None: the execution registered no model")
        return
    yield Link("Model package", plain(told.model_package_arn))
    yield _decision(told)


def _execution(told: Told) -> Iterator[str]:
    """How it was started, and by what it is determined."""
    trigger = told.trigger
    asked = (
        f", asked for by {plain(trigger.requested_by)}"
        if trigger.kind == "request" and trigger.requested_by
        else ""
    )
    if trigger.kind:
        yield _TRIGGERS.get(trigger.kind, plain(trigger.kind)) + asked
    if told.start_time:
        yield f"began on {moment_text(told.start_time)}"
    found = (
        ("code", told.code.sha256 or told.training.code_sha256),
        ("configuration", told.config.sha256),
        ("image", told.training.image),
    )
    yield from (f"{what} {plain(value)}" for what, value in found if value)


def _digest(found: Artifact) -> tuple[str, ...]:
    return (f"SHA-256 {plain(found.sha256)}",) if found.sha256 else ()


def _decision(told: Told) -> Link:
    if told.decided_by is None:
        return Link("Decision", "None yet")
    at = (moment_text(told.decided_at),) if told.decided_at else ()
    status = told.model_approval_status or "Decided"
    return Link("Decision", f"{plain(status)} by {decider(told.decided_by, told.decided_who)}", at)


def _files(told: Told) -> Table:
    return Table(
        columns=("File", "Version", "Digest", "Rows"),
        rows=tuple(
            (
                plain(file.key),
                plain(file.version_id or "—"),
                plain(file.sha256 or file.checksum or file.etag or "—"),
                f"{file.rows:,}" if file.rows is not None else "—",
            )
            for file in told.data.files[:MAX_FILES]
        ),
    )
