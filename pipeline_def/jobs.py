"""The jobs of a pipeline's steps: where a model is deployed, and the arguments that all its jobs share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline_def.images import BUILT_IN, has_gpu, image_uri, inference_uri, training_uri
from pipeline_def.instances import has_local_disks
from pipeline_def.language import Json, get, given, join, output_of

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
"""The size of a job's volume, where a config of an earlier version names none."""

FOR_PROCESSING: Final = "ml.m5.xlarge"
"""The instance type of the processing jobs beside own code on GPUs, and beside types that only train."""

ONLY_TRAIN: Final = re.compile(r"ml\.(?:c5n|trn\d\w*|inf\d\w*)\.")
"""Instance types without GPUs that SageMaker has no processing jobs on, as botocore's lists of types say."""

QUIET_THREADS: Final = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Stops idle threads of boosting from spinning. On a busy machine that made a fit of 0.1 s take 20 s."""


@dataclass(frozen=True)
class Place:
    """One model and where it is deployed; what the builders of the steps need to know.

    `model` is a validated ModelConfig as plain data, `name` its name. `kms_key` is the ARN of a key. Own code
    whose requirements serving must install has `requirements`.
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
    requirements: bool = False

    @property
    def full_name(self) -> str:
        """The name of the pipeline and of the model package group."""
        return f"{self.prefix}-{self.name}"

    @property
    def training(self) -> Mapping[str, Any]:
        """How the model is trained: `training` of its config."""
        found: Mapping[str, Any] = self.model["training"]
        return found

    @property
    def own_code(self) -> bool:
        """Whether own code trains the model."""
        return self.training.get("source_dir") is not None

    @property
    def image(self) -> str:
        """The address of the steps' image. Raises ValueError as `image_uri`."""
        return image_uri(self.region)

    @property
    def training_image(self) -> str:
        """The address of the image that trains the model. Raises ValueError as `training_uri`."""
        return training_uri(self.training.get("image") or BUILT_IN, self.region, self.training_type)

    @property
    def inference_image(self) -> str:
        """The address of the image that serves the model. Raises ValueError as `inference_uri`."""
        return inference_uri(self.training.get("image") or BUILT_IN, self.region)

    @property
    def training_type(self) -> str:
        """The instance type of the training job, unless an execution names another one."""
        return str(self.training["instance_type"])

    @property
    def processing_type(self) -> str:
        """The instance type of the other jobs."""
        return processing_type(self.training_type, own_code=self.own_code)

    @property
    def max_runtime(self) -> int:
        """Seconds after which the training job is stopped."""
        return int(self.training.get("max_runtime", f"{4 * HOUR}s").removesuffix("s"))

    @property
    def code(self) -> str:
        """The S3 URI of the folder of the step code."""
        return f"s3://{self.bucket}/code/{self.code_sha256}"

    def volume(self, instance_type: str) -> Json:
        """The volume of a job's instances of this type. Disks with keys of their own take no other key."""
        key = None if has_local_disks(instance_type) else self.kms_key
        return {"VolumeSizeInGB": self.training.get("volume_gb", VOLUME_GB), **given(VolumeKmsKeyId=key)}

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


def processing_type(instance_type: str, *, own_code: bool) -> str:
    """The instance type of the jobs beside training. None of them uses GPUs, which own code may train on."""
    unfit = ONLY_TRAIN.match(instance_type) or (own_code and has_gpu(instance_type))
    return FOR_PROCESSING if unfit else instance_type


def channel(name: str, uri: Json, content_type: str = "application/x-parquet") -> Json:
    """The files under `uri`, copied to the training job's folder of this name."""
    return {
        "ChannelName": name,
        "ContentType": content_type,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def processing_job(
    place: Place,
    *,
    script: str,
    arguments: list[Any],
    inputs: list[Json],
    outputs: list[Json],
    image: str | Json | None = None,
    code: str = "processing",
    limit: int = 2 * HOUR,
) -> Json:
    """The arguments of CreateProcessingJob: the image's Python runs `script` of the published code.

    `code` is the folder of the published code that the job gets. `image` is an address, or a reference that
    SageMaker resolves; without it the steps' image is used. The job is stopped after `limit` seconds.
    """
    return {
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": get("Parameters.ProcessingInstanceType"),
                "InstanceCount": 1,
                **place.volume(place.processing_type),
            }
        },
        "AppSpecification": {
            "ImageUri": image or place.image,
            "ContainerEntrypoint": ["python3", f"{CODE}/{script}"],
            "ContainerArguments": arguments,
        },
        "Environment": {"AWS_DEFAULT_REGION": place.region, **QUIET_THREADS},
        "ProcessingInputs": [s3_input("code", f"{place.code}/{code}", CODE), *inputs],
        "ProcessingOutputConfig": {"Outputs": outputs, **given(KmsKeyId=place.kms_key)},
        **given(NetworkConfig=place.vpc and {"VpcConfig": place.vpc}),
        "StoppingCondition": {"MaxRuntimeInSeconds": limit},
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


def reported(name: str) -> Json:
    """The S3 URI of a file that DataPreProcessing writes beside the model."""
    return join("/", output_of("DataPreProcessing", "report"), name)
