"""The pipeline of one model as plain data: four steps, in SageMaker's definition language 2020-12-01.

    DataPreProcessing ─▶ TrainModel ─▶ ModelEvaluation ─▶ RegisterModel (always pending)

Keys in the data bucket:

    code/<sha256>/processing/…, sourcedir.tar.gz     step code, by the hash of its content (publish.py)
    batches/<model>/<batch>/manifest.json            the object versions of a batch
    runs/<model>/<execution-id>/data/…               Parquet files between two steps; they expire
    models/<model>/<execution-id>/…                  evaluation, data report and profile, training rows, model
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline_def.images import image_uri
from pipeline_def.instances import has_local_disks
from pipeline_def.retries import JOB_RETRIES, THROTTLED

Json = dict[str, Any]
"""A part of the definition as plain data."""

CODE: Final = "/opt/ml/processing/input/code"
"""The folder of a processing job's scripts and of model.json."""

MODEL: Final = "/opt/ml/processing/input/model"
"""The folder of the candidate's model.tar.gz."""

PROFILE: Final = "/opt/ml/processing/input/profile"
"""The folder of data_profile.json."""

REPORT: Final = "/opt/ml/processing/input/report"
"""The folder of data_report.json."""

TRAINING_ROWS: Final = "/opt/ml/processing/input/training-rows"
"""The folder of training_rows.parquet."""

VALIDATION: Final = "/opt/ml/processing/input/validation"
"""The folder of the validation rows."""

OUTPUT: Final = "/opt/ml/processing/output"
"""The folder of a processing job's outputs; each has a folder of its own in it."""

HOUR: Final = 3600
"""Seconds."""

VOLUME_GB: Final = 30
"""The size of a job's volume."""

QUIET_THREADS: Final = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Stops idle threads of boosting from spinning. On a busy machine that made a fit of 0.1 s take 20 s."""


@dataclass(frozen=True)
class Place:
    """One model and where it is deployed; what the builders of the steps need to know.

    `model` is a validated ModelConfig as plain data, `name` its name. `kms_key` is the ARN of a key.
    """

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
        """The name of the pipeline and of the model package group."""
        return f"{self.prefix}-{self.name}"

    @property
    def image(self) -> str:
        """The address of the scikit-learn image. Raises ValueError as `image_uri`."""
        return image_uri(self.region)

    @property
    def code(self) -> str:
        """The S3 URI of the folder of the step code."""
        return f"s3://{self.bucket}/code/{self.code_sha256}"

    @property
    def volume_key(self) -> str | None:
        """The ARN of the key of the jobs' volumes; None without `kms_key`, and for disks with own keys."""
        return None if has_local_disks(self.model["training"]["instance_type"]) else self.kms_key

    @property
    def vpc(self) -> Json | None:
        """The network of the jobs; None for a network of SageMaker's own."""
        if not self.subnets:
            return None
        return {"SecurityGroupIds": list(self.security_groups), "Subnets": list(self.subnets)}

    def of_execution(self, root: str, *below: str) -> Json:
        """`s3://<bucket>/<root>/<model>/<execution-id>/<below>`; SageMaker resolves it in each execution."""
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

    `model` is a validated ModelConfig as plain data. `code_sha256` names the published step code. `kms_key`
    encrypts outputs, and volumes on instances without disks of their own. Raises ValueError if SageMaker
    does not host the image in `region`.
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
            parameter("Anchor", "first" if asks_anchor(model) else "none"),
            parameter("Trigger", "manual"),
            parameter("ProcessingInstanceType", instance_type),
            parameter("TrainingInstanceType", instance_type),
        ],
        "Steps": [preprocessing(place), training(place), evaluation(place), registration(place)],
    }


def asks_anchor(model: Mapping[str, Any]) -> bool:
    """Whether a rule of the model compares with its anchor. Without one, no execution loads the anchor."""
    return any(rule.get("versus_anchor") for rule in model.get("approval", {}).get("rules", ()))


def preprocessing(place: Place) -> Json:
    """The step DataPreProcessing: a batch in, Parquet and a data report out."""
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
        "RetryPolicies": list(JOB_RETRIES),
    }


def training(place: Place) -> Json:
    """The step TrainModel: the training rows in, model.tar.gz out."""
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
            "InputDataConfig": [channel("train", output_of("DataPreProcessing", "train"))],
            "OutputDataConfig": {
                "S3OutputPath": place.of_execution("models"),
                **given(KmsKeyId=place.kms_key),
            },
            "ResourceConfig": {
                "InstanceType": get("Parameters.TrainingInstanceType"),
                "InstanceCount": 1,
                "VolumeSizeInGB": VOLUME_GB,
                **given(VolumeKmsKeyId=place.volume_key),
            },
            **given(VpcConfig=place.vpc),
            "Environment": QUIET_THREADS,
            "StoppingCondition": {"MaxRuntimeInSeconds": 4 * HOUR},
            "RoleArn": place.role_arn,
        },
        "RetryPolicies": list(JOB_RETRIES),
    }


def evaluation(place: Place) -> Json:
    """The step ModelEvaluation: the model and the validation rows in, evaluation.json out."""
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
                *("--anchor", get("Parameters.Anchor")),
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
        "RetryPolicies": list(JOB_RETRIES),
    }


def registration(place: Place) -> Json:
    """The step RegisterModel: it waits for ModelEvaluation, to whose output it refers.

    It runs no job, so only the errors of its own call can be retried.
    """
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
            "InferenceSpecification": serving(place),
            "CustomerMetadataProperties": {
                "execution": get("Execution.PipelineExecutionArn"),
                "batch": get("Parameters.Batch"),
                "trigger": get("Parameters.Trigger"),
                "codeSha256": place.code_sha256,
            },
        },
        "RetryPolicies": [THROTTLED],
    }


def serving(place: Place) -> Json:
    """How the registered model is served: the image, and inference.py in the model's folder code/."""
    return {
        "Containers": [
            {
                "Image": place.image,
                "ModelDataUrl": get("Steps.TrainModel.ModelArtifacts.S3ModelArtifacts"),
                "Environment": {
                    # The container tries to import inference.py, and else installs its folder by pip. That
                    # asks PyPI, which an endpoint in a VPC may not reach (sagemaker_containers 2.8.6).
                    "PYTHONPATH": "/opt/ml/model/code",
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
    }


def channel(name: str, uri: Json) -> Json:
    """The Parquet files under `uri`, copied to the training job's folder of this name."""
    return {
        "ChannelName": name,
        "ContentType": "application/x-parquet",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def processing_job(
    place: Place, *, script: str, arguments: list[Any], inputs: list[Json], outputs: list[Json]
) -> Json:
    """The arguments of CreateProcessingJob: the image's Python runs `script` of the published code."""
    return {
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": get("Parameters.ProcessingInstanceType"),
                "InstanceCount": 1,
                "VolumeSizeInGB": VOLUME_GB,
                **given(VolumeKmsKeyId=place.volume_key),
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
    """The objects under `uri`, or the object `uri`, copied to `path` before the script starts."""
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
    """The files of the output folder `name`, copied to `uri` after the script succeeded."""
    return {
        "OutputName": name,
        "AppManaged": False,
        "S3Output": {"S3Uri": uri, "LocalPath": f"{OUTPUT}/{name}", "S3UploadMode": "EndOfJob"},
    }


def parameter(name: str, default: str) -> Json:
    """A parameter with a default. Every one has one, so that start-pipeline-execution needs no parameter."""
    return {"Name": name, "Type": "String", "DefaultValue": default}


def given(**members: str | Json | None) -> Json:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value}


def get(path: str) -> Json:
    """A reference that SageMaker resolves, such as `Parameters.Batch`."""
    return {"Get": path}


def join(on: str, *values: str | Json) -> Json:
    """The values joined by `on`, which SageMaker does in each execution."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def reported(name: str) -> Json:
    """The S3 URI of a file that DataPreProcessing writes beside the model."""
    return join("/", output_of("DataPreProcessing", "report"), name)


def output_of(step: str, output: str) -> Json:
    """The S3 URI of a processing step's output."""
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri")
