"""What EventBridge hears of SageMaker, in the shapes that AWS documents (tests/local/data/events)."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from local.types import Json

# detail type, resources, detail
Emit = Callable[[str, list[str], Json], None]

EXECUTION = "SageMaker Model Building Pipeline Execution Status Change"
STEP = "SageMaker Model Building Pipeline Execution Step Status Change"
PROCESSING_JOB = "SageMaker Processing Job State Change"
TRAINING_JOB = "SageMaker Training Job State Change"
MODEL_PACKAGE = "SageMaker Model Package State Change"

_PROCESSING = [
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingJobName",
    "ProcessingResources",
    "StoppingCondition",
    "AppSpecification",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
    "ProcessingJobArn",
    "ProcessingJobStatus",
    "FailureReason",
    "ProcessingEndTime",
    "ProcessingStartTime",
    "LastModifiedTime",
    "CreationTime",
]
_TRAINING = [
    "TrainingJobName",
    "TrainingJobArn",
    "TrainingJobStatus",
    "SecondaryStatus",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "SecondaryStatusTransitions",
    "Tags",
    "FailureReason",
    "ModelArtifacts",
]
_PACKAGE = [
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "CreationTime",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "CertifyForMarketplace",
    "ModelApprovalStatus",
    "MetadataProperties",
    "ModelMetrics",
    "ModelLifeCycle",
    "LastModifiedTime",
]


def to_eventbridge(account: str, region: str) -> Emit:
    """Emit into this process's EventBridge; PutEvents refuses `aws.*` sources to callers from outside."""
    from ministack.core.responses import request_scope
    from ministack.services import eventbridge

    def emit(detail_type: str, resources: list[str], detail: Json) -> None:
        entry = {
            "Source": "aws.sagemaker",
            "DetailType": detail_type,
            "Resources": resources,
            "Detail": json.dumps(detail),
        }
        with request_scope(account, region):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)

    return emit


def execution_detail(
    *,
    arn: str,
    pipeline_arn: str,
    display_name: str,
    description: str | None,
    previous: str | None,
    status: str,
    started: datetime,
    ended: datetime | None,
) -> Json:
    """Detail of EXECUTION. `previous` is None on the first one."""
    return _present(
        pipelineExecutionDisplayName=display_name,
        currentPipelineExecutionStatus=status,
        previousPipelineExecutionStatus=previous,
        executionStartTime=_seconds(started),
        executionEndTime=_seconds(ended),
        pipelineExecutionDescription=description,
        pipelineArn=pipeline_arn,
        pipelineExecutionArn=arn,
    )


def step_detail(
    *,
    arn: str,
    pipeline_arn: str,
    name: str,
    kind: str,
    metadata: Json,
    previous: str | None,
    status: str,
    started: datetime | None,
    ended: datetime | None,
    reason: str | None,
) -> Json:
    """Detail of STEP. `metadata` as ListPipelineExecutionSteps has it; its keys begin small here."""
    lower = {
        key[0].lower() + key[1:]: {k.lower(): v for k, v in value.items()} for key, value in metadata.items()
    }
    return _present(
        metadata=lower,
        stepStartTime=_seconds(started),
        stepEndTime=_seconds(ended),
        stepName=name,
        stepType=kind,
        previousStepStatus=previous,
        currentStepStatus=status,
        failureReason=reason,
        pipelineArn=pipeline_arn,
        pipelineExecutionArn=arn,
    )


def processing_detail(description: Json) -> Json:
    """Detail of PROCESSING_JOB from its Describe response. Times in milliseconds."""
    members = {key: value for key, value in description.items() if key in _PROCESSING}
    return {"ExperimentConfig": {}, **_milliseconds(members)}


def training_detail(description: Json) -> Json:
    """Detail of TRAINING_JOB from its Describe response. Times in milliseconds."""
    members = {k: v for k, v in description.items() if k in _TRAINING}
    return {"VpcConfig": {}, "Tags": {}, **_milliseconds(members)}


def package_detail(description: Json, updated: list[str]) -> Json:
    """Detail of MODEL_PACKAGE; `updated` names what an update set and is empty for a new package."""
    detail = {key: value for key, value in description.items() if key in _PACKAGE}
    for key in ("CreationTime", "LastModifiedTime"):
        detail[key] = _seconds(detail[key])
    return detail | ({"UpdatedModelPackageFields": updated} if updated else {})


def _present(**members: Any) -> Json:
    return {key: value for key, value in members.items() if value is not None}


def _seconds(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _milliseconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: _milliseconds(item) for key, item in value.items()}
    return [_milliseconds(item) for item in value] if isinstance(value, list) else value
