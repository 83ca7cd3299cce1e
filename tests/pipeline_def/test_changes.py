"""Files of changes as AWS DMS writes them: what is left of them, and in which order they count."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import csv_text
from tests.pipeline_def.helpers import KEY, SMALL, VALIDATION, Run, land, land_small, rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CDC: dict[str, Any] = {**SMALL, "data": {"cdc": {"operation": "Op", "key": ["id"]}}}
LOAD = "id,x,c,y\n1,10,a,0\n2,20,b,1\n3,30,c,0\n"
FIRST = "Op,id,x,c,y\nU,2,21,b,1\nD,3,,,\nI,4,40,d,1\nI,5,50,e,1\n"
SECOND = "Op,id,x,c,y\nD,5,,,\nI,3,31,c,0\nU,2,22,b,1\nU,2.0,23,b,1\n"
VALID = "Op,id,x,c,y\nI,1,7,a,1\nI,2,8,b,0\n"


def changed(s3: S3Client, folder: Path, config: dict[str, Any], **files: str) -> Run:
    land(s3, "curated/small/validation.csv", VALID if "header" not in config["data"] else VALID[12:])
    for name, body in files.items():
        land(s3, f"curated/small/train/{name}.csv", body)
    return Run(folder / "run", s3, config, "abcdefghijkl")


@pytest.mark.parametrize(
    "load", [LOAD, "Op," + LOAD.replace("\n", "\nI,").rstrip("I,").replace("\nI,1", "\nI,1")]
)
def test_changes_last_one_of_each_key_counts(s3: S3Client, tmp_path: Path, load: str) -> None:
    run = changed(s3, tmp_path, CDC, LOAD00000001=load, **{"20260101-1": FIRST, "20260102-1": SECOND})
    assert run.preprocess() == 0
    train = rows(run, "train")
    assert sorted(train["x"]) == [10.0, 23.0, 31.0, 40.0]
    assert run.report["splits"]["train"]["rows"] == 4
    assert [run.report["splits"][split]["left_out_rows"] for split in ("train", "validation")] == [7, 0]
    assert run.report["splits"]["train"]["missing_share"] == {"x": 0.0, "c": 0.0}
    assert [file["rows"] for file in run.report["files"]] == [4, 4, 3, 2]
    assert run.report["columns"] == [["c", "id", "x", "y"]]
    assert not list((run.output / "train").glob("*.all"))


def test_changes_without_header_and_a_full_load_without_operations(s3: S3Client, tmp_path: Path) -> None:
    config = {**SMALL, "data": {**CDC["data"], "header": ["Op", "id", "x", "c", "y"]}}
    files = {"LOAD00000001": LOAD, "20260101-1": FIRST, "20260102-1": SECOND}
    run = changed(s3, tmp_path, config, **{name: body.split("\n", 1)[1] for name, body in files.items()})
    assert run.preprocess() == 0
    assert sorted(rows(run, "train")["x"]) == [10.0, 23.0, 31.0, 40.0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "Op,id,x,c,y\nI,1,1,a,0\nX,2,secret,a,1\n",
            "row 2: column Op has a wrong value, expected I, U or D",
        ),
        ("Op,id,x,c,y\nI,1,1,a,0\nU,,2,a,1\n", "row 2: the key column id has no value, expected one"),
        (
            "Op,id,x,c,y\nD,1,,,\nD,2,,,\nI,3,secret,a,0\n",
            "row 3: column x has a wrong value, expected a number",
        ),
        ("Op,x,c,y\nI,1,a,0\n", "train/a.csv has no column id in its header of 4 columns"),
    ],
)
def test_changes_wrong_row_is_named(
    s3: S3Client, tmp_path: Path, base_dir: Path, body: str, reason: str
) -> None:
    run = changed(s3, tmp_path, CDC, a=body)
    assert run.preprocess() == 1
    message = (base_dir / "output" / "message").read_text()
    assert message.endswith(reason)
    assert "secret" not in message


def test_changes_all_rows_deleted_is_a_split_without_rows(
    s3: S3Client, tmp_path: Path, base_dir: Path
) -> None:
    run = changed(s3, tmp_path, CDC, a="Op,id,x,c,y\nI,1,1,a,0\nD,1,,,\n")
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text().startswith("train has no rows")


@pytest.mark.parametrize(
    ("train", "code"),
    [
        ("Op,x,c,y\nI,1,a,0\nD,,,\n", 1),
        (" op,x,c,y\nU,1,a,0\nI,2,a,1\n", 1),
        ("Op,x,c,y\nI,1,a,0\nother,2,a,1\n", 0),
        ("Op,x,c,y\n,1,a,0\n,2,a,1\n", 0),
        ("Op,x,c,y\n,1,a,0\nD,2,a,1\n", 1),
        ("Op,x,c,y\nNULL,1,a,0\nd,2,a,1\n", 1),
        ("__op,x,c,y\nr,1,a,0\nd,2,a,1\n", 1),
        ("Op,x,c,y\nINSERT,1,a,0\nDELETE,2,a,1\n", 1),
        ("Op,x,c,y\nI,1,a,0\ninsert,2,a,1\n", 0),
    ],
)
def test_changes_without_cdc_are_refused_by_name(
    s3: S3Client, run: Run, base_dir: Path, train: str, code: int
) -> None:
    land_small(s3, train=train, validation=VALIDATION)
    assert run.preprocess() == code
    if code:
        assert (base_dir / "output" / "message").read_text() == (
            f"{KEY}: the column Op says what was done to each row (I, U or D), as AWS DMS writes it; set "
            "data.cdc in handsoff.yaml, or land the rows without it. Of other words, such as Debezium's c, u "
            "and d, land the rows that are left"
        )


def test_changes_without_cdc_are_refused_in_a_later_block(
    s3: S3Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 64)
    land_small(s3, train="Op,x,c,y\n" + ",1,a,0\n" * 50 + "D,2,a,1\n", validation=VALIDATION)
    assert run.preprocess() == 1


def test_changes_report_counts_no_cell_of_a_row_that_is_left_out(s3: S3Client, tmp_path: Path) -> None:
    later = "Op,id,x,c,y\nU,1,NA,NULL,1\nU,1,11, a ,1\nU,1,12,a,0\nU,2,20,NULL,1\n"
    run = changed(
        s3, tmp_path, CDC, LOAD00000001="id,x,c,y\n1,10,NULL,0\n2,20,b,1\n", **{"20260101-1": later}
    )
    assert run.preprocess() == 0
    train = run.report["splits"]["train"]
    assert (train["rows"], train["missing_words"], train["canonicalised"]) == (2, {"c": 1}, {})
    assert train["missing_share"] == {"x": 0.0, "c": 0.5}
