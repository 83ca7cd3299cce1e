"""What starts read and write in the data bucket: the listing of a batch, its manifest, files' first bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from retraining.facts.starts import SPLITS, Marker, Split
from retraining.starts import unreadable
from retraining.starts.as_of import Version, batch_as_of
from retraining.starts.batches import MAX_ENTRIES, ROOT, Batch, DataObject, manifest_key
from retraining.starts.inspection import Fine, Problem, Short, inspect, longer
from retraining.starts.inspection.formats import PARQUET, PARQUET_TAIL
from retraining.starts.markers import Deletion, Markers, completed
from retraining.starts.names import markers_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteMarkerEntryTypeDef, ObjectVersionTypeDef

    from retraining.config.schema import ModelConfig

READERS: Final = 16
"""Threads that read the first bytes and the checksums of files."""


def list_batch(
    s3: S3Client,
    bucket: str,
    model: str,
    marker: str | None = None,
    answered_pair: Marker | None = None,
    check_time: Callable[[], None] = lambda: None,
    unless: Marker | None = None,
    *,
    whole: bool = False,
) -> Batch:
    """The batch in S3 now. S3's listings are strongly consistent: it is known without any event.

    `marker` is the marker's name, None if the model uses no marker. A model that uses one has the batch as of
    the newest delivery that its markers complete, if there is one (`list_markers`). If that is `unless`, the
    batch has no objects: to list them may take hundreds of calls. `check_time` is called before each listing,
    and ends them by an exception. `whole` says that the files hold the rows of both splits.
    """
    markers = list_markers(s3, bucket, model, marker, answered_pair, check_time) if marker else Markers()
    if unless is not None and markers.complete[:1] == (unless,):
        return Batch(model, (), unless, markers.complete[1:], waiting=markers.waiting, whole=whole)
    check_time()
    return list_as_of(s3, bucket, model, marker, markers, whole=whole)


def list_as_of(
    s3: S3Client, bucket: str, model: str, marker: str | None, markers: Markers, *, whole: bool = False
) -> Batch:
    """The batch as of these markers with this name, which were listed before. The listing ends after
    MAX_ENTRIES."""
    entries = _versions(s3, bucket, f"{ROOT}{model}/")
    batch = batch_as_of(model, islice(entries, MAX_ENTRIES), markers.complete, marker, whole=whole)
    return replace(batch, cut=next(entries, None) is not None, waiting=markers.waiting)


def list_markers(
    s3: S3Client,
    bucket: str,
    model: str,
    marker: str,
    answered_pair: Marker | None,
    check_time: Callable[[], None] = lambda: None,
) -> Markers:
    """The deliveries that the markers with this name complete, at the root and in the splits' folders.

    `answered_pair` is the newest pair of the splits' markers that was answered. Of each marker the newest
    1,000 entries count. `check_time` is called before each listing, and ends them by an exception.
    """
    found: list[list[Marker]] = []
    deletions: list[Deletion] = []
    for rest, split in zip(markers_of(marker), (None, *SPLITS), strict=True):
        check_time()
        key = f"{ROOT}{model}/{rest}"
        page = s3.list_object_versions(Bucket=bucket, Prefix=key)
        found.append(
            [
                Marker(version_id=item["VersionId"], landed_at=_landed_at(item), split=split)
                for item in page.get("Versions", [])
                if item["Key"] == key
            ]
        )
        deletions += [
            Deletion(split, _landed_at(gone), gone["IsLatest"])
            for gone in page.get("DeleteMarkers", [])
            if split is not None and gone["Key"] == key
        ]
    root, train, validation = found
    return completed(root, train, validation, answered_pair, deletions)


def visible_marker(s3: S3Client, bucket: str, key: str, split: Split | None = None) -> Marker | None:
    """The newest version of the marker with this key; None if there is none or a delete marker hides it.

    `split` is the split in whose folder it lies, None for the root.
    """
    try:
        found = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        return None
    at = found["LastModified"].replace(microsecond=0)
    return Marker(version_id=found["VersionId"], landed_at=at, split=split)


def _versions(s3: S3Client, bucket: str, prefix: str) -> Iterator[Version]:
    """All versions and delete markers with this prefix; those of one key newest first, within each kind."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Versions", []):
            etag = item["ETag"].strip('"')
            at = _landed_at(item)
            yield Version(item["Key"], item["VersionId"], at, item["IsLatest"], etag, item["Size"])
        for gone in page.get("DeleteMarkers", []):
            yield Version(gone["Key"], gone["VersionId"], _landed_at(gone), gone["IsLatest"])


def _landed_at(item: ObjectVersionTypeDef | DeleteMarkerEntryTypeDef) -> datetime:
    return item["LastModified"].replace(microsecond=0)


def read_manifest(s3: S3Client, bucket: str, model: str, batch: str) -> list[DataObject]:
    """The objects of a batch that was started; empty if its manifest no longer exists."""
    try:
        body = s3.get_object(Bucket=bucket, Key=manifest_key(model, batch))["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return []
    return [
        DataObject(item["key"], item["versionId"], item["etag"], item["size"], checksum=item.get("checksum"))
        for item in json.loads(body)["objects"]
    ]


def write_manifest(s3: S3Client, bucket: str, batch: Batch) -> None:
    """Write the batch's manifest, also over an earlier one: the versions that it named may have expired."""
    s3.put_object(
        Bucket=bucket,
        Key=batch.manifest_key,
        Body=batch.manifest().encode(),
        ContentType="application/json",
    )


def inspect_files(
    s3: S3Client, bucket: str, files: Sequence[DataObject], config: ModelConfig, length: int
) -> list[Problem | Fine]:
    """Inspect the first `length` bytes of each file, at exactly this version, in the order of `files`.

    More is read of a file whose header is longer than that.
    """

    def look(item: DataObject) -> Problem | Fine:
        try:
            return inspect_file(s3, bucket, item, config, length)
        except ClientError as error:
            if (way_out := unreadable.way_out(error.response["Error"]["Code"])) is None:
                raise
            return Problem(unreadable.UNREADABLE, way_out)

    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(look, files))


def inspect_file(
    s3: S3Client, bucket: str, item: DataObject, config: ModelConfig, length: int
) -> Problem | Fine:
    """Inspect the first `length` bytes of a file, or more if its header is longer.

    Raises ClientError if S3 does not give the file.
    """
    while True:
        head = _range(s3, bucket, item, f"bytes=0-{length - 1}") if item.size else b""
        tail = _range(s3, bucket, item, f"bytes=-{PARQUET_TAIL}") if head.startswith(PARQUET) else b""
        found = inspect(head, item.size, item.key, config, tail=tail, asked=length)
        if not isinstance(found, Short):
            return found
        length = longer(length)


def _range(s3: S3Client, bucket: str, item: DataObject, span: str) -> bytes:
    answer = s3.get_object(Bucket=bucket, Key=item.key, VersionId=item.version_id, Range=span)
    return answer["Body"].read()
