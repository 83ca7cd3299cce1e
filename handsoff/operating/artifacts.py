"""Fetches the artifact of a model package, if a training job of its pipeline wrote it.

An artifact is data here: it is unpacked and its JSON is read. Nothing in it is imported, run or unpickled.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.errors import NotFound, NotOurs
from handsoff.location import pipeline_role_arn
from handsoff.operating.packages import find_package
from local.tarballs import extract
from retraining.aws import registry
from retraining.facts.package import Package

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

MODEL_KEY: Final = re.compile(r"models/([^/]+)/([^/]+)/([^/]+)/output/model\.tar\.gz")
"""Where a training job writes its model: the model's name, the execution's id, then the job's name."""

OWN_CODE: Final = "code/handsoff.json"
"""The file that says what a model of own training code takes."""

CONTRACTS: Final = (OWN_CODE, "code/model.json")
"""The files that say what a model takes: of own training code, and of a built-in estimator."""

MAX_BYTES: Final = 16 * 1024**3
"""Bytes that an artifact may have once it is unpacked."""


@dataclass(frozen=True)
class Artifact:
    """The artifact of a package: its `archive`, alone in its folder, and `folder`, where it is unpacked.

    `image` is that of the package's container, `contract` the JSON that says what the model takes.
    """

    package: str
    image: str
    archive: Path
    folder: Path
    contract: Mapping[str, Any]

    @property
    def own_code(self) -> bool:
        """Whether own training code made it, and not a built-in estimator."""
        return "inference" in self.contract


def named_package(deployment: Deployment, name: str) -> Package:
    """The package with this ARN, or model/version; for a model's name alone its champion. Raises NotFound."""
    if name not in deployment.config.models:
        if re.fullmatch(r"[\w-]+", name):
            known = ", ".join(sorted(deployment.config.models))
            raise NotFound(f"{name} is no model of handsoff.yaml and no model package; its models: {known}")
        return find_package(deployment, name)
    champion = registry.champion(deployment.sagemaker, deployment.resource_name(name))
    if champion is None:
        raise NotFound(
            f"{name} has no champion: no package is approved. Name a version, such as {name}/1; "
            f"`handsoff status {name}` shows what there is"
        )
    return champion


def fetch(deployment: Deployment, package: Package, folder: Path) -> Artifact:
    """Copy a package's artifact to `folder` and unpack it there. Raises NotFound or NotOurs."""
    archive = folder / "archive" / "model.tar.gz"
    archive.parent.mkdir(parents=True)
    head, bucket, key = _written_by_us(deployment, package)
    with archive.open("wb") as file:
        # The object that was looked at: another one would have another ETag.
        body = deployment.s3.get_object(Bucket=bucket, Key=key, IfMatch=head["ETag"])["Body"]
        for block in body.iter_chunks(1024 * 1024):
            file.write(block)
    image = deployment.sagemaker.describe_model_package(ModelPackageName=package.arn)[
        "InferenceSpecification"
    ]["Containers"][0]["Image"]
    return Artifact(package.arn, image, archive, *unpack(archive, folder / "model"))


def unpack(archive: Path, folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """Unpack an artifact into `folder`; the folder and its contract. Raises NotOurs."""
    try:
        with tarfile.open(archive, "r:gz") as packed:
            if sum(item.size for item in packed) > MAX_BYTES:
                raise NotOurs(f"{archive.name} is larger than {MAX_BYTES // 1024**3} GB once it is unpacked")
            extract(packed, folder)
    except (tarfile.TarError, OSError) as error:
        raise NotOurs(f"{archive.name} is no archive of a model: {error}") from None
    for name in CONTRACTS:
        if (folder / name).is_file():
            return folder, json.loads((folder / name).read_text(encoding="utf-8"))
    raise NotOurs(f"the model has neither {' nor '.join(CONTRACTS)}: no pipeline of handsoff made it")


def _written_by_us(deployment: Deployment, package: Package) -> tuple[HeadObjectOutputTypeDef, str, str]:
    """What S3 says of the artifact, its bucket and key. Raises NotOurs.

    SageMaker must say that a training job ran as the pipeline's role and wrote it, and the object must be no
    newer than the job's end: other roles may be able to write below models/. ModelEvaluation asks the same
    of a champion.
    """
    uri = package.model_uri or "(none)"
    place = urlsplit(uri)
    key = place.path.lstrip("/")
    found = MODEL_KEY.fullmatch(key)
    model = package.group.removeprefix(f"{deployment.prefix}-")
    if place.netloc != deployment.bucket or found is None or found[1] != model:
        raise NotOurs(
            f"the model of {package.name}, {uri}, is not where the pipeline's training jobs write: "
            f"s3://{deployment.bucket}/models/{model}/<execution>/<job>/output/model.tar.gz. It is not loaded"
        )
    try:
        job = deployment.sagemaker.describe_training_job(TrainingJobName=found[3])
    except ClientError as error:
        if error.response["Error"]["Code"] not in registry.MISSING:
            raise
        raise NotOurs(f"there is no training job {found[3]} that wrote {uri}: it is not loaded") from None
    role = pipeline_role_arn(deployment.config, deployment.location)
    if (wrote := job.get("ModelArtifacts", {}).get("S3ModelArtifacts")) != uri:
        raise NotOurs(f"training job {found[3]} wrote {wrote or 'no model'}, not {uri}: it is not loaded")
    if job["RoleArn"] != role:
        raise NotOurs(f"training job {found[3]} ran as {job['RoleArn']}, not as {role}: it is not loaded")
    try:
        head = deployment.s3.head_object(Bucket=place.netloc, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        raise NotFound(f"the model of {package.name}, {uri}, does not exist any more") from None
    ended = job.get("TrainingEndTime")
    if ended is None or head["LastModified"].replace(microsecond=0) > ended:
        raise NotOurs(f"{uri} was written after training job {found[3]} had ended: it is not loaded")
    return head, place.netloc, key
