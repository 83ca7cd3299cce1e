"""The champion: which package it is, whether one of our jobs wrote its model, and whether it can be compared.

A model is a pickle, and loading a pickle runs code. So a model is loaded only if one of this pipeline's
training jobs wrote it. Everything that is wrong with a champion is a ChampionProblem, which ends the
comparison but not the evaluation of the candidate.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import boto3
import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError
from sklearn.exceptions import InconsistentVersionWarning

from artifact import Model, OwnCode, load_model
from job import AWS, GROUP, IDENTITY, LOOKALIKE, ROW, TEXT_ROW, Json, StepConfig, read_json
from predicted import Predicted, ScoringFailed, read_predicted
from reasons import reason_of, without_messages
from row_ids import Ids, read_training_ids
from seen_rows import Seen, seen

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import DescribeModelPackageOutputTypeDef

MAX_APPROVED: Final = 30
"""The newest approved packages, among which the champion is looked for. tests/wall/ compares both sides."""

MAX_OLDEST: Final = 30
"""The oldest approved packages, among which the first approved one is looked for. tests/wall/ compares both
sides."""

MODEL_KEY: Final = re.compile(r"([^/]+)/([^/]+)/output/model\.tar\.gz")
"""Where a training job writes its model, below `models/<model>/`: the execution's id, then the job's name."""

Columns = list[list[str]]
"""The sorted column names of each kind of file in a batch, as in data_report.json."""


class ChampionProblem(Exception):
    """Why the champion cannot be compared, in one line for the approver."""


@dataclass(frozen=True)
class Champion:
    """A champion that is loaded or whose predictions are read, and what is known about its data.

    `ids` are the identities of its training rows. `report` is its data_report.json. `profile` is None if it
    was not recorded.
    """

    model: Model | Predicted
    ids: Ids
    report: Json
    profile: Json | None

    @property
    def columns(self) -> Columns | None:
        """The columns of the files that it was trained on; None if they were not recorded."""
        return self.report.get("columns")


def package_of(session: boto3.Session, package: str, group: str) -> str | None:
    """The package: an ARN as it is, or `latest` or `first` of the group's approved packages.

    None for `none`, and where no package is approved.
    """
    if package in ("latest", "first"):
        find = newest_approved if package == "latest" else first_approved
        return find(session.client("sagemaker", config=AWS), group)
    return None if package == "none" else package


def newest_approved(sagemaker: SageMakerClient, group: str) -> str | None:
    """The ARN of the group's most recently approved package; None if there is none.

    SageMaker lists packages by creation, so the approval is looked for among the MAX_APPROVED newest of them.
    """
    newest = max(approved(sagemaker, group, "Descending", MAX_APPROVED), key=approved_at, default=None)
    return newest["ModelPackageArn"] if newest else None


def first_approved(sagemaker: SageMakerClient, group: str) -> str | None:
    """The ARN of the package that was approved first, of those that are approved; None if none is.

    That is the anchor of a model until a person moves it. It is looked for among the MAX_OLDEST oldest ones.
    """
    first = min(approved(sagemaker, group, "Ascending", MAX_OLDEST), key=approved_at, default=None)
    return first["ModelPackageArn"] if first else None


def approved(
    sagemaker: SageMakerClient, group: str, order: Literal["Ascending", "Descending"], most: int
) -> list[DescribeModelPackageOutputTypeDef]:
    """What DescribeModelPackage says of the first approved packages of the group, ordered by creation."""
    answer = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder=order,
        MaxResults=most,
    )
    return [
        sagemaker.describe_model_package(ModelPackageName=item["ModelPackageArn"])
        for item in answer["ModelPackageSummaryList"]
    ]


def approved_at(package: Mapping[str, Any]) -> datetime:
    """When the package was approved: its `approvedAt`, else its last change, else its creation.

    `package` is an answer of DescribeModelPackage. A time without a zone is UTC.
    """
    with suppress(KeyError, ValueError):
        approved = datetime.fromisoformat(package["CustomerMetadataProperties"]["approvedAt"])
        return approved if approved.tzinfo else approved.replace(tzinfo=UTC)
    changed: datetime = package.get("LastModifiedTime") or package["CreationTime"]
    return changed


@contextmanager
def problems(*, show: bool = False) -> Iterator[None]:
    """Turn every error into a ChampionProblem. With `show` the log has an unexpected one's message."""
    try:
        yield
    except ChampionProblem:
        raise
    except InconsistentVersionWarning as error:
        raise ChampionProblem(
            f"was made with scikit-learn {error.original_sklearn_version}; "
            f"this image has {error.current_sklearn_version}"
        ) from error
    except (OwnCode, ScoringFailed) as error:
        raise ChampionProblem(str(error)) from error
    except ClientError as error:
        details = error.response["Error"]
        raise ChampionProblem(f"{error.operation_name}: {details['Code']}: {details['Message']}") from error
    except Exception as error:  # a pickle may raise anything
        print("".join(format_exception(error)) if show else without_messages(error), file=sys.stderr)
        raise ChampionProblem(f"cannot be scored: {reason_of(error)}") from error


@dataclass(frozen=True)
class Located:
    """A model that one of our training jobs wrote.

    `uri` and `version` are those of its model.tar.gz, the version as `download` takes it. `beside` is the
    folder of what its execution recorded. `image` serves it; None if the package names none.
    """

    uri: str
    version: Mapping[str, str]
    beside: str
    image: str | None


def locate(session: boto3.Session, bucket: str, package: str, model: str, role: str) -> Located:
    """Where the model of a package lies.

    `package` and `role` are ARNs; `model` is the model's name. Raises ChampionProblem unless the package's
    model is one that a training job of `role` wrote below `models/<model>/`. Raises botocore's errors.
    """
    sagemaker, s3 = session.client("sagemaker", config=AWS), session.client("s3", config=AWS)
    described = sagemaker.describe_model_package(ModelPackageName=package)
    containers = described.get("InferenceSpecification", {}).get("Containers") or [{}]
    uri = containers[0].get("ModelDataUrl") or ""
    prefix = f"s3://{bucket}/models/{model}/"
    found = MODEL_KEY.fullmatch(uri.removeprefix(prefix)) if uri.startswith(prefix) else None
    if not found:
        raise ChampionProblem(
            f"its model {uri or '(none)'} is not {prefix}<execution>/<training job>/output/model.tar.gz: "
            "not loaded"
        )
    execution, job = found.groups()
    version = written_by(sagemaker, s3, job, uri, role)
    return Located(uri, version, f"{prefix}{execution}", containers[0].get("Image"))


def download_model(s3: S3Client, model: Located, path: Path) -> Path:
    """Copy the model.tar.gz to `path`. Raises ChampionProblem."""
    return download(s3, model.uri, path, "its model", model.version)


def fetch(
    session: boto3.Session,
    bucket: str,
    package: str,
    model: str,
    role: str,
    folder: Path,
    predictions: Path | None = None,
    rows: int = 0,
) -> Champion:
    """Copy the champion into `folder` and load it, or read its `predictions` of that many `rows`.

    The arguments are as `locate` takes them, and so are the errors. Raises pickle's errors, and
    ScoringFailed if the folder `predictions` has none.
    """
    found, s3 = locate(session, bucket, package, model, role), session.client("s3", config=AWS)
    if not predictions:
        download_model(s3, found, folder / "champion.tar.gz")
    ids = download(
        s3,
        f"{found.beside}/training_rows.parquet",
        folder / "training_rows.parquet",
        "the list of rows that it was trained on",
    )
    report = read_json(
        download(
            s3, f"{found.beside}/data_report.json", folder / "data_report.json", "the report on its data"
        )
    )
    profile = read_profile(s3, f"{found.beside}/data_profile.json", folder)
    loaded: Model | Predicted
    if predictions:
        loaded = read_predicted(predictions, rows, profile)
    else:
        loaded = load_model(folder / "champion.tar.gz", folder / "champion")
    return Champion(loaded, read_training_ids(ids), report, profile)


def read_profile(s3: S3Client, uri: str, folder: Path) -> Json | None:
    """The champion's data profile. None, and a line in the log, if it cannot be read: only drift needs it."""
    try:
        profile: Json = read_json(download(s3, uri, folder / "data_profile.json", "its data profile"))
    except (ChampionProblem, ValueError) as error:
        print(f"drift is not measured: {error}", flush=True)
        return None
    return profile


def written_by(sagemaker: SageMakerClient, s3: S3Client, job: str, uri: str, role: str) -> Mapping[str, str]:
    """The version of the object that the training job wrote, as `download` takes it.

    Raises ChampionProblem unless SageMaker says that `job` ran as `role` and wrote `uri`, and the object is
    no newer than the job's end. Other roles may be able to write below models/. S3 keeps whole seconds, so an
    object of the job's last second counts as written by it.
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


def download(s3: S3Client, uri: str, path: Path, what: str, version: Mapping[str, str] | None = None) -> Path:
    """Copy one object to `path`. Raises ChampionProblem, whose message names the object by `what`."""
    place = urlsplit(uri)
    try:
        with path.open("wb") as file:
            s3.download_fileobj(place.netloc, place.path.lstrip("/"), file, ExtraArgs=dict(version or {}))
    except ClientError as error:
        raise ChampionProblem(f"{what}, {uri}, cannot be read: {error.response['Error']['Code']}") from error
    except BotoCoreError as error:
        raise ChampionProblem(f"{what}, {uri}, cannot be read: {error}") from error
    return path


def check_schema(champion: StepConfig, config: StepConfig, rows: pd.DataFrame) -> None:
    """Raises ChampionProblem unless the champion takes these rows and predicts the same target."""
    if champion.task != config.task:
        raise ChampionProblem(f"its task is {champion.task}, the candidate's {config.task}")
    if champion.target != config.target:
        raise ChampionProblem(f"its target is {champion.target}, the candidate's {config.target}")
    if champion.classes != config.classes:
        theirs, ours = (", ".join(known.classes) for known in (champion, config))
        raise ChampionProblem(f"its classes are {theirs}, the candidate's {ours}")
    for kind, names in champion.features.by_kind.items():
        if missing := [name for name in names if name not in rows]:
            raise ChampionProblem(f"it needs {', '.join(missing)}, which is no feature any more")
        if changed := [name for name in names if name not in config.features.by_kind[kind]]:
            raise ChampionProblem(f"it takes {', '.join(changed)} as {kind}, the candidate does not")


def check_spelling(champion: Champion, config: StepConfig) -> None:
    """Raises ChampionProblem if a scored champion may know the rows' categories by another spelling.

    A loaded model is asked about rows as it spells them (`Model.respelled`). A scored one was asked about the
    rows as the candidate's config spells them.
    """
    theirs = champion.model.config
    if isinstance(champion.model, Model) or not theirs.features.categorical:
        return
    if ROW not in champion.ids:
        raise ChampionProblem(
            "handsoff 0.1 made it, and it knows categories as files spelled them: it cannot be asked about "
            "these rows in its own image"
        )
    for name in ("ignore_case", "not_missing"):
        if getattr(theirs.data, name) != getattr(config.data, name):
            raise ChampionProblem(
                f"it was trained with another data.{name}, so it knows categories by another spelling than "
                "these rows have: decide by hand, and the next candidate is compared with this one"
            )


def rows_seen(found: Champion, config: StepConfig, rows: pd.DataFrame, columns: Columns) -> Seen:
    """Which of the validation rows the champion has seen in training.

    `columns` are those of the candidate's files. Groups, or identities, are compared if the champion was
    trained with the same `data.group`, or `data.identity`, read in the same way. Raises ChampionProblem if
    the champion's training rows cannot be found among the validation rows.
    """
    theirs, features = found.model.config, found.model.config.features
    alike = theirs.data.spelling.plain == config.data.spelling.plain
    by_identity = alike and IDENTITY in found.ids and {*theirs.data.identity} == {*config.data.identity}
    row = IDENTITY if by_identity else ROW if ROW in found.ids else TEXT_ROW
    if not by_identity or found.report["splits"]["train"].get("without_identity"):
        check_columns(found.columns, columns)
    return seen(
        {name: rows[name].to_numpy() for name in (row, GROUP, LOOKALIKE) if name in rows},
        found.ids,
        row,
        group=alike and GROUP in found.ids and {*theirs.data.group} == {*config.data.group},
        lookalikes=LOOKALIKE in found.ids and {*features.names} == {*config.features.names},
    )


def check_columns(champion: Columns | None, candidate: Columns) -> None:
    """Raises ChampionProblem unless the files of both have the same columns.

    A row's identity is a hash of all its columns. With one column more, every row that the champion was
    trained on would look new.
    """
    if champion == candidate:
        return
    if champion is None:
        what = "it is not recorded which columns the files had that it was trained on"
    else:
        before, now = ({name for names in files for name in names} for files in (champion, candidate))
        changes = {"added": sorted(now - before), "removed": sorted(before - now)}
        listed = ", ".join(f"{change} {', '.join(names)}" for change, names in changes.items() if names)
        what = (
            f"the files have other columns than those it was trained on ({listed or 'others in each file'})"
        )
    raise ChampionProblem(f"{what}: its training rows cannot be found among the validation rows")
