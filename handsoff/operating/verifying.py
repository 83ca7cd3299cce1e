"""Verifies what happened to a model: its evidence records, and the objects that they are about.

What a record says of an object counts, not what lies beside it: a record is signed, or a signed one follows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.errors import NotFound
from handsoff.operating.public_keys import PublicKeys
from retraining.aws import registry
from retraining.facts import keys
from retraining.proof.chain import Checked, Finding, Head, Kind, check_chain, contradictions
from retraining.proof.statement import Record, chain_prefix, number_of, record_key, sha256

THREADS: Final = 16
"""Objects that are looked at, at the same time."""

BLOCK: Final = 1024 * 1024
"""Bytes of an artifact that are read at once."""

FIRST_RECORDED: Final = 3
"""The first schemaVersion of an evidence.json that has a record."""

Tell = Callable[[str], None]
"""Is told what is being looked at."""

Choose = Callable[[Checked], list[Record]]
"""Takes from a chain the records whose objects are looked at."""


@dataclass(frozen=True)
class Unreadable:
    """What could not be looked at: where it is, and why."""

    where: str
    why: str


@dataclass(frozen=True)
class Verified:
    """What was found of one model. `notes` are no findings: what is not there any more, and why."""

    model: str
    chain: Checked
    head: Head | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything could be looked at, and is as it was recorded."""
        return not self.findings and not self.unreadable


Found = Finding | Unreadable | str
"""What a look at something finds: what does not hold, what cannot be looked at, or a note."""


def everything(chain: Checked) -> list[Record]:
    """The last record of each execution."""
    return list(chain.newest.values())


def verify_model(
    deployment: Deployment,
    model: str,
    trusted: PublicKeys | None,
    tell: Tell,
    *,
    choose: Choose = everything,
    execution_id: str | None = None,
) -> Verified:
    """Verify the whole chain of a model, and the objects of the records that `choose` takes from it.

    Evidence without a record is looked for, too: that of `execution_id`, if it is given, else all.
    """
    tell(f"{model}: evidence records")
    written = list(_evidence_ids(deployment, model))  # first: what is recorded meanwhile is in the chain
    bodies, others = _read_chain(deployment, model)
    fact = deployment.ledger.get(keys.chain(model))
    head = Head(fact.sequence, fact.digest) if fact else None
    chain = check_chain(model, bodies, head=head, check=trusted.check if trusted else None)
    found: list[Found] = [*chain.findings, *_notes(chain, trusted)]
    found += contradictions(model, chain)
    found += [Finding("form", key, "a record, named by 8 digits", "another name") for key in others]
    looked_at = choose(chain)
    for number, record in enumerate(looked_at, 1):
        tell(f"{model}: execution {record.execution_id}, {number} of {len(looked_at)}")
        found += _objects(deployment, record, chain)
    recorded = {record.execution_id for record in chain.newest.values()}
    alone = [item for item in written if item not in recorded and execution_id in (None, item)]
    if choose is everything or execution_id:
        found += _unrecorded(deployment, model, alone)
    if choose is everything:
        group = deployment.resource_name(model)
        found += _tried(group, lambda: _registry(deployment, group, chain, set(written)))
    last = max(bodies, default=0)
    return Verified(
        model=model,
        chain=chain,
        head=Head(last, sha256(bodies[last])) if last else None,
        findings=tuple(item for item in found if isinstance(item, Finding)),
        notes=tuple(item for item in found if isinstance(item, str)),
        unreadable=tuple(item for item in found if isinstance(item, Unreadable)),
    )


def model_of_execution(deployment: Deployment, name: str) -> str:
    """The model of the execution with this ARN or id, by its pipeline or its evidence. Raises NotFound."""
    if found := re.search(rf":pipeline/{re.escape(deployment.prefix)}-([\w-]+)/execution/", name):
        return found[1]
    for model in deployment.config.models:
        if name in _evidence_ids(deployment, model, f"evidence/{model}/{name}/"):
            return model
    raise NotFound(f"no model has evidence of an execution {name}: `handsoff status` shows executions")


def _notes(chain: Checked, trusted: PublicKeys | None) -> list[Found]:
    unsigned = [n for n, record in chain.records.items() if not record.envelope.signatures]
    if not chain.records:
        return []
    if trusted is None and len(unsigned) == len(chain.records):
        return ["no record is signed, as no key is named: all who may write to the bucket can make records"]
    if trusted is None:
        signed = len(chain.records) - len(unsigned)
        why = "no key is named in evidence.signing_key, or by --key, and the functions sign with none"
        return [Unreadable(f"the signatures of {signed} records", why)]
    before = [n for n in unsigned if n < min(chain.signed, default=0)]
    if before:
        first = min(chain.signed)
        return [f"{len(before)} records were made before a key was named; record {first} vouches for them"]
    return []


def _read_chain(deployment: Deployment, model: str) -> tuple[dict[int, bytes], list[str]]:
    """The records of a model by their numbers, as they lie in S3; and the keys beside them that name none."""
    named = {key: number_of(key) for key in _listed(deployment, chain_prefix(model))}
    numbers = [number for number in named.values() if number is not None]

    def read(number: int) -> bytes | None:
        return _body(deployment, record_key(model, number))

    with ThreadPoolExecutor(THREADS) as pool:
        found = zip(numbers, pool.map(read, numbers), strict=True)
        bodies = {number: body for number, body in found if body is not None}
    return bodies, [key for key, number in named.items() if number is None]


def _evidence_ids(deployment: Deployment, model: str, prefix: str | None = None) -> Iterator[str]:
    """The ids of a model's executions that have an evidence.json."""
    for key in _listed(deployment, prefix or f"evidence/{model}/"):
        if key.endswith("/evidence.json"):
            yield key.split("/")[2]


def _listed(deployment: Deployment, prefix: str) -> Iterator[str]:
    pages = deployment.s3.get_paginator("list_objects_v2").paginate(Bucket=deployment.bucket, Prefix=prefix)
    for page in pages:
        yield from (item["Key"] for item in page.get("Contents", []))


def _unrecorded(deployment: Deployment, model: str, ids: list[str]) -> Iterator[Found]:
    """Evidence without a record: from before there were records, or records of it are gone."""
    before = []
    for identity in ids:
        key = f"evidence/{model}/{identity}/evidence.json"
        try:
            body = _body(deployment, key)
        except ClientError as error:
            yield _refused(key, error)
            continue
        if body is None:
            continue
        if _version(body) < FIRST_RECORDED:
            before.append(identity)
        else:
            yield Finding("unrecorded", key, "a record of this evidence", "none in the chain")
    if before:
        yield f"{', '.join(before[:3])}{' …' if before[3:] else ''}: not recorded (before this version)"


def _version(body: bytes) -> int:
    """The schemaVersion of evidence; that of recorded evidence where it cannot be read."""
    try:
        found = json.loads(body).get("schemaVersion", 1)
    except (ValueError, AttributeError):
        return FIRST_RECORDED
    return found if isinstance(found, int) else FIRST_RECORDED


def _registry(deployment: Deployment, group: str, chain: Checked, written: set[str]) -> Iterator[Found]:
    """What the registry says of the newest packages that no record says, or says otherwise.

    `written` are the executions with an evidence.json, which have been looked at.
    """
    newest = {
        arn: record
        for _, record in sorted(chain.records.items())
        if (arn := record.evidence.get("modelPackageArn"))
    }
    for item in registry.newest(deployment.sagemaker, group):
        if (package := registry.find(deployment.sagemaker, item.arn)) is None:
            continue
        record = newest.get(package.arn)
        if record is None:
            decided = package.decided_at or package.judged_at
            if package.execution and decided and package.execution.rsplit("/", 1)[-1] not in written:
                found = f"none, nor its evidence, though it was judged or decided on {decided:%Y-%m-%d %H:%M}"
                yield Finding("unrecorded", package.arn, "a record of this package", found)
            continue
        uri = (record.evidence.get("artifact") or {}).get("uri")
        if uri and package.model_uri and uri != package.model_uri:
            said = f"the model {uri}, as record {record.number} says"
            yield Finding("registry", package.arn, said, package.model_uri)
        status = record.evidence.get("modelApprovalStatus")
        if status and status != package.approval_status:
            said = f"record {record.number} says {status}"
            yield f"{package.name} is {package.approval_status} in the registry, {said}"


def _objects(deployment: Deployment, record: Record, chain: Checked) -> Iterator[Found]:
    """What does not hold of the objects that a record is about, and what is gone."""
    yield from _tried(record.evidence_name, lambda: _evidence(deployment, record, chain))
    kinds: tuple[Kind, ...] = ("artifact", "evaluation")
    for kind in kinds:
        found = record.evidence.get(kind)
        if found and found.get("sha256"):
            yield from _digest(deployment, kind, found["uri"], found["sha256"])
        elif record.evidence.get("modelPackageArn"):
            yield f"{record.execution_id}: its record has no digest of the {kind}, which is not looked at"
    data = record.evidence.get("data") or {}
    for name in ("manifest", "report"):
        if data.get(name) and data.get(f"{name}Sha256"):
            yield from _digest(deployment, "data", data[name], data[f"{name}Sha256"])
    if data.get("fileCount") and data["fileCount"] > len(data.get("files") or ()):
        many = f"{len(data.get('files') or ())} of {data['fileCount']} data files are looked at"
        yield f"{record.execution_id}: {many}, as evidence names no more; the manifest names all of them"
    yield from _data(deployment, record)


def _tried(where: str, look: Callable[[], Iterator[Found]]) -> Iterator[Found]:
    """What `look` finds; and that AWS refuses it, which hides nothing of what else there is."""
    try:
        yield from look()
    except ClientError as error:
        yield _refused(where, error)


def _refused(where: str, error: ClientError) -> Unreadable:
    said = error.response["Error"]
    return Unreadable(where, f"AWS refused {error.operation_name}: {said.get('Message') or said['Code']}")


def _evidence(deployment: Deployment, record: Record, chain: Checked) -> Iterator[Found]:
    key, expected = record.evidence_name, record.evidence_digest
    body = _body(deployment, key)
    if body is None:
        yield Finding("missing", key, f"evidence with the SHA-256 {expected}", "no object")
        return
    if (digest := sha256(body)) == expected:
        return
    earlier = [n for n, other in chain.records.items() if other.evidence_digest == digest]
    said = f"as record {record.number} says"
    if earlier:
        yield Finding("replay", key, f"{expected}, {said}", f"{digest}, of the earlier record {earlier[-1]}")
    else:
        later = "unless it has just been written: then its record follows within a minute"
        yield Finding("evidence", key, f"{expected}, {said}", f"{digest} ({later})")


def _digest(deployment: Deployment, kind: Kind, uri: str, expected: str) -> Iterator[Found]:
    """The object at `uri`, if it has other bytes than were recorded."""
    place = urlsplit(uri)
    try:
        body = deployment.s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchBucket", "404"):
            yield _refused(uri, error)
            return
        yield Finding("missing", uri, f"the {kind} with the SHA-256 {expected}", "no object")
        return
    digest = hashlib.sha256()
    while block := body.read(BLOCK):
        digest.update(block)
    if digest.hexdigest() != expected:
        yield Finding(kind, uri, expected, digest.hexdigest())


def _data(deployment: Deployment, record: Record) -> Iterator[Found]:
    """The versions of the batch's files, if they are others now; one note if some are gone."""
    files = [item for item in (record.evidence.get("data") or {}).get("files") or () if item.get("versionId")]
    with ThreadPoolExecutor(THREADS) as pool:
        heads = list(pool.map(lambda item: _head(deployment, item["key"], item["versionId"]), files))
    gone = 0
    for item, head in zip(files, heads, strict=True):
        where = f"s3://{deployment.bucket}/{item['key']}?versionId={item['versionId']}"
        if isinstance(head, ClientError):
            yield _refused(where, head)
            continue
        if head is None:
            gone += 1
            continue
        for name, found in (("etag", head["ETag"].strip('"')), ("size", head["ContentLength"])):
            wanted = item.get(name)
            wanted = wanted.strip('"') if isinstance(wanted, str) else wanted
            if wanted is not None and wanted != found:
                yield Finding("data", where, f"{name} {wanted}", f"{name} {found}")
    if gone:
        said = (
            f"{gone} of {len(files)} versions of data are gone: overwritten data expires (aws.version_days)"
        )
        yield f"{record.execution_id}: {said}"


def _head(deployment: Deployment, key: str, version: str) -> Mapping[str, Any] | ClientError | None:
    """What S3 says of a version; None if it is gone, and the error if S3 refuses to say it."""
    try:
        return deployment.s3.head_object(Bucket=deployment.bucket, Key=key, VersionId=version)
    except ClientError as error:
        # 405: the version is a delete marker. 400: the id is of another bucket, or of none.
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NoSuchVersion", "405", "400"):
            return error
        return None


def _body(deployment: Deployment, key: str) -> bytes | None:
    try:
        return deployment.s3.get_object(Bucket=deployment.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        return None
