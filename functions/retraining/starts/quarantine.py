"""Bad files leave curated/ for quarantine/, with a report beside them, and come back when a person says so.

The bucket is versioned and nothing is deleted: what is moved stays below its old key as an older version.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from retraining.starts.batches import ROOT, DataObject
from retraining.starts.inspection import Fine, Problem, inspect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from retraining.config.schema import ModelConfig
    from retraining.facts.starts import BadFile

REPORT_SUFFIX: Final = ".report.json"


def look_at(
    s3: S3Client, bucket: str, item: DataObject, config: ModelConfig, head_bytes: int
) -> Problem | Fine:
    """Inspect the first `head_bytes` of exactly this version."""
    head = tail = b""
    if item.size:
        head = _range(s3, bucket, item, f"bytes=0-{head_bytes - 1}")
        if item.key.endswith(".parquet"):
            tail = _range(s3, bucket, item, "bytes=-8")
    return inspect(head, item.size, item.key, config, tail=tail)


def _range(s3: S3Client, bucket: str, item: DataObject, span: str) -> bytes:
    answer = s3.get_object(Bucket=bucket, Key=item.key, VersionId=item.version_id, Range=span)
    return answer["Body"].read()


def place(model: str, key: str) -> str:
    """Where a file of curated/<model>/ lies in quarantine."""
    return f"quarantine/{model}/{key.removeprefix(f'{ROOT}{model}/')}"


def move(s3: S3Client, bucket: str, model: str, item: BadFile, *, now: datetime) -> None:
    """Put the file and its report into quarantine and take it out of curated/.

    Safe to repeat after dying anywhere: the file leaves curated/ last.
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


def _hide(s3: S3Client, bucket: str, item: BadFile) -> None:
    """Set a delete marker on top of this version, and on no newer one.

    If a newer version lands between looking and setting, the marker is taken off again; dying before that,
    the next call finds the marker on top of a newer version and does it.
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
    """Put a file back from quarantine under its old name; returns what lies in curated/ now.

    `key` is the one in quarantine. Its copy and report stay there as older versions.
    """
    original = f"{ROOT}{model}/{key.removeprefix(f'quarantine/{model}/')}"
    s3.copy_object(Bucket=bucket, Key=original, CopySource={"Bucket": bucket, "Key": key})
    head = s3.head_object(Bucket=bucket, Key=original)
    for name in (key, key + REPORT_SUFFIX):
        s3.delete_object(Bucket=bucket, Key=name)
    return DataObject(original, head["VersionId"], head["ETag"].strip('"'), head["ContentLength"])
