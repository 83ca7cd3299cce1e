"""How an execution trains its model: in which image, on which instances, by which code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from retraining.aws.pipelines import Execution

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

Json = Mapping[str, Any]


def of_execution(sagemaker: SageMakerClient, execution: Execution) -> dict[str, Any]:
    """How the execution trains, for its evidence: what the definition that it runs says.

    Hyperparameters are those of own code; `sourceDir` and `entryPoint` are null for a built-in estimator.
    What a definition does not say is null.
    """
    answer = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution.arn)
    steps = json.loads(answer["PipelineDefinition"])["Steps"]
    arguments: dict[str, Json] = {step["Name"]: step.get("Arguments", {}) for step in steps}
    job, package = arguments.get("TrainModel", {}), arguments.get("RegisterModel", {})
    noted: Json = package.get("CustomerMetadataProperties", {})
    resources: Json = job.get("ResourceConfig", {})
    instance_type = execution.parameters.get("TrainingInstanceType") or resources.get("InstanceType")
    return {
        "codeSha256": noted.get("codeSha256"),
        "sourceDir": noted.get("sourceDir"),
        "entryPoint": noted.get("entryPoint"),
        "image": job.get("AlgorithmSpecification", {}).get("TrainingImage"),
        "hyperparameters": {
            name: json.loads(value)
            for name, value in sorted(job.get("HyperParameters", {}).items())
            if not name.startswith("sagemaker_")
        },
        "instanceType": instance_type if isinstance(instance_type, str) else None,
        "instanceCount": resources.get("InstanceCount"),
        "spot": bool(job.get("EnableManagedSpotTraining")),
    }
