"""Pure: where a model comes from: files, batch, execution, model, package, decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from retraining.html.pictures import Table
from retraining.html.wording import decider, moment_text, plain
from retraining.report.told import Told

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
    files = len(data.files)
    names = f"{files:,} file{'s' * (files != 1)}" if files else "The files that the manifest names"
    yield Link("Files", names, tuple(rows))
    if data.batch:
        yield Link("Batch", plain(data.batch), (plain(data.manifest),) if data.manifest else ())
    asked = f", asked for by {plain(told.trigger.requested_by)}" if told.trigger.requested_by else ""
    how = _TRIGGERS.get(told.trigger.kind or "", plain(told.trigger.kind or "")) + asked
    started = f"began on {moment_text(told.start_time)}" if told.start_time else ""
    yield Link(
        "Execution", plain(told.pipeline_execution_arn), tuple(filter(None, (how, started, *_code(told))))
    )
    artifact = told.artifact
    uri = (artifact.uri if artifact else None) or told.model_data_url
    if uri:
        digest = (f"SHA-256 {plain(artifact.sha256)}",) if artifact and artifact.sha256 else ()
        yield Link("Model artifact", plain(uri), digest)
    if told.model_package_arn is None:
        yield Link("Model package", "None: the execution registered no model")
        return
    yield Link("Model package", plain(told.model_package_arn))
    yield _decision(told)


def _code(told: Told) -> tuple[str, ...]:
    if told.training is None:
        return ()
    code, image = told.training.code_sha256, told.training.image
    return tuple(
        filter(None, (f"code {plain(code)}" if code else "", f"image {plain(image)}" if image else ""))
    )


def _decision(told: Told) -> Link:
    if told.decided_by is None:
        return Link("Decision", "None yet")
    at = (moment_text(told.decided_at),) if told.decided_at else ()
    status = told.model_approval_status or "Decided"
    return Link("Decision", f"{plain(status)} by {decider(told.decided_by, told.decided_who)}", at)


def _files(told: Told) -> Table:
    return Table(
        columns=("File", "Version", "Checksum", "Rows"),
        rows=tuple(
            (
                plain(file.key),
                plain(file.version_id or "—"),
                plain(file.checksum or file.etag or "—"),
                f"{file.rows:,}" if file.rows is not None else "—",
            )
            for file in told.data.files[:MAX_FILES]
        ),
    )
