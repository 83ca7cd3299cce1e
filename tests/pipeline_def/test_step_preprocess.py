"""DataPreProcessing: which bytes it reads, what it makes of them, and what it says of bad ones."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

import inference
import preprocess
from retraining.config.schema import ModelConfig
from retraining.starts.inspection import Fine, inspect
from tests.pipeline_def.helpers import BUCKET, SAMPLES, SMALL, Run, land, land_titanic, titanic_config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TRAIN = "x,c,y\n1,a,0\n2.5,b,1\n,,1\n"
VALIDATION = "x,c,y\n7,a,1\n8,b,0\n"


@pytest.fixture
def run(s3: S3Client, tmp_path: Path) -> Run:
    return Run(tmp_path / "run", s3, SMALL, "abcdefghijkl")


def land_small(s3: S3Client, train: str | bytes = TRAIN, validation: str | bytes = VALIDATION) -> None:
    land(s3, "curated/small/train.csv", train)
    land(s3, "curated/small/validation.csv", validation)


def rows(run: Run, split: str) -> pd.DataFrame:
    return pd.read_parquet(run.output / split)


# --- which bytes ------------------------------------------------------------------------------------------


def test_the_batch_is_the_one_of_the_shared_sample() -> None:
    manifest = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))
    objects = [
        preprocess.DataObject(item["key"], item["versionId"], item["etag"], item["size"])
        for item in manifest["objects"]
    ]
    assert manifest["batch"] == "34cf00cdbbb5b0c35486920b07f1f20239b1b25d5fb9dc9e885829acf82799b7"
    assert preprocess.batch_identity(objects) == manifest["batch"]
    assert preprocess.batch_identity(objects[::-1]) == manifest["batch"]


@pytest.mark.parametrize(
    ("key", "split"),
    [
        ("curated/small/train.csv", "train"),
        ("curated/small/validation.parquet", "validation"),
        ("curated/small/train/2026/part-0.csv.gz", "train"),
        ("curated/small/validation/a b.csv", "validation"),
        ("curated/small/_SUCCESS", None),
        ("curated/small/train/_SUCCESS", None),
        ("curated/small/train/", None),
        ("curated/small/training/a.csv", None),
        ("curated/small/notes.csv", None),
        ("curated/smaller/train.csv", None),
    ],
)
def test_what_is_data(key: str, split: str | None) -> None:
    assert preprocess.split_of(key, "small") == split


def test_latest_is_what_lies_there_now(s3: S3Client, run: Run) -> None:
    land(s3, "curated/small/train.csv", "x,c,y\nold,old,old\n")
    land(s3, "curated/small/train/removed.csv", "x,c,y\nold,old,old\n")
    s3.delete_object(Bucket=BUCKET, Key="curated/small/train/removed.csv")
    land(s3, "curated/small/_SUCCESS", "")
    land_small(s3)
    assert run.preprocess("latest") == 0
    assert [item["key"] for item in run.report["files"]] == [
        "curated/small/train.csv",
        "curated/small/validation.csv",
    ]
    key = f"batches/small/{run.report['batch']}/manifest.json"
    manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert (manifest["model"], manifest["batch"]) == ("small", run.report["batch"])
    assert [item["size"] for item in manifest["objects"]] == [len(TRAIN), len(VALIDATION)]


def test_reads_the_old_bytes_of_an_object_that_was_overwritten(
    s3: S3Client, run: Run, tmp_path: Path
) -> None:
    land_small(s3)
    assert run.preprocess("latest") == 0
    batch = run.report["batch"]
    land(s3, "curated/small/train.csv", "x,c,y\n9,z,0\n9,z,1\n")
    land(s3, "curated/small/train/late.csv", "x,c,y\n9,z,0\n9,z,1\n")
    again = Run(tmp_path / "again", s3, SMALL, "mnopqrstuvwx")
    assert again.preprocess(batch) == 0
    assert again.report["files"] == run.report["files"]
    assert list(rows(again, "train")["c"]) == ["a", "b", None]


def test_an_existing_manifest_stays_and_is_what_is_read(s3: S3Client, run: Run, tmp_path: Path) -> None:
    land_small(s3)
    assert run.preprocess("latest") == 0
    land_small(s3)  # the same bytes, as newer versions
    again = Run(tmp_path / "again", s3, SMALL, "mnopqrstuvwx")
    assert again.preprocess("latest") == 0
    assert again.report["files"] == run.report["files"]
    key = f"batches/small/{run.report['batch']}/manifest.json"
    assert len(s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]) == 1


class Answering:
    """S3 whose writes are first answered with these errors: moto knows no conflict."""

    def __init__(self, s3: S3Client, *codes: str) -> None:
        self.s3, self.codes = s3, list(codes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.s3, name)

    def put_object(self, **request: Any) -> Any:
        if self.codes:
            raise ClientError({"Error": {"Code": self.codes.pop(0), "Message": "no"}}, "PutObject")
        return self.s3.put_object(**request)


CONFLICT = "ConditionalRequestConflict"


@pytest.mark.parametrize("codes", [[CONFLICT], [CONFLICT] * 4])
def test_a_manifest_in_conflict_is_written_again(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, codes: list[str]
) -> None:
    paused: list[float] = []
    monkeypatch.setattr("time.sleep", paused.append)
    land_small(s3)
    batch = preprocess.latest_batch(Answering(s3, *codes), BUCKET, "small")
    assert [item.size for item in preprocess.read_manifest(s3, BUCKET, "small", batch)] == [24, 18]
    assert paused == [0.2, 0.5, 1.0, 2.0][: len(codes)]


@pytest.mark.parametrize(
    ("codes", "left"), [([CONFLICT] * 6, 1), (["AccessDenied", CONFLICT], 1), ([CONFLICT, "AccessDenied"], 0)]
)
def test_a_manifest_that_cannot_be_written_is_an_error(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, codes: list[str], left: int
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    land_small(s3)
    answering = Answering(s3, *codes)
    with pytest.raises(ClientError):
        preprocess.latest_batch(answering, BUCKET, "small")
    assert len(answering.codes) == left


def test_after_a_conflict_the_other_may_have_written_it(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    land_small(s3)
    batch = preprocess.latest_batch(s3, BUCKET, "small")
    answering = Answering(s3, CONFLICT, "PreconditionFailed", "AccessDenied")
    assert preprocess.latest_batch(answering, BUCKET, "small") == batch
    assert answering.codes == ["AccessDenied"]


# --- what it makes of them --------------------------------------------------------------------------------


def test_rows_in_are_rows_out(s3: S3Client, run: Run) -> None:
    land_small(s3)
    assert run.preprocess() == 0
    train = rows(run, "train")
    assert list(train.columns) == ["x", "c", "y", "handsoff:row"]
    assert train["x"].tolist()[:2] == [1.0, 2.5]
    assert np.isnan(train["x"][2])
    assert train["c"].tolist() == ["a", "b", None]
    assert train["y"].tolist() == [0, 1, 1]
    assert str(train["handsoff:row"].dtype) == "uint64"
    assert len(rows(run, "validation")) == 2


def test_the_report(s3: S3Client, run: Run) -> None:
    land_small(s3, train="id,x,c,y\n1,1,a,0\n2,2.5,b,1\n3,,,1\n4,4,b,0\n")
    assert run.preprocess() == 0
    report = run.report
    train = report["files"][0]
    digest = "b110ee94dbf59d428e165ba4582e72bd1fe5ea33577179204f080f94b87b4e43"
    assert (train["rows"], train["bytes"], train["sha256"]) == (4, 41, digest)
    assert train["blank_lines"] == 0
    assert report["columns"] == [["c", "id", "x", "y"], ["c", "x", "y"]]
    assert report["ignored_columns"] == ["id"]
    assert report["execution"] == run.execution
    assert report["splits"]["train"] == {
        "rows": 4,
        "missing_share": {"x": 0.25, "c": 0.25},
        "class_share": {"0": 0.5, "1": 0.5},
    }
    assert report["schema_version"] == 2
    assert report["validation_rows_also_in_train"] == 0


def test_counts_validation_rows_that_stand_in_train(s3: S3Client, run: Run) -> None:
    land_small(s3, validation="y,x,c\n1,7,a\n1,2.5,b\n0,1,a\n")  # the columns in another order
    assert run.preprocess() == 0
    assert run.report["validation_rows_also_in_train"] == 2
    ids = pd.read_parquet(run.output / "report" / "training_rows.parquet")["handsoff:row"]
    assert set(ids) == set(rows(run, "train")["handsoff:row"])


def test_a_row_keeps_its_identity() -> None:
    first = pa.RecordBatch.from_pydict({"b": ["x", ""], "a": ["1", "2"]})
    second = pa.RecordBatch.from_pydict({"a": [2, 1], "b": [None, "x"]})
    assert preprocess.row_ids(first).tolist() == preprocess.row_ids(second)[::-1].tolist()
    assert preprocess.row_ids(first).tolist() == [71483979101189282, 12262269957508207980]


def test_files_of_all_kinds_under_folders(s3: S3Client, run: Run) -> None:
    buffer = io.BytesIO()
    pq.write_table(
        pa.table({"c": [1, None, 3], "x": [1, 2, 3], "y": [True, False, True], "l": [[1], [], None]}), buffer
    )
    land(s3, "curated/small/train/a.parquet", buffer.getvalue())
    land(s3, "curated/small/train/b.csv.gz", gzip.compress(b"x,c,y\r\n 4 ,3,0.0\r\nNA,NA,1\r\n"))
    land(s3, "curated/small/validation/a.csv", '\ufeffx,c,y\n5,"two\nlines, ""quoted""",1\n6,Zürich,0\n')
    assert run.preprocess() == 0
    train = rows(run, "train")
    assert train["c"].tolist() == ["1", None, "3", "3", "NA"]
    assert train["x"].fillna(-1).tolist() == [1, 2, 3, 4, -1]
    assert train["y"].tolist() == [1, 0, 1, 0, 1]
    assert rows(run, "validation")["c"].tolist() == ['two\nlines, "quoted"', "Zürich"]
    assert run.report["ignored_columns"] == ["l"]


def test_columns_are_told_once_and_in_one_order(s3: S3Client, run: Run) -> None:
    land_small(s3, validation="y,x,c\n1,7,a\n0,8,b\n")
    assert run.preprocess() == 0
    assert run.report["columns"] == [["c", "x", "y"]]


@pytest.mark.parametrize(
    ("train", "blank"),
    [
        ("x,c,y\n1,a,0\n2,b,1\n", 0),
        ("x,c,y\n1,a,0\n2,b,1", 0),
        ("x,c,y\n1,a,0\n\n2,b,1\n", 1),
        ("x,c,y\r\n\r\n1,a,0\r\n\r\n2,b,1\r\n", 2),
        ("x,c,y\n1,a,0\n2,b,1\n\n\n", 2),
        ('x,c,y\n1,"a\n\n",0\n2,b,1\n', 0),
        ('x,c,y\n1,"a\n\n",0\n\n2,b,1\n', 1),
    ],
)
def test_blank_lines_are_counted(
    s3: S3Client, run: Run, capsys: pytest.CaptureFixture[str], train: str, blank: int
) -> None:
    land_small(s3, train=train)
    assert run.preprocess() == 0
    assert [(item["rows"], item["blank_lines"]) for item in run.report["files"]] == [(2, blank), (2, 0)]
    warning = f"warning: blank lines in curated/small/train.csv, taken for no rows: {blank}\n"
    assert (warning in capsys.readouterr().out) == (blank > 0)


def test_blank_lines_of_a_zipped_file_in_many_blocks(
    s3: S3Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", 64)
    land(s3, "curated/small/train/a.csv.gz", gzip.compress(b"x,c,y\n" + b"1,a,0\n\n2,b,1\n" * 200))
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == 0
    assert (run.report["files"][0]["rows"], run.report["files"][0]["blank_lines"]) == (400, 200)


def test_numbers_of_parquet_files_may_have_gaps(s3: S3Client, run: Run) -> None:
    buffer = io.BytesIO()
    pd.DataFrame({"x": [1.5, np.nan], "c": [3.0, np.nan], "y": [0, 1]}).to_parquet(buffer)
    land(s3, "curated/small/train.parquet", buffer.getvalue())
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == 0
    assert rows(run, "train")["c"].tolist() == ["3", None]
    assert run.report["splits"]["train"]["missing_share"] == {"x": 0.5, "c": 0.5}


def test_gathers_blocks_into_large_row_groups(
    s3: S3Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", 64)
    monkeypatch.setattr(preprocess, "ROW_GROUP", 100)
    lines = "".join(f"{number},a,{number % 2}\n" for number in range(1000))
    land_small(s3, train="x,c,y\n" + lines)
    assert run.preprocess() == 0
    file = pq.ParquetFile(run.output / "train" / "train.parquet")
    assert file.metadata.num_rows == 1000
    assert all(file.metadata.row_group(group).num_rows >= 100 for group in range(file.num_row_groups - 1))
    file.close()
    assert rows(run, "train")["x"].tolist() == [float(number) for number in range(1000)]


def test_serving_and_training_agree_on_what_a_missing_number_is() -> None:
    assert preprocess.MISSING_NUMBERS == inference.MISSING_NUMBERS
    assert frozenset(pa_csv.ConvertOptions().null_values) == preprocess.MISSING_NUMBERS


def test_the_titanic(s3: S3Client, tmp_path: Path) -> None:
    land_titanic(s3)
    run = Run(tmp_path / "run", s3, titanic_config(), "abcdefghijkl")
    assert run.preprocess() == 0
    splits = run.report["splits"]
    assert (splits["train"]["rows"], splits["validation"]["rows"]) == (1047, 262)
    assert splits["train"]["class_share"]["1"] == pytest.approx(0.3820, abs=5e-5)
    assert run.report["ignored_columns"] == ["boat", "body", "cabin", "home.dest", "name", "ticket"]
    assert run.report["validation_rows_also_in_train"] == 0


# --- by task and kind of column ---------------------------------------------------------------------------

BOOLEANS = {**SMALL, "features": {"numeric": ["x"], "categorical": [], "boolean": ["b"]}}
WORDS = {**SMALL, "classes": ["died", "survived"]}
PENGUINS = {**SMALL, "task": "multiclass_classification", "classes": ["Adelie", "Chinstrap", "Gentoo"]}
PRICES = {**SMALL, "task": "regression", "classes": [], "training": {"estimator": "ridge"}}


def prepared(
    s3: S3Client, folder: Path, config: dict[str, Any], train: str | bytes, validation: str | bytes
) -> Run:
    land_small(s3, train, validation)
    run = Run(folder / "run", s3, config, "abcdefghijkl")
    assert run.preprocess() == 0
    return run


def parquet(frame: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(frame, buffer)
    return buffer.getvalue()


def test_booleans_of_csv_files(s3: S3Client, tmp_path: Path) -> None:
    words = ["true", "No", " T ", "f", "Y", "n", "1", "0.0", "", "NA", "FALSE", "yes", "F", "1.0", "0", "nan"]
    lines = "".join(f"1,{word},{number % 2}\n" for number, word in enumerate(words))
    run = prepared(s3, tmp_path, BOOLEANS, "x,b,y\n" + lines, "x,b,y\n1,t,0\n1,,1\n")
    train = rows(run, "train")
    assert list(train.columns) == ["x", "b", "y", "handsoff:row"]
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
def test_booleans_of_parquet_files(values: Any) -> None:
    assert preprocess.to_booleans(values, "k", "b", 1).to_pylist() == [1.0, 0.0, None]


@pytest.mark.parametrize(
    ("value", "shown"), [("maybe", "'maybe'"), ("2", "2"), ("on", "'on'"), ("nA", "'nA'"), ("1e0", "1e0")]
)
def test_what_is_no_boolean(value: str, shown: str) -> None:
    with pytest.raises(preprocess.DataProblem) as caught:
        preprocess.to_booleans(pa.array(["yes", "", value]), KEY, "b", 7)
    assert str(caught.value) == f"{KEY}, row 9: b is {shown}, expected true or false"


def test_words_may_be_the_classes(s3: S3Client, tmp_path: Path) -> None:
    train = "x,c,y\n1,a,died\n2,b, survived \n3,b,died\n4,a,died\n"
    run = prepared(s3, tmp_path, WORDS, train, "x,c,y\n1,a,survived\n2,b,died\n")
    assert rows(run, "train")["y"].tolist() == [0, 1, 0, 0]
    assert str(rows(run, "train")["y"].dtype) == "int16"
    assert run.report["splits"]["train"]["class_share"] == {"died": 0.75, "survived": 0.25}


def test_three_classes(s3: S3Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = "x,c,y\n1,a,Gentoo\n2,b,Adelie\n3,b,Chinstrap\n4,a,Gentoo\n"
    run = prepared(s3, tmp_path, PENGUINS, train, "x,c,y\n1,a,Gentoo\n2,b,Adelie\n")
    assert rows(run, "train")["y"].tolist() == [2, 0, 1, 2]
    shares = {split: report["class_share"] for split, report in run.report["splits"].items()}
    assert shares["train"] == {"Adelie": 0.25, "Chinstrap": 0.25, "Gentoo": 0.5}
    assert shares["validation"] == {"Adelie": 0.5, "Chinstrap": 0.0, "Gentoo": 0.5}
    out = capsys.readouterr().out
    assert "train: 4 rows, y: Adelie 25.0%, Chinstrap 25.0%, Gentoo 50.0%; missing: nothing\n" in out
    assert "warning: no validation row has y = Chinstrap\n" in out


def test_numbers_to_predict(s3: S3Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = prepared(s3, tmp_path, PRICES, "x,c,y\n1,a,2\n2,b,-4\n3,b,8e0\n", "x,c,y\n1,a,0.5\n")
    assert rows(run, "train")["y"].tolist() == [2.0, -4.0, 8.0]
    assert run.report["splits"]["train"] == {
        "rows": 3,
        "missing_share": {"x": 0.0, "c": 0.0},
        "target": {"mean": 2.0, "standard_deviation": pytest.approx(4.898979), "min": -4.0, "max": 8.0},
    }
    assert run.report["splits"]["validation"]["target"] == {
        "mean": 0.5,
        "standard_deviation": 0.0,
        "min": 0.5,
        "max": 0.5,
    }
    assert (
        "train: 3 rows, y: mean 2, standard deviation 4.89898, min -4, max 8; missing: nothing\n"
        in capsys.readouterr().out
    )


def test_numbers_too_large_to_square_are_still_told(s3: S3Client, tmp_path: Path) -> None:
    run = prepared(s3, tmp_path, PRICES, "x,c,y\n1,a,1e300\n2,b,-1e300\n", "x,c,y\n1,a,0\n")
    assert run.report["splits"]["train"]["target"] == {
        "mean": 0.0,
        "standard_deviation": None,
        "min": -1e300,
        "max": 1e300,
    }


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
def test_which_class_it_is(text: str, classes: tuple[str, ...], index: int) -> None:
    assert preprocess.class_index(text, classes) == index


@pytest.mark.parametrize("text", ["B", "1_0", "true", "inf", "\u0661", "", "a b", "10"])
def test_which_class_it_is_not(text: str) -> None:
    with pytest.raises(LookupError):
        preprocess.class_index(text, ("a", "b", "1"))


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
def test_classes_of_parquet_files(values: Any, classes: tuple[str, str]) -> None:
    assert preprocess.to_classes(values, classes, "k", "y", 1).to_pylist() == [1, 0]


@pytest.mark.parametrize("values", [pa.array([1.0, np.nan]), pa.array(["1", None]), pa.array([True, None])])
def test_a_missing_class_of_a_parquet_file(values: Any) -> None:
    with pytest.raises(preprocess.DataProblem, match="k, row 2: target y is missing, expected 0 or 1"):
        preprocess.to_classes(values, ("0", "1"), "k", "y", 1)


def test_many_classes_are_named_in_one_short_line() -> None:
    assert preprocess.one_of(["a, b", "c"]) == "a, b or c"
    many = [f"class {number}" for number in range(100)]
    assert preprocess.one_of(many).endswith("class 8, class 9 and 90 more")
    assert len(preprocess.one_of(["x" * 10_000] * 100)) < 450


@pytest.mark.parametrize(
    ("config", "train", "validation", "reason"),
    [
        (WORDS, "1,a,died\n1,a,lost\n", "", "train.csv, row 2: y is 'lost', expected died or survived"),
        (WORDS, "1,a,died\n1,a,Died\n", "", "train.csv, row 2: y is 'Died', expected died or survived"),
        (
            PENGUINS,
            "1,a,Adelie\n1,a,Emperor\n",
            "",
            "train.csv, row 2: y is 'Emperor', expected one of Adelie, Chinstrap, Gentoo",
        ),
        (
            PENGUINS,
            "1,a,Adelie\n1,a,\n",
            "",
            "train.csv, row 2: target y is missing, expected one of Adelie, Chinstrap, Gentoo",
        ),
        (PRICES, "1,a,1\n1,a,\n", "", "train.csv, row 2: target y is missing, expected a number"),
        (PRICES, "1,a,1\n1,a,dear\n", "", "train.csv, row 2: y is 'dear', expected a number"),
        (PRICES, "1,a,1\n1,a,-inf\n", "", "train.csv, row 2: y is -inf, expected a finite number"),
    ],
)
def test_a_target_that_does_not_fit_the_task(
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


@pytest.mark.parametrize(
    ("config", "train", "validation", "reason"),
    [
        (
            WORDS,
            ["died", "survived"],
            ["survived"],
            "validation: all 1 rows have y = survived; both classes are needed",
        ),
        (
            PENGUINS,
            ["Adelie", "Gentoo"],
            ["Adelie", "Gentoo"],
            "train: no row has y = Chinstrap; every class is needed",
        ),
        (
            PENGUINS,
            ["Adelie", "Gentoo", "Chinstrap"],
            ["Gentoo", "Gentoo"],
            "validation: all 2 rows have y = Gentoo; at least two classes are needed",
        ),
        (PRICES, ["2.50", "2.5"], ["1", "2"], "train: all 2 rows have y = 2.5; different values are needed"),
    ],
)
def test_targets_that_nothing_can_be_learned_from(
    s3: S3Client,
    tmp_path: Path,
    base_dir: Path,
    config: dict[str, Any],
    train: list[str],
    validation: list[str],
    reason: str,
) -> None:
    land_small(s3, *("x,c,y\n" + "".join(f"1,a,{y}\n" for y in targets) for targets in (train, validation)))
    assert Run(tmp_path / "run", s3, config, "abcdefghijkl").preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == reason


def test_the_profile_is_of_train_only(s3: S3Client, tmp_path: Path) -> None:
    run = prepared(s3, tmp_path, BOOLEANS, "x,b,y\n3,t,0\n1,f,1\n3,,1\n,t,0\n", "x,b,y\n9,f,1\n9,f,0\n")
    text = (run.output / "report" / "data_profile.json").read_text(encoding="utf-8")
    assert json.loads(text) == {
        "schema_version": 1,
        "rows": 4,
        "columns": {
            "x": {"kind": "numeric", "missing": 1, "exact": True, "points": [1.0, 3.0], "below": [1, 3]},
            "b": {"kind": "categorical", "missing": 1, "counts": {"true": 2, "false": 1}, "other": 0},
        },
    }


# --- what a landing is refused for, and what the job is ended for, is the same ----------------------------


def agree(config: dict[str, Any], column: str, text: str) -> bool:
    """Whether preprocessing takes this text in a column, which inspection must say, too."""
    cells = {"x": "1", "b": "t", "y": (config["classes"] or ["1"])[0]} | {column: text}
    values = {name: config[name] for name in ("task", "target", "features", "classes", "training")}
    file = io.StringIO()
    csv.writer(file).writerows([cells, cells.values(), cells.values()])
    body = file.getvalue().encode()
    landed = isinstance(inspect(body, len(body), "train.csv", ModelConfig.model_validate(values)), Fine)
    columns = preprocess.Config("small", "y", tuple(config["classes"]), ("x",), (), ("b",))
    try:
        preprocess.convert(pa.RecordBatch.from_pydict({k: [v] for k, v in cells.items()}), columns, "k", 1)
    except preprocess.DataProblem:
        trained = False
    else:
        trained = True
    assert landed == trained
    return landed


ALL_KINDS = {
    "binary": BOOLEANS,
    "words": {**BOOLEANS, "classes": ["no", "yes"]},
    "truth": {**BOOLEANS, "classes": ["false", "true"]},
    "three": {**BOOLEANS, "task": "multiclass_classification", "classes": ["1", "2.0", "a"]},
    "numbers": {**PRICES, "features": BOOLEANS["features"]},
}


@pytest.mark.parametrize(
    ("kind", "column", "text", "fits"),
    [
        ("binary", "y", "1.0", True),
        ("binary", "y", " 1 ", True),
        ("binary", "y", "1e0", True),
        ("binary", "y", "1_0", False),
        ("binary", "y", "true", False),
        ("binary", "y", "", False),
        ("words", "y", "yes", True),
        ("words", "y", "Yes", False),
        ("truth", "y", "Yes", True),
        ("truth", "y", "", False),
        ("truth", "y", "NA", False),
        ("three", "y", "2", True),
        ("three", "y", "A", False),
        ("numbers", "y", "-1.5e3", True),
        ("numbers", "y", "NaN", False),
        ("numbers", "y", "inf", False),
        ("numbers", "y", "NAN", False),
        ("numbers", "y", "1e999", False),
        ("binary", "x", "\x1f1", True),
        ("binary", "x", "1e999", False),
        ("binary", "x", "\u0661", False),
        ("binary", "x", "NULL", True),
        ("binary", "b", "yEs", True),
        ("binary", "b", "1.0", True),
        ("binary", "b", "1.00", False),
        ("binary", "b", "n/a", True),
        ("binary", "b", "on", False),
    ],
)
def test_a_landing_is_judged_as_the_job_judges(kind: str, column: str, text: str, fits: bool) -> None:
    assert agree(ALL_KINDS[kind], column, text) == fits


@given(
    st.sampled_from(sorted(ALL_KINDS)),
    st.sampled_from(["x", "b", "y"]),
    st.text("0123456789+-.eE_ infatrueyNA", max_size=6) | st.text(st.characters(codec="utf-8"), max_size=4),
)
def test_any_text_is_judged_as_the_job_judges(kind: str, column: str, text: str) -> None:
    if "\x00" not in text:  # a landing with such bytes is refused whole
        agree(ALL_KINDS[kind], column, text)


@pytest.mark.parametrize("text", [" Yes", "f", "1.0", "0", "NA", "", "maybe", "2", "on", "TRUE", "1e0"])
def test_serving_reads_booleans_as_training_does(text: str) -> None:
    try:
        trained = preprocess.as_boolean(text)
    except LookupError:
        with pytest.raises(ValueError, match="expected true or false"):
            inference._boolean(text, "b")
    else:
        assert inference._boolean(text, "b") == pytest.approx(
            np.nan if trained is None else trained, nan_ok=True
        )


# --- what it says of bad ones -----------------------------------------------------------------------------

KEY = "curated/small/train.csv"


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        ("x,c\n1,a\n", f"{KEY} has no column y; it has x, c"),
        ("z,y\n1,0\n", f"{KEY} has no columns x, c; it has z, y"),
        ("x,c,y,x\n1,a,0,2\n", f"{KEY}: column x stands more than once in the header"),
        ("x,c,y\n1,a,0\nabc,b,1\n", f"{KEY}, row 2: x is 'abc', expected a number"),
        ("x,c,y\n1,a,0\ninf,b,1\n", f"{KEY}, row 2: x is inf, expected a finite number"),
        ("x,c,y\n1,a,0\n1,b,2\n", f"{KEY}, row 2: y is 2, expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,yes\n", f"{KEY}, row 2: y is 'yes', expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,true\n", f"{KEY}, row 2: y is 'true', expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,NaN\n", f"{KEY}, row 2: target y is missing, expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,1_0\n", f"{KEY}, row 2: y is '1_0', expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,1\n1,b,\n", f"{KEY}, row 3: target y is missing, expected 0 or 1"),
        ("", f"{KEY} is empty"),
        ("\n", f"{KEY} has no header"),
        ("x,c,y\n", f"{KEY} has a header and no rows"),
        ("x,c,y", f"{KEY} has a header and no rows"),
        ("x,c,y\n\n", f"{KEY} has a header and no rows"),
        ("\nx,c,y\n1,a,0\n2,b,1\n", f"{KEY} has no header"),
        ("x,c,y\n1,a,0\n,,\n2,b,1\n", f"{KEY}, row 2: target y is missing, expected 0 or 1"),
        ("x,c,y\n1,a,0\n2,b,0\n", "train: all 2 rows have y = 0; both classes are needed"),
    ],
)
def test_bad_data_ends_with_one_line(
    s3: S3Client, run: Run, base_dir: Path, capsys: pytest.CaptureFixture[str], train: str, reason: str
) -> None:
    land_small(s3, train=train)
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == reason
    assert capsys.readouterr().err == reason + "\n"


@pytest.mark.parametrize(
    ("train", "begins"),
    [
        ("x,c,y\n1,a,0\n1,b\n", f"{KEY} cannot be read: CSV parse error: Expected 3 columns, got 2: 1,b"),
        (
            b"x,c,y\n" + b"1,a,0\n" * 9999 + b"1,\xff\xfe,0\n",
            f"{KEY} cannot be read: In CSV column #1: CSV conversion error to string",
        ),
        (b"\xff\xfex\x00", f"{KEY} cannot be read: 'utf-8' codec can't decode"),
    ],
)
def test_what_is_no_table_is_said_in_one_line(
    s3: S3Client, run: Run, base_dir: Path, train: str | bytes, begins: str
) -> None:
    land_small(s3, train=train)
    assert run.preprocess() == 1
    message = (base_dir / "output" / "message").read_text()
    assert message.startswith(begins)
    assert "\n" not in message


@pytest.mark.parametrize("name", ["train.parquet", "train/a.csv.gz"])
def test_a_file_that_is_not_what_its_name_says(s3: S3Client, run: Run, base_dir: Path, name: str) -> None:
    land(s3, f"curated/small/{name}", "x,c,y\n1,a,0\n")
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text().startswith(f"curated/small/{name} cannot be read: ")


def test_the_row_is_counted_over_all_blocks(
    s3: S3Client, run: Run, base_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", 64)
    land_small(s3, train="x,c,y\n" + "1,a,0\n" * 500 + "1,a,maybe\n")
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == f"{KEY}, row 501: y is 'maybe', expected 0 or 1"


def test_a_split_is_missing(s3: S3Client, run: Run, base_dir: Path) -> None:
    land(s3, "curated/small/train.csv", TRAIN)
    assert run.preprocess() == 1
    assert (
        base_dir / "output" / "message"
    ).read_text() == "there is no data for validation under curated/small/"


def test_nothing_landed(s3: S3Client, run: Run, base_dir: Path) -> None:  # noqa: ARG001
    assert run.preprocess() == 1
    reason = (base_dir / "output" / "message").read_text()
    assert reason == "there is no data under s3://handsoff-data/curated/small/"


def test_an_unknown_batch(s3: S3Client, run: Run, base_dir: Path) -> None:
    land_small(s3)
    assert run.preprocess("0" * 64) == 1
    assert (base_dir / "output" / "message").read_text() == (
        f"batch {'0' * 64} is unknown: there is no s3://handsoff-data/batches/small/{'0' * 64}/manifest.json"
    )


def altered(s3: S3Client, run: Run, change: dict[str, Any]) -> str:
    """A batch whose manifest says something else of its first object; the identity follows the etag."""
    land_small(s3)
    objects = preprocess.list_objects(s3, BUCKET, "small")
    items: list[dict[str, Any]] = [
        {"key": item.key, "versionId": item.version_id, "etag": item.etag, "size": item.size}
        for item in objects
    ]
    items[0] |= change
    batch = preprocess.batch_identity(
        [preprocess.DataObject(item["key"], item["versionId"], item["etag"], item["size"]) for item in items]
    )
    manifest = {"model": run.config["name"], "batch": batch, "objects": items}
    land(s3, f"batches/small/{batch}/manifest.json", json.dumps(manifest))
    return batch


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"etag": "0" * 32}, f"the batch says {'0' * 32}"),
        ({"size": 7}, f"{KEY}: {len(TRAIN)} bytes arrived, the batch says 7"),
        ({"versionId": "gone"}, f"{KEY}: version gone of the batch is no longer there"),
    ],
)
def test_other_bytes_than_the_batch_says(
    s3: S3Client, run: Run, base_dir: Path, change: dict[str, Any], says: str
) -> None:
    assert run.preprocess(altered(s3, run, change)) == 1
    assert says in (base_dir / "output" / "message").read_text()


def test_an_altered_manifest(s3: S3Client, run: Run, base_dir: Path) -> None:
    batch = altered(s3, run, {})
    land(s3, f"batches/small/{batch}/manifest.json", '{"objects": []}')
    assert run.preprocess(batch) == 1
    assert "does not describe batch" in (base_dir / "output" / "message").read_text()


def test_an_unexpected_error_keeps_its_traceback(
    s3: S3Client, run: Run, base_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    land_small(s3)
    monkeypatch.setattr(preprocess, "fetch", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run.preprocess()
    assert (base_dir / "output" / "message").read_text() == "RuntimeError: a bug"
