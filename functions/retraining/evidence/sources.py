"""Where evidence is gathered from, where its copy lies, and how the objects beside it are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from retraining.aws.ledger import Ledger
from retraining.aws.pipelines import Execution
from retraining.aws.refusals import is_refusal
from retraining.aws.signing import UNSIGNED, Signing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


ARCHIVED: Final = "InvalidObjectState"
"""S3's error code for an object that lies in an archive."""

Evidence = dict[str, Any]
"""Evidence as evidence.json has it. model.py describes the form of the newest version."""


class Sources(NamedTuple):
    """Where evidence is gathered from, and how its records are signed: by no key unless one is named."""

    sagemaker: SageMakerClient
    s3: S3Client
    ledger: Ledger
    bucket: str
    signing: Signing = UNSIGNED


def evidence_key(model: str, execution_id: str) -> str:
    """Where the copy of an execution's evidence lies in the data bucket."""
    return f"evidence/{model}/{execution_id}/evidence.json"


def uri(sources: Sources, model: str, execution: Execution) -> str:
    """Where the copy of an execution's evidence lies, or will."""
    return f"s3://{sources.bucket}/{evidence_key(model, execution.identity)}"


class Document(NamedTuple):
    """A JSON object in the bucket: which version was read, the SHA-256 of its bytes, and what it says.

    `content` is empty where the bytes are no JSON object.
    """

    uri: str
    version_id: str | None
    sha256: str
    content: dict[str, Any]

    def as_evidence(self) -> dict[str, str | None]:
        """The document as evidence.json names it."""
        return {"uri": self.uri, "versionId": self.version_id, "sha256": self.sha256}


def read_document(
    sources: Sources,
    key: str,
    missing: list[str],
    *,
    most: int | None = None,
    needed: bool = False,
    each: Callable[[dict[str, Any]], Any] | None = None,
) -> Document | None:
    """The JSON object with this key; None where it does not exist (yet), and where S3 refuses it.

    What cannot be read is named in `missing` with the reason. One of more than `most` bytes is not parsed.
    `each` gets every object in it as soon as it is read, and says what stands there in its place.
    A refusal to give what is `needed` is raised, unless it lies in an archive: that does not pass by itself.
    """
    uri = f"s3://{sources.bucket}/{key}"
    try:
        answer = sources.s3.get_object(Bucket=sources.bucket, Key=key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchKey":
            return None
        if not is_refusal(error) or (needed and code != ARCHIVED):
            raise
        missing.append(f"{uri}: {code}")
        return None
    body = answer["Body"].read()
    content = {} if most is not None and len(body) > most else _parsed(uri, body, missing, each)
    return Document(uri, answer.get("VersionId"), hashlib.sha256(body).hexdigest(), content)


def _parsed(
    uri: str, body: bytes, missing: list[str], each: Callable[[dict[str, Any]], Any] | None
) -> dict[str, Any]:
    try:
        loaded = json.loads(body, object_hook=each)
    except ValueError:
        missing.append(f"{uri}: not valid JSON")
        return {}
    if isinstance(loaded, dict):
        return loaded
    missing.append(f"{uri}: not a JSON object")
    return {}
