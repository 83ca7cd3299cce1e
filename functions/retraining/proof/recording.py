"""Appends a record to a model's chain. The put in S3 is the lock: a record's number can be taken once.

Death between any two calls loses nothing: the caller repeats, and finds the record that it had put.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from retraining.aws.observability import logger
from retraining.errors import Busy
from retraining.evidence import Evidence, Recorded, Sources, Written, evidence_key
from retraining.facts import keys
from retraining.proof.chain import Head
from retraining.proof.envelope import Envelope, NotARecord, Signature, signed_bytes
from retraining.proof.statement import (
    chain_prefix,
    number_of,
    parse_record,
    record_key,
    sha256,
    statement,
)

ATTEMPTS: Final = 5
"""Times that the next number is tried while other writers take it."""


class Replaced(Busy):
    """Another writer has replaced the evidence: by one of ours, or by one that nothing vouches for."""


_NOT_LOCKED: Final = ("AccessDenied", "InvalidRequest", "NoSuchVersion", "NoSuchKey", "MethodNotAllowed")
"""What S3 answers where a version is locked for longer, is gone, or is a delete marker."""


def record(sources: Sources, model: str, written: Written) -> None:
    """Record that this evidence was written, unless that is done. The caller repeats the call if this raises.

    Raises Replaced if evidence.json is another one by now, Busy if other writers take every number, and
    ClientError if KMS, S3 or the ledger refuses.
    """
    execution, digest = str(written.evidence["pipelineExecutionArn"]), sha256(written.body)
    known = sources.ledger.get(keys.recorded(execution))
    if known and known.evidence == digest:
        return
    for _ in range(ATTEMPTS):
        head = None
        for head, said in _ends(sources, model):
            if said == (execution, digest):
                _note(sources, model, execution, digest, head)
                return
        # After the chain's end was read: a newer evidence that is recorded has a number before ours.
        if not _stands(sources, model, execution, written):
            raise Replaced(f"the evidence of {execution} was replaced before it was recorded; try again")
        if made := _append(sources, model, written, head):
            _note(sources, model, execution, digest, made)
            return
    raise Busy(f"{ATTEMPTS} other records of {model} were made meanwhile; try again")


def recorded(sources: Sources, model: str, execution: str) -> Recorded | None:
    """The last record about the execution (its ARN) that the ledger knows; None if it knows none."""
    known = sources.ledger.get(keys.recorded(execution))
    if known is None:
        return None

    def read() -> Evidence | None:
        if (body := _body(sources, record_key(model, known.sequence))) is None:
            return None
        try:
            return dict(parse_record(known.sequence, body).evidence)
        except NotARecord:
            return None  # `handsoff verify` finds it

    return Recorded(known.evidence, read)


def _ends(sources: Sources, model: str) -> Iterator[tuple[Head, tuple[str, str | None] | None]]:
    """The last records of the chain, the last one last; and what each is about, where it was read.

    The first is the one that the ledger knows, or a listing shows where the ledger was lost.
    """
    fact = sources.ledger.get(keys.chain(model))
    sequence = fact.sequence if fact else _last_listed(sources, model) - 1
    if fact:
        yield Head(fact.sequence, fact.digest), None
    while (body := _body(sources, record_key(model, sequence + 1))) is not None:
        sequence += 1
        yield Head(sequence, sha256(body)), _about(sequence, body, sources.signing.key)


def _about(number: int, body: bytes, key: str | None) -> tuple[str, str | None] | None:
    """The execution and the digest of the evidence that a record is about; None if it is none of ours.

    Where a `key` signs, ours names it. `handsoff verify` finds the others; the chain goes on behind them.
    """
    try:
        found = parse_record(number, body)
    except NotARecord:
        return None
    if key and all(item.key_id != key for item in found.envelope.signatures):
        return None
    return found.execution, found.evidence_digest


def _last_listed(sources: Sources, model: str) -> int:
    """The end of the unbroken run of records from the first; 1 if there is none, so that it is looked for.

    A number far behind the others is none of ours: nothing is to be put behind it.
    """
    pages = sources.s3.get_paginator("list_objects_v2").paginate(
        Bucket=sources.bucket, Prefix=chain_prefix(model)
    )
    numbers = {number_of(item["Key"]) for page in pages for item in page.get("Contents", [])}
    last = 1
    while last + 1 in numbers:
        last += 1
    return last


def _stands(sources: Sources, model: str, execution: str, written: Written) -> bool:
    key = evidence_key(model, execution.rsplit("/", 1)[-1])
    return _body(sources, key) == written.body


def _append(sources: Sources, model: str, written: Written, head: Head | None) -> Head | None:
    """Put the record behind `head`; None if another writer has put one there."""
    sequence = head.sequence + 1 if head else 1
    payload = statement(model, sequence, head.digest if head else None, written.evidence, written.body)
    signature = sources.signing.sign(signed_bytes(payload))
    body = Envelope(payload, (Signature(*signature),) if signature else ()).dumped()
    kept = _retention(sources)
    _retain(sources, model, written)
    locked: dict[str, Any] = {}
    if kept:
        locked = {"ObjectLockMode": kept["Mode"], "ObjectLockRetainUntilDate": kept["RetainUntilDate"]}
    try:
        sources.s3.put_object(
            Bucket=sources.bucket,
            Key=record_key(model, sequence),
            Body=body,
            ContentType="application/json",
            IfNoneMatch="*",
            **locked,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
        return None
    return Head(sequence, sha256(body))


def _retention(sources: Sources) -> dict[str, Any] | None:
    """How S3 keeps what is recorded now; None where nothing is locked."""
    lock = sources.signing.lock
    return {"Mode": lock.mode, "RetainUntilDate": lock.until(datetime.now(UTC))} if lock else None


def _retain(sources: Sources, model: str, written: Written) -> None:
    """Lock the versions of evidence.json, the model artifact and evaluation.json that are recorded.

    S3 refuses to shorten a lock, as after `days` was reduced, and a version may be gone: both are logged, and
    the record is made all the same.
    """
    if not (kept := _retention(sources)):
        return
    execution = str(written.evidence["pipelineExecutionArn"]).rsplit("/", 1)[-1]
    versions = [(evidence_key(model, execution), written.version_id)]
    for name in ("artifact", "evaluation"):
        if found := written.evidence.get(name):
            versions.append((urlsplit(found["uri"]).path.lstrip("/"), found.get("versionId")))
    for key, version in versions:
        try:
            if version:
                sources.s3.put_object_retention(
                    Bucket=sources.bucket,
                    Key=key,
                    VersionId=version,
                    Retention=kept,  # type: ignore[arg-type]
                )
        except ClientError as error:
            if (code := error.response["Error"]["Code"]) not in _NOT_LOCKED:
                raise
            logger.warning("recorded version keeps the lock that it has", key=key, code=code)


def _body(sources: Sources, key: str) -> bytes | None:
    try:
        return sources.s3.get_object(Bucket=sources.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        return None


def _note(sources: Sources, model: str, execution: str, digest: str, head: Head) -> None:
    """Let the ledger know the record, so that the next call need not look for it."""
    version = f"{head.sequence:08}"
    sources.ledger.advance(
        keys.recorded(execution), version=version, final=True, sequence=head.sequence, evidence=digest
    )
    sources.ledger.advance(
        keys.chain(model), version=version, final=True, sequence=head.sequence, digest=head.digest
    )
    logger.info("evidence recorded", model=model, execution=execution, record=head.sequence)
