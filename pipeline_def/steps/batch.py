"""The batch: which versions of which objects an execution reads, and that exactly those bytes arrive.

start_retraining writes the manifest of a batch. `latest_batch` writes one where an execution was started
without one. tests/wall/ holds both to the same format.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

import names
from checksums import checksum
from job import SPLITS, DataProblem, Json

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONFLICT_PAUSES: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds to wait before each retry of a write that conflicted with another one."""

READERS: Final = 16
"""Threads that ask S3 for checksums, or for small objects."""

CHUNK_BYTES: Final = 1 << 20
"""Bytes of an object that are in memory at a time."""


@dataclass(frozen=True, order=True)
class DataObject:
    """One version of one object. `etag` is without quotes, `size` in bytes.

    `checksum` is S3's checksum of the whole object with its algorithm, as `CRC64NVME:…`; "" if S3 has none,
    None if S3 was not asked.
    """

    key: str
    version_id: str
    etag: str
    size: int
    checksum: str | None = field(default=None, compare=False)

    @property
    def content(self) -> str:
        """What tells the bytes: the checksum with the size, else the ETag."""
        return f"{self.checksum}:{self.size}" if self.checksum else self.etag


@dataclass(frozen=True)
class Manifest:
    """The object versions of a batch, sorted by key, and what it leaves out.

    `ignored` are keys and reasons of objects that are no data. `ignored_count` counts them; the list may be
    shorter. Both are empty in a manifest of an earlier version.
    """

    objects: Sequence[DataObject]
    ignored: Sequence[Mapping[str, str]]
    ignored_count: int


def split_of(key: str, model: str) -> str | None:
    """`train` or `validation` for a data object; None for a marker and for any other object."""
    return names.split_of(key.removeprefix(f"curated/{model}/"))


def batch_identity(objects: Sequence[DataObject]) -> str:
    """SHA-256 of the (key, content) pairs as JSON, sorted by key, in 64 hexadecimal digits."""
    return _digest([[item.key, item.content] for item in sorted(objects)])


def _listing(objects: Sequence[DataObject]) -> str:
    """SHA-256 of the (key, etag) pairs: the name that earlier versions gave to a batch."""
    return _digest([[item.key, item.etag] for item in sorted(objects)])


def _digest(pairs: Sequence[Sequence[str]]) -> str:
    text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def list_objects(s3: S3Client, bucket: str, model: str) -> list[DataObject]:
    """The newest versions of all objects below the model's prefix that are in S3 now, sorted by key."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"curated/{model}/")
    return sorted(
        DataObject(item["Key"], item["VersionId"], item["ETag"].strip('"'), item["Size"])
        for page in pages
        for item in page.get("Versions", [])
        if item["IsLatest"]
    )


def with_checksums(s3: S3Client, bucket: str, objects: Sequence[DataObject]) -> list[DataObject]:
    """The objects with their checksums."""

    def told(item: DataObject) -> DataObject:
        return replace(item, checksum=checksum(s3, bucket, item.key, item.version_id, item.size))

    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(told, objects))


def latest_batch(
    s3: S3Client, bucket: str, model: str, marker: str | None = None, *, whole: bool = False
) -> str:
    """The identity of the batch that is in `curated/<model>/` now. Writes its manifest if it has none.

    `marker` is the name of the model's marker, None if it uses none. `whole` says that files hold the rows of
    both splits. Raises DataProblem if there is no data
    object, or if the data is a table with snapshots, such as Delta's.
    """
    prefix = f"curated/{model}/"
    markers = names.markers_of(marker) if marker else ()
    listed = [
        item for item in list_objects(s3, bucket, model) if item.key.removeprefix(prefix) not in markers
    ]
    objects = [item for item in listed if names.is_data(item.key.removeprefix(prefix), whole=whole)]
    holding = {item.key.removeprefix(prefix) for item in listed if item.size}
    splits = {split_of(item.key, model) for item in objects}
    anywhere = not objects if whole else len(splits) < len(SPLITS)
    if table := names.table_among(holding, prefix, anywhere=anywhere, whole=whole):
        raise DataProblem(table)
    ignored = names.ignored_among(holding, whole=whole)
    if not objects:
        missing = f"there is no data under s3://{bucket}/{prefix}"
        raise DataProblem("; ".join(filter(None, (missing, names.left_out(ignored, len(ignored))))))
    objects = with_checksums(s3, bucket, objects)
    batch = batch_identity(objects)
    text = manifest(model, batch, objects, ignored)
    write_once(s3, bucket, manifest_key(model, batch), text.encode())
    return batch


def manifest(
    model: str, batch: str, objects: Sequence[DataObject], ignored: Sequence[tuple[str, str]] = ()
) -> str:
    """The manifest of a batch as JSON. `ignored` are names and reasons of objects that are left out."""
    content: Json = {
        "model": model,
        "batch": batch,
        "objects": [
            {
                "key": item.key,
                "versionId": item.version_id,
                "etag": item.etag,
                "size": item.size,
                **({} if item.checksum is None else {"checksum": item.checksum}),
            }
            for item in objects
        ],
    }
    if ignored:
        content["ignored"] = [
            {"key": f"curated/{model}/{rest}", "reason": reason}
            for rest, reason in ignored[: names.MAX_IGNORED]
        ]
        content["ignoredCount"] = len(ignored)
    return json.dumps(content, ensure_ascii=False, indent=1)


def write_once(s3: S3Client, bucket: str, key: str, content: bytes) -> None:
    """Put the object unless it exists. Raises ClientError.

    S3 answers ConditionalRequestConflict while another write of the key is under way. That write may fail, so
    only PreconditionFailed says that the object exists. botocore does not retry a conflict.
    """
    for pause in (*CONFLICT_PAUSES, None):
        try:
            s3.put_object(
                Bucket=bucket, Key=key, Body=content, ContentType="application/json", IfNoneMatch="*"
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                return
            if code != "ConditionalRequestConflict" or pause is None:
                raise
            time.sleep(pause)
        else:
            return


def manifest_key(model: str, batch: str) -> str:
    """The key of a batch's manifest in the data bucket."""
    return f"batches/{model}/{batch}/manifest.json"


def read_manifest(s3: S3Client, bucket: str, model: str, batch: str) -> Manifest:
    """What the manifest of a batch says.

    Raises DataProblem if there is no such batch, or if its manifest was altered.
    """
    key = manifest_key(model, batch)
    try:
        content = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        raise DataProblem(f"batch {batch} is unknown: there is no s3://{bucket}/{key}") from None
    objects = sorted(
        DataObject(item["key"], item["versionId"], item["etag"], item["size"], item.get("checksum"))
        for item in content["objects"]
    )
    if batch not in (batch_identity(objects), _listing(objects)):
        raise DataProblem(f"s3://{bucket}/{key} does not describe batch {batch}: it was altered")
    return Manifest(objects, content.get("ignored", []), content.get("ignoredCount", 0))


def check_splits(found: Manifest, model: str, *, whole: bool = False) -> None:
    """Raises DataProblem if a split has no object, or if an object of an earlier version's batch is no data.

    The reason also names what is left out. If files hold the rows of both splits (`whole`), none may be of
    one.
    """
    if whole:
        prefix = f"curated/{model}/"
        if said := names.misplaced((item.key.removeprefix(prefix) for item in found.objects), prefix):
            raise DataProblem(said)
        return
    landed = {split_of(item.key, model): item.key for item in found.objects}
    if None in landed:
        raise DataProblem(
            f"{landed[None]} of the batch is no data by its name; start the model again, which makes a new "
            "batch"
        )
    if absent := [split for split in SPLITS if split not in landed]:
        missing = f"there is no data for {' and '.join(absent)} under curated/{model}/"
        rests = [(one["key"].removeprefix(f"curated/{model}/"), one["reason"]) for one in found.ignored]
        raise DataProblem("; ".join(filter(None, (missing, names.left_out(rests, found.ignored_count)))))


def fetch(s3: S3Client, bucket: str, item: DataObject, path: Path) -> str:
    """Copy this version to `path`; returns the SHA-256 of its bytes, in 64 hexadecimal digits.

    Raises DataProblem if the version is gone, or if its ETag or size are not those of the batch.
    """
    try:
        answer = s3.get_object(Bucket=bucket, Key=item.key, VersionId=item.version_id)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed"):
            raise
        raise DataProblem(f"{item.key}: version {item.version_id} of the batch no longer exists") from None
    etag, digest, size = answer["ETag"].strip('"'), hashlib.sha256(), 0
    if etag != item.etag:
        raise DataProblem(
            f"{item.key}: version {item.version_id} has ETag {etag}, the batch says {item.etag}"
        )
    with path.open("wb") as file:
        for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    if size != item.size:
        raise DataProblem(f"{item.key}: {size} bytes arrived, the batch says {item.size}")
    return digest.hexdigest()
