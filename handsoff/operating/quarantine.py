"""Files in quarantine: lists them with their reports, and releases one that a person vouches for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from handsoff.deployment import Deployment
from handsoff.errors import NotFound
from handsoff.operating.landing import land_marker
from retraining.facts import keys
from retraining.facts.starts import Released
from retraining.starts import bucket as data_bucket
from retraining.starts import quarantine
from retraining.starts.batches import DataObject
from retraining.starts.quarantine import NEVER_READ, REPORT_SUFFIX


class QuarantinedFile(BaseModel):
    """A file in quarantine, as the report beside it says."""

    model_config = ConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True)

    quarantine_key: str
    """Where the file lies now, in the data bucket."""

    key: str
    """Where the file had landed."""

    version_id: str = Field(alias="versionId")
    """The version that had landed."""

    etag: str
    size: int
    problem: str
    """What is wrong with the file: a code of retraining.starts.inspection."""

    text: str
    """What is wrong with the file, in words."""

    not_copied: str | None = Field(None, alias="notCopied")
    """Why the file lies in curated/ only, as an older version; None if it was copied to quarantine."""

    current: str | None
    """The version that lies under the old key now; None if none does."""

    @property
    def replaced(self) -> bool:
        """Whether another file with the same key has landed since."""
        return self.current not in (None, self.version_id)

    @property
    def may_be_released(self) -> bool:
        """Whether a release makes sense: it is not replaced, and a job may be able to read it."""
        return not self.replaced and self.problem not in NEVER_READ


def quarantined_files(deployment: Deployment, model: str) -> list[QuarantinedFile]:
    """A model's files in quarantine, in the order of their keys."""
    pages = deployment.s3.get_paginator("list_objects_v2").paginate(
        Bucket=deployment.bucket, Prefix=f"quarantine/{model}/"
    )
    names = [item["Key"] for page in pages for item in page.get("Contents", [])]
    reports = [name for name in names if name.endswith(REPORT_SUFFIX)]
    if not reports:  # the listing of the landed files, which may take hundreds of calls, would say nothing
        return []
    whole = deployment.config.models[model].data.whole
    listed = data_bucket.list_batch(deployment.s3, deployment.bucket, model, whole=whole)
    present = {item.key: item.version_id for item in listed.objects}
    return [_read(deployment, key, present) for key in reports]


def _read(deployment: Deployment, report_key: str, present: Mapping[str, str]) -> QuarantinedFile:
    body = deployment.s3.get_object(Bucket=deployment.bucket, Key=report_key)["Body"].read()
    report = json.loads(body)
    return QuarantinedFile.model_validate(
        {
            **report,
            "quarantine_key": report_key.removesuffix(REPORT_SUFFIX),
            "current": present.get(report["key"]),
        }
    )


def release_file(deployment: Deployment, model: str, key: str, *, marker: bool = True) -> str:
    """Put a file back from quarantine; it is not inspected again. Returns the key that it has then.

    `key` may leave out `quarantine/<model>/`. Where the model uses a marker and `marker` is true, the marker
    lands again: the file completes the batch. Raises NotFound where the file is not in quarantine, or has
    been replaced.
    """
    if not key.startswith("quarantine/"):
        key = f"quarantine/{model}/{key}"
    files = {file.quarantine_key: file for file in quarantined_files(deployment, model)}
    file = files.get(key)
    if file is None:
        known = "\n  ".join(files) or "(nothing)"
        raise NotFound(f"{key} is not in quarantine. In quarantine of {model}:\n  {known}")
    if file.replaced:
        raise NotFound(
            f"{file.key} has landed again since: releasing the old one would hide it. "
            f"Land it under another name: it is at s3://{deployment.bucket}/{key}"
        )
    back = _release(deployment, model, file)
    if marker:
        land_marker(deployment, model)
    return back


def release_all(
    deployment: Deployment, model: str, *, marker: bool = True
) -> tuple[list[str], list[QuarantinedFile]]:
    """Put all files of a model back from quarantine, then land one marker as `release_file` does.

    Returns the keys of the files that are back, and the files that stay: those that have landed again since,
    and those that no job can read. No marker lands if all stay.
    """
    files = quarantined_files(deployment, model)
    back = [_release(deployment, model, file) for file in files if file.may_be_released]
    if back and marker:
        land_marker(deployment, model)
    return back, [file for file in files if not file.may_be_released]


def _release(deployment: Deployment, model: str, file: QuarantinedFile) -> str:
    """Record the release of a file and put the file back. Returns its key."""
    released = Released(by=deployment.caller, at=datetime.now(UTC))
    deployment.ledger.take(keys.released(model, file.etag, file.key), released)
    item = quarantine.release(
        deployment.s3,
        deployment.bucket,
        DataObject(file.key, file.version_id, file.etag, file.size),
        file.quarantine_key,
        copied=file.not_copied is None,
        current=file.current,
    )
    # A file that was uploaded in parts has another ETag once it is copied.
    deployment.ledger.take(keys.released(model, item.etag, item.key), released)
    return item.key
