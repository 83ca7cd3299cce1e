"""The champion: which package it is, whether our jobs wrote its model, and why it is not compared."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import pytest
import sklearn
from moto.sagemaker.models import sagemaker_backends
from sklearn.linear_model import LogisticRegression

import champion as champions
from tests.pipeline_def.helpers import BUCKET, ROLE, SMALL, Run, create_training_job, land, register
from tests.pipeline_def.runs import CSV

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("undrawn")]


def test_newest_approved_returns_the_package_approved_last(
    first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    newest = register(sagemaker, first, approvedAt="2099-01-02T00:00:00Z")
    register(sagemaker, first, approvedAt="2099-01-01T23:59:59+00:00")
    register(sagemaker, first)
    register(sagemaker, first, status="Rejected", approvedAt="2099-06-01T00:00:00Z")
    register(sagemaker, first, status="PendingManualApproval")
    assert second.evaluate("latest")["handsoff"]["champion"] == newest


def test_approved_at_prefers_the_noted_approval_to_the_last_change() -> None:
    created, changed = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    package: dict[str, Any] = {"CreationTime": created}
    assert champions.approved_at(package) == created
    package["LastModifiedTime"] = changed
    assert champions.approved_at(package) == changed
    package["CustomerMetadataProperties"] = {"approvedAt": "no time"}
    assert champions.approved_at(package) == changed
    package["CustomerMetadataProperties"] = {"approvedAt": "2026-01-15T12:00:00"}
    assert champions.approved_at(package) == datetime(2026, 1, 15, 12, tzinfo=UTC)


def problem(run: Run, champion: str) -> str:
    """The champion_problem of an evaluation that is otherwise complete."""
    found = run.evaluate(champion)["handsoff"]
    assert found["champion"] == champion
    assert found["comparison"] is None
    assert found["candidate"]["metrics"]["accuracy"]["value"] == 1.0
    text: str = found["champion_problem"]
    assert "\n" not in text
    return text


def replace_model(s3: S3Client, run: Run, config: dict[str, Any], pickled: bytes) -> None:
    """Overwrite the run's model.tar.gz."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content in (("code/model.json", json.dumps(config).encode()), ("model.joblib", pickled)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    land(s3, run.model_url.removeprefix(f"s3://{BUCKET}/"), raw.getvalue())


def test_fetch_package_deleted_is_a_champion_problem(
    second: Run, sagemaker: SageMakerClient, first: Run
) -> None:
    champion = register(sagemaker, first).replace("/1", "/999")
    assert problem(second, champion).startswith("DescribeModelPackage: ValidationException: ")


def test_fetch_model_deleted_is_a_champion_problem(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    s3.delete_object(Bucket=BUCKET, Key=first.model_url.removeprefix(f"s3://{BUCKET}/"))
    assert problem(second, champion) == f"its model, {first.model_url}, cannot be read: 404"


def test_fetch_training_rows_deleted_is_a_champion_problem(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    s3.delete_object(Bucket=BUCKET, Key=f"{first.prefix}/training_rows.parquet")
    assert problem(second, champion) == (
        f"the list of rows that it was trained on, s3://{BUCKET}/{first.prefix}/training_rows.parquet, "
        "cannot be read: 404"
    )


def test_fetch_data_report_deleted_is_a_champion_problem(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    s3.delete_object(Bucket=BUCKET, Key=f"{first.prefix}/data_report.json")
    assert problem(second, champion) == (
        f"the report on its data, s3://{BUCKET}/{first.prefix}/data_report.json, cannot be read: 404"
    )


def test_check_columns_added_columns_are_a_champion_problem(
    s3: S3Client, tmp_path: Path, first: Run, sagemaker: SageMakerClient
) -> None:
    """The champion was trained on every row of this file; two more columns give each row another identity."""
    wider = CSV.replace("\n", ",,\n").replace("y,,", "y,note,id")
    land(s3, "curated/small/train.csv", wider)
    land(s3, "curated/small/validation.csv", wider.replace(",,", ",new,"))
    run = Run(tmp_path / "wider", s3, SMALL, "cccccccccccc")
    assert run.preprocess() == 0
    run.train()
    assert problem(run, register(sagemaker, first)) == (
        "the files have other columns than those it was trained on (added id, note): "
        "its training rows cannot be found among the validation rows"
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ([["c", "w", "y"]], "the files have other columns than those it was trained on (added x, removed w)"),
        (
            [["c", "v", "w", "x", "y"]],
            "the files have other columns than those it was trained on (removed v, w)",
        ),
        (
            [["c", "x", "y"], ["c", "y"]],
            "the files have other columns than those it was trained on (others in each file)",
        ),
        (None, "it is not recorded which columns the files had that it was trained on"),
    ],
)
def test_check_columns_other_columns_are_a_champion_problem(
    s3: S3Client,
    first: Run,
    second: Run,
    sagemaker: SageMakerClient,
    columns: list[list[str]] | None,
    says: str,
) -> None:
    report = {key: value for key, value in first.report.items() if key != "columns"}
    report |= {} if columns is None else {"columns": columns}
    land(s3, f"{first.prefix}/data_report.json", json.dumps(report))
    assert (
        problem(second, register(sagemaker, first))
        == f"{says}: its training rows cannot be found among the validation rows"
    )


@pytest.mark.parametrize(
    "url",
    [
        "s3://elsewhere/models/small/x/job/output/model.tar.gz",
        f"s3://{BUCKET}/models/smaller/x/job/output/model.tar.gz",
        f"s3://{BUCKET}/models/small/x/model.tar.gz",
        f"s3://{BUCKET}/models/small/x/y/job/output/model.tar.gz",
        f"s3://{BUCKET}/models/small/x/job/output/model.tar.gz.old",
    ],
)
def test_fetch_model_outside_the_model_folder_is_not_loaded(
    second: Run, sagemaker: SageMakerClient, url: str
) -> None:
    assert problem(second, package_of(sagemaker, url)) == (
        f"its model {url} is not s3://{BUCKET}/models/small/<execution>/<training job>/output/model.tar.gz: "
        "not loaded"
    )


def package_of(sagemaker: SageMakerClient, url: str) -> str:
    """Register a package of the model at `url`; returns its ARN."""
    sagemaker.create_model_package_group(ModelPackageGroupName="handsoff-small")
    return sagemaker.create_model_package(
        ModelPackageGroupName="handsoff-small",
        InferenceSpecification={
            "Containers": [{"Image": "image", "ModelDataUrl": url}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]


def copied(s3: S3Client, run: Run, job: str) -> str:
    """Copy the run's model to where the training job `job` would write; returns its URL."""
    url = run.model_url.replace(run.job, job)
    land(s3, url.removeprefix(f"s3://{BUCKET}/"), (run.folder / "model.tar.gz").read_bytes())
    return url


def test_fetch_model_of_no_training_job_is_not_loaded(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = package_of(sagemaker, copied(s3, first, "no-job"))
    assert problem(second, champion).startswith("DescribeTrainingJob: ValidationException: ")


def test_fetch_model_that_its_training_job_did_not_write_is_not_loaded(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    url = copied(s3, first, "borrowed")
    create_training_job(sagemaker, "borrowed", f"s3://{BUCKET}/models/other", ROLE)
    assert problem(second, package_of(sagemaker, url)) == (
        f"training job borrowed wrote s3://{BUCKET}/models/other/borrowed/output/model.tar.gz, not {url}: "
        "not loaded"
    )


def test_fetch_model_of_another_role_is_not_loaded(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    url, role = copied(s3, first, "theirs"), "arn:aws:iam::123456789012:role/somebody"
    create_training_job(sagemaker, "theirs", f"s3://{BUCKET}/{first.prefix}", role)
    assert problem(second, package_of(sagemaker, url)) == (
        f"training job theirs ran as {role}, not as {ROLE}: not loaded"
    )


def ended(job: str, moment: datetime) -> None:
    """Set the end of a training job. moto sets it to the time of its creation."""
    sagemaker_backends["123456789012"]["us-east-1"].training_jobs[job].training_end_time = moment


def test_fetch_model_replaced_after_the_job_ended_is_not_loaded(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    written = s3.head_object(Bucket=BUCKET, Key=first.model_url.removeprefix(f"s3://{BUCKET}/"))[
        "LastModified"
    ]
    ended(first.job, written)
    assert second.evaluate(champion)["handsoff"]["champion_problem"] is None
    ended(first.job, written - timedelta(seconds=1))
    assert problem(second, champion) == (
        f"its model {first.model_url} was written at {written:%Y-%m-%dT%H:%M:%SZ}, "
        f"after training job {first.job} had ended: not loaded"
    )


def test_written_by_running_job_is_a_champion_problem(s3: S3Client) -> None:
    class Client:
        """SageMaker with a training job that runs: its description has no end."""

        def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
            artifacts = {"S3ModelArtifacts": f"s3://b/models/m/e/{TrainingJobName}/output/model.tar.gz"}
            return {"ModelArtifacts": artifacts, "RoleArn": ROLE}

    running: Any = Client()
    with pytest.raises(champions.ChampionProblem, match="training job job has not ended"):
        champions.written_by(running, s3, "job", "s3://b/models/m/e/job/output/model.tar.gz", ROLE)


def test_load_model_of_another_scikit_learn_is_a_champion_problem(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    pickled = io.BytesIO()
    joblib.dump(LogisticRegression(), pickled)
    version = sklearn.__version__.encode()
    assert pickled.getvalue().count(version) == 1
    replace_model(s3, first, SMALL, pickled.getvalue().replace(version, b"0" + version[1:]))
    assert problem(second, register(sagemaker, first)) == (
        f"was made with scikit-learn 0{sklearn.__version__[1:]}; this image has {sklearn.__version__}"
    )


def test_load_model_without_named_classes_is_compared(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    config = {key: value for key, value in SMALL.items() if key != "classes"}
    config["features"] = {"numeric": ["x"], "categorical": ["c"]}
    replace_model(s3, first, config, (first.model_dir / "model.joblib").read_bytes())
    found = second.evaluate(register(sagemaker, first))["handsoff"]
    assert (found["champion_problem"], found["comparison"]["n"]) == (None, 4)


def test_load_model_pickle_without_a_model_is_a_champion_problem(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    replace_model(s3, first, SMALL, pickle.dumps(None))
    assert problem(second, register(sagemaker, first)).startswith(
        "cannot be scored: AttributeError in artifact.py, line "
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "z"}, "its target is z, the candidate's y"),
        ({"task": "regression"}, "its task is regression, the candidate's binary_classification"),
        ({"classes": ["1", "0"]}, "its classes are 1, 0, the candidate's 0, 1"),
        ({"classes": ["0", "1", "2"]}, "its classes are 0, 1, 2, the candidate's 0, 1"),
        (
            {"features": {"numeric": ["x", "w"], "categorical": ["c"]}},
            "it needs w, which is no feature any more",
        ),
        (
            {"features": {"numeric": ["x", "c"], "categorical": [], "boolean": []}},
            "it takes c as numeric, the candidate does not",
        ),
        (
            {"features": {"numeric": ["x"], "categorical": [], "boolean": ["c"]}},
            "it takes c as boolean, the candidate does not",
        ),
    ],
)
def test_check_schema_other_target_or_features_are_a_champion_problem(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient, change: dict[str, Any], says: str
) -> None:
    replace_model(s3, first, {**SMALL, **change}, (first.model_dir / "model.joblib").read_bytes())
    assert problem(second, register(sagemaker, first)) == says
