"""Make tests/samples/ anew, by running the steps on the Titanic: python -m tests.pipeline_def.make_samples

The champion of the sample was trained on an older batch that held ten of today's validation rows.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from tests.pipeline_def.helpers import (
    BUCKET,
    SAMPLES,
    TITANIC,
    Run,
    land,
    land_titanic,
    register,
    titanic_config,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


def evaluation(s3: S3Client, sagemaker: SageMakerClient, folder: Path) -> dict[str, Any]:
    """evaluation.json of a second execution, with the first one's model as champion."""
    train = (TITANIC / "train.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    validation = (TITANIC / "validation.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    land(s3, "curated/titanic/train.csv", "".join(train[:901] + validation[1:11]))
    land(s3, "curated/titanic/validation.csv", "".join(validation[:1] + train[901:]))
    first = Run(folder / "first", s3, titanic_config(), "p1q2r3s4t5u6")
    assert first.preprocess() == 0
    first.train()
    champion = register(sagemaker, first, approvedAt="2026-11-16T06:00:00Z")
    land_titanic(s3)
    second = Run(folder / "second", s3, titanic_config(), "v7w8x9y0z1a2")
    assert second.preprocess() == 0
    second.train()
    return second.evaluate(champion)


def main() -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1"}
    with mock_aws(), tempfile.TemporaryDirectory() as folder:
        s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        text = json.dumps(evaluation(s3, sagemaker, Path(folder)), indent=1)
    (SAMPLES / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    (SAMPLES / "model.json").write_text(
        json.dumps(titanic_config(), indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
