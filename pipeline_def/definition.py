"""The pipeline of one model as plain data, in SageMaker's definition language 2020-12-01.

A model with a built-in estimator has four steps:

    DataPreProcessing ─▶ TrainModel ─▶ ModelEvaluation ─▶ RegisterModel (always pending)

A model of own code is scored in its own image first, and so are its champion and its anchor (own_model.py):

    DataPreProcessing ─▶ TrainModel ─▶ ScoreCandidate ┐
            └─────────────────────────▶ ScoreChampion ┼─▶ ModelEvaluation ─▶ RegisterModel
                                        (ScoreAnchor) ┘

Keys in the data bucket:

    code/<sha256>/processing/…, scoring/…, sourcedir.tar.gz     code, by the hash of its content (publish.py)
    batches/<model>/<batch>/manifest.json            the object versions of a batch
    runs/<model>/<execution-id>/data/…               Parquet files between two steps; they expire
    models/<model>/<execution-id>/…                  evaluation, data report and profile, training rows, model
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline_def import own_model
from pipeline_def.jobs import (
    CODE,
    HOUR,
    MODEL,
    OUTPUT,
    PROFILE,
    QUIET_THREADS,
    REPORT,
    TRAINING_ROWS,
    VALIDATION,
    Place,
    channel,
    processing_job,
    reported,
    s3_input,
    s3_output,
)
from pipeline_def.language import Json, get, given, join, output_of, parameter
from pipeline_def.retries import JOB_RETRIES, THROTTLED


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
    requirements: bool = False,
) -> Json:
    """The definition that CreatePipeline takes, before it becomes JSON. Pure.

    `model` is a validated ModelConfig as plain data. `code_sha256` names the published step code. `kms_key`
    encrypts outputs, and volumes on instances without disks of their own. `requirements` says whether own
    code has a requirements.txt. Raises ValueError if SageMaker does not host an image in `region`.
    """
    place = Place(
        *(model, name, prefix, bucket, role_arn, region, code_sha256),
        *(subnets, security_groups, kms_key, requirements),
    )
    anchored = asks_anchor(model)
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": parameters(place, anchored),
        "Steps": [
            preprocessing(place),
            training(place),
            *(own_model.scorings(place, anchored) if place.own_code else ()),
            evaluation(place, anchored),
            registration(place),
        ],
    }


def parameters(place: Place, anchored: bool) -> list[Json]:
    """The pipeline's parameters, with the values of a start that names none."""
    return [
        parameter("Batch", "latest"),
        parameter("Champion", "latest"),
        parameter("Anchor", "first" if anchored else "none"),
        parameter("Trigger", "manual"),
        parameter("ProcessingInstanceType", place.processing_type),
        parameter("TrainingInstanceType", place.training_type),
        *(own_model.parameters(place, anchored) if place.own_code else ()),
    ]


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
                *(own_model.compared(place) if place.own_code else ()),
                *("--output", OUTPUT),
            ],
            inputs=[],
            outputs=[
                s3_output("train", place.of_execution("runs", "data", "train")),
                s3_output("validation", place.of_execution("runs", "data", "validation")),
                s3_output("report", place.of_execution("models")),
                *(own_model.preprocessed(place) if place.own_code else ()),
            ],
        ),
        "RetryPolicies": list(JOB_RETRIES),
    }


def training(place: Place) -> Json:
    """The step TrainModel: the training rows in, model.tar.gz out."""
    own = place.own_code
    job = {
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": place.training_image},
        "HyperParameters": {  # script mode reads each value as JSON
            **(own_model.hyperparameters(place) if own else {"sagemaker_program": '"train.py"'}),
            "sagemaker_submit_directory": f'"{place.code}/sourcedir.tar.gz"',
            "sagemaker_region": f'"{place.region}"',
            "sagemaker_container_log_level": "20",
        },
        "InputDataConfig": (
            own_model.channels(place) if own else [channel("train", output_of("DataPreProcessing", "train"))]
        ),
        "OutputDataConfig": {"S3OutputPath": place.of_execution("models"), **given(KmsKeyId=place.kms_key)},
        "ResourceConfig": {
            "InstanceType": get("Parameters.TrainingInstanceType"),
            "InstanceCount": place.training.get("instance_count", 1),
            **place.volume(place.training_type),
        },
        **given(VpcConfig=place.vpc),
        "Environment": QUIET_THREADS,
        **stopping(place),
        "RoleArn": place.role_arn,
    }
    return {"Name": "TrainModel", "Type": "Training", "Arguments": job, "RetryPolicies": list(JOB_RETRIES)}


def stopping(place: Place) -> Json:
    """When the training job ends at the latest; on spare capacity also where it keeps its checkpoints.

    MaxWaitTimeInSeconds is the time for waiting and running. A retry of the step finds the checkpoints.
    """
    runs = place.max_runtime
    if not place.training.get("spot"):
        return {"StoppingCondition": {"MaxRuntimeInSeconds": runs}}
    return {
        "StoppingCondition": {"MaxRuntimeInSeconds": runs, "MaxWaitTimeInSeconds": runs + 24 * HOUR},
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": place.of_execution("runs", "checkpoints")},
    }


def evaluation(place: Place, anchored: bool) -> Json:
    """The step ModelEvaluation: model or predictions, and the validation rows in; evaluation.json out."""
    if place.own_code:
        models, compared = own_model.predicted(anchored)
    else:
        models = [s3_input("model", get("Steps.TrainModel.ModelArtifacts.S3ModelArtifacts"), MODEL)]
        compared = ["--champion", get("Parameters.Champion"), "--anchor", get("Parameters.Anchor")]
    return {
        "Name": "ModelEvaluation",
        "Type": "Processing",
        "Arguments": processing_job(
            place,
            script="evaluate.py",
            arguments=[
                *("--config", f"{CODE}/model.json"),
                *(() if place.own_code else ("--model", MODEL)),
                *("--validation", VALIDATION),
                *("--training-rows", f"{TRAINING_ROWS}/training_rows.parquet"),
                *("--report", f"{REPORT}/data_report.json"),
                *("--profile", f"{PROFILE}/data_profile.json"),
                *("--bucket", place.bucket),
                *("--group", place.full_name),
                *("--role", place.role_arn),
                *compared,
                *("--execution", get("Execution.PipelineExecutionArn")),
                *("--output", f"{OUTPUT}/evaluation"),
            ],
            inputs=[
                *models,
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
                **(own_model.noted(place) if place.own_code else {}),
            },
        },
        "RetryPolicies": [THROTTLED],
    }


def serving(place: Place) -> Json:
    """How the registered model is served: the image, and inference.py in the model's folder code/."""
    if place.own_code:
        return own_model.serving(place)
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
