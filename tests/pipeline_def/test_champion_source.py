"""DataPreProcessing of own code lays out champion and anchor: their packages, and models that are ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipeline_def.helpers import BUCKET, ROLE, Run, create_training_job, land, register
from tests.pipeline_def.own_code import OWN, OwnRun
from tests.pipeline_def.runs import CSV

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = pytest.mark.slow


@pytest.fixture
def own(s3: S3Client, tmp_path: Path, first: Run) -> OwnRun:  # noqa: ARG001
    land(s3, "curated/small/train.csv", CSV)
    return OwnRun(tmp_path / "own", s3, OWN, "bbbbbbbbbbbb")


def source(run: OwnRun, who: str) -> dict[str, Any]:
    """The source.json, with whether there is a model.tar.gz beside it."""
    folder = run.output / "models" / who
    found: dict[str, Any] = json.loads((folder / "source.json").read_text())
    return {**found, "model": (folder / "model.tar.gz").exists()}


NONE = {"package": None, "image": None, "problem": None, "model": False}


def test_latest_and_first_are_the_approved_packages(
    own: OwnRun, first: Run, sagemaker: SageMakerClient
) -> None:
    old, new = (register(sagemaker, first, approvedAt=f"2026-01-0{day}T00:00:00Z") for day in (1, 2))
    register(sagemaker, first, "PendingManualApproval")

    assert own.preprocess(champion="latest", anchor="first") == 0

    for who, package in (("champion", new), ("anchor", old)):
        assert source(own, who) == {"package": package, "image": "image", "problem": None, "model": True}
    archive = (own.output / "models" / "champion" / "model.tar.gz").read_bytes()
    assert archive == (first.folder / "model.tar.gz").read_bytes()


def test_none_and_a_group_without_an_approved_package_are_none(
    own: OwnRun, first: Run, sagemaker: SageMakerClient
) -> None:
    register(sagemaker, first, "Rejected")

    assert own.preprocess(champion="latest", anchor="none") == 0

    assert (source(own, "champion"), source(own, "anchor")) == (NONE, NONE)


def test_a_package_that_is_given_is_taken(own: OwnRun, first: Run, sagemaker: SageMakerClient) -> None:
    given, _ = (register(sagemaker, first) for _ in range(2))

    assert own.preprocess(champion=given) == 0

    assert source(own, "champion")["package"] == given


def test_a_model_that_no_job_of_ours_wrote_is_not_laid_out(
    s3: S3Client, own: OwnRun, first: Run, sagemaker: SageMakerClient
) -> None:
    key = f"models/small/{first.execution_id}/borrowed/output/model.tar.gz"
    s3.upload_file(str(first.folder / "model.tar.gz"), BUCKET, key)
    create_training_job(sagemaker, "borrowed", f"s3://{BUCKET}/models/small/{first.execution_id}", f"{ROLE}2")
    sagemaker.create_model_package_group(ModelPackageGroupName="handsoff-small")
    package = sagemaker.create_model_package(
        ModelPackageGroupName="handsoff-small",
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": "image", "ModelDataUrl": f"s3://{BUCKET}/{key}"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]

    assert own.preprocess(champion="latest") == 0

    assert source(own, "champion") == {
        "package": package,
        "image": None,
        "problem": f"training job borrowed ran as {ROLE}2, not as {ROLE}: not loaded",
        "model": False,
    }


def test_a_model_that_is_gone_is_not_laid_out(
    s3: S3Client, own: OwnRun, first: Run, sagemaker: SageMakerClient
) -> None:
    register(sagemaker, first)
    s3.delete_object(Bucket=BUCKET, Key=first.model_url.removeprefix(f"s3://{BUCKET}/"))

    assert own.preprocess(champion="latest") == 0

    found = source(own, "champion")
    assert (found["problem"], found["model"]) == (
        f"its model, {first.model_url}, cannot be read: 404",
        False,
    )


def test_a_model_with_a_built_in_estimator_has_no_outputs_of_own_code(first: Run) -> None:
    assert sorted(path.name for path in first.output.iterdir()) == ["report", "train", "validation"]
