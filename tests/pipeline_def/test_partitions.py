"""Columns that stand in a file's path, for CSV and Parquet alike."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from job import DataProblem
from partitions import partitions
from tests.pipeline_def.helpers import VALIDATION, Run, land, rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("curated/m/train/embarked=S/part-0.parquet", {"embarked": "S"}),
        ("curated/m/train/year=2026/month=01/p.csv", {"year": "2026", "month": "01"}),
        ("curated/m/train/c=a%2Fb%3Dc%25/p", {"c": "a/b=c%"}),
        ("curated/m/train/c=Z%C3%BCrich/p", {"c": "Zürich"}),
        ("curated/m/train/c=Z%FCrich/p", {"c": "Zürich"}),
        ("curated/m/train/c=__HIVE_DEFAULT_PARTITION__/p", {"c": ""}),
        ("curated/m/train/c=/p", {"c": ""}),
        ("curated/m/train/a%20b=x=y/p", {"a b": "x=y"}),
        ("curated/m/train/=x/2026/p=1.csv", {}),
    ],
)
def test_partitions_are_the_columns_of_the_folders(key: str, found: dict[str, str]) -> None:
    assert partitions(key) == found


def test_partitions_column_named_twice_is_a_data_problem() -> None:
    with pytest.raises(DataProblem, match="the folders name the column c twice"):
        partitions("curated/m/train/c=a/c=b/p.csv")


def parquet(table: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(table), buffer)
    return buffer.getvalue()


@pytest.mark.slow
def test_preprocess_partitioned_parts_have_the_columns_of_their_paths(s3: S3Client, run: Run) -> None:
    files: dict[str, str | bytes] = {
        "train/c=a/y=0/p0.csv": "x\n1\n2\n",
        "train/c=a/y=1/p1.parquet": parquet({"x": [3, 4]}),
        "train/c=__HIVE_DEFAULT_PARTITION__/y=1/p2.csv": "x,c\n5,\n6,\n",
        "train/c=b/y=1/p3.parquet": parquet({"c": ["b"], "x": [7]}),
        "train/x=8/p4.csv": "y,c\n0,d\n",
        "train/c=z/y=1/p5.csv": "x\n",
        "train/c=z/y=1/p6.csv": "",
        "validation.csv": VALIDATION,
    }
    for key, body in files.items():
        land(s3, f"curated/small/{key}", body)
    assert run.preprocess() == 0
    found = rows(run, "train").sort_values("x")
    assert found["x"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found["c"].tolist() == ["a", "a", "a", "a", None, None, "b", "d"]
    assert found["y"].tolist() == [0, 0, 1, 1, 1, 1, 1, 0]
    assert [file["rows"] for file in run.report["files"]] == [2, 2, 2, 1, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("folder", "cell", "same"), [("1", "1.0", True), ("a", "a", True), ("a", "b", False), ("a", "", False)]
)
def test_preprocess_column_in_path_and_file_must_agree(
    s3: S3Client, run: Run, base_dir: Path, folder: str, cell: str, same: bool
) -> None:
    land(s3, f"curated/small/train/c={folder}/p.csv", f"x,c,y\n1,{folder},0\n2,{cell},1\n")
    land(s3, "curated/small/validation.csv", VALIDATION)
    assert run.preprocess() == (0 if same else 1)
    if not same:
        assert (base_dir / "output" / "message").read_text() == (
            f"curated/small/train/c={folder}/p.csv, row 2: column c has another value than the file's "
            "folder; expected the same value, or the column in one of the two places"
        )
