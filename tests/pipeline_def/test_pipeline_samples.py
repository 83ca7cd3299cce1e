"""tests/samples/ is what the steps write and the functions read; the Titanic's split is the one it says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipeline_def.publish import step_config
from retraining.config.schema import ModelConfig
from retraining.config.tasks import METRICS, Task
from retraining.verdicts.evaluation import Evaluation, parse_evaluation
from tests.pipeline_def.helpers import MODEL, SAMPLES, TITANIC
from tests.pipeline_def.make_samples import Make, evaluation, multiclass_evaluation, regression_evaluation

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = pytest.mark.slow


FILES = {
    "binary_classification": "evaluation.json",
    "multiclass_classification": "evaluation.multiclass.json",
    "regression": "evaluation.regression.json",
}


def sample(name: str = "evaluation.json") -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def read(name: str) -> Evaluation:
    return parse_evaluation((SAMPLES / name).read_text(encoding="utf-8"), source=name)


def shape(value: Any) -> Any:
    """The keys of a value, however deep; a number is a number."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if isinstance(value, (int, float)) else value


def test_the_sample_evaluation_is_what_the_rules_read() -> None:
    found = read("evaluation.json")
    assert (found.model, found.candidate.n, found.leaked) == ("titanic", 262, 0)
    assert 0.80 <= found.candidate.metrics["accuracy"].value <= 0.82
    assert found.baseline.predicts == "class 0, 0.618 of the training rows"
    assert [(item.where, item.n) for item in found.slices] == [({"sex": "female"}, 93)]
    assert found.comparison is not None
    assert (found.comparison.n, found.comparison.excluded) == (252, 10)
    assert [(item.where, item.n) for item in found.comparison.slices] == [({"sex": "female"}, 89)]
    assert found.drift is not None
    assert found.drift.reference == found.champion


@pytest.mark.parametrize("task", METRICS)
def test_each_sample_has_every_metric_of_its_task(task: Task) -> None:
    found = read(FILES[task])
    assert found.task == task
    assert found.candidate.unusable == 0
    assert found.comparison is not None
    for metrics in (
        found.candidate.metrics,
        found.baseline.metrics,
        found.baseline.differences,
        found.comparison.candidate,
        found.comparison.champion,
        found.comparison.differences,
    ):
        assert set(metrics) == set(METRICS[task])
    assert all(math.isfinite(item.value) for item in found.comparison.differences.values())


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("evaluation.json", evaluation),
        ("evaluation.multiclass.json", multiclass_evaluation),
        ("evaluation.regression.json", regression_evaluation),
    ],
)
def test_a_sample_evaluation_is_what_the_steps_write(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, name: str, make: Make
) -> None:
    found = make(s3, sagemaker, tmp_path)
    assert shape(found) == shape(sample(name))
    ours, theirs = (item["handsoff"]["candidate"]["metrics"] for item in (found, sample(name)))
    metric = "r2" if found["handsoff"]["task"] == "regression" else "accuracy"
    assert ours[metric]["value"] == pytest.approx(theirs[metric]["value"], abs=0.01)


def test_the_config_that_publish_takes_is_what_the_functions_validate() -> None:
    config = ModelConfig.model_validate(MODEL)
    dumped = config.model_dump(mode="json", exclude_none=True)
    assert step_config(dumped, "titanic") == json.loads((SAMPLES / "model.json").read_text(encoding="utf-8"))


def test_the_split_of_the_titanic_is_stratified_and_whole() -> None:
    train, validation = (pd.read_csv(TITANIC / f"{split}.csv") for split in ("train", "validation"))
    assert (len(train), len(validation)) == (1047, 262)
    assert int(train["survived"].sum() + validation["survived"].sum()) == 500
    strata = ["survived", "sex", "pclass"]
    shares = pd.concat([frame.groupby(strata).size() / len(frame) for frame in (train, validation)], axis=1)
    assert (shares[0] - shares[1]).abs().max() < 0.003


def test_the_readme_makes_both_files_anew(tmp_path: Path) -> None:
    code = (TITANIC / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=True)
    for name in ("train.csv", "validation.csv"):
        assert (tmp_path / name).read_bytes() == (TITANIC / name).read_bytes()
