"""`data.weight`: training counts a row as often as its weight says, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import train
from job import parse_config
from tests.pipeline_def.helpers import PRICES, SMALL, Run, land_small, prepared, rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("undrawn")

WEIGHED: dict[str, Any] = {**SMALL, "data": {"weight": "w"}}
TRAIN = "x,c,w,y\n1,a,2,0\n2.5,b,0,1\n3,b,0.5,1\n"
VALIDATION = "x,c,w,y\n7,a,1,1\n8,b,1,0\n"


def test_weights_are_read_and_said_in_the_report(s3: S3Client, tmp_path: Path) -> None:
    run = prepared(s3, tmp_path, {**WEIGHED, "show_values": True}, TRAIN, VALIDATION)
    assert rows(run, "train")["handsoff:weight"].tolist() == [2.0, 0.0, 0.5]
    splits = run.report["splits"]
    assert splits["train"]["weights"] == {"min": 0.0, "max": 2.0, "mean": pytest.approx(2.5 / 3), "zero": 1}
    assert splits["validation"]["weights"]["zero"] == 0
    hidden = prepared(s3, tmp_path / "hidden", WEIGHED, TRAIN, VALIDATION).report["splits"]["train"][
        "weights"
    ]
    assert hidden == {"p5": None, "p95": None, "mean": pytest.approx(2.5 / 3), "zero": 1}
    assert run.report["ignored_columns"] == []


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "curated/small/train.csv, row 1: column w has no value, expected a number from 0"),
        ("-1", "curated/small/train.csv, row 1: column w has a wrong value, expected a number from 0"),
        ("inf", "curated/small/train.csv, row 1: column w has a wrong value, expected a finite number"),
        ("much", "curated/small/train.csv, row 1: column w has a wrong value, expected a number"),
    ],
)
def test_wrong_weight_names_file_row_and_column(
    s3: S3Client, run: Run, base_dir: Path, cell: str, said: str
) -> None:
    (run.code / "model.json").write_text(json.dumps(WEIGHED))
    land_small(s3, TRAIN.replace("1,a,2,0", f"1,a,{cell},0"), VALIDATION)
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == said


def test_weights_that_are_all_zero_are_refused(s3: S3Client, run: Run, base_dir: Path) -> None:
    (run.code / "model.json").write_text(json.dumps(WEIGHED))
    land_small(s3, "x,c,w,y\n1,a,0,0\n2.5,b,0,1\n", VALIDATION)
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == (
        "train: all 2 rows have the weight 0 in column w; at least one row needs more"
    )


@pytest.mark.parametrize(
    ("config", "estimator"),
    [
        (WEIGHED, "hist_gradient_boosting"),
        pytest.param(WEIGHED, "random_forest", marks=pytest.mark.slow),
        (WEIGHED, "logistic_regression"),
        ({**PRICES, "data": {"weight": "w"}}, "ridge"),
    ],
)
def test_weight_counts_a_row_more_often(config: dict[str, Any], estimator: str) -> None:
    """Rows with y = 1 weigh three times as much: the mean prediction rises from a half to three quarters."""
    asked = parse_config({**config, "training": {"estimator": estimator}})
    features = pd.DataFrame({"x": np.zeros(400), "c": ["a"] * 400})
    target = pd.Series(np.arange(400) % 2, dtype="int16")
    weights = pd.Series(np.where(target == 1, 3.0, 1.0))
    found = []
    for given in (None, weights):
        fitted = train.fit(asked, features, target, given)
        predict = (
            fitted.predict
            if config["classes"] == []
            else lambda rows, to=fitted: to.predict_proba(rows)[:, 1]
        )
        found.append(float(predict(features).mean()))
    assert found == [pytest.approx(0.5, abs=0.02), pytest.approx(0.75, abs=0.02)]


@pytest.mark.slow
def test_run_trains_with_the_weights_of_its_channel(s3: S3Client, tmp_path: Path) -> None:
    lines = [f"{n % 3},a,{3 if n % 2 else 1},{n % 2}" for n in range(200)]
    weighed = "\n".join(["x,c,w,y", *lines, ""])
    found = []
    for name, config in (("first", {**SMALL, "data": {}}), ("second", WEIGHED)):
        land_small(s3, weighed, VALIDATION)
        run = Run(tmp_path / name, s3, config, name)
        assert run.preprocess() == 0
        run.train()
        found.append(run.evaluate()["handsoff"]["baseline"]["metrics"]["log_loss"]["value"])
    assert found[0] == found[1]  # guessing counts each row once
