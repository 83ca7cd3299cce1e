"""Where evidence is gathered from, where its copy lies, and how the objects beside it are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from retraining.aws.ledger import Ledger
from retraining.aws.pipelines import Execution
from retraining.aws.refusals import is_refusal
from retraining.aws.signing import UNSIGNED, Signing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True)
class Sources:
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


def json_object(sources: Sources, key: str, missing: list[str]) -> dict[str, Any]:
    """A JSON object in the bucket; empty where it does not exist (yet).

    One that cannot be read is empty, too, and is named in `missing` with the reason.
    """
    try:
        body = sources.s3.get_object(Bucket=sources.bucket, Key=key)["Body"].read()
        loaded = json.loads(body)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchKey":
            return {}
        if not is_refusal(error):
            raise
        missing.append(f"s3://{sources.bucket}/{key}: {code}")
        return {}
    except ValueError:
        missing.append(f"s3://{sources.bucket}/{key}: not valid JSON")
        return {}
    if isinstance(loaded, dict):
        return loaded
    missing.append(f"s3://{sources.bucket}/{key}: not a JSON object")
    return {}
