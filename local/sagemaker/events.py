"""SageMaker's events for EventBridge, in the shapes that AWS documents (tests/local/data/events)."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from local.sagemaker.protocol.responses import present
from local.types import Json

Emit = Callable[[str, list[str], Json], None]
"""Sends an event: its detail type, its resources (ARNs) and its detail."""

EXECUTION: Final = "SageMaker Model Building Pipeline Execution Status Change"
"""Detail type of a change of an execution's status."""

STEP: Final = "SageMaker Model Building Pipeline Execution Step Status Change"
"""Detail type of a change of a step's status."""

PROCESSING_JOB: Final = "SageMaker Processing Job State Change"
"""Detail type of a change of a Processing job's status."""

TRAINING_JOB: Final = "SageMaker Training Job State Change"
"""Detail type of a change of a Training job's secondary status."""

MODEL_PACKAGE: Final = "SageMaker Model Package State Change"
"""Detail type of a new or changed model package."""

_PROCESSING: Final = [
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
"""Members of DescribeProcessingJob that its event holds."""

_TRAINING: Final = [
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
"""Members of DescribeTrainingJob that its event holds."""

_PACKAGE: Final = [
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
"""Members of DescribeModelPackage that its event holds."""


def to_eventbridge(account: str, region: str) -> Emit:
    """A function that sends to ministack's EventBridge in this process.

    PutEvents would refuse these events: callers may not use sources that begin with `aws.`.
    """
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
    """The detail of an EXECUTION event. `previous` is None in the first one."""
    return present(
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
    """The detail of a STEP event. `metadata` is that of ListPipelineExecutionSteps, in lower case here."""
    lower = {
        key[0].lower() + key[1:]: {k.lower(): v for k, v in value.items()} for key, value in metadata.items()
    }
    return present(
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
    """The detail of a PROCESSING_JOB event from the Describe response. Times in milliseconds."""
    members = {key: value for key, value in description.items() if key in _PROCESSING}
    return {"ExperimentConfig": {}, **_milliseconds(members)}


def training_detail(description: Json) -> Json:
    """The detail of a TRAINING_JOB event from the Describe response. Times in milliseconds."""
    members = {k: v for k, v in description.items() if k in _TRAINING}
    return {"VpcConfig": {}, "Tags": {}, **_milliseconds(members)}


def package_detail(description: Json, updated: list[str]) -> Json:
    """The detail of a MODEL_PACKAGE event. `updated` names the fields that an update set."""
    detail = {key: value for key, value in description.items() if key in _PACKAGE}
    for key in ("CreationTime", "LastModifiedTime"):
        detail[key] = _seconds(detail[key])
    return detail | ({"UpdatedModelPackageFields": updated} if updated else {})


def _seconds(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _milliseconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: _milliseconds(item) for key, item in value.items()}
    return [_milliseconds(item) for item in value] if isinstance(value, list) else value
