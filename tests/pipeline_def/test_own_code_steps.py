"""The steps of own code in order: what they hand on; predictions give the numbers of the model itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tests.pipeline_def.helpers import Run, land, land_titanic, register, titanic_config
from tests.pipeline_def.own_code import OWN, OwnRun, artifact
from tests.pipeline_def.runs import CSV

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

THRESHOLD = """
import csv, io

def model_fn(folder):
    return float(open(folder + "/threshold.txt").read())

def input_fn(body, content_type):
    return list(csv.reader(io.StringIO(body)))

def predict_fn(rows, threshold):
    return [0.9 if row[0] and float(row[0]) > threshold else 0.2 for row in rows]

def output_fn(found, accept):
    return "\\n".join(map(str, found)), accept
"""


def test_evaluation_from_predictions_is_that_of_the_model_itself(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    land_titanic(s3)
    champion = Run(tmp_path / "champion", s3, titanic_config(), "aaaaaaaaaaaa")
    assert champion.preprocess() == 0
    champion.train()
    package = register(sagemaker, champion)
    inside = Run(tmp_path / "inside", s3, titanic_config(), "bbbbbbbbbbbb")
    assert inside.preprocess() == 0
    inside.train()
    wanted = inside.evaluate(package)["handsoff"]

    own = OwnRun(tmp_path / "own", s3, {**titanic_config(), "training": {}}, "bbbbbbbbbbbb")
    assert own.preprocess(champion="latest") == 0
    own.put(inside.folder)
    assert [own.score(who).code for who in ("candidate", "champion")] == [0, 0]
    found = own.evaluate_predictions("champion")["handsoff"]

    assert found == wanted


def test_own_code_candidate_is_compared_with_a_built_in_champion(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run
) -> None:
    package = register(sagemaker, first)
    land(s3, "curated/small/train.csv", CSV.replace("a", "d").replace("b", "d"))
    land(s3, "curated/small/validation.csv", "x,c,y\n0,b,0\n6,a,1\n1.5,a,0\n5.5,a,1\n0.5,a,0\n6.5,a,1\n")
    own = OwnRun(tmp_path / "own", s3, OWN, "bbbbbbbbbbbb")
    assert own.preprocess(champion="latest") == 0
    own.put(artifact(tmp_path / "artifact", {"inference.py": THRESHOLD}, {"threshold.txt": b"3.5"}))
    assert own.score().lines == ["probability", "0.2", "0.9", "0.2", "0.9", "0.2", "0.9"]
    scored = own.score("champion")
    assert (scored.code, scored.scoring["package"], scored.scoring["rows"]) == (0, package, 6)

    found = own.evaluate_predictions("champion")["handsoff"]

    assert found["champion"] == package
    assert found["champion_problem"] is None
    assert found["comparison"]["n"] == 4  # the champion was trained on the other two
    assert found["candidate"]["metrics"]["accuracy"]["value"] == 1.0
    assert found["unknown"] == {"c": {"share": 1.0, "by_chance": 0.0}}


def test_preprocessing_writes_channels_and_rows_for_own_code(s3: S3Client, tmp_path: Path) -> None:
    land(s3, "curated/small/train.csv", 'note,x,y,c\n"a, b",1,0,u\n,2.5,1,\nz,,1,1.0\n')
    land(s3, "curated/small/validation.csv", 'note,x,y,c\n"say ""hi""",7,1,u\nNULL,,0,v\n')
    own = OwnRun(tmp_path / "own", s3, OWN, "abcdefghijkl")

    assert own.preprocess() == 0

    train = pd.read_parquet(own.output / "channel-train")
    assert list(train) == ["note", "x", "y", "c"]
    assert train.to_dict(orient="list")["y"] == [0, 1, 1]
    assert train["note"].tolist() == ["a, b", None, "z"]
    assert train["c"].tolist() == ["u", None, "1"]
    assert train["x"].fillna(-1).tolist() == [1.0, 2.5, -1.0]
    assert json.loads((own.output / "channel-train" / "_columns.json").read_text()) == ["note", "x", "c"]
    assert own.rows.read_text() == '"note","x","c"\n"say ""hi""","7","u"\n"NULL",,"v"\n'
    assert json.loads((own.output / "models" / "champion" / "source.json").read_text()) == {
        "package": None,
        "image": None,
        "problem": None,
    }
