"""Publishing: code named by its content, a deterministic definition, and nothing uploaded twice."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pipeline_def.publish import (
    Published,
    code_files,
    code_objects,
    code_sha256,
    package_zip,
    publish,
    render,
    step_config,
    tar_gz,
    upload,
)
from tests.pipeline_def.helpers import BUCKET, SAMPLES, STEPS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

ROLE = "arn:aws:iam::123456789012:role/handsoff-sagemaker"


ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic"


def rendered(model: dict[str, Any], role_arn: str = ROLE) -> str:
    files = code_files(model, "titanic")
    return render(
        "titanic", model, files, prefix="handsoff", bucket=BUCKET, role_arn=role_arn, region="us-east-1"
    )


def publish_titanic(aws: boto3.Session, model: dict[str, Any], role_arn: str = ROLE) -> Published:
    return publish(
        "titanic",
        code_files(model, "titanic"),
        rendered(model, role_arn),
        prefix="handsoff",
        bucket=BUCKET,
        role_arn=role_arn,
        s3=aws.client("s3"),
        sagemaker=aws.client("sagemaker"),
    )


@pytest.fixture
def pipeline(sagemaker: SageMakerClient, model: dict[str, Any]) -> None:
    """The pipeline as Terraform creates it."""
    sagemaker.create_pipeline(
        PipelineName="handsoff-titanic",
        PipelineDefinition=rendered(model),
        ClientRequestToken="t" * 32,
        RoleArn=ROLE,
    )


class Earlier:
    """S3 whose listing is older than every object."""

    def __init__(self, s3: S3Client) -> None:
        self._s3 = s3

    def get_paginator(self, _operation: str) -> Any:
        return self

    def paginate(self, **_request: str) -> list[dict[str, Any]]:
        return [{}]

    def put_object(self, **request: Any) -> Any:
        return self._s3.put_object(**request)


def everything(s3: S3Client) -> dict[str, str]:
    """Version ids by key. An object that is written again has another one."""
    return {item["Key"]: item["VersionId"] for item in s3.list_object_versions(Bucket=BUCKET)["Versions"]}


def test_step_config_is_the_sample(model: dict[str, Any]) -> None:
    assert step_config(model, "titanic") == json.loads((SAMPLES / "model.json").read_text())


def test_step_config_has_classes_and_boolean_features(model: dict[str, Any]) -> None:
    model |= {"task": "multiclass_classification", "classes": ("a", "b", "c")}
    model["features"]["boolean"] = ["alone"]
    config = step_config(model, "titanic")
    assert (config["task"], config["classes"]) == ("multiclass_classification", ["a", "b", "c"])
    assert config["features"]["boolean"] == ["alone"]


def test_code_sha256_depends_on_paths_and_contents_only() -> None:
    assert code_sha256({"processing/a.py": b"print(1)\n"}) == (
        "4fa1014b187fcd3cc76ffb7b5b88d53a73e89c3fc7a5ae8ae0bb4b73ee421fe0"
    )
    assert code_sha256({"a": b"1", "b": b"2"}) == code_sha256({"b": b"2", "a": b"1"})
    assert code_sha256({"a": b"1", "b": b"2"}) != code_sha256({"a": b"2", "b": b"1"})


def test_tar_gz_has_the_same_bytes_on_any_machine() -> None:
    packed = tar_gz({"train.py": b"x", "inference.py": b"y"})
    assert packed == tar_gz({"inference.py": b"y", "train.py": b"x"})
    assert packed[3:8] == b"\0\0\0\0\0"  # gzip: no file name, no time
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
        found = [(item.name, item.mtime, item.uid, item.gid, item.uname, item.mode) for item in archive]
    assert found == [("inference.py", 0, 0, 0, "", 0o644), ("train.py", 0, 0, 0, "", 0o644)]


def test_package_zip_is_the_pinned_package_with_its_licence_byte_for_byte() -> None:
    """A mending of the package, or another version of it, changes the hash of the code."""
    packed = package_zip("drawsvg")
    assert hashlib.sha256(packed).hexdigest() == (
        "e0e7cf1bac63aaec9d86034606810820b7a00666ce9b867bffbe9ac79045c6f9"
    )
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert names == sorted(names)
    assert {"drawsvg/__init__.py", "drawsvg-2.4.2.dist-info/licenses/LICENSE.txt"} <= set(names)
    assert {name.rpartition(".")[2] for name in names} == {"py", "txt"}


def test_code_files_change_with_slices_but_not_with_rules_or_instances(model: dict[str, Any]) -> None:
    before = code_sha256(code_files(model, "titanic"))
    model["approval"]["rules"][0]["min"] = 0.5
    model["training"]["instance_type"] = "ml.m5.4xlarge"
    assert code_sha256(code_files(model, "titanic")) == before
    model["approval"]["rules"].append({"metric": "recall", "slice": {"pclass": "3"}, "min": 0.5})
    assert code_sha256(code_files(model, "titanic")) != before


def test_code_objects_hold_each_script_where_its_job_needs_it(model: dict[str, Any]) -> None:
    objects = code_objects(code_files(model, "titanic"))
    scripts = {path.name for path in STEPS.glob("*.py")}
    assert {"preprocess.py", "data_profile.py", "evaluate.py", "train.py", "inference.py"} <= scripts
    processing = {f"processing/{name}" for name in scripts - {"train.py"}}
    drawing = "processing/drawsvg.zip"
    assert set(objects) == processing | {drawing, "processing/model.json", "sourcedir.tar.gz"}
    with tarfile.open(fileobj=io.BytesIO(objects["sourcedir.tar.gz"]), mode="r:gz") as archive:
        assert archive.getnames() == [
            *(
                "cells.py",
                "dates.py",
                "inference.py",
                "job.py",
                "kept_rows.py",
                "model.json",
                "reasons.py",
                "search.py",
                "serving_request.py",
                "train.py",
                "tree_matrix.py",
            )
        ]


@pytest.mark.slow
@pytest.mark.usefixtures("pipeline")
def test_publish_new_pipeline_uploads_its_code_once(
    aws: boto3.Session, s3: S3Client, model: dict[str, Any]
) -> None:
    sha256 = code_sha256(code_files(model, "titanic"))
    assert publish_titanic(aws, model) == Published(ARN, sha256, "unchanged")
    there = everything(s3)
    objects = code_objects(code_files(model, "titanic"))
    assert set(there) == {f"code/{sha256}/{path}" for path in objects}
    assert publish_titanic(aws, model) == Published(ARN, sha256, "unchanged")
    assert everything(s3) == there


@pytest.mark.slow
def test_upload_leaves_an_object_that_another_call_uploaded(s3: S3Client, model: dict[str, Any]) -> None:
    """S3 refuses to overwrite it; the other objects are uploaded."""
    sha256 = code_sha256(code_files(model, "titanic"))
    theirs = f"code/{sha256}/processing/model.json"
    s3.put_object(Bucket=BUCKET, Key=theirs, Body=b"theirs")
    earlier: Any = Earlier(s3)
    assert upload(code_files(model, "titanic"), bucket=BUCKET, s3=earlier) == sha256
    assert set(everything(s3)) == {
        f"code/{sha256}/{path}" for path in code_objects(code_files(model, "titanic"))
    }
    assert s3.get_object(Bucket=BUCKET, Key=theirs)["Body"].read() == b"theirs"


def test_upload_other_errors_of_s3_are_raised(s3: S3Client, model: dict[str, Any]) -> None:
    earlier: Any = Earlier(s3)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        upload(code_files(model, "titanic"), bucket="there-is-none", s3=earlier)


@pytest.mark.slow
def test_publish_missing_pipeline_is_an_error_and_is_not_created(
    aws: boto3.Session, sagemaker: SageMakerClient, model: dict[str, Any]
) -> None:
    """Terraform creates pipelines. It could not create one that exists."""
    sagemaker.create_pipeline(
        PipelineName="handsoff-titanic-two",
        PipelineDefinition="{}",
        ClientRequestToken="t" * 32,
        RoleArn=ROLE,
    )
    with pytest.raises(ClientError, match="DescribePipeline"):
        publish_titanic(aws, model)
    names = [item["PipelineName"] for item in sagemaker.list_pipelines()["PipelineSummaries"]]
    assert names == ["handsoff-titanic-two"]


@pytest.mark.slow
@pytest.mark.usefixtures("pipeline")
def test_publish_changed_definition_updates_the_pipeline(
    aws: boto3.Session, s3: S3Client, sagemaker: SageMakerClient, model: dict[str, Any]
) -> None:
    first = publish_titanic(aws, model)
    there = everything(s3)
    model["training"]["instance_type"] = "ml.m5.xlarge"
    second = publish_titanic(aws, model)
    assert (second.change, second.code_sha256) == ("updated", first.code_sha256)
    assert everything(s3) == there
    stored = sagemaker.describe_pipeline(PipelineName="handsoff-titanic")["PipelineDefinition"]
    assert stored == rendered(model)


@pytest.mark.slow
@pytest.mark.usefixtures("pipeline")
def test_publish_same_json_in_another_layout_changes_nothing(
    aws: boto3.Session, sagemaker: SageMakerClient, model: dict[str, Any]
) -> None:
    publish_titanic(aws, model)
    stored = sagemaker.describe_pipeline(PipelineName="handsoff-titanic")["PipelineDefinition"]
    sagemaker.update_pipeline(
        PipelineName="handsoff-titanic", PipelineDefinition=json.dumps(json.loads(stored))
    )
    assert publish_titanic(aws, model).change == "unchanged"


@pytest.mark.slow
@pytest.mark.usefixtures("pipeline")
def test_publish_another_role_updates_the_pipeline(
    aws: boto3.Session, sagemaker: SageMakerClient, model: dict[str, Any]
) -> None:
    sagemaker.update_pipeline(PipelineName="handsoff-titanic", RoleArn=f"{ROLE}-2")
    assert publish_titanic(aws, model).change == "updated"
    assert sagemaker.describe_pipeline(PipelineName="handsoff-titanic")["RoleArn"] == ROLE


@pytest.mark.slow
@pytest.mark.usefixtures("pipeline")
def test_publish_changed_code_keeps_the_old_code(
    aws: boto3.Session, s3: S3Client, model: dict[str, Any]
) -> None:
    first = publish_titanic(aws, model)
    there = everything(s3)
    model["training"]["estimator"] = "random_forest"
    second = publish_titanic(aws, model)
    assert second.code_sha256 != first.code_sha256
    assert there.items() <= everything(s3).items()


def test_render_is_sorted_json_that_ends_with_a_newline(model: dict[str, Any]) -> None:
    text = rendered(model)
    assert text.endswith("}\n")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
