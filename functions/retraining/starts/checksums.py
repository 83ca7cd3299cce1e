"""Reads S3's checksums of the files of a batch: one HEAD request for each version, as no listing tells them.

The manifest of the batch before has those of its versions. Many new ones are read in parts, and an object in
the bucket keeps what was read, so the next invocation goes on from there. A version never changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from retraining.aws.observability import logger
from retraining.errors import OutOfTime
from retraining.facts.model_state import ModelState
from retraining.starts.bucket import READERS
from retraining.starts.crc import joined

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

    from retraining.collaborators import Collaborators
    from retraining.starts.batches import Batch, DataObject

ALGORITHMS: Final = ("CRC64NVME", "SHA256", "SHA1", "CRC32C", "CRC32")
"""S3's checksum algorithms. Of an object that has several the first one counts."""

JOINED: Final = ("CRC32C", "CRC32")
"""Algorithms of which the checksums of an upload's parts make that of the whole object."""

MAX_PARTS: Final = 200
"""Parts of an upload whose checksums are read, one request each: 1.6 GB in boto3's parts of 8 MB. Of an
object with more parts the ETag counts."""

PART: Final = 1000
"""Requests for checksums before the time is asked for: two seconds at 30 ms for each HEAD by 16 readers."""

NO_ANSWER: Final = frozenset({"400", "403", "404", "405"})
"""Codes with which HeadObject refuses to answer. It has no body, so the code is the HTTP status."""

REFUSED_FOR: Final = timedelta(days=1)
"""Time for which it is kept that S3 has not answered for a version. A KMS key may be enabled again."""

Known = dict[tuple[str, str], str | None]
"""Checksums by key and version, as in `DataObject`: None for a version that S3 does not answer for."""


def of_batch(batch: Batch, previous: Sequence[DataObject], using: Collaborators) -> Batch:
    """The batch with its checksums; `previous` are the objects of the batch that was started last.

    At least one part is read, however little time is left. Raises OutOfTime after a part.
    """
    known: Known = {(it.key, it.version_id): it.checksum for it in previous if it.checksum is not None}
    new = _unknown(batch, known)
    if len(_parts(new)) <= 1:
        return batch.with_checksums(known | read(using.s3, using.settings.bucket, new))
    found, refused = _kept(batch.model, using)
    left = _unknown(batch, known | found)
    for part in _parts(left):
        found |= read(using.s3, using.settings.bucket, part)
        left = left[len(part) :]
        over = using.time_left() <= timedelta(0)
        if over or not left:
            _keep(batch.model, new, found, refused, using)
        if over and left:
            using.states.change(batch.model, ModelState.unblocked)  # it has come further
            raise OutOfTime(
                f"the checksums of {len(left):,} files are still to be read; the next sweep goes on"
            )
    return batch.with_checksums(known | found)


def _parts(files: Sequence[DataObject]) -> list[list[DataObject]]:
    """The files in their order, each part with PART requests or little more."""
    parts: list[list[DataObject]] = []
    requests = PART
    for item in files:
        if requests >= PART:
            parts.append([])
            requests = 0
        parts[-1].append(item)
        requests += 1 + (_uploaded_in(item) if _uploaded_in(item) <= MAX_PARTS else 0)
    return parts


def _uploaded_in(item: DataObject) -> int:
    """The parts in which an object was uploaded, as its ETag tells; 0 if it was put whole."""
    count = item.etag.rpartition("-")[2] if "-" in item.etag else ""
    return int(count) if count.isdecimal() else 0


def _unknown(batch: Batch, known: Known) -> list[DataObject]:
    return [item for item in batch.objects if (item.key, item.version_id) not in known]


def kept_key(model: str) -> str:
    """The key of the object that keeps the checksums which were read for a large batch."""
    return f"batches/{model}/checksums.json"


def _kept(model: str, using: Collaborators) -> tuple[Known, dict[tuple[str, str], str]]:
    """The checksums that were kept, and since when S3 has not answered for a version: REFUSED_FOR at most."""
    try:
        body = using.s3.get_object(Bucket=using.settings.bucket, Key=kept_key(model))["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return {}, {}
    found: Known = {}
    refused: dict[tuple[str, str], str] = {}
    since = (using.clock() - REFUSED_FOR).isoformat()
    for key, version, checksum, *at in json.loads(body):
        if checksum is not None:
            found[key, version] = checksum
        elif at and at[0] > since:
            found[key, version], refused[key, version] = None, at[0]
    return found, refused


def _keep(
    model: str,
    files: Iterable[DataObject],
    found: Known,
    refused: Mapping[tuple[str, str], str],
    using: Collaborators,
) -> None:
    """Write the checksums that were found of these files, and since when S3 has not answered."""
    now = using.clock().isoformat()
    named = ((item.key, item.version_id) for item in files)
    entries = [
        [*name, found[name], *([refused.get(name, now)] if found[name] is None else [])]
        for name in named
        if name in found
    ]
    text = json.dumps(entries, ensure_ascii=False)
    using.s3.put_object(Bucket=using.settings.bucket, Key=kept_key(model), Body=text.encode())
    logger.info("checksums kept", model=model, files=len(found))


# ---- of one version --------------------------------------------------------------------------------------


def read(s3: S3Client, bucket: str, files: Sequence[DataObject]) -> Known:
    """S3's checksums of these versions; "" where S3 has none of the whole object.

    None for a version that S3 does not answer for: the inspection says what is wrong with it.
    """

    def ask(item: DataObject) -> str | None:
        try:
            return _checksum(s3, bucket, item)
        except ClientError as error:
            if error.response["Error"]["Code"] not in NO_ANSWER:
                raise
            return None

    with ThreadPoolExecutor(READERS) as readers:
        return {
            (item.key, item.version_id): found
            for item, found in zip(files, readers.map(ask, files), strict=True)
        }


def _checksum(s3: S3Client, bucket: str, item: DataObject) -> str:
    head = s3.head_object(Bucket=bucket, Key=item.key, VersionId=item.version_id, ChecksumMode="ENABLED")
    if head.get("ChecksumType") == "FULL_OBJECT":
        return next((f"{name}:{value}" for name in ALGORITHMS if (value := _value(head, name))), "")
    name = next((name for name in JOINED if _value(head, name)), None)
    return "" if name is None or _uploaded_in(item) > MAX_PARTS else _of_parts(s3, bucket, item, name)


def _of_parts(s3: S3Client, bucket: str, item: DataObject, name: str) -> str:
    """The checksum of the whole object, made of those of its parts; "" if S3 does not tell them all."""
    parts: list[tuple[str, int]] = []
    count = 1
    while len(parts) < count <= MAX_PARTS:
        part = s3.head_object(
            Bucket=bucket,
            Key=item.key,
            VersionId=item.version_id,
            PartNumber=len(parts) + 1,
            ChecksumMode="ENABLED",
        )
        value, count = _value(part, name), part.get("PartsCount", 0)
        if value is None or "-" in value:  # "-" and a number of parts: S3 tells that of all parts
            return ""
        parts.append((value, part["ContentLength"]))
    whole = sum(size for _, size in parts) == item.size
    return f"{name}:{joined(name, parts)}" if parts and whole else ""


def _value(head: HeadObjectOutputTypeDef, name: str) -> str | None:
    values: Mapping[str, object] = head
    value = values.get(f"Checksum{name}")
    return str(value) if value else None
