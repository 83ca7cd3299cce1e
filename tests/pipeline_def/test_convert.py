"""Typed columns: what a text or a Parquet value means, and the message about one that does not fit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import cells
import convert
import csv_text
import identity
import serving_request
from job import DataProblem
from tests.pipeline_def.helpers import (
    BOOLEANS,
    KEY,
    PENGUINS,
    PRICES,
    VALIDATION,
    WORDS,
    Run,
    land,
    land_small,
    prepared,
    rows,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_text_ids_do_not_depend_on_order_or_type_of_columns() -> None:
    first = pa.RecordBatch.from_pydict({"b": ["x", ""], "a": ["1", "2"]})
    second = pa.RecordBatch.from_pydict({"a": [2, 1], "b": [None, "x"]})
    assert identity.text_ids(first).tolist() == identity.text_ids(second)[::-1].tolist()
    assert identity.text_ids(first).tolist() == [71483979101189282, 12262269957508207980]


def test_convert_booleans_of_csv_files(s3: S3Client, tmp_path: Path) -> None:
    words = ["true", "No", " T ", "f", "Y", "n", "1", "0.0", "", "NA", "FALSE", "yes", "F", "1.0", "0", "nan"]
    lines = "".join(f"1,{word},{number % 2}\n" for number, word in enumerate(words))
    run = prepared(s3, tmp_path, BOOLEANS, "x,b,y\n" + lines, "x,b,y\n1,t,0\n1,,1\n")
    train = rows(run, "train")
    assert list(train.columns) == ["x", "b", "y", "handsoff:row", "handsoff:lookalike"]
    assert str(train["b"].dtype) == "float64"
    assert train["b"].fillna(-1).tolist() == [1, 0, 1, 0, 1, 0, 1, 0, -1, -1, 0, 1, 0, 1, 0, -1]
    assert run.report["splits"]["train"]["missing_share"] == {"x": 0.0, "b": 3 / 16}
    assert run.report["ignored_columns"] == []


@pytest.mark.parametrize(
    "values",
    [
        pa.array([True, False, None]),
        pa.array([1, 0, None]),
        pa.array([1.0, 0.0, np.nan]),
        pa.array(["Yes", "n", None]),
        pa.array(["t", "f", ""]).dictionary_encode(),
        pa.array([1, 0, None], pa.decimal128(5, 2)),
    ],
    ids=["bool", "int", "float", "text", "dictionary", "decimal"],
)
def test_to_booleans_takes_every_parquet_type(values: Any) -> None:
    assert convert.to_booleans(values, "k", "b", 1).to_pylist() == [1.0, 0.0, None]


@pytest.mark.parametrize("value", ["maybe", "2", "on", "nA", "1e0"])
def test_to_booleans_other_value_is_a_data_problem(value: str) -> None:
    with pytest.raises(DataProblem) as caught:
        convert.to_booleans(pa.array(["yes", "", value]), KEY, "b", 7)
    assert str(caught.value) == f"{KEY}, row 9: column b has a wrong value, expected true or false"
    assert caught.value.found == value


@pytest.mark.parametrize(
    ("text", "classes", "index"),
    [
        ("1.0", ("0", "1"), 1),
        ("1", ("0.0", "1.0"), 1),
        (" 1 ", ("0", "1"), 1),
        ("1e0", ("0", "1"), 1),
        ("+1", ("0", "1"), 1),
        ("01", ("1", "2", "3"), 0),
        ("-0", ("0", "1"), 0),
        ("nan", ("nan", "b"), 0),
        ("b", ("a", "b", "c"), 1),
        ("True", ("false", "true"), 1),
        ("no", ("true", "false"), 1),
        ("1", ("true", "false"), 0),
    ],
)
def test_class_index_finds_the_class_by_text_or_number(
    text: str, classes: tuple[str, ...], index: int
) -> None:
    assert convert.class_index(text, classes) == index


@pytest.mark.parametrize("text", ["B", "1_0", "true", "inf", "\u0661", "", "a b", "10"])
def test_class_index_other_text_is_a_lookup_error(text: str) -> None:
    with pytest.raises(LookupError):
        convert.class_index(text, ("a", "b", "1"))


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (pa.array([True, False]), ("0", "1")),
        (pa.array([True, False]), ("false", "true")),
        (pa.array([1.0, 0.0]), ("0", "1")),
        (pa.array([1, 0], pa.decimal128(5, 2)), ("0", "1")),
        (pa.array(["1.0", "0"]).dictionary_encode(), ("0", "1")),
    ],
    ids=["bool as numbers", "bool", "float", "decimal", "dictionary"],
)
def test_to_classes_takes_every_parquet_type(values: Any, classes: tuple[str, str]) -> None:
    assert convert.to_classes(values, classes, "k", "y", 1).to_pylist() == [1, 0]


@pytest.mark.parametrize("values", [pa.array([1.0, np.nan]), pa.array(["1", None]), pa.array([True, None])])
def test_to_classes_missing_value_is_a_data_problem(values: Any) -> None:
    with pytest.raises(DataProblem, match="k, row 2: the target column y has no value, expected 0 or 1"):
        convert.to_classes(values, ("0", "1"), "k", "y", 1)


def test_one_of_many_classes_is_one_short_line() -> None:
    assert convert.one_of(["a, b", "c"]) == "a, b or c"
    many = [f"class {number}" for number in range(100)]
    assert convert.one_of(many).endswith("class 8, class 9 and 90 more")
    assert len(convert.one_of(["x" * 10_000] * 100)) < 450


def test_convert_nan_of_a_parquet_file_is_missing(s3: S3Client, run: Run) -> None:
    buffer = io.BytesIO()
    pd.DataFrame({"x": [1.5, np.nan], "c": [3.0, np.nan], "y": [0, 1]}).to_parquet(buffer)
    land(s3, "curated/small/train.parquet", buffer.getvalue())
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == 0
    assert rows(run, "train")["c"].tolist() == ["3", None]
    assert run.report["splits"]["train"]["missing_share"] == {"x": 0.5, "c": 0.5}


@pytest.mark.parametrize(
    ("config", "train", "validation", "reason"),
    [
        (
            WORDS,
            "1,a,died\n1,a,lost\n",
            "",
            "train.csv, row 2: column y has a wrong value, expected died or survived",
        ),
        (
            WORDS,
            "1,a,died\n1,a,Died\n",
            "",
            "train.csv, row 2: column y has a wrong value, expected died or survived",
        ),
        (
            PENGUINS,
            "1,a,Adelie\n1,a,Emperor\n",
            "",
            "train.csv, row 2: column y has a wrong value, expected one of Adelie, Chinstrap, Gentoo",
        ),
        (
            PENGUINS,
            "1,a,Adelie\n1,a,\n",
            "",
            "train.csv, row 2: the target column y has no value, expected one of Adelie, Chinstrap, Gentoo",
        ),
        (
            PRICES,
            "1,a,1\n1,a,\n",
            "",
            "train.csv, row 2: the target column y has no value, expected a number",
        ),
        (PRICES, "1,a,1\n1,a,dear\n", "", "train.csv, row 2: column y has a wrong value, expected a number"),
        (
            PRICES,
            "1,a,1\n1,a,-inf\n",
            "",
            "train.csv, row 2: column y has a wrong value, expected a finite number",
        ),
    ],
)
def test_convert_target_that_does_not_fit_the_task_is_a_data_problem(
    s3: S3Client,
    tmp_path: Path,
    base_dir: Path,
    config: dict[str, Any],
    train: str,
    validation: str,
    reason: str,
) -> None:
    land_small(s3, "x,c,y\n" + train, "x,c,y\n" + validation)
    assert Run(tmp_path / "run", s3, config, "abcdefghijkl").preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == f"curated/small/{reason}"


def test_convert_counts_rows_over_all_blocks(
    s3: S3Client, run: Run, base_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 64)
    land_small(s3, train="x,c,y\n" + "1,a,0\n" * 500 + "1,a,maybe\n")
    assert run.preprocess() == 1
    assert (
        base_dir / "output" / "message"
    ).read_text() == f"{KEY}, row 501: column y has a wrong value, expected 0 or 1"


@pytest.mark.parametrize("text", [" Yes", "f", "1.0", "0", "NA", "", "maybe", "2", "on", "TRUE", "1e0"])
def test_serving_reads_booleans_as_training_does(text: str) -> None:
    try:
        trained = cells.as_boolean(text)
    except LookupError:
        with pytest.raises(ValueError, match="expected true or false"):
            serving_request.to_boolean(text, "b")
    else:
        assert serving_request.to_boolean(text, "b") == pytest.approx(
            np.nan if trained is None else trained, nan_ok=True
        )
