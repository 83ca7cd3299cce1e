"""The champion: which package it is, whether its model is one of ours, and whether it can be compared.

A model is a pickle, which is code. So it is loaded only if one of this pipeline's training jobs wrote it.
Whatever is wrong with a champion is a ChampionProblem: it must not keep a candidate from being judged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from sklearn.exceptions import InconsistentVersionWarning

from artifact import KINDS, Array, Model, load_model

ROW: Final = "handsoff:row"  # where preprocess.py keeps the identity of each raw row
NEWEST: Final = 30
"""Approved packages among which the champion is looked for; registry.py does the same."""
AWS: Final = ClientConfig(
    connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}
)

Columns = list[list[str]]
"""The sorted column names of each kind of file in a batch, as data_report.json has them."""


class ChampionProblem(Exception):
    """Why the champion cannot be compared, in one line for the approver."""


@dataclass(frozen=True)
class Champion:
    """A loaded champion, and of the rows that it was trained on: identities, file columns, profile if any."""

    model: Model
    training_rows: Array
    columns: Columns | None
    profile: Mapping[str, Any] | None


def newest_approved(sagemaker: Any, group: str) -> str | None:
    """The ARN of the package approved most recently, by decision, among the NEWEST; None where none is."""
    answer = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=NEWEST,
    )
    packages = [
        sagemaker.describe_model_package(ModelPackageName=item["ModelPackageArn"])
        for item in answer["ModelPackageSummaryList"]
    ]
    newest = max(packages, key=approved_at, default=None)
    return newest["ModelPackageArn"] if newest else None


def approved_at(package: Mapping[str, Any]) -> datetime:
    """When the package was approved; where nobody wrote that down, when it last changed, or was made."""
    with suppress(KeyError, ValueError):
        approved = datetime.fromisoformat(package["CustomerMetadataProperties"]["approvedAt"])
        return approved if approved.tzinfo else approved.replace(tzinfo=UTC)
    changed: datetime = package.get("LastModifiedTime") or package["CreationTime"]
    return changed


@contextmanager
def problems() -> Iterator[None]:
    """Whatever goes wrong with a champion, as a ChampionProblem."""
    try:
        yield
    except ChampionProblem:
        raise
    except InconsistentVersionWarning as error:
        raise ChampionProblem(
            f"was made with scikit-learn {error.original_sklearn_version}; "
            f"this image has {error.current_sklearn_version}"
        ) from error
    except ClientError as error:
        details = error.response["Error"]
        raise ChampionProblem(f"{error.operation_name}: {details['Code']}: {details['Message']}") from error
    except Exception as error:  # a pickle may raise anything
        raise ChampionProblem(f"cannot be scored: {type(error).__name__}: {error}") from error


def fetch(session: Any, bucket: str, package: str, model: str, role: str, folder: Path) -> Champion:
    """The champion, copied into `folder` and loaded. Raises ChampionProblem if its model is not ours."""
    sagemaker, s3 = (session.client(service, config=AWS) for service in ("sagemaker", "s3"))
    described = sagemaker.describe_model_package(ModelPackageName=package)
    containers = described.get("InferenceSpecification", {}).get("Containers") or [{}]
    uri = containers[0].get("ModelDataUrl") or ""
    prefix = f"s3://{bucket}/models/{model}/"
    found = re.fullmatch(re.escape(prefix) + r"([^/]+)/([^/]+)/output/model\.tar\.gz", uri)
    if not found:
        raise ChampionProblem(
            f"its model {uri or '(none)'} is not {prefix}<execution>/<training job>/output/model.tar.gz: "
            "not loaded"
        )
    execution, job = found.groups()
    version = written_by(sagemaker, s3, job, uri, role)
    archive = download(s3, uri, folder / "champion.tar.gz", "its model", version)
    beside = f"{prefix}{execution}"
    ids = download(
        s3,
        f"{beside}/training_rows.parquet",
        folder / "training_rows.parquet",
        "the list of rows that it was trained on",
    )
    report = download(s3, f"{beside}/data_report.json", folder / "data_report.json", "the report on its data")
    profile = None
    try:
        path = download(s3, f"{beside}/data_profile.json", folder / "data_profile.json", "its data profile")
        profile = read_json(path)
    except (ChampionProblem, ValueError) as error:  # the comparison needs none
        print(f"drift is not measured: {error}", flush=True)
    columns = read_json(report).get("columns")
    return Champion(load_model(archive, folder / "champion"), read_ids(ids), columns, profile)


def written_by(sagemaker: Any, s3: Any, job: str, uri: str, role: str) -> Mapping[str, str]:
    """Which version of the object a training job of ours wrote, for `download`. Raises ChampionProblem.

    Below models/ also others may be allowed to write; who a job ran as, and what it wrote, only SageMaker
    says. S3 keeps whole seconds, so an object of the job's last second counts as written by it.
    """
    described = sagemaker.describe_training_job(TrainingJobName=job)
    wrote = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if wrote != uri:
        raise ChampionProblem(f"training job {job} wrote {wrote or 'no model'}, not {uri}: not loaded")
    if described["RoleArn"] != role:
        raise ChampionProblem(f"training job {job} ran as {described['RoleArn']}, not as {role}: not loaded")
    ended = described.get("TrainingEndTime")
    if ended is None:
        raise ChampionProblem(f"training job {job} has not ended: its model is not loaded")
    place = urlsplit(uri)
    try:
        head = s3.head_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
    except ClientError as error:
        raise ChampionProblem(
            f"its model, {uri}, cannot be read: {error.response['Error']['Code']}"
        ) from error
    if head["LastModified"].replace(microsecond=0) > ended:
        raise ChampionProblem(
            f"its model {uri} was written at {head['LastModified']:%Y-%m-%dT%H:%M:%SZ}, "
            f"after training job {job} had ended: not loaded"
        )
    return {"VersionId": head["VersionId"]} if "VersionId" in head else {}


def download(s3: Any, uri: str, path: Path, what: str, version: Mapping[str, str] | None = None) -> Path:
    """Copy one object to `path`. Raises ChampionProblem, which calls it `what`."""
    place = urlsplit(uri)
    try:
        with path.open("wb") as file:
            s3.download_fileobj(place.netloc, place.path.lstrip("/"), file, ExtraArgs=dict(version or {}))
    except ClientError as error:
        raise ChampionProblem(f"{what}, {uri}, cannot be read: {error.response['Error']['Code']}") from error
    except BotoCoreError as error:
        raise ChampionProblem(f"{what}, {uri}, cannot be read: {error}") from error
    return path


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_ids(path: Path) -> Array:
    """The identities in a training_rows.parquet."""
    return np.asarray(pd.read_parquet(path)[ROW].to_numpy())


def check_schema(champion: Mapping[str, Any], config: Mapping[str, Any], rows: pd.DataFrame) -> None:
    """Raises ChampionProblem unless the champion can be asked about these rows, and answers the same."""
    for what in ("task", "target"):
        if champion[what] != config[what]:
            raise ChampionProblem(f"its {what} is {champion[what]}, the candidate's {config[what]}")
    if champion["classes"] != config["classes"]:
        theirs, ours = (", ".join(known["classes"]) for known in (champion, config))
        raise ChampionProblem(f"its classes are {theirs}, the candidate's {ours}")
    for kind in KINDS:
        names = champion["features"].get(kind, [])
        if missing := [name for name in names if name not in rows]:
            raise ChampionProblem(f"it needs {', '.join(missing)}, which is no feature any more")
        if changed := [name for name in names if name not in config["features"][kind]]:
            raise ChampionProblem(f"it takes {', '.join(changed)} as {kind}, the candidate does not")


def check_columns(champion: Columns | None, candidate: Columns) -> None:
    """Raises ChampionProblem unless a row of the champion's files has the same identity in the candidate's.

    An identity is of all columns: with one more, every row that the champion has seen would look fresh.
    """
    if champion == candidate:
        return
    if champion is None:
        what = "it is not recorded which columns the files had that it was trained on"
    else:
        before, now = ({name for names in files for name in names} for files in (champion, candidate))
        changes = {"added": sorted(now - before), "removed": sorted(before - now)}
        said = ", ".join(f"{change} {', '.join(names)}" for change, names in changes.items() if names)
        what = f"the files have other columns than those it was trained on ({said or 'others in each file'})"
    raise ChampionProblem(f"{what}: which rows it has seen cannot be told")
