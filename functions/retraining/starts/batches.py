"""Which model an object belongs to, what a batch is, and which start follows from it.

A batch is what the listing of a model's data objects shows once it is ready: arrivals are stored nowhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT: Final = "curated/"
_KEY = re.compile(r"curated/(?P<model>[a-z0-9]+(?:-[a-z0-9]+)*)/(?P<rest>.+)", re.DOTALL)
_DATA = re.compile(
    r"(?P<split>train|validation)(?:\.(?:csv|parquet)|/.+\.(?:csv|csv\.gz|parquet))", re.DOTALL
)


@dataclass(frozen=True)
class Arrival:
    """An object below a model's prefix: `rest` is its key after `curated/<model>/`."""

    model: str
    rest: str


def arrival(key: str) -> Arrival | None:
    """Where `key` belongs, or None where it is below no model's prefix. That model may not exist."""
    found = _KEY.fullmatch(key)
    return Arrival(found["model"], found["rest"]) if found else None


def split_of(rest: str) -> str | None:
    """`train` or `validation` for a data object, None for a marker or anything else."""
    found = _DATA.fullmatch(rest)
    return found["split"] if found else None


@dataclass(frozen=True, order=True)
class DataObject:
    """One version of one object. `etag` is without quotes, `size` in bytes."""

    key: str
    version_id: str
    etag: str
    size: int
    landed_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Batch:
    """The data objects that one execution trains on, sorted by key."""

    model: str
    objects: tuple[DataObject, ...]
    marker: DataObject | None = None
    """The marker beside them as it landed last; None where none was looked for or found."""

    @property
    def identity(self) -> str:
        """SHA-256 over the sorted (key, etag) pairs: the same bytes landed again are the same batch."""
        pairs = [[item.key, item.etag] for item in self.objects]
        text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def missing(self) -> list[str]:
        """The splits of which no object has landed."""
        there = {split_of(item.key.removeprefix(f"{ROOT}{self.model}/")) for item in self.objects}
        return [split for split in ("train", "validation") if split not in there]

    @property
    def last_arrival(self) -> datetime | None:
        """When the newest object landed, to the second; None of an empty batch."""
        return max((item.landed_at for item in self.objects if item.landed_at), default=None)

    @property
    def manifest_key(self) -> str:
        return manifest_key(self.model, self.identity)

    def manifest(self) -> str:
        """The manifest as JSON: exactly these versions are what `DataPreProcessing` reads."""
        content: dict[str, Any] = {
            "model": self.model,
            "batch": self.identity,
            "objects": [
                {"key": item.key, "versionId": item.version_id, "etag": item.etag, "size": item.size}
                for item in self.objects
            ],
        }
        return json.dumps(content, ensure_ascii=False, indent=1)


def batch_of(model: str, objects: Iterable[DataObject], marker: str | None = None) -> Batch:
    """The data objects among `objects`, which are below the model's prefix; markers and the rest stay out."""
    prefix = f"{ROOT}{model}/"
    names = {item.key.removeprefix(prefix): item for item in objects}
    data = (item for name, item in names.items() if split_of(name))
    return Batch(model, tuple(sorted(data)), names.get(marker) if marker else None)


def list_batch(s3: S3Client, bucket: str, model: str, marker: str | None = None) -> Batch:
    """The batch that lies in S3 now. S3 lists strongly consistently, so this needs no event to have come."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{ROOT}{model}/")
    return batch_of(
        model,
        (
            DataObject(
                item["Key"], item["VersionId"], item["ETag"].strip('"'), item["Size"], item["LastModified"]
            )
            for page in pages
            for item in page.get("Versions", [])
            if item["IsLatest"]
        ),
        marker,
    )


def manifest_key(model: str, batch: str) -> str:
    """Where the manifest of a batch lies in the data bucket."""
    return f"batches/{model}/{batch}/manifest.json"


def read_manifest(s3: S3Client, bucket: str, model: str, batch: str) -> list[DataObject]:
    """The objects of a batch that was started; none where its manifest is gone."""
    try:
        body = s3.get_object(Bucket=bucket, Key=manifest_key(model, batch))["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return []
    return [
        DataObject(item["key"], item["versionId"], item["etag"], item["size"])
        for item in json.loads(body)["objects"]
    ]


def write_manifest(s3: S3Client, bucket: str, batch: Batch) -> None:
    """Write the manifest, anew if there is one: the bytes are the same, and older versions may expire."""
    s3.put_object(
        Bucket=bucket,
        Key=batch.manifest_key,
        Body=batch.manifest().encode(),
        ContentType="application/json",
    )


def start_key(model: str, batch: str, cause: str, attempt: int = 0) -> str:
    """The identity of a start, 64 hexadecimal digits: key in the ledger, ClientRequestToken to SageMaker."""
    text = json.dumps([model, batch, cause, attempt], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
