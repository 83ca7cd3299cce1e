"""tests/samples/ holds what the steps write; the Titanic's split is the one that its README describes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.pipeline_def.helpers import SAMPLES, TITANIC
from tests.pipeline_def.make_samples import Make, evaluation, multiclass_evaluation, regression_evaluation

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("undrawn")]


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def shape(value: Any) -> Any:
    """The keys of JSON data at any depth, and its texts. A number is the word number.

    The digest of an artifact, which holds times, and the versions of packages are of the machine.
    """
    if isinstance(value, dict):
        return {
            key: sorted(item) if key in ("artifact", "packages") else shape(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if isinstance(value, (int, float)) else value


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("evaluation.json", evaluation),
        ("evaluation.multiclass.json", multiclass_evaluation),
        ("evaluation.regression.json", regression_evaluation),
    ],
)
def test_sample_evaluation_is_what_the_steps_write(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, name: str, make: Make
) -> None:
    found = make(s3, sagemaker, tmp_path)
    assert shape(found) == shape(sample(name))
    ours, theirs = (item["handsoff"]["candidate"]["metrics"] for item in (found, sample(name)))
    metric = "r2" if found["handsoff"]["task"] == "regression" else "accuracy"
    assert ours[metric]["value"] == pytest.approx(theirs[metric]["value"], abs=0.01)


def test_titanic_split_is_stratified_and_complete() -> None:
    train, validation = (pd.read_csv(TITANIC / f"{split}.csv") for split in ("train", "validation"))
    assert (len(train), len(validation)) == (1047, 262)
    assert int(train["survived"].sum() + validation["survived"].sum()) == 500
    strata = ["survived", "sex", "pclass"]
    shares = pd.concat([frame.groupby(strata).size() / len(frame) for frame in (train, validation)], axis=1)
    assert (shares[0] - shares[1]).abs().max() < 0.003


def test_titanic_readme_makes_the_same_two_files(tmp_path: Path) -> None:
    code = (TITANIC / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=True)
    for name in ("train.csv", "validation.csv"):
        assert (tmp_path / name).read_bytes() == (TITANIC / name).read_bytes()
