"""What a deployment needs for the proof of evidence: the stack's parameters, and whether locks would hold."""

from __future__ import annotations

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment


def proof_parameters(deployment: Deployment) -> dict[str, str]:
    """The stack's parameters about evidence records. The key is empty until Terraform has made it."""
    lock = deployment.config.evidence.object_lock
    return {
        "SigningKey": _key_arn(deployment),
        "EvidenceLock": f"{lock.mode}:{lock.days}" if lock else "",
    }


def _key_arn(deployment: Deployment) -> str:
    """The ARN of the key that signs; empty where none does, or Terraform has not made it yet."""
    key = deployment.signing_key
    if key is None or key.startswith("arn:"):
        return key or ""
    try:
        return str(deployment.kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return ""
