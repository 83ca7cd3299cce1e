"""Uploads step code and own code to the data bucket, and updates the pipeline in SageMaker.

The code is stored under the hash of its content and is never changed or deleted, because running executions
read it. An object that is already there is not uploaded again, so publishing twice changes nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import files as files_of
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from pipeline_def.definition import pipeline_definition
from pipeline_def.images import framework, inference_uri
from pipeline_def.own_model import inference
from pipeline_def.source import read_source

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

STEPS: Final = Path(__file__).parent / "steps"
"""The folder of the step scripts."""

SERVING: Final = ("cells.py", "dates.py", "inference.py", "serving_request.py")
"""The scripts that the training job puts beside the model that it trains."""

TRAINING: Final = (
    *SERVING,
    "job.py",
    "kept_rows.py",
    "reasons.py",
    "search.py",
    "train.py",
    "tree_matrix.py",
)
"""The scripts of the training job."""

PROCESSING: Final = tuple(sorted({script.name for script in STEPS.glob("*.py")} - {"train.py"}))
"""The scripts of the processing jobs. They read a cell's text by cells.py, as serving does."""

TUNING: Final = ("hyperparameters", "class_weight", "search")
"""Keys of `training` that say how the estimator is fitted. A model without them has the code that it had."""

DRAWING: Final = "drawsvg"
"""The package that ModelEvaluation draws with. SageMaker's image has none, so its files are published."""

SCORING: Final = Path(__file__).parent / "scoring"
"""The folder of the scripts that score a model in its own image."""

ENTRY: Final = Path(__file__).parent / "own_code" / "handsoff_entry.py"
"""The script that starts own training code."""

WORDS: Final = SCORING / "handsoff_words.py"
"""The module by which that script and scoring tell errors; it lies beside both."""


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
    own = _own_code(model)
    return {
        "name": name,
        "task": model["task"],
        "target": model["target"],
        "classes": list(model["classes"]),
        "features": {
            "numeric": list(model["features"].get("numeric", [])),
            "categorical": list(model["features"].get("categorical", [])),
            "boolean": list(model["features"].get("boolean", [])),
            **({"date": list(dates)} if (dates := model["features"].get("date")) else {}),
        },
        "training": {} if own else _training(model["training"]),
        "slices": slices,
        "data": _data(model["data"], own=own),
        "marker": model["retrain"]["ready"].get("marker"),
        **({"inference": inference(model)} if own else {}),
        **({"show_values": True} if model.get("approvers", {}).get("show_values") else {}),
    }


def _data(data: Mapping[str, Any], *, own: bool) -> dict[str, Any]:
    """How files are written, and what own code gets. A format of its channels stands there if it is named."""
    without = {"channel_format"} if data.get("channel_format") != "csv" else set()
    return {key: value for key, value in data.items() if key not in without and (own or key != "columns")}


def _training(training: Mapping[str, Any]) -> dict[str, Any]:
    """The estimator, and how it is fitted as far as the config says it."""
    given = {name: training[name] for name in TUNING if training.get(name)}
    return {"estimator": training["estimator"], **given}


def _own_code(model: Mapping[str, Any]) -> bool:
    """Whether own code trains the model."""
    return model["training"].get("source_dir") is not None


def code_files(
    model: Mapping[str, Any], name: str, *, folder: Path = Path(), region: str = ""
) -> dict[str, bytes]:
    """A model's code by path. `sourcedir/…` are uploaded in one tar.gz, the others as they are.

    Own code is read from `folder`, that of handsoff.yaml, and names the image of `region` that serves the
    model. Raises SourceError if it cannot be read, and ValueError if SageMaker hosts no such image there.
    """
    config = _json(step_config(model, name)).encode()
    files = {f"processing/{script}": (STEPS / script).read_bytes() for script in PROCESSING}
    files |= {f"processing/{DRAWING}.zip": package_zip(DRAWING), "processing/model.json": config}
    if not _own_code(model):
        files |= {f"sourcedir/{script}": (STEPS / script).read_bytes() for script in TRAINING}
        return files | {"sourcedir/model.json": config}
    source = read_source(model, folder)
    files |= {f"sourcedir/{path}": content for path, content in source.items()}
    files |= {f"scoring/{script.name}": script.read_bytes() for script in SCORING.glob("*.py")}
    contract = own_contract(model, name, sorted(source), region)
    return files | {
        f"sourcedir/{ENTRY.name}": ENTRY.read_bytes(),
        f"sourcedir/{WORDS.name}": WORDS.read_bytes(),
        "sourcedir/handsoff.json": _json(contract).encode(),
    }


def own_contract(model: Mapping[str, Any], name: str, files: Sequence[str], region: str) -> dict[str, Any]:
    """The handsoff.json of own code: which script trains, which files are the code, how the model is asked.

    The training job completes it by the columns of the channel.
    """
    image, training = model["training"]["image"], model["training"]
    return {
        "schema_version": 1,
        "config": step_config(model, name),
        "inference": inference(model),
        "image": inference_uri(image, region),
        "framework": framework(image),
        "columns": [],
        "training": {
            "source_dir": training["source_dir"],
            "entry_point": training["entry_point"],
            "files": list(files),
        },
    }


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


@cache
def package_zip(name: str) -> bytes:
    """An installed package and its licence as a file that Python imports from: the same on any machine.

    They are not compressed, so the bytes do not depend on zlib, and were made in 1980. Raises
    PackageNotFoundError.
    """
    wanted = {
        str(item): item.read_binary()
        for item in files_of(name) or ()
        if item.suffix == ".py" or "licenses" in item.parts
    }
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(wanted.items()):
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return raw.getvalue()


def code_objects(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The objects to upload, by their keys below `code/<sha256>/`."""
    source = {
        path.removeprefix("sourcedir/"): data for path, data in files.items() if path.startswith("sourcedir/")
    }
    plain = {path: data for path, data in files.items() if not path.startswith("sourcedir/")}
    return {**plain, "sourcedir.tar.gz": tar_gz(source)}


def render(
    name: str,
    model: Mapping[str, Any],
    files: Mapping[str, bytes],
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

    `model` is a ModelConfig dumped with `mode="json", exclude_none=True`, `files` are its `code_files`.
    Raises ValueError if SageMaker does not host an image in `region`.
    """
    definition = pipeline_definition(
        model,
        name=name,
        prefix=prefix,
        bucket=bucket,
        role_arn=role_arn,
        region=region,
        code_sha256=code_sha256(files),
        subnets=subnets,
        security_groups=security_groups,
        kms_key=kms_key,
        requirements=_own_code(model) and "sourcedir/requirements.txt" in files,
    )
    return _json(definition)


def upload(files: Mapping[str, bytes], *, bucket: str, s3: S3Client) -> str:
    """Upload the missing objects of a model's `code_files`; returns their hash. Raises ClientError."""
    sha256 = code_sha256(files)
    upload_missing(s3, bucket, f"code/{sha256}/", code_objects(files))
    return sha256


def publish(
    name: str,
    files: Mapping[str, bytes],
    definition: str,
    *,
    prefix: str,
    bucket: str,
    role_arn: str,
    s3: S3Client,
    sagemaker: SageMakerClient,
) -> Published:
    """Upload the missing objects of the code, then update the pipeline `<prefix>-<name>` if it differs.

    `definition` is what `render` returns for these `files`: read once, so that a file that is saved meanwhile
    cannot part them. Terraform creates the pipeline; it could not if this did. Raises botocore's ClientError,
    also if there is no such pipeline.
    """
    sha256 = upload(files, bucket=bucket, s3=s3)
    arn, change = _update(sagemaker, f"{prefix}-{name}", definition, role_arn)
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
