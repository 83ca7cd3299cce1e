"""What a deployment needs for the proof of evidence: the stack's parameters, and whether locks would hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import ClientError

from handsoff.deploying.account import Problem, asked
from handsoff.deploying.checks import Finding
from handsoff.deployment import Deployment
from handsoff.errors import Refused, StepFailed
from handsoff.location import signing_alias
from retraining.config.evidence import CREATE
from retraining.config.schema import Config

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

KEY_ATTEMPTS: Final = 13
"""Times that KMS is asked for a key that has just been made."""

KEY_PAUSE: Final = 5.0
"""Seconds between two of them: a minute in all."""

LOOKED_AT: Final = 50
"""Newest evidence records that are looked at to find out whether S3 keeps some."""


def proof_parameters(deployment: Deployment) -> dict[str, str]:
    """The stack's parameters about evidence records. The key is empty until Terraform has made it."""
    lock = deployment.config.evidence.object_lock
    return {
        "SigningKey": _key_arn(deployment),
        "EvidenceLock": f"{lock.mode}:{lock.days}" if lock else "",
    }


def _key_arn(deployment: Deployment) -> str:
    """The ARN of the key that signs; empty where none does, or Terraform has not made it yet."""
    key = deployment.config.evidence.signing_key
    if key != CREATE:
        return key or ""
    found = _described(deployment.kms, signing_alias(deployment.config))
    return str(found["Arn"]) if found else ""


def wait_for_key(deployment: Deployment, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until KMS knows the key that Terraform has made. Raises StepFailed if it does not.

    A stack without its key would record everything unsigned, and nobody would be told.
    """
    if deployment.config.evidence.signing_key != CREATE:
        return
    for _ in range(KEY_ATTEMPTS):
        if _key_arn(deployment):
            return
        sleep(KEY_PAUSE)
    raise StepFailed(
        f"evidence.signing_key is create, and KMS knows no key {signing_alias(deployment.config)}: the "
        "functions would sign nothing. Was the alias deleted? Repeat `handsoff deploy`, which makes it anew"
    )


# ---- handsoff doctor -------------------------------------------------------------------------------------


def check(config: Config, session: boto3.Session) -> Iterator[Finding]:
    """Whether the key can sign, and whether a bucket of the user's can lock; nothing if none is named."""
    if key := config.evidence.signing_key:
        name = signing_alias(config) if key == CREATE else key
        yield signing_key(name, asked(lambda: _described(session.client("kms"), name)), made=key == CREATE)
    if config.evidence.object_lock and config.aws.bucket:
        bucket = config.aws.bucket
        yield object_lock(bucket, asked(lambda: can_lock(session.client("s3"), bucket)))


def signing_key(name: str, found: Mapping[str, Any] | Problem | None, *, made: bool) -> Finding:
    """`found` is what KMS says of the key, None if it does not exist; `made` says that Terraform makes it."""
    what = "signing key"
    if isinstance(found, Problem):
        why = f"{found.code}: {found.text}"
        return Finding(what, "not checked", why, "kms:DescribeKey lets doctor look")
    if found is None and made:
        return Finding(what, "ok", "Terraform makes it")
    if found is None:
        return Finding(what, "error", f"KMS has no key {name}", "correct evidence.signing_key")
    if (found["KeySpec"], found["KeyUsage"]) != ("ECC_NIST_P256", "SIGN_VERIFY"):
        why = f"{name} is {found['KeySpec']} for {found['KeyUsage']}: expected ECC_NIST_P256 for SIGN_VERIFY"
        return Finding(what, "error", why, "name another key in evidence.signing_key, or create")
    if found["KeyState"] != "Enabled":
        way_out = "enable it, or cancel its deletion: evidence is recorded once it can sign"
        return Finding(what, "error", f"{name} is {found['KeyState']}", way_out)
    return Finding(what, "ok", f"{found['Arn']} can sign")


def object_lock(bucket: str, found: bool | Problem) -> Finding:
    """Whether an existing bucket can lock evidence records."""
    what = f"object lock of {bucket}"
    if isinstance(found, Problem):
        why = f"{found.code}: {found.text}"
        return Finding(what, "not checked", why, "s3:GetBucketObjectLockConfiguration lets doctor look")
    if found:
        return Finding(what, "ok", "it is on")
    return Finding(
        what,
        "error",
        "evidence.object_lock asks for it, and the bucket has none",
        f"aws s3api put-object-lock-configuration --bucket {bucket} "
        "--object-lock-configuration ObjectLockEnabled=Enabled (it cannot be turned off again)",
    )


def _described(kms: KMSClient, name: str) -> Mapping[str, Any] | None:
    try:
        found: Any = kms.describe_key(KeyId=name)["KeyMetadata"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return None
    return dict(found)


def can_lock(s3: S3Client, bucket: str) -> bool:
    """Whether S3 Object Lock is on in a bucket."""
    try:
        found = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectLockConfigurationNotFoundError":
            raise
        return False
    return found.get("ObjectLockEnabled") == "Enabled"


# ---- handsoff destroy ------------------------------------------------------------------------------------


def refuse_locked(s3: S3Client, bucket: str, now: datetime | None = None) -> None:
    """Raise Refused if S3 would keep evidence records of this bucket: it could not be emptied."""
    if not can_lock(s3, bucket):
        return
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix="evidence/")
    found = [item for page in pages for item in page.get("Versions", []) if "/chain/" in item["Key"]]
    found.sort(key=lambda item: item["LastModified"], reverse=True)
    for item in found[:LOOKED_AT]:
        head = s3.head_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
        until = head.get("ObjectLockRetainUntilDate")
        if until and until > (now or datetime.now(UTC)):
            mode = head.get("ObjectLockMode", "")
            way_out = (
                "Delete them first by an identity with s3:BypassGovernanceRetention, or wait until then"
                if mode == "GOVERNANCE"
                else "Nobody can delete them before"
            )
            raise Refused(
                f"S3 keeps evidence records of {bucket}, such as {item['Key']}, until {until:%Y-%m-%d} "
                f"({mode.lower()}): the bucket cannot be emptied. {way_out}. Without --purge, bucket and key "
                "are kept. Nothing was changed"
            )
