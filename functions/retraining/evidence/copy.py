"""The copy of the evidence in S3. Several functions write it, and none of them overwrites newer facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from retraining.aws import pipelines
from retraining.aws.ledger import Ledger
from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.aws.pipelines import Execution
from retraining.evidence.gather import gather, gather_gone
from retraining.evidence.keeping import together
from retraining.evidence.model import problems
from retraining.evidence.sources import Document, Evidence, Sources, evidence_key, read_document
from retraining.evidence.versions import upgraded
from retraining.facts import keys
from retraining.facts.package import Package

ATTEMPTS: Final = 5
"""Times that gathering and writing is tried while other functions write the copy in S3, too."""

MAX_UNRECORDED: Final = 20
"""Copies that may have been written since the last one was recorded. More are taken for none of ours."""

ALTERED: Final = (AttributeError, LookupError, TypeError, ValueError)
"""What a copy raises that somebody altered. No decision may be lost for it; the bucket keeps its version."""


class Copy(NamedTuple):
    """The copy of the evidence in S3 as it was at a time: its ETag, or that there was none."""

    condition: dict[str, Any]


class Recorded(NamedTuple):
    """The last record about an execution: the SHA-256 of that evidence.json, and how to read what it says."""

    digest: str
    read: Callable[[], Evidence | None]


def _nothing() -> Recorded | None:
    """No record is known."""
    return None


class Written(NamedTuple):
    """A copy that was written: the evidence, its bytes in S3, and the id of that version of the object."""

    evidence: Evidence
    body: bytes
    version_id: str | None


def copy_now(sources: Sources, model: str, execution_arn: str) -> Copy:
    """The copy as it is now. A caller that reads a package after this may give both to `write`."""
    return Copy(_unchanged(sources, evidence_key(model, execution_arn.rsplit("/", 1)[-1])))


def now(sources: Sources, model: str, execution: Execution) -> Evidence:
    """The evidence as `write` would write it now: what is known, and what only the copy knows."""
    return _collected(sources, model, execution.arn, execution, None, None, None)[0]


def kept(sources: Sources, model: str, execution_id: str) -> Evidence | None:
    """What the copy says, in today's form; None if there is none. It may be that of an earlier version."""
    document = read_document(sources, evidence_key(model, execution_id), [], needed=True)
    return upgraded(document.content, model) if document and document.content else None


def write(
    sources: Sources,
    model: str,
    execution_arn: str,
    *,
    package_arn: str | None = None,
    known: tuple[Package, Copy] | None = None,
    recorded: Callable[[], Recorded | None] = _nothing,
) -> Written:
    """Gather the evidence and write its copy in S3; what was written.

    Two functions may do this at once, and the one that gathered first may write last. So the copy is
    only replaced if it is still the one that was there before gathering; otherwise it is gathered anew.
    With `known`, the first attempt uses that package, which was read after that copy was looked at.

    Where the execution was deleted together with its pipeline, the copy keeps what it said of the execution,
    and `package_arn` names the package that outlived it. keeping.py says what else the copy keeps. A copy
    that is not the one that was `recorded` last keeps nothing: what that record says is kept in its place.
    """
    key = evidence_key(model, execution_arn.rsplit("/", 1)[-1])
    for attempt in range(ATTEMPTS):
        execution = pipelines.find(sources.sagemaker, execution_arn)
        package, copy = known or (None, Copy(_unchanged(sources, key)))
        found, replaces = _collected(
            sources, model, execution_arn, execution, package, package_arn, recorded()
        )
        body = json.dumps(found, indent=1, ensure_ascii=False).encode()
        _check(execution_arn, body)
        if replaces and (digest := hashlib.sha256(body).hexdigest()) != replaces:
            sources.ledger.swap(keys.copy(execution_arn, digest), version=0, replaces=replaces)
        try:
            answer = sources.s3.put_object(
                Bucket=sources.bucket, Key=key, Body=body, ContentType="application/json", **copy.condition
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("PreconditionFailed", "ConditionalRequestConflict") or attempt == ATTEMPTS - 1:
                raise
            known = None  # the copy was written meanwhile, so the package may have changed
        else:
            return Written(found, body, answer.get("VersionId"))
    raise AssertionError("the last attempt returns or raises")


def _unchanged(sources: Sources, key: str) -> dict[str, Any]:
    try:
        return {"IfMatch": sources.s3.head_object(Bucket=sources.bucket, Key=key)["ETag"]}
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        return {"IfNoneMatch": "*"}


def _collected(
    sources: Sources,
    model: str,
    execution_arn: str,
    execution: Execution | None,
    package: Package | None,
    package_arn: str | None,
    recorded: Recorded | None,
) -> tuple[Evidence, str | None]:
    """All that is known now, with what only the copy knows; and the SHA-256 of that copy, if there is one.

    `execution` is None where it was deleted.
    """
    missing: list[str] = []
    key = evidence_key(model, execution_arn.rsplit("/", 1)[-1])
    document = read_document(sources, key, missing, needed=True)

    def collected(said: Evidence | None) -> Evidence:
        if execution is None:
            named = package.arn if package else package_arn
            return together(said, gather_gone(sources, model, execution_arn, named, said))
        return together(said, gather(sources, model, execution, package=package))

    try:
        uri, ours = f"s3://{sources.bucket}/{key}", partial(_is_ours, sources.ledger, execution_arn)
        said = _vouched(uri, document, recorded, missing, ours=ours)
        found = collected(upgraded(said, model) if said else None)
    except ALTERED:
        logger.exception("copy of evidence cannot be read", key=key)
        missing.append(f"s3://{sources.bucket}/{key}: this is no evidence of handsoff; nothing of it is kept")
        found = collected(None)
    return {**found, "missing": [*found["missing"], *missing]}, document.sha256 if document else None


def _vouched(
    uri: str,
    copy: Document | None,
    recorded: Recorded | None,
    missing: list[str],
    *,
    ours: Callable[[str, str], bool],
) -> Evidence | None:
    """What the copy says, where it is the one that was recorded last, a later one of ours, or none was
    recorded; else what the record says.

    Anybody who may write to the bucket can change the copy, and the next record would be signed with it.
    """
    if recorded is None or (copy and ours(copy.sha256, recorded.digest)):
        return copy.content if copy else None
    what = "this copy is not the one that was recorded last" if copy else "the copy that was recorded is gone"
    missing.append(f"{uri}: {what}; what the record says is kept in its place")
    return recorded.read()


def _is_ours(ledger: Ledger, execution_arn: str, digest: str, recorded: str) -> bool:
    """Whether the copy with this SHA-256 is the `recorded` one, or replaced it, by writers of ours only.

    A writer records its copy after it is written. It may die in between, and others may write meanwhile. An
    earlier copy that somebody put back leads to earlier ones only.
    """
    for _ in range(MAX_UNRECORDED):
        if digest == recorded:
            return True
        if (fact := ledger.get(keys.copy(execution_arn, digest))) is None:
            return False
        digest = fact.replaces
    return False


def _check(execution_arn: str, body: bytes) -> None:
    """Log and count evidence that does not fit its schema. It is written all the same: what it says is known,
    and no decision may be lost for a fault of ours."""
    if found := problems(body):
        logger.error("evidence does not fit its schema", execution=execution_arn, problems=found)
        measure("EvidenceUnfit")
