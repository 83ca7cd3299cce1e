"""A registered model package and its artifact, without AWS: what reading them asks of SageMaker and S3."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from handsoff.location import Location
from retraining.config.schema import Config, parse_config
from tests.functions.fakes import ROOT

BUCKET = "handsoff-data-123456789012-us-east-1"
KEY = "models/titanic/exec1/pipelines-exec1-TrainModel-a/output/model.tar.gz"
ROLE = "arn:aws:iam::123456789012:role/handsoff-pipeline"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ENDED = datetime(2026, 11, 23, 7, 0, 0, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/{}"


def refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "it does not exist"}}, operation)


class Registered:
    """A deployment with the package handsoff-titanic/1, whose model a training job of the pipeline wrote.

    Change `job`, `uri`, `written` or `approved` to have another one.
    """

    def __init__(self, archive: Path, config: Config | None = None) -> None:
        values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
        self.config = config or parse_config(values, source="handsoff.yaml")
        self.prefix, self.bucket, self.account, self.partition = "handsoff", BUCKET, "123456789012", "aws"
        self.location = Location("123456789012", "us-east-1", "aws")
        self.s3 = self.sagemaker = self.session = self
        self.region_name = "us-east-1"
        self.archive = archive
        self.uri: str | None = f"s3://{BUCKET}/{KEY}"
        self.written = ENDED
        self.approved = True
        self.job: dict[str, Any] | None = {
            "ModelArtifacts": {"S3ModelArtifacts": self.uri},
            "RoleArn": ROLE,
            "TrainingEndTime": ENDED,
        }

    def resource_name(self, model: str) -> str:
        return f"handsoff-{model}"

    def list_model_packages(self, **_: Any) -> dict[str, Any]:
        return {"ModelPackageSummaryList": [{"ModelPackageArn": ARN.format(1)}] if self.approved else []}

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:
        if ModelPackageName != ARN.format(1):
            raise refused("ValidationException", "DescribeModelPackage")
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageGroupName": "handsoff-titanic",
            "ModelApprovalStatus": "Approved" if self.approved else "Rejected",
            "CreationTime": ENDED,
            "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ModelDataUrl": self.uri}]},
        }

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:
        if self.job is None or TrainingJobName != KEY.split("/")[3]:
            raise refused("ValidationException", "DescribeTrainingJob")
        return self.job

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert (Bucket, Key) == (BUCKET, KEY)
        if not self.archive.exists():
            raise refused("404", "HeadObject")
        return {"LastModified": self.written, "ETag": '"etag"'}

    def get_object(self, *, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:
        assert (Bucket, Key, IfMatch) == (BUCKET, KEY, '"etag"')
        data = self.archive.read_bytes()
        return {"Body": StreamingBody(io.BytesIO(data), len(data))}
