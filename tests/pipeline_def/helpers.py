"""What these tests share: models as plain data, landed files, and the steps run in order in this process."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import evaluate
import preprocess
import train
from pipeline_def.publish import step_config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

ROOT = Path(__file__).parents[2]
TITANIC = ROOT / "data" / "titanic"
SAMPLES = ROOT / "tests" / "samples"
STEPS = ROOT / "pipeline_def" / "steps"
BUCKET = "handsoff-data"
ROLE = "arn:aws:iam::123456789012:role/handsoff-pipeline"
EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic/execution/{}"

MODEL: dict[str, Any] = {
    "task": "binary_classification",
    "target": "survived",
    "classes": ["0", "1"],
    "features": {
        "numeric": ["age", "sibsp", "parch", "fare"],
        "categorical": ["pclass", "sex", "embarked"],
        "boolean": [],
    },
    "retrain": {"ready": {"when": "marker", "marker": "_SUCCESS"}},
    "data": {
        "encoding": "utf-8",
        "delimiter": ",",
        "decimal": ".",
        "header": [],
        "ignore_case": False,
        "not_missing": [],
        "new_categories": [],
        "identity": [],
        "group": [],
    },
    "training": {"estimator": "hist_gradient_boosting", "instance_type": "ml.m5.large"},
    "approval": {
        "first_model": "rules_only",
        "rules": [
            {"metric": "accuracy", "min": 0.78, "min_samples": 1, "on_fail": "reject"},
            {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75, "on_fail": "hold"},
        ],
    },
}
SMALL: dict[str, Any] = {
    "name": "small",
    "task": "binary_classification",
    "target": "y",
    "classes": ["0", "1"],
    "features": {"numeric": ["x"], "categorical": ["c"], "boolean": []},
    "training": {"estimator": "logistic_regression"},
    "slices": [],
}
"""The model.json of a model of one number, one category and two classes."""

BOOLEANS: dict[str, Any] = {**SMALL, "features": {"numeric": ["x"], "categorical": [], "boolean": ["b"]}}
WORDS: dict[str, Any] = {**SMALL, "classes": ["died", "survived"]}
PENGUINS: dict[str, Any] = {
    **SMALL,
    "task": "multiclass_classification",
    "classes": ["Adelie", "Chinstrap", "Gentoo"],
}
PRICES: dict[str, Any] = {
    **SMALL,
    "task": "regression",
    "classes": [],
    "training": {"estimator": "ridge"},
}

KEY = "curated/small/train.csv"
TRAIN = "x,c,y\n1,a,0\n2.5,b,1\n,,1\n"
VALIDATION = "x,c,y\n7,a,1\n8,b,0\n"


@dataclass
class Run:
    """The first three steps of one execution, run in this process, with SageMaker's copying between them.

    A folder that is there already is that of a copy of an execution.
    """

    folder: Path
    s3: S3Client
    config: dict[str, Any]
    execution_id: str

    def __post_init__(self) -> None:
        self.code = self.folder / "code"
        self.output, self.model_dir = self.folder / "output", self.folder / "model"
        if not self.folder.exists():
            shutil.copytree(STEPS, self.code, ignore=shutil.ignore_patterns("__pycache__"))
            (self.code / "model.json").write_text(json.dumps(self.config))

    @property
    def execution(self) -> str:
        return EXECUTION.format(self.execution_id)

    @property
    def prefix(self) -> str:
        return f"models/{self.config['name']}/{self.execution_id}"

    @property
    def model_url(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}/{self.job}/output/model.tar.gz"

    @property
    def job(self) -> str:
        """The training job's name."""
        return f"train-{self.execution_id}"

    def preprocess(self, batch: str = "latest") -> int:
        code = preprocess.main(
            [
                *("--config", str(self.code / "model.json"), "--bucket", BUCKET, "--batch", batch),
                *("--execution", self.execution, "--output", str(self.output)),
            ]
        )
        if code == 0:
            self.upload_report()
        return code

    def upload_report(self) -> None:
        """Upload what DataPreProcessing wrote beside the rows, as SageMaker does after the job."""
        for path in sorted((self.output / "report").glob("*")):
            self.s3.upload_file(str(path), BUCKET, f"{self.prefix}/{path.name}")

    def train(self) -> None:
        channel = str(self.output / "train")
        train.main({"SM_CHANNEL_TRAIN": channel, "SM_MODEL_DIR": str(self.model_dir)}, self.code)
        with tarfile.open(self.folder / "model.tar.gz", "w:gz") as archive:
            for path in sorted(self.model_dir.iterdir()):
                archive.add(path, path.name)
        self.upload_model()

    def upload_model(self) -> None:
        """Upload model.tar.gz, as SageMaker does after the job."""
        self.s3.upload_file(
            str(self.folder / "model.tar.gz"), BUCKET, self.model_url.removeprefix(f"s3://{BUCKET}/")
        )

    def evaluate(self, champion: str = "none", anchor: str = "none") -> dict[str, Any]:
        evaluate.main(
            [
                *("--config", str(self.code / "model.json"), "--model", str(self.folder)),
                *("--validation", str(self.output / "validation")),
                *("--training-rows", str(self.output / "report" / "training_rows.parquet")),
                *("--report", str(self.output / "report" / "data_report.json")),
                *("--profile", str(self.output / "report" / "data_profile.json"), "--role", ROLE),
                *("--bucket", BUCKET, "--group", f"handsoff-{self.config['name']}"),
                *("--champion", champion, "--anchor", anchor, "--execution", self.execution),
                *("--output", str(self.output / "evaluation")),
            ]
        )
        found: dict[str, Any] = json.loads((self.output / "evaluation" / "evaluation.json").read_text())
        return found

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.output / "report" / "data_report.json").read_text())
        return found


def register(sagemaker: SageMakerClient, run: Run, status: str = "Approved", **metadata: str) -> str:
    """Register the run's model as RegisterModel and a decision leave it; returns the package's ARN.

    The training job that wrote the model ends when its first package is registered.
    """
    jobs = sagemaker.list_training_jobs()["TrainingJobSummaries"]
    if run.job not in [item["TrainingJobName"] for item in jobs]:
        create_training_job(sagemaker, run.job, f"s3://{BUCKET}/{run.prefix}", ROLE)
    group = f"handsoff-{run.config['name']}"
    groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    if group not in [item["ModelPackageGroupName"] for item in groups]:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    return sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus=status,  # type: ignore[arg-type]
        InferenceSpecification={
            "Containers": [{"Image": "image", "ModelDataUrl": run.model_url}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        CustomerMetadataProperties={"execution": run.execution, **metadata},
    )["ModelPackageArn"]


def create_training_job(sagemaker: SageMakerClient, name: str, output: str, role: str) -> None:
    """Create a training job that has ended. moto says that it wrote `<output>/<name>/output/model.tar.gz`."""
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        RoleArn=role,
        OutputDataConfig={"S3OutputPath": output},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )


def titanic_config() -> dict[str, Any]:
    return step_config(MODEL, "titanic")


def passengers(split: str) -> pd.DataFrame:
    """The Titanic's rows as they stand in the file of the split."""
    return pd.read_csv(TITANIC / f"{split}.csv", dtype=str, keep_default_na=False)


def land(s3: S3Client, key: str, content: str | bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=content.encode() if isinstance(content, str) else content)


def land_small(s3: S3Client, train: str | bytes = TRAIN, validation: str | bytes = VALIDATION) -> None:
    """Land both files of the model `small`."""
    land(s3, KEY, train)
    land(s3, "curated/small/validation.csv", validation)


def prepared(
    s3: S3Client, folder: Path, config: dict[str, Any], train: str | bytes, validation: str | bytes
) -> Run:
    """An execution of `small` with this model.json, after DataPreProcessing has succeeded."""
    land_small(s3, train, validation)
    run = Run(folder / "run", s3, config, "abcdefghijkl")
    assert run.preprocess() == 0
    return run


def rows(run: Run, split: str) -> pd.DataFrame:
    """The rows that DataPreProcessing wrote."""
    return pd.read_parquet(run.output / split)


def land_titanic(s3: S3Client) -> None:
    for split in ("train", "validation"):
        land(s3, f"curated/titanic/{split}.csv", (TITANIC / f"{split}.csv").read_bytes())
