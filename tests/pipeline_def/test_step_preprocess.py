"""DataPreProcessing: from landed files to Parquet, for each task; bad data ends the job with one line."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import artifact
import batch
import evaluate
import reading
from reasons import HIDDEN
from tests.pipeline_def.helpers import (
    BOOLEANS,
    KEY,
    PENGUINS,
    PRICES,
    WORDS,
    Run,
    land_small,
    land_titanic,
    prepared,
    rows,
    titanic_config,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EMPTY = "train has no rows: each of its files is empty or has a header only"


def test_preprocess_each_row_in_is_a_row_out(s3: S3Client, run: Run) -> None:
    land_small(s3)
    assert run.preprocess() == 0
    train = rows(run, "train")
    assert list(train.columns) == ["x", "c", "y", "handsoff:row", "handsoff:lookalike"]
    assert train["x"].tolist()[:2] == [1.0, 2.5]
    assert np.isnan(train["x"][2])
    assert train["c"].tolist() == ["a", "b", None]
    assert train["y"].tolist() == [0, 1, 1]
    assert str(train["handsoff:row"].dtype) == "uint64"
    assert len(rows(run, "validation")) == 2


@pytest.mark.slow
def test_large_files_lie_in_outputs_folders_and_are_deleted(
    s3: S3Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")  # the root disk has no room
    fetched, unpacked = [], []

    def fetch(*given: Any) -> str:
        fetched.append(given[-1])
        return str(batch.fetch(*given))

    def load(archive: Path, folder: Path) -> Any:
        unpacked.append(folder)
        return artifact.load_model(archive, folder)

    monkeypatch.setattr(reading, "fetch", fetch)
    monkeypatch.setattr(evaluate, "load_model", load)
    land_small(s3)
    assert run.preprocess() == 0
    run.train()
    run.evaluate()
    assert {path.parent.parent for path in fetched} == {run.output / "train"}
    assert [folder.parent for folder in unpacked] == [run.output / "evaluation"]
    assert sorted(str(path.relative_to(run.output)) for path in run.output.rglob("*") if path.is_file()) == [
        "evaluation/evaluation.json",
        "evaluation/pictures.json",
        "report/data_profile.json",
        "report/data_report.json",
        "report/training_rows.parquet",
        "train/_columns.json",
        "train/train.parquet",
        "validation/validation.parquet",
    ]
    assert not list(run.output.glob("*/tmp*"))


def test_preprocess_titanic(s3: S3Client, tmp_path: Path) -> None:
    land_titanic(s3)
    run = Run(tmp_path / "run", s3, titanic_config(), "abcdefghijkl")
    assert run.preprocess() == 0
    splits = run.report["splits"]
    assert (splits["train"]["rows"], splits["validation"]["rows"]) == (1047, 262)
    assert splits["train"]["class_share"]["1"] == pytest.approx(0.3820, abs=5e-5)
    assert run.report["ignored_columns"] == ["boat", "body", "cabin", "home.dest", "name", "ticket"]
    assert run.report["validation_rows_also_in_train"] == 0


def test_preprocess_classes_may_be_words(s3: S3Client, tmp_path: Path) -> None:
    train = "x,c,y\n1,a,died\n2,b, survived \n3,b,died\n4,a,died\n"
    run = prepared(s3, tmp_path, WORDS, train, "x,c,y\n1,a,survived\n2,b,died\n")
    assert rows(run, "train")["y"].tolist() == [0, 1, 0, 0]
    assert str(rows(run, "train")["y"].dtype) == "int16"
    assert run.report["splits"]["train"]["class_share"] == {"died": 0.75, "survived": 0.25}


def test_preprocess_three_classes(s3: S3Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = "x,c,y\n1,a,Gentoo\n2,b,Adelie\n3,b,Chinstrap\n4,a,Gentoo\n"
    run = prepared(s3, tmp_path, PENGUINS, train, "x,c,y\n1,a,Gentoo\n2,b,Adelie\n")
    assert rows(run, "train")["y"].tolist() == [2, 0, 1, 2]
    shares = {split: report["class_share"] for split, report in run.report["splits"].items()}
    assert shares["train"] == {"Adelie": 0.25, "Chinstrap": 0.25, "Gentoo": 0.5}
    assert shares["validation"] == {"Adelie": 0.5, "Chinstrap": 0.0, "Gentoo": 0.5}
    out = capsys.readouterr().out
    assert "train: 4 rows, y: Adelie 25.0%, Chinstrap 25.0%, Gentoo 50.0%; missing: nothing\n" in out
    assert "warning: no validation row has y = Chinstrap\n" in out


def test_preprocess_regression(s3: S3Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {**PRICES, "show_values": True}
    run = prepared(s3, tmp_path, config, "x,c,y\n1,a,2\n2,b,-4\n3,b,8e0\n", "x,c,y\n1,a,0.5\n")
    assert rows(run, "train")["y"].tolist() == [2.0, -4.0, 8.0]
    assert run.report["splits"]["train"] == {
        "rows": 3,
        "missing_share": {"x": 0.0, "c": 0.0},
        "missing_words": {},
        "canonicalised": {},
        "empty_columns": [],
        "repeated_rows": 0,
        "ranges": {"x": {"min": 1.0, "max": 3.0}},
        "categories": {"c": 2},
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


def test_preprocess_profile_describes_train_only(s3: S3Client, tmp_path: Path) -> None:
    run = prepared(s3, tmp_path, BOOLEANS, "x,b,y\n3,t,0\n1,f,1\n3,,1\n,t,0\n", "x,b,y\n9,f,1\n9,f,0\n")
    text = (run.output / "report" / "data_profile.json").read_text(encoding="utf-8")
    assert json.loads(text) == {
        "schema_version": 1,
        "rows": 4,
        "columns": {
            "x": {"kind": "numeric", "missing": 1, "exact": True, "points": [1.0, 3.0], "below": [1, 3]},
            "b": {
                "kind": "categorical",
                "missing": 1,
                "counts": {"true": 2, "false": 1},
                "once": 1,
                "other": 0,
            },
        },
        "target": {"kind": "categorical", "missing": 0, "counts": {"0": 2, "1": 2}, "once": 0, "other": 0},
    }


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        ("x,c\n1,a\n", f"{KEY} has no column y in its header of 2 columns"),
        ("z,y\n1,0\n", f"{KEY} has no columns x, c in its header of 2 columns"),
        (
            "x,c,y,x\n1,a,0,2\n",
            f"{KEY}: the header has column x more than once, in columns 1 and 4; expected distinct names",
        ),
        ("x,c,y\n1,a,0\nabc,b,1\n", f"{KEY}, row 2: column x has a wrong value, expected a number"),
        ("x,c,y\n1,a,0\ninf,b,1\n", f"{KEY}, row 2: column x has a wrong value, expected a finite number"),
        ("x,c,y\n1,a,0\n1,b,2\n", f"{KEY}, row 2: column y has a wrong value, expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,yes\n", f"{KEY}, row 2: column y has a wrong value, expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,true\n", f"{KEY}, row 2: column y has a wrong value, expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,NaN\n", f"{KEY}, row 2: the target column y has no value, expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,1_0\n", f"{KEY}, row 2: column y has a wrong value, expected 0 or 1"),
        ("x,c,y\n1,a,0\n1,b,1\n1,b,\n", f"{KEY}, row 3: the target column y has no value, expected 0 or 1"),
        (
            ",".join(f"c{n}" for n in range(5_000)) + "\n" + "," * 4_999 + "\n",
            f"{KEY} has no header: its first line names none of the columns y, x, c; write a header, or "
            "name the columns in data.header",
        ),
        ("a," * 50_000 + "b\n1\n", f"{KEY} is too wide: it has 50,001 columns, at most 20,000 are read"),
        (
            "n" * 131_073 + "\n1\n",
            f"{KEY}, row 1: a quote is in the wrong place or does not end, or a value has more than "
            "131,072 characters; expected CSV",
        ),
        (
            "1," * 5_000_000,
            f"{KEY} is too wide: header and first row do not end in its first 1,048,576 bytes",
        ),
        ("", EMPTY),
        ("\n", EMPTY),
        ("x,c,y\n", EMPTY),
        ("x,c,y", EMPTY),
        ("x,c,y\n\n", EMPTY),
        ("\nx,c,y\n1,a,0\n2,b,1\n", f"{KEY} has no header: its first line is empty; remove the line"),
        ("x,c,y\n1,a,0\n,,\n2,b,1\n", f"{KEY}, row 2: the target column y has no value, expected 0 or 1"),
        ("x,c,y\n1,a,0\n2,b,0\n", "train: all 2 rows have y = 0; both classes are needed"),
    ],
)
def test_preprocess_bad_data_ends_the_job_with_one_line(
    s3: S3Client, run: Run, base_dir: Path, capsys: pytest.CaptureFixture[str], train: str, reason: str
) -> None:
    land_small(s3, train=train)
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == reason
    assert capsys.readouterr().err.startswith(reason)


def test_preprocess_unexpected_error_keeps_its_traceback(
    s3: S3Client, run: Run, base_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    land_small(s3)
    monkeypatch.setattr(reading, "fetch", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run.preprocess()
    message = (base_dir / "output" / "message").read_text()
    assert re.fullmatch(r"RuntimeError in reading\.py, line \d+; " + re.escape(HIDDEN), message)
