"""Uploads the step code to the data bucket, and updates the pipeline in SageMaker.

The code is stored under the hash of its content and is never changed or deleted, because running executions
read it. An object that is already there is not uploaded again, so publishing twice changes nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from pipeline_def.definition import pipeline_definition

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

STEPS: Final = Path(__file__).parent / "steps"
"""The folder of the step scripts."""

SERVING: Final = ("cells.py", "inference.py", "serving_request.py")
"""The scripts that the training job puts beside the model that it trains."""

TRAINING: Final = (*SERVING, "job.py", "train.py")
"""The scripts of the training job."""

PROCESSING: Final = tuple(sorted({script.name for script in STEPS.glob("*.py")} - {"train.py"}))
"""The scripts of the processing jobs. They read a cell's text by cells.py, as serving does."""


@dataclass(frozen=True)
class Published:
    """A pipeline whose code is uploaded: `code_sha256` names the code, `change` says what the call did."""

    pipeline_arn: str
    code_sha256: str
    change: Literal["updated", "unchanged"]


def step_config(model: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The part of a model's config that the steps read; job.py parses it.

    `model` is a ModelConfig as plain data. Rules and instance types are left out, so they do not change the
    hash of the code. The slices that rules name are in it.
    """
    slices: list[dict[str, str]] = []
    for rule in model.get("approval", {}).get("rules", []):
        if (where := rule.get("slice")) and where not in slices:
            slices.append(dict(where))
    return {
        "name": name,
        "task": model["task"],
        "target": model["target"],
        "classes": list(model["classes"]),
        "features": {
            "numeric": list(model["features"].get("numeric", [])),
            "categorical": list(model["features"].get("categorical", [])),
            "boolean": list(model["features"].get("boolean", [])),
        },
        "training": {"estimator": model["training"]["estimator"]},
        "slices": slices,
        "data": model["data"],
        "marker": model["retrain"]["ready"].get("marker"),
    }


def code_files(model: Mapping[str, Any], name: str) -> dict[str, bytes]:
    """The step code by path. `processing/…` are uploaded as they are, `sourcedir/…` in one tar.gz."""
    config = _json(step_config(model, name)).encode()
    files = {f"processing/{script}": (STEPS / script).read_bytes() for script in PROCESSING}
    files |= {f"sourcedir/{script}": (STEPS / script).read_bytes() for script in TRAINING}
    return {"processing/model.json": config, "sourcedir/model.json": config, **files}


def code_sha256(files: Mapping[str, bytes]) -> str:
    """SHA-256 of paths and contents, 64 hexadecimal digits: the same on any machine, with any zlib."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    """An archive with the same bytes on any machine: sorted paths, owned by root, made at the epoch."""
    raw = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def code_objects(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The objects to upload, by their keys below `code/<sha256>/`."""
    source = {
        path.removeprefix("sourcedir/"): data for path, data in files.items() if path.startswith("sourcedir/")
    }
    plain = {path: data for path, data in files.items() if path.startswith("processing/")}
    return {**plain, "sourcedir.tar.gz": tar_gz(source)}


def render(
    name: str,
    model: Mapping[str, Any],
    *,
    prefix: str,
    bucket: str,
    role_arn: str,
    region: str,
    subnets: Sequence[str] = (),
    security_groups: Sequence[str] = (),
    kms_key: str | None = None,
) -> str:
    """The definition as JSON, for SageMaker and Terraform. The same arguments give the same bytes.

    `model` is a ModelConfig dumped with `mode="json", exclude_none=True`. Raises ValueError if SageMaker does
    not host the image in `region`.
    """
    definition = pipeline_definition(
        model,
        name=name,
        prefix=prefix,
        bucket=bucket,
        role_arn=role_arn,
        region=region,
        code_sha256=code_sha256(code_files(model, name)),
        subnets=subnets,
        security_groups=security_groups,
        kms_key=kms_key,
    )
    return _json(definition)


def upload(name: str, model: Mapping[str, Any], *, bucket: str, s3: S3Client) -> str:
    """Upload the missing objects of a model's step code; returns its hash. Raises botocore's ClientError."""
    files = code_files(model, name)
    sha256 = code_sha256(files)
    upload_missing(s3, bucket, f"code/{sha256}/", code_objects(files))
    return sha256


def publish(
    name: str,
    model: Mapping[str, Any],
    definition: str,
    *,
    prefix: str,
    bucket: str,
    role_arn: str,
    session: Session,
) -> Published:
    """Upload the missing objects of the step code, then update the pipeline `<prefix>-<name>` if it differs.

    `definition` is what `render` returns. Terraform creates the pipeline; it could not if this did. Raises
    botocore's ClientError, also if there is no such pipeline.
    """
    sha256 = upload(name, model, bucket=bucket, s3=session.client("s3"))
    arn, change = _update(session.client("sagemaker"), f"{prefix}-{name}", definition, role_arn)
    return Published(arn, sha256, change)


def upload_missing(s3: S3Client, bucket: str, folder: str, objects: Mapping[str, bytes]) -> None:
    """Upload the missing objects. An object that another call uploaded meanwhile is not overwritten."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    present = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
    for key, content in sorted(objects.items()):
        if folder + key in present:
            continue
        try:
            s3.put_object(Bucket=bucket, Key=folder + key, Body=content, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise


def _update(
    sagemaker: SageMakerClient, pipeline: str, text: str, role_arn: str
) -> tuple[str, Literal["updated", "unchanged"]]:
    """Update the pipeline if its definition or role differs; returns its ARN."""
    current = sagemaker.describe_pipeline(PipelineName=pipeline)
    same = json.loads(current["PipelineDefinition"]) == json.loads(text)
    if same and current["RoleArn"] == role_arn:
        return current["PipelineArn"], "unchanged"
    updated = sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=text, RoleArn=role_arn)
    return updated["PipelineArn"], "updated"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
