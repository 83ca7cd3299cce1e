"""Moves bad files from curated/ to quarantine/ with a report beside each, and puts released files back.

The bucket is versioned and nothing is deleted: a moved file stays under its old key as an older version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.errors import ConfigError, NotReady
from retraining.facts import keys
from retraining.facts.starts import Quarantined
from retraining.notifications.messages import Notification
from retraining.notifications.publish import try_to_notify
from retraining.starts import bucket as data_bucket
from retraining.starts.batches import ROOT, DataObject
from retraining.starts.inspection import Problem
from retraining.starts.inspection.heads import HEAD_BYTES
from retraining.starts.unreadable import is_gone, way_out
from retraining.text import MAX_NAMED

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

    from retraining.collaborators import Collaborators
    from retraining.facts.starts import BadFile
    from retraining.starts.batches import Batch

REPORT_SUFFIX: Final = ".report.json"
"""Follows a file's key in quarantine; the key of its report."""

NEVER_READ: Final = frozenset({"unsupported_format", "damaged", "truncated"})
"""Problems with which no job can read a file either. A release of such a file is not offered."""

MAX_KEY_BYTES: Final = 1024
"""Bytes of a key in S3, in UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""

MAX_COPY_BYTES: Final = 5 * 1024**3
"""Bytes that one CopyObject copies at most. A larger file is copied in parts."""

MAX_TRIES: Final = 3
"""Invocations that try to move the same files. The one after them copies none, so that the model goes on."""


def move_files(
    model: str, files: Sequence[BadFile], using: Collaborators, *, noted_at: datetime, tries: int
) -> bool:
    """Tell approvers of these files in one notification, then move each. Says whether all are dealt with.

    Safe to repeat. A failure with one file stops no other, and files are moved whether or not approvers could
    be told; that is tried again with the next invocation. `noted_at` is when the files were noted, `tries`
    the number of invocations that have begun to move them, this one included. Files that no invocation has
    begun to move come first. At least one file is moved, however little time is left. What the last try
    leaves is found again by the next inspection.
    """
    before = {one: using.ledger.get(keys.quarantined(model, one.key, one.version_id)) for one in files}
    new = [one for one, fact in before.items() if fact is None or fact.at >= noted_at]
    failed = 0 if _tell(model, new, using) else 1
    # The copy of a large file may take too long.
    for number, one in enumerate(sorted(files, key=lambda file: (before[file] is not None, file.size))):
        if number and using.time_left() <= timedelta(0):
            failed += len(files) - number
            logger.warning("time is over", model=model, files_not_moved=len(files) - number)
            break
        try:
            _move(model, one, using, copy=tries <= MAX_TRIES)
        except Exception:
            failed += 1
            logger.exception("file could not be moved to quarantine", model=model, key=one.key, tries=tries)
        else:
            if one in new:
                logger.warning("file quarantined", model=model, key=one.key, problem=one.kind)
    measure("FilesQuarantined", len(new))
    return not failed or tries > MAX_TRIES


def _tell(model: str, files: Sequence[BadFile], using: Collaborators) -> bool:
    """Whether approvers know of these files now."""
    if not files:
        return True
    folder = f"s3://{using.settings.bucket}/quarantine/{model}/"
    more = [f"and {len(files) - MAX_NAMED} more files"] if len(files) > MAX_NAMED else []
    message = Notification.about(
        folder,
        "quarantined",
        model=model,
        occurrence=" ".join(f"{one.version_id}:{one.etag}" for one in files),
        reasons=[_said(model, one, using) for one in files[:MAX_NAMED]] + more,
        evidence_uri=folder,
    )
    return try_to_notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())


def _move(model: str, item: BadFile, using: Collaborators, *, copy: bool) -> None:
    """Note that this version is bad, put file and report into quarantine, take the file out of curated/.

    The fact comes first: this version is in no batch from then on. An invocation that finds the fact goes on
    where an earlier one stopped, so that each file is copied once. Without `copy` only the report is put.
    A file that a person has released meanwhile stays: its copy has the same bytes, which would be hidden.
    """
    s3, bucket, now = using.s3, using.settings.bucket, using.clock()
    if using.ledger.get(keys.released(model, item.etag, item.key)):
        return
    begun = using.ledger.take(
        keys.quarantined(model, item.key, item.version_id), Quarantined(at=now, kind=item.kind)
    )
    target = place(model, item.key)
    if begun is None or not _put_since(s3, bucket, target + REPORT_SUFFIX, begun.at):
        not_copied = "" if copy else f"the copy failed {MAX_TRIES} times"
        if copy and (begun is None or not _put_since(s3, bucket, target, begun.at)):
            source: CopySourceTypeDef = {"Bucket": bucket, "Key": item.key, "VersionId": item.version_id}
            try:
                _copy(s3, source, bucket, target, item.size)
            except ClientError as error:
                if is_gone(_code(error)):
                    return
                not_copied = way_out(_code(error)) or ""
                if not not_copied:
                    raise
        _report(model, item, target, not_copied, using)
    _hide(s3, bucket, item)


def _report(model: str, item: BadFile, target: str, not_copied: str, using: Collaborators) -> None:
    back = "" if item.kind in NEVER_READ else f", or: handsoff release {model} {target}"
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
        "found": _found(model, item, using),
        "notCopied": not_copied or None,
        "at": using.clock().isoformat(),
        "wayOut": f"land a corrected file{back}",
    }
    using.s3.put_object(
        Bucket=using.settings.bucket,
        Key=target + REPORT_SUFFIX,
        Body=json.dumps(report, ensure_ascii=False, indent=1).encode(),
        ContentType="application/json",
    )


def _said(model: str, item: BadFile, using: Collaborators) -> str:
    """What approvers are told of a file."""
    found = _found(model, item, using)
    return f"{item.key}: {item.text}" + (f" (found: {found})" if found is not None else "")


def _found(model: str, item: BadFile, using: Collaborators) -> str | None:
    """The value or the line of the file that its problem is about, if the model's config says that values are
    shown; None otherwise, and if it cannot be told any more.

    It is in no state or log, because it may be personal. So the file is inspected again.
    """
    file = DataObject(item.key, item.version_id, item.etag, item.size)
    try:
        config = using.configs.get(model)
        if config is None or not config.approvers.show_values:
            return None
        result = data_bucket.inspect_file(using.s3, using.settings.bucket, file, config, HEAD_BYTES)
    except (ClientError, ConfigError, NotReady):
        return None
    if isinstance(result, Problem) and (result.kind, result.row) == (item.kind, item.row):
        return result.found
    return None


def place(model: str, key: str) -> str:
    """The key in quarantine of a file of curated/<model>/.

    Where S3 would not take the report's key because it is too long, the SHA-256 of the file's key stands for
    most of it. The report has the whole key.
    """
    rest = key.removeprefix(f"{ROOT}{model}/")
    target = f"quarantine/{model}/{rest}"
    if len((target + REPORT_SUFFIX).encode()) <= MAX_KEY_BYTES:
        return target
    return f"quarantine/{model}/{hashlib.sha256(key.encode()).hexdigest()}-{rest[-40:].replace('/', '-')}"


def missing_files(s3: S3Client, bucket: str, batch: Batch) -> tuple[str, ...]:
    """The keys of files in quarantine of which the batch has no other version; sorted.

    A file counts until it is replaced under its old key, released, or its report is deleted.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"quarantine/{batch.model}/")
    names = [item["Key"] for page in pages for item in page.get("Contents", [])]
    there = {place(batch.model, item.key) for item in batch.objects} if names else set()
    moved = {name.removesuffix(REPORT_SUFFIX) for name in names if name.endswith(REPORT_SUFFIX)}
    return tuple(sorted(moved - there))


def _put_since(s3: S3Client, bucket: str, key: str, at: datetime) -> bool:
    """Whether an object was put under this key at this time or later. S3 knows the time to the second."""
    try:
        return s3.head_object(Bucket=bucket, Key=key)["LastModified"] >= at.replace(microsecond=0)
    except ClientError as error:
        if is_gone(_code(error)):
            return False
        raise


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _copy(s3: S3Client, source: CopySourceTypeDef, bucket: str, key: str, size: int) -> None:
    if size <= MAX_COPY_BYTES:
        s3.copy_object(Bucket=bucket, Key=key, CopySource=source)
    else:
        from boto3.s3.transfer import TransferConfig  # boto3 takes long to import

        s3.copy(source, bucket, key, Config=TransferConfig(multipart_chunksize=MAX_COPY_BYTES // 10))


def hide_again(model: str, files: Sequence[BadFile], using: Collaborators) -> bool:
    """Hide those of these files that went to quarantine before. Says whether one of them is hidden now.

    The last try of a move may have left such a file in curated/. Approvers know of it, and it must refuse no
    landing that came later.
    """
    known = [one for one in files if using.ledger.get(keys.quarantined(model, one.key, one.version_id))]
    hidden = [one.key for one in known if _hide(using.s3, using.settings.bucket, one)]
    if hidden:
        logger.warning("files hidden again", model=model, keys=hidden[:MAX_NAMED], count=len(hidden))
    return bool(hidden)


def _hide(s3: S3Client, bucket: str, item: BadFile) -> bool:
    """Set a delete marker on top of this version, but on nothing else. False if it stays the newest one.

    S3 compares the ETag of the current version in the same call ("How to perform conditional deletes"). It
    answers 412 if another version lies there now, and 404 if none or a delete marker does: then there is
    nothing to hide. A person's delete marker is never touched. If the role may set no delete marker, the file
    stays where it is, and the next request for a start finds it bad again.
    """
    try:
        s3.delete_object(Bucket=bucket, Key=item.key, IfMatch=f'"{item.etag}"')
    except ClientError as error:
        if _code(error) == "PreconditionFailed" or is_gone(_code(error)):
            return True
        if way_out(_code(error)) is None:
            raise
        logger.exception("bad file could not be hidden", key=item.key)
        return False
    return True


def release(
    s3: S3Client, bucket: str, file: DataObject, place: str, *, copied: bool, current: str | None
) -> DataObject:
    """Put a file back from its place in quarantine under its old key; the object that is in curated/ then.

    `file` is the version that went to quarantine. If it was not `copied` there, it is copied from that
    version. If that version is still the `current` one, it stays. File and report stay in quarantine as older
    versions.
    """
    if current != file.version_id:
        source: CopySourceTypeDef = {"Bucket": bucket, "Key": file.key, "VersionId": file.version_id}
        if copied:
            source = {"Bucket": bucket, "Key": place}
        _copy(s3, source, bucket, file.key, file.size)
    head = s3.head_object(Bucket=bucket, Key=file.key)
    for name in (place, place + REPORT_SUFFIX) if copied else (place + REPORT_SUFFIX,):
        s3.delete_object(Bucket=bucket, Key=name)
    return DataObject(file.key, head["VersionId"], head["ETag"].strip('"'), head["ContentLength"])
