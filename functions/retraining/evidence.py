"""The evidence of one execution: what ran, on what, what came of it, who decided, and why.

It is gathered from what SageMaker, S3 and the ledger say now, so that it can be gathered again at any
time. The copy in S3 is written anew whenever something ends or is decided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from retraining.aws import pipelines, registry
from retraining.aws.ledger import Ledger
from retraining.aws.pipelines import Execution, Step
from retraining.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

Evidence = dict[str, Any]

ATTEMPTS = 5
"""Times that a lost race for the copy in S3 is run again."""


@dataclass(frozen=True)
class Sources:
    """Where evidence is gathered from."""

    sagemaker: SageMakerClient
    s3: S3Client
    ledger: Ledger
    bucket: str


def evidence_key(model: str, execution_id: str) -> str:
    """Where the copy of an execution's evidence lies in the data bucket."""
    return f"evidence/{model}/{execution_id}/evidence.json"


def uri(sources: Sources, model: str, execution: Execution) -> str:
    """Where the copy of an execution's evidence lies, or will."""
    return f"s3://{sources.bucket}/{evidence_key(model, execution.identity)}"


def gather(sources: Sources, model: str, execution: Execution) -> Evidence:
    """Everything known about `execution` now, in the form that the design page fixes."""
    fact = sources.ledger.get(f"execution#{execution.arn}") or {}
    package_arn = execution.package_arn
    package = registry.package(sources.sagemaker, package_arn) if package_arn else None
    verdict = sources.ledger.get(f"verdict#{package_arn}") or {} if package_arn else {}
    decided = sources.ledger.get(f"decision#{package_arn}") or {} if package_arn else {}
    folder = f"models/{model}/{execution.identity}"
    report = _json_object(sources, f"{folder}/data_report.json")
    evaluation = _json_object(sources, f"{folder}/evaluation.json")
    batch = report.get("batch") or execution.parameters.get("Batch")
    return {
        "pipelineExecutionArn": execution.arn,
        "pipelineExecutionStatus": execution.status,
        "failureReason": execution.failure_reason,
        "startTime": _text(execution.start_time),
        "trigger": {
            "kind": execution.parameters.get("Trigger", "manual"),
            "cause": fact.get("cause"),
            "requestedBy": fact.get("requestedBy"),
            "wishes": fact.get("wishes", []),
            "startKey": fact.get("startKey"),
        },
        "data": {
            "batch": batch,
            "manifest": f"s3://{sources.bucket}/batches/{model}/{batch}/manifest.json",
            **{key: value for key, value in report.items() if key != "batch"},
        },
        "steps": [_step(step, fact.get("logLines", {}).get(step.name)) for step in execution.steps],
        "modelPackageArn": package_arn,
        "modelApprovalStatus": package.approval_status if package else None,
        "modelDataUrl": package.model_uri if package else None,
        "evaluationUrl": package.evaluation_uri if package else None,
        "metrics": {
            name: measured["value"]
            for name, measured in evaluation.get("handsoff", {})
            .get("candidate", {})
            .get("metrics", {})
            .items()
        },
        **judgement(verdict),
        **decision(decided),
    }


def judgement(fact: Mapping[str, Any]) -> dict[str, Any]:
    """What `verdict#<package ARN>` in the ledger says; null while the rules have not judged."""

    def shown(stored: object) -> dict[str, Any]:
        return Verdict.model_validate(stored).as_evidence()

    return {
        "verdict": shown(fact["verdict"]) if fact.get("verdict") else None,
        "judgedAgain": fact.get("again"),
        "earlierVerdicts": [{**item, "verdict": shown(item["verdict"])} for item in fact.get("earlier", [])],
    }


def decision(fact: Mapping[str, Any]) -> dict[str, Any]:
    """What `decision#<package ARN>` in the ledger says: who, when and why; null while it waits (again)."""
    stands = {} if fact.get("status") == registry.PENDING else fact
    earlier = list(fact.get("earlier", []))
    if fact and not stands:  # who set it back, and when
        earlier.append({name: fact[name] for name in ("status", "by", "who", "why", "at") if name in fact})
    return {
        "decidedBy": stands.get("by"),
        "decidedWho": stands.get("who"),
        "decidedAt": stands.get("at"),
        "decidedWhy": stands.get("why"),
        "earlierDecisions": earlier,
    }


def _step(step: Step, log_lines: list[str] | None) -> dict[str, Any]:
    logs: dict[str, Any] | None = None
    if step.logs:
        logs = {"group": step.logs.group, "streamPrefix": step.logs.stream_prefix}
        if log_lines:
            logs["lastLines"] = log_lines
    return {
        "name": step.name,
        "type": step.type,
        "status": step.status,
        "startTime": _text(step.start_time),
        "endTime": _text(step.end_time),
        "failureReason": step.failure_reason,
        "logs": logs,
    }


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _json_object(sources: Sources, key: str) -> dict[str, Any]:
    """A JSON object in the bucket; empty where it does not exist (yet)."""
    try:
        body = sources.s3.get_object(Bucket=sources.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return {}
    loaded: dict[str, Any] = json.loads(body)
    return loaded


def write(sources: Sources, model: str, execution_arn: str) -> str:
    """Gather the evidence and write its copy in S3; returns the copy's URI.

    Two functions may do this at once, and the one that gathered first may write last. So the copy is
    only replaced if it is still the one that was there before gathering; otherwise it is gathered anew.
    """
    for attempt in range(ATTEMPTS):
        execution = pipelines.describe(sources.sagemaker, execution_arn)
        key = evidence_key(model, execution.identity)
        condition = _unchanged(sources, key)
        body = json.dumps(gather(sources, model, execution), indent=1, ensure_ascii=False).encode()
        try:
            sources.s3.put_object(
                Bucket=sources.bucket, Key=key, Body=body, ContentType="application/json", **condition
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("PreconditionFailed", "ConditionalRequestConflict") or attempt == ATTEMPTS - 1:
                raise
        else:
            return uri(sources, model, execution)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _unchanged(sources: Sources, key: str) -> dict[str, Any]:
    try:
        return {"IfMatch": sources.s3.head_object(Bucket=sources.bucket, Key=key)["ETag"]}
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        return {"IfNoneMatch": "*"}
