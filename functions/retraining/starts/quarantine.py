"""Moves bad files from curated/ to quarantine/ with a report beside each, and puts released files back.

The bucket is versioned and nothing is deleted: a moved file stays under its old key as an older version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.metrics import MetricUnit

from retraining.aws.observability import logger, metrics
from retraining.facts import keys
from retraining.facts.starts import Quarantined
from retraining.notifications.messages import Notification
from retraining.notifications.publish import notify
from retraining.starts.admission import MAX_NAMED
from retraining.starts.batches import ROOT, DataObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from retraining.collaborators import Collaborators
    from retraining.facts.starts import BadFile

REPORT_SUFFIX: Final = ".report.json"
"""Follows a file's key in quarantine; the key of its report."""


def move_files(model: str, files: Sequence[BadFile], using: Collaborators) -> None:
    """Tell approvers of all files in one notification, then move each file. Safe to repeat."""
    folder = f"s3://{using.settings.bucket}/quarantine/{model}/"
    more = [f"and {len(files) - MAX_NAMED} more files"] if len(files) > MAX_NAMED else []
    message = Notification.about(
        folder,
        "quarantined",
        model=model,
        occurrence=" ".join(f"{one.version_id}:{one.etag}" for one in files),
        reasons=[f"{one.key}: {one.text}" for one in files[:MAX_NAMED]] + more,
        evidence_uri=folder,
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
    for one in files:
        taken_out = Quarantined(at=using.clock(), kind=one.kind)
        using.ledger.take(keys.quarantined(model, one.key, one.version_id), taken_out)
        move(using.s3, using.settings.bucket, model, one, now=using.clock())
        logger.warning("file quarantined", model=model, key=one.key, problem=one.kind)
    metrics.add_metric("FilesQuarantined", MetricUnit.Count, len(files))


def move(s3: S3Client, bucket: str, model: str, item: BadFile, *, now: datetime) -> None:
    """Put the file and its report into quarantine and take it out of curated/.

    Safe to repeat after an invocation died anywhere in it: the file leaves curated/ last.
    """
    target = place(model, item.key)
    report = {
        "model": model,
        "key": item.key,
        "versionId": item.version_id,
        "etag": item.etag,
        "size": item.size,
        "problem": item.kind,
        "text": item.text,
        "row": item.row,
        "column": item.column,
        "at": now.isoformat(),
        "wayOut": f"land a corrected file, or: handsoff release {model} {target}",
    }
    s3.copy_object(
        Bucket=bucket,
        Key=target,
        CopySource={"Bucket": bucket, "Key": item.key, "VersionId": item.version_id},
    )
    s3.put_object(
        Bucket=bucket,
        Key=target + REPORT_SUFFIX,
        Body=json.dumps(report, ensure_ascii=False, indent=1).encode(),
        ContentType="application/json",
    )
    _hide(s3, bucket, item)


def place(model: str, key: str) -> str:
    """The key in quarantine of a file of curated/<model>/."""
    return f"quarantine/{model}/{key.removeprefix(f'{ROOT}{model}/')}"


def _hide(s3: S3Client, bucket: str, item: BadFile) -> None:
    """Set a delete marker on top of this version, but on no newer version.

    If a newer version lands between the listing and the delete marker, the marker is removed again. If the
    invocation dies before that, the next call finds the marker on top of a newer version and removes it.
    """
    newest, markers = _on_top(s3, bucket, item.key)
    if newest == item.version_id and not markers:
        s3.delete_object(Bucket=bucket, Key=item.key)
        newest, markers = _on_top(s3, bucket, item.key)
    if newest != item.version_id:
        for marker in markers:
            s3.delete_object(Bucket=bucket, Key=item.key, VersionId=marker)


def _on_top(s3: S3Client, bucket: str, key: str) -> tuple[str | None, list[str]]:
    """The newest version of a key, and the delete marker above it, if there is one."""
    found = s3.list_object_versions(Bucket=bucket, Prefix=key)
    versions = [item["VersionId"] for item in found.get("Versions", []) if item["Key"] == key]
    markers = [
        item["VersionId"]
        for item in found.get("DeleteMarkers", [])
        if item["Key"] == key and item["IsLatest"]
    ]
    return (versions[0] if versions else None), markers


def release(s3: S3Client, bucket: str, model: str, key: str) -> DataObject:
    """Put a file back from quarantine under its old key; the object that is in curated/ then.

    `key` is the one in quarantine. The file and its report stay there as older versions.
    """
    original = f"{ROOT}{model}/{key.removeprefix(f'quarantine/{model}/')}"
    s3.copy_object(Bucket=bucket, Key=original, CopySource={"Bucket": bucket, "Key": key})
    head = s3.head_object(Bucket=bucket, Key=original)
    for name in (key, key + REPORT_SUFFIX):
        s3.delete_object(Bucket=bucket, Key=name)
    return DataObject(original, head["VersionId"], head["ETag"].strip('"'), head["ContentLength"])
