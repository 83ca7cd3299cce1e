"""The pipeline of one model as plain data: four steps, in SageMaker's definition language 2020-12-01.

    DataPreProcessing ─▶ TrainModel ─▶ ModelEvaluation ─▶ RegisterModel (always pending)

Where things lie in the bucket:

    code/<sha256>/processing/…, sourcedir.tar.gz     step code, by content (publish.py)
    batches/<model>/<batch>/manifest.json            which object versions a batch is
    runs/<model>/<execution-id>/data/…               Parquet on its way to training; expires
    models/<model>/<execution-id>/…                  evaluation, data report and profile, training rows, model
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline_def.images import image_uri

Json = dict[str, Any]

CODE: Final = "/opt/ml/processing/input/code"
MODEL: Final = "/opt/ml/processing/input/model"
PROFILE: Final = "/opt/ml/processing/input/profile"
REPORT: Final = "/opt/ml/processing/input/report"
TRAINING_ROWS: Final = "/opt/ml/processing/input/training-rows"
VALIDATION: Final = "/opt/ml/processing/input/validation"
OUTPUT: Final = "/opt/ml/processing/output"

HOUR: Final = 3600
VOLUME_GB: Final = 30

QUIET_THREADS: Final = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Boosting's threads otherwise wait by spinning: on a busy machine a fit of 0.1 s was seen to take 20 s."""

THROTTLED: Final[Json] = {
    "ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"],
    "IntervalSeconds": 10,
    "BackoffRate": 2.0,
    "MaxAttempts": 5,
}
"""SageMaker's own API is slow or unwell: the step's job was never created."""

NO_CAPACITY: Final[Json] = {
    "ExceptionType": ["SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR"],
    "IntervalSeconds": 60,
    "BackoffRate": 2.0,
    "MaxAttempts": 5,
}
"""The job was created and SageMaker could not run it. A failure of our own code is in neither list."""


@dataclass(frozen=True)
class Place:
    """What the builders need to know: the validated config of one model and where it is deployed."""

    model: Mapping[str, Any]
    name: str
    prefix: str
    bucket: str
    role_arn: str
    region: str
    code_sha256: str
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    kms_key: str | None = None

    @property
    def full_name(self) -> str:
        """The name that pipeline and model package group share."""
        return f"{self.prefix}-{self.name}"

    @property
    def image(self) -> str:
        return image_uri(self.region)

    @property
    def code(self) -> str:
        return f"s3://{self.bucket}/code/{self.code_sha256}"

    @property
    def vpc(self) -> Json | None:
        """Where the jobs' network interfaces are; None is a network of SageMaker's own."""
        if not self.subnets:
            return None
        return {"SecurityGroupIds": list(self.security_groups), "Subnets": list(self.subnets)}

    def of_execution(self, root: str, *below: str) -> Json:
        """`s3://<bucket>/<root>/<model>/<execution-id>/<below>`, known when an execution starts."""
        return join(
            "/", f"s3://{self.bucket}/{root}/{self.name}", get("Execution.PipelineExecutionId"), *below
        )


def pipeline_definition(
    model: Mapping[str, Any],
    *,
    name: str,
    prefix: str,
    bucket: str,
    role_arn: str,
    region: str,
    code_sha256: str,
    subnets: Sequence[str] = (),
    security_groups: Sequence[str] = (),
    kms_key: str | None = None,
) -> Json:
    """The definition that CreatePipeline takes, before it becomes JSON. Pure.

    `model` is a validated ModelConfig as plain data, `code_sha256` names the published step code; `kms_key`
    encrypts the jobs' volumes and what they write. Raises ValueError if SageMaker does not host the image in
    `region`.
    """
    place = Place(
        model, name, prefix, bucket, role_arn, region, code_sha256, subnets, security_groups, kms_key
    )
    instance_type = model["training"]["instance_type"]
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            parameter("Batch", "latest"),
            parameter("Champion", "latest"),
            parameter("Trigger", "manual"),
            parameter("ProcessingInstanceType", instance_type),
            parameter("TrainingInstanceType", instance_type),
        ],
        "Steps": [preprocessing(place), training(place), evaluation(place), registration(place)],
    }


def preprocessing(place: Place) -> Json:
    return {
        "Name": "DataPreProcessing",
        "Type": "Processing",
        "Arguments": processing_job(
            place,
            script="preprocess.py",
            arguments=[
                *("--config", f"{CODE}/model.json"),
                *("--bucket", place.bucket),
                *("--batch", get("Parameters.Batch")),
                *("--execution", get("Execution.PipelineExecutionArn")),
                *("--output", OUTPUT),
            ],
            inputs=[],
            outputs=[
                s3_output("train", place.of_execution("runs", "data", "train")),
                s3_output("validation", place.of_execution("runs", "data", "validation")),
                s3_output("report", place.of_execution("models")),
            ],
        ),
        "RetryPolicies": [THROTTLED, NO_CAPACITY],
    }


def training(place: Place) -> Json:
    return {
        "Name": "TrainModel",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": place.image},
            "HyperParameters": {  # script mode reads each value as JSON
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": f'"{place.code}/sourcedir.tar.gz"',
                "sagemaker_region": f'"{place.region}"',
                "sagemaker_container_log_level": "20",
            },
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "ContentType": "application/x-parquet",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": output_of("DataPreProcessing", "train"),
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
            ],
            "OutputDataConfig": {
                "S3OutputPath": place.of_execution("models"),
                **given(KmsKeyId=place.kms_key),
            },
            "ResourceConfig": {
                "InstanceType": get("Parameters.TrainingInstanceType"),
                "InstanceCount": 1,
                "VolumeSizeInGB": VOLUME_GB,
                **given(VolumeKmsKeyId=place.kms_key),
            },
            **given(VpcConfig=place.vpc),
            "Environment": QUIET_THREADS,
            "StoppingCondition": {"MaxRuntimeInSeconds": 4 * HOUR},
            "RoleArn": place.role_arn,
        },
        "RetryPolicies": [THROTTLED, NO_CAPACITY],
    }


def evaluation(place: Place) -> Json:
    return {
        "Name": "ModelEvaluation",
        "Type": "Processing",
        "Arguments": processing_job(
            place,
            script="evaluate.py",
            arguments=[
                *("--config", f"{CODE}/model.json"),
                *("--model", MODEL),
                *("--validation", VALIDATION),
                *("--training-rows", f"{TRAINING_ROWS}/training_rows.parquet"),
                *("--report", f"{REPORT}/data_report.json"),
                *("--profile", f"{PROFILE}/data_profile.json"),
                *("--bucket", place.bucket),
                *("--group", place.full_name),
                *("--role", place.role_arn),
                *("--champion", get("Parameters.Champion")),
                *("--execution", get("Execution.PipelineExecutionArn")),
                *("--output", f"{OUTPUT}/evaluation"),
            ],
            inputs=[
                s3_input("model", get("Steps.TrainModel.ModelArtifacts.S3ModelArtifacts"), MODEL),
                s3_input("validation", output_of("DataPreProcessing", "validation"), VALIDATION),
                s3_input("training-rows", reported("training_rows.parquet"), TRAINING_ROWS),
                s3_input("report", reported("data_report.json"), REPORT),
                s3_input("profile", reported("data_profile.json"), PROFILE),
            ],
            outputs=[s3_output("evaluation", place.of_execution("models"))],
        ),
        "RetryPolicies": [THROTTLED, NO_CAPACITY],
    }


def registration(place: Place) -> Json:
    """Refers to ModelEvaluation's output and so waits for it. No job runs: only Step.* may be retried."""
    return {
        "Name": "RegisterModel",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": place.full_name,
            "ModelApprovalStatus": "PendingManualApproval",
            "ModelMetrics": {
                "ModelQuality": {
                    "Statistics": {
                        "ContentType": "application/json",
                        "S3Uri": join("/", output_of("ModelEvaluation", "evaluation"), "evaluation.json"),
                    }
                }
            },
            "InferenceSpecification": {
                "Containers": [
                    {
                        "Image": place.image,
                        "ModelDataUrl": get("Steps.TrainModel.ModelArtifacts.S3ModelArtifacts"),
                        "Environment": {
                            "SAGEMAKER_PROGRAM": "inference.py",
                            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
                            "SAGEMAKER_REGION": place.region,
                            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json",
                        },
                    }
                ],
                "SupportedContentTypes": ["text/csv", "application/json"],
                "SupportedResponseMIMETypes": ["text/csv", "application/json"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
                "SupportedTransformInstanceTypes": ["ml.m5.large"],
            },
            "CustomerMetadataProperties": {
                "execution": get("Execution.PipelineExecutionArn"),
                "batch": get("Parameters.Batch"),
                "trigger": get("Parameters.Trigger"),
                "codeSha256": place.code_sha256,
            },
        },
        "RetryPolicies": [THROTTLED],
    }


def processing_job(
    place: Place, *, script: str, arguments: list[Any], inputs: list[Json], outputs: list[Json]
) -> Json:
    """CreateProcessingJob's arguments: `script` of the published code, run by the image's Python."""
    return {
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": get("Parameters.ProcessingInstanceType"),
                "InstanceCount": 1,
                "VolumeSizeInGB": VOLUME_GB,
                **given(VolumeKmsKeyId=place.kms_key),
            }
        },
        "AppSpecification": {
            "ImageUri": place.image,
            "ContainerEntrypoint": ["python3", f"{CODE}/{script}"],
            "ContainerArguments": arguments,
        },
        "Environment": {"AWS_DEFAULT_REGION": place.region, **QUIET_THREADS},
        "ProcessingInputs": [s3_input("code", f"{place.code}/processing", CODE), *inputs],
        "ProcessingOutputConfig": {"Outputs": outputs, **given(KmsKeyId=place.kms_key)},
        **given(NetworkConfig=place.vpc and {"VpcConfig": place.vpc}),
        "StoppingCondition": {"MaxRuntimeInSeconds": 2 * HOUR},
        "RoleArn": place.role_arn,
    }


def s3_input(name: str, uri: str | Json, path: str) -> Json:
    """What lies under `uri`, or the object itself, copied to `path` before the script starts."""
    return {
        "InputName": name,
        "AppManaged": False,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": path,
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
            "S3CompressionType": "None",
        },
    }


def s3_output(name: str, uri: Json) -> Json:
    """What the script left in its output folder `name`, copied to `uri` after it ended well."""
    return {
        "OutputName": name,
        "AppManaged": False,
        "S3Output": {"S3Uri": uri, "LocalPath": f"{OUTPUT}/{name}", "S3UploadMode": "EndOfJob"},
    }


def parameter(name: str, default: str) -> Json:
    """All have defaults, so that a bare start-pipeline-execution works."""
    return {"Name": name, "Type": "String", "DefaultValue": default}


def given(**members: str | Json | None) -> Json:
    """Those members that there is something for."""
    return {name: value for name, value in members.items() if value}


def get(path: str) -> Json:
    return {"Get": path}


def join(on: str, *values: str | Json) -> Json:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def reported(name: str) -> Json:
    """A file that DataPreProcessing leaves beside the model."""
    return join("/", output_of("DataPreProcessing", "report"), name)


def output_of(step: str, output: str) -> Json:
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri")
