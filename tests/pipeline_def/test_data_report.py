"""data_report.json, and the targets from which nothing can be learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.pipeline_def.helpers import (
    PENGUINS,
    PRICES,
    WORDS,
    Run,
    land_small,
    prepared,
    rows,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_data_report_describes_files_columns_and_splits(s3: S3Client, run: Run) -> None:
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
    assert [*report] == [
        "schema_version",
        "model",
        "batch",
        "target",
        "files",
        "columns",
        "ignored_columns",
        "splits",
        "validation_rows_also_in_train",
        "execution",
    ]
    assert [*train] == ["key", "versionId", "etag", "bytes", "sha256", "rows", "blank_lines"]
    assert report["validation_rows_also_in_train"] == 0


def test_data_report_counts_validation_rows_that_are_also_in_train(s3: S3Client, run: Run) -> None:
    land_small(s3, validation="y,x,c\n1,7,a\n1,2.5,b\n0,1,a\n")  # the columns in another order
    assert run.preprocess() == 0
    assert run.report["validation_rows_also_in_train"] == 2
    ids = pd.read_parquet(run.output / "report" / "training_rows.parquet")["handsoff:row"]
    assert set(ids) == set(rows(run, "train")["handsoff:row"])


def test_data_report_lists_each_set_of_columns_once_and_sorted(s3: S3Client, run: Run) -> None:
    land_small(s3, validation="y,x,c\n1,7,a\n0,8,b\n")
    assert run.preprocess() == 0
    assert run.report["columns"] == [["c", "x", "y"]]


def test_data_report_target_too_large_to_square_has_no_deviation(s3: S3Client, tmp_path: Path) -> None:
    run = prepared(s3, tmp_path, PRICES, "x,c,y\n1,a,1e300\n2,b,-1e300\n", "x,c,y\n1,a,0\n")
    assert run.report["splits"]["train"]["target"] == {
        "mean": 0.0,
        "standard_deviation": None,
        "min": -1e300,
        "max": 1e300,
    }


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
def test_check_targets_without_different_values_is_a_data_problem(
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
