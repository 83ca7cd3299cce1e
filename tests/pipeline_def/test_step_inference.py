"""Serving: the artifact, unpacked in a fresh process, predicts raw rows as evaluation.json says."""

from __future__ import annotations

import json
import math
import os
import sys
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import inference
import serving_request
import texts
from local.forked.warm import WarmPython
from local.images.table import IMAGES
from local.tarballs import extract
from serving_request import Refused
from tests.pipeline_def.helpers import SMALL, TITANIC, Run, land, land_titanic, titanic_config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

SERVE = """
import sys, pathlib
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder / "code"))
import inference
model = inference.model_fn(str(folder))
rows = inference.input_fn(pathlib.Path(sys.argv[2]).read_bytes(), sys.argv[3])
body, kind = inference.output_fn(inference.predict_fn(rows, model), sys.argv[4])
assert kind == sys.argv[4]
pathlib.Path("answer").write_text(body)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmPython]:
    """Runs scripts in processes of their own, in which only the image's packages are imported already."""
    forked_from = WarmPython(tmp_path_factory.mktemp("python"), IMAGES[0].imported)
    yield forked_from
    forked_from.close()


@pytest.fixture
def trained(s3: S3Client, tmp_path: Path) -> Run:
    land_titanic(s3)
    run = Run(tmp_path / "run", s3, titanic_config(), "abcdefghijkl")
    assert run.preprocess() == 0
    run.train()
    return run


def serve(python: WarmPython, run: Run, folder: Path, request: Path, content_type: str, accept: str) -> str:
    """The answer of a Python that has only the image's packages and the unpacked artifact."""
    with tarfile.open(run.folder / "model.tar.gz") as archive:
        extract(archive, folder)
    (folder / "serve.py").write_text(SERVE)
    process = python.start(
        [sys.executable, str(folder / "serve.py"), str(folder), str(request), content_type, accept],
        {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error"},
        folder,
    )
    assert process is not None
    assert process.stdout is not None
    with process.stdout as output:
        said = output.read().decode()
    assert process.wait(60) == 0, said
    return (folder / "answer").read_text()


def test_serving_raw_rows_has_the_accuracy_of_the_evaluation(
    python: WarmPython, trained: Run, tmp_path: Path
) -> None:
    stated = trained.evaluate()["handsoff"]["candidate"]["metrics"]["accuracy"]["value"]
    answer = serve(
        python, trained, tmp_path / "m", TITANIC / "validation.csv", "text/csv", "text/csv"
    ).splitlines()
    assert answer[0] == "label,probability"
    labels = [int(line.split(",")[0]) for line in answer[1:] if line]
    survived = pd.read_csv(TITANIC / "validation.csv")["survived"].tolist()
    assert len(labels) == 262
    right = sum(label == truth for label, truth in zip(labels, survived, strict=True))
    assert right / 262 == pytest.approx(stated, abs=1e-12)


def test_serving_json_records_predicts_as_csv(python: WarmPython, trained: Run, tmp_path: Path) -> None:
    raw = pd.read_csv(TITANIC / "validation.csv")  # pclass as a number, gaps as NaN: as people would send it
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"instances": json.loads(raw.to_json(orient="records"))}))
    answer = json.loads(
        serve(python, trained, tmp_path / "m", request, "application/json", "application/json")
    )
    model = inference.model_fn(str(trained.model_dir))
    rows = inference.input_fn((TITANIC / "validation.csv").read_bytes(), "text/csv; charset=utf-8")
    expected = inference.predict_fn(rows, model)
    assert isinstance(expected, pd.DataFrame)
    assert [item["label"] for item in answer["predictions"]] == expected["label"].tolist()
    assert [item["probability"] for item in answer["predictions"]] == pytest.approx(
        expected["probability"].tolist()
    )


def test_predict_fn_names_a_missing_feature(trained: Run) -> None:
    rows = inference.input_fn("age,sibsp,parch,fare,pclass,embarked\n1,0,0,7,3,S\n", "text/csv")
    found = inference.predict_fn(rows, inference.model_fn(str(trained.model_dir)))
    assert isinstance(found, Refused)
    assert found.status == 400
    assert str(found).startswith("the rows have no sex; they have age, sibsp, parch")


def test_output_fn_without_rows_has_no_predictions() -> None:
    for classes, header in (
        (("0", "1"), "label,probability\n"),
        (("a", "b", "c"), "label,probability,probability_a,probability_b,probability_c\n"),
        ((), "prediction\n"),
    ):
        model = serving_request.Model(None, classes, ("x",), (), ())
        prediction = inference.predict_fn(inference.input_fn("x\n", "text/csv"), model)
        assert inference.output_fn(prediction, "application/json") == (
            '{"predictions": []}',
            "application/json",
        )
        assert inference.output_fn(prediction, "text/csv") == (header, "text/csv")


class Fixed:
    """A pipeline that predicts these numbers for any rows."""

    def __init__(self, answer: Any, classes: tuple[int, ...] = ()) -> None:
        self.answer, self.classes_ = np.array(answer), np.array(classes)

    def predict_proba(self, features: pd.DataFrame) -> Any:  # noqa: ARG002
        return self.answer

    predict = predict_proba


def answers(model: serving_request.Model, body: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of the JSON answer and the lines of the CSV answer to the same rows."""
    prediction = inference.predict_fn(inference.input_fn(body, "text/csv"), model)
    records = json.loads(inference.output_fn(prediction, "application/json")[0])["predictions"]
    return records, inference.output_fn(prediction, "text/csv")[0].splitlines()


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (("0", "1"), [0, 1, 0]),
        (("1", "0"), [1, 0, 1]),
        (("died", "survived"), ["died", "survived", "died"]),
        (("-1", "1"), [-1, 1, -1]),
        (("01", "1.0"), ["01", "1.0", "01"]),
        (("1", "more"), [1, "more", 1]),
    ],
)
def test_predict_fn_label_is_the_class_as_the_config_names_it(
    classes: tuple[str, ...], labels: list[Any]
) -> None:
    pipeline = Fixed([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]], (0, 1))
    records, lines = answers(serving_request.Model(pipeline, classes, ("x",), (), ()), "x\n1\n2\n3\n")
    assert [record["label"] for record in records] == labels
    assert [record["probability"] for record in records] == [0.25, 0.75, 0.5]
    assert lines == [
        "label,probability",
        *(f"{label},{share}" for label, share in zip(labels, (0.25, 0.75, 0.5), strict=True)),
    ]


def test_predict_fn_three_classes_have_a_probability_each() -> None:
    pipeline = Fixed([[0.25, 0.5, 0.25], [0.5, 0.0, 0.5]], (0, 1, 2))
    model = serving_request.Model(pipeline, ("Adelie", "2", "Gentoo"), ("x",), (), ())
    records, lines = answers(model, "x\n1\n2\n")
    assert records == [
        {"label": 2, "probability": 0.5, "probabilities": {"Adelie": 0.25, "2": 0.5, "Gentoo": 0.25}},
        {"label": "Adelie", "probability": 0.5, "probabilities": {"Adelie": 0.5, "2": 0.0, "Gentoo": 0.5}},
    ]
    assert lines == [
        "label,probability,probability_Adelie,probability_2,probability_Gentoo",
        "2,0.5,0.25,0.5,0.25",
        "Adelie,0.5,0.5,0.0,0.5",
    ]


def test_predict_fn_class_without_training_rows_has_probability_0() -> None:
    model = serving_request.Model(Fixed([[0.25, 0.75]], (0, 2)), ("a", "b", "c"), ("x",), (), ())
    assert answers(model, "x\n1\n")[0] == [
        {"label": "c", "probability": 0.75, "probabilities": {"a": 0.25, "b": 0.0, "c": 0.75}}
    ]


def test_predict_fn_regression_predicts_numbers() -> None:
    model = serving_request.Model(Fixed([2.5, -1.0]), (), ("x",), (), ())
    records, lines = answers(model, "x\n1\n2\n")
    assert records == [{"prediction": 2.5}, {"prediction": -1.0}]
    assert lines == ["prediction", "2.5", "-1.0"]


@pytest.mark.parametrize(
    ("classes", "estimator", "header"),
    [
        (["n", "y"], "hist_gradient_boosting", "label,probability"),
        (
            ["a", "b", "c"],
            "logistic_regression",
            "label,probability,probability_a,probability_b,probability_c",
        ),
        ([], "ridge", "prediction"),
    ],
)
def test_serving_each_task_answers_raw_rows(
    python: WarmPython, s3: S3Client, tmp_path: Path, classes: list[str], estimator: str, header: str
) -> None:
    """The artifact alone says what the task is."""
    task = {0: "regression", 2: "binary_classification"}.get(len(classes), "multiclass_classification")
    config = {
        **SMALL,
        "task": task,
        "classes": classes,
        "features": {"numeric": ["x"], "categorical": ["c"], "boolean": ["b"]},
        "training": {"estimator": estimator},
    }
    names = classes or ["10", "20"]
    lines = [
        f"{n % len(names)},{'' if n % 4 == 0 else 'k'},{'yes' if n % 2 else 'No'},{names[n % len(names)]}\n"
        for n in range(60)
    ]
    for split in ("train", "validation"):
        land(s3, f"curated/small/{split}.csv", "x,c,b,y\n" + "".join(lines))
    run = Run(tmp_path / "run", s3, config, "abcdefghijkl")
    assert run.preprocess() == 0
    run.train()
    request = tmp_path / "request.csv"
    request.write_text("b,c,x\nYES,k,1\nNA,,0\nf,never seen,\n")
    answer = serve(python, run, tmp_path / "m", request, "text/csv", "text/csv").splitlines()
    assert answer[0] == header
    first = answer[1].split(",")[0]
    assert first == names[1] if classes else float(first) == pytest.approx(20, abs=1)
    assert len([line for line in answer if line]) == 4


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1.0),
        (False, 0.0),
        (1, 1.0),
        (0.0, 0.0),
        ("Yes", 1.0),
        (" f ", 0.0),
        ("1.0", 1.0),
        ("", math.nan),
        ("NA", math.nan),
        (None, math.nan),
        (math.nan, math.nan),
    ],
)
def test_boolean_reads_words_and_numbers(value: Any, expected: float) -> None:
    assert serving_request.to_boolean(value, "b") == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("value", ["maybe", 2, 0.5, [], "on"])
def test_boolean_other_value_is_an_error(value: Any) -> None:
    with pytest.raises(ValueError, match="expected true or false"):
        serving_request.to_boolean(value, "b")


def test_input_fn_takes_a_plain_json_list() -> None:
    rows = inference.input_fn(b'[{"x": 1}, {"x": null}]', "application/json")
    assert isinstance(rows, pd.DataFrame)
    assert rows["x"].tolist() == [1, None]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        ("x", "application/x-npy", 415, "content type application/x-npy is not served"),
        ('{"rows": []}', "application/json", 400, "expected a list of records"),
        ("[1, 2]", "application/json", 400, "expected a list of records"),
        ("", "text/csv", 400, "the body is empty"),
        (b"\n\r\n", "text/csv", 400, "the body is empty"),
        ("", "application/json", 400, "the body is empty"),
        ('{"x": 1}\n{"x": 2}\n', "application/json", 400, "the body is no JSON (line 2, column 1)"),
        ('{"x": 1}\n2\n', "application/jsonlines", 400, "expected a list of records"),
        ('[{"x": [1]}]', "application/json", 400, "expected a list of records whose values are texts"),
        (b"\xff", "text/csv", 400, "the body cannot be read as utf-8"),
        ("a\ufffd", "text/csv", 400, "the body cannot be read as utf-8"),
        (b"x,c,b\n1,a\x00,t\n", "text/csv", 400, "the body is not text: character 10 is zero"),
        (b"x", "text/csv; charset=klingon", 400, "the body cannot be read as klingon"),
    ],
)
def test_input_fn_other_content_is_refused(
    body: str | bytes, content_type: str, status: int, says: str
) -> None:
    found = inference.input_fn(body, content_type)
    assert isinstance(found, Refused)
    assert found.status == status
    assert str(found).startswith(says)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0),
        ("3", 3.0),
        (" 2.5 ", 2.5),
        ("", math.nan),
        ("NA", math.nan),
        (None, math.nan),
        (True, 1.0),
        (math.nan, math.nan),
    ],
)
def test_number_reads_text_and_numbers(value: Any, expected: float) -> None:
    assert serving_request.to_number(value, "x") == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("value", ["abc", "1_000", "\u0661", "inf", math.inf, [1], "1e999"])
def test_number_other_value_is_an_error(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        serving_request.to_number(value, "x")


@pytest.mark.parametrize(
    "value", [3.0, 1e10, 1e15, 1e16, 1e20, 1.5e-7, 1e-5, 0.1, -0.0, 218050935881.55823, 2.5, 37.8, 1e23]
)
def test_category_of_a_number_is_that_of_training(value: float) -> None:
    columns = [pa.array([value], pa.float64())]
    if 1e-6 < abs(value) < 1e16:
        columns.append(pa.array([Decimal(repr(value))], pa.decimal128(38, 10)))
    for column in columns:
        assert texts.to_categories(column).to_pylist() == [serving_request.to_category(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, "3"), (3.0, "3"), ("3", "3"), ("3.0", "3"), ("na", "na"), (True, "true"), (2.5, "2.5")],
)
def test_category_is_text(value: Any, expected: str) -> None:
    assert serving_request.to_category(value) == expected


@pytest.mark.parametrize("value", ["", None, math.nan, "NULL", " NA ", "nan", "None", "\\N"])
def test_category_missing_is_nan(value: Any) -> None:
    assert serving_request.to_category(value) == pytest.approx(math.nan, nan_ok=True)
