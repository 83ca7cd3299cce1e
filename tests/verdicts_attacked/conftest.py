"""What should not be approved, tried: from landed files to the verdict, through the steps and the rules.

Each test lands files, runs the steps of an execution in this process, and judges what they wrote by rules
that a user might write. Everything is seeded. AWS is moto's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pipeline_def.conftest import aws, base_dir, one_thread, s3, sagemaker, undrawn
from tests.verdicts_attacked.lab import Lab

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

__all__ = ["aws", "base_dir", "lab", "one_thread", "s3", "sagemaker", "undrawn"]


@pytest.fixture
def lab(s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, undrawn: None) -> Lab:  # noqa: ARG001
    return Lab(s3, sagemaker, tmp_path)
