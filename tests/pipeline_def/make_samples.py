"""Write tests/samples/ by running the steps: python -m tests.pipeline_def.make_samples

evaluation.json is of the Titanic. Its champion, the anchor, was trained on an older batch, which had ten of
the validation rows. The other two are of scikit-learn's wine and diabetes. Beside each are its pictures.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import pandas as pd
from moto import mock_aws
from sklearn.datasets import load_diabetes, load_wine

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


CANDIDATE: Final = "v7w8x9y0z1a2"
"""The execution that is evaluated, and its folder."""

PICTURES: Final = f"{CANDIDATE}/output/evaluation/pictures.json"
"""Where its evaluation leaves the pictures."""

Make = Callable[["S3Client", "SageMakerClient", Path], dict[str, Any]]


def evaluation(s3: S3Client, sagemaker: SageMakerClient, folder: Path) -> dict[str, Any]:
    """The evaluation.json of a second execution, whose champion is the model of the first."""
    train = (TITANIC / "train.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    validation = (TITANIC / "validation.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    land(s3, "curated/titanic/train.csv", "".join(train[:901] + validation[1:11]))
    land(s3, "curated/titanic/validation.csv", "".join(validation[:1] + train[901:]))
    first = Run(folder / "first", s3, titanic_config(), "p1q2r3s4t5u6")
    assert first.preprocess() == 0
    first.train()
    champion = register(sagemaker, first, approvedAt="2026-11-16T06:00:00Z")
    land_titanic(s3)
    second = Run(folder / CANDIDATE, s3, titanic_config(), CANDIDATE)
    assert second.preprocess() == 0
    second.train()
    return second.evaluate(champion, champion)


def multiclass_evaluation(s3: S3Client, sagemaker: SageMakerClient, folder: Path) -> dict[str, Any]:
    """The evaluation.json of scikit-learn's wine: which of three growers it is from."""
    frame = load_wine(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "first", 1: "second", 2: "third"})
    classes = ["first", "second", "third"]
    return of_frame(s3, sagemaker, folder, "wine", frame, "multiclass_classification", classes)


def regression_evaluation(s3: S3Client, sagemaker: SageMakerClient, folder: Path) -> dict[str, Any]:
    """The evaluation.json of scikit-learn's diabetes: the progress of the disease after a year."""
    frame = load_diabetes(as_frame=True, scaled=False).frame
    return of_frame(s3, sagemaker, folder, "diabetes", frame, "regression", [])


def of_frame(
    s3: S3Client,
    sagemaker: SageMakerClient,
    folder: Path,
    name: str,
    frame: pd.DataFrame,
    task: str,
    classes: list[str],
) -> dict[str, Any]:
    """Every third row is for validation. The champion was trained on two thirds of the training rows."""
    config = {
        "name": name,
        "task": task,
        "target": "target",
        "classes": classes,
        "features": {"numeric": [*frame.columns[:-1]], "categorical": [], "boolean": []},
        "training": {"estimator": "random_forest"},
        "slices": [],
    }
    train, validation = frame[frame.index % 3 != 2], frame[frame.index % 3 == 2]
    runs = []
    for execution, rows in (("p1q2r3s4t5u6", train[train.index % 9 < 6]), (CANDIDATE, train)):
        land(s3, f"curated/{name}/train.csv", rows.to_csv(index=False))
        land(s3, f"curated/{name}/validation.csv", validation.to_csv(index=False))
        run = Run(folder / execution, s3, config, execution)
        assert run.preprocess() == 0
        run.train()
        runs.append(run)
    return runs[1].evaluate(register(sagemaker, runs[0], approvedAt="2026-11-16T06:00:00Z"))


MAKERS: Final[dict[str, Make]] = {
    "evaluation.json": evaluation,
    "evaluation.multiclass.json": multiclass_evaluation,
    "evaluation.regression.json": regression_evaluation,
}


def main() -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1"}
    for name, make in MAKERS.items():
        with mock_aws(), tempfile.TemporaryDirectory() as folder:
            s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
            s3.create_bucket(Bucket=BUCKET)
            s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
            text = json.dumps(make(s3, sagemaker, Path(folder)), indent=1)
            pictures = (Path(folder) / PICTURES).read_bytes()
        (SAMPLES / name).write_text(text + "\n", encoding="utf-8")
        (SAMPLES / name.replace("evaluation", "pictures")).write_bytes(pictures)
    (SAMPLES / "model.json").write_text(
        json.dumps(titanic_config(), indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
