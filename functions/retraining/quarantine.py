"""Bad files leave curated/ for quarantine/, with a report beside them, and come back when a person says so.

The bucket is versioned and nothing is deleted: what is moved stays below its old key as an older version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from retraining.inspection import HEAD_BYTES, Fine, Problem, inspect
from retraining.landing import ROOT, DataObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from retraining.config import ModelConfig

REPORT_SUFFIX: Final = ".report.json"


@dataclass(frozen=True)
class Bad:
    """A file and what is wrong with it."""

    item: DataObject
    problem: Problem


def look_at(s3: S3Client, bucket: str, item: DataObject, config: ModelConfig) -> Problem | Fine:
    """Inspect the head of exactly this version."""
    head = tail = b""
    if item.size:
        head = _range(s3, bucket, item, f"bytes=0-{HEAD_BYTES - 1}")
        if item.key.endswith(".parquet"):
            tail = _range(s3, bucket, item, "bytes=-8")
    return inspect(head, item.size, item.key, config, tail=tail)


def _range(s3: S3Client, bucket: str, item: DataObject, span: str) -> bytes:
    answer = s3.get_object(Bucket=bucket, Key=item.key, VersionId=item.version_id, Range=span)
    return answer["Body"].read()


def place(model: str, key: str) -> str:
    """Where a file of curated/<model>/ lies in quarantine."""
    return f"quarantine/{model}/{key.removeprefix(f'{ROOT}{model}/')}"


def move(s3: S3Client, bucket: str, model: str, bad: Bad, *, now: datetime) -> str:
    """Put the file and its report into quarantine and take it out of curated/; the report's URI.

    Safe to repeat after dying anywhere: the file leaves curated/ last.
    """
    item, target = bad.item, place(model, bad.item.key)
    report = {
        "model": model,
        "key": item.key,
        "versionId": item.version_id,
        "etag": item.etag,
        "size": item.size,
        "problem": bad.problem.kind,
        "text": bad.problem.text,
        "row": bad.problem.row,
        "column": bad.problem.column,
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
    return f"s3://{bucket}/{target}{REPORT_SUFFIX}"


def _hide(s3: S3Client, bucket: str, item: DataObject) -> None:
    """Set a delete marker on top of this version; if a newer one has landed meanwhile, take it off again."""
    marker = s3.delete_object(Bucket=bucket, Key=item.key).get("VersionId")
    versions = s3.list_object_versions(Bucket=bucket, Prefix=item.key).get("Versions", [])
    newest = next((found["VersionId"] for found in versions if found["Key"] == item.key), None)
    if marker and newest != item.version_id:
        s3.delete_object(Bucket=bucket, Key=item.key, VersionId=marker)


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
