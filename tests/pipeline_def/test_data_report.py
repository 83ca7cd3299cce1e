"""data_report.json, and the targets from which nothing can be learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from data_report import data_notes
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
        "missing_words": {},
        "canonicalised": {},
        "empty_columns": [],
        "repeated_rows": 0,
        "ranges": {"x": {"p5": None, "p95": None}},
        "categories": {"c": 2},
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
        "partition_columns",
        "ignored",
        "ignored_count",
        "splits",
        "unknown_categories",
        "validation_rows_also_in_train",
        "validation_rows_of_train_groups",
        "lookalikes",
        "validation_drift",
        "time_drift",
        "dates",
        "execution",
    ]
    assert [*train] == [
        "key",
        "versionId",
        "etag",
        "bytes",
        "sha256",
        "rows",
        "blank_lines",
        "format",
        "compression",
        "encoding",
        "delimiter",
        "quotes",
    ]
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


def test_data_report_counts_words_repetitions_and_unknown_categories_without_naming_them(
    s3: S3Client, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    land_small(
        s3,
        train="x,c,y\nNA,a,0\n1,a,1\n1,a,1\n1,a,1\n-7.5,b,0\nnull,,1\n",
        validation="x,c,y\n,secret,1\n,a,0\n,hidden,0\n,secret,1\n",
    )
    assert run.preprocess() == 0
    train, validation = (run.report["splits"][name] for name in ("train", "validation"))
    assert (train["missing_words"], train["repeated_rows"]) == ({"x": 2}, 2)
    assert train["categories"] == {"c": 2}
    assert (validation["ranges"], validation["empty_columns"]) == ({"x": {"p5": None, "p95": None}}, ["x"])
    assert run.report["unknown_categories"] == {"c": {"categories": 2, "rows": 3, "share": 0.75}}
    said = capsys.readouterr().out
    assert "train: words read as missing: x 2" in said
    assert "train: rows that repeat an earlier one: 2" in said
    assert "warning: validation rows with a category that train has not: c 75.0%" in said
    assert "warning: without any value in validation, but not in train: x" in said
    assert "secret" not in said
    assert "secret" not in str(run.report)


def test_data_notes_name_what_was_left_out_and_count_the_rest() -> None:
    splits = {
        name: {"rows": 9, "empty_columns": empty}
        for name, empty in (("train", ["b", "x"]), ("validation", ["x"]))
    }
    report = {
        "ignored": [{"key": f"curated/small/train/.part-{n}.tmp", "reason": "hidden"} for n in range(100)],
        "ignored_count": 250,
        "files": [{"key": "train/p0.csv", "rows": 3}, {"key": "train/p1.csv", "rows": 0}],
        "splits": splits,
        "validation_rows_also_in_train": 0,
    }
    assert data_notes(report) == [
        "250 objects left out: "
        + "".join(
            f"curated/small/train/.part-{number}.tmp (a part of its name begins with _ or .), "
            for number in range(5)
        )[:-2]
        + " and 245 more",
        "1 file without rows: train/p1.csv",
        "without any value in train, but not in validation: b",
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_data_notes_say_nothing_of_checksums_and_name_files_in_quarantine(count: int) -> None:
    checksums = [{"key": f"curated/m/train/.p{n}.csv.crc", "reason": "hidden"} for n in range(count)]
    gone = {"key": "curated/m/train/changes.csv", "reason": "quarantined"}
    splits: dict[str, dict[str, Any]] = {
        name: {"rows": 9, "empty_columns": []} for name in ("train", "validation")
    }
    report = {"ignored": checksums, "ignored_count": count, "files": [], "splits": splits}
    report |= {"validation_rows_also_in_train": 0}
    assert data_notes(report) == []
    report |= {"ignored": [gone, *checksums], "ignored_count": count + 1}
    assert data_notes(report) == ["1 object left out: curated/m/train/changes.csv (in quarantine)"]


@pytest.mark.parametrize(
    ("count", "config", "expected"),
    [
        (19, {}, {"p5": None, "p95": None}),
        (21, {}, {"p5": 1.0, "p95": 19.0}),
        (101, {}, {"p5": 5.0, "p95": 95.0}),
        (19, {"show_values": True}, {"min": 0.0, "max": 18.0}),
    ],
)
def test_data_report_ends_of_columns_and_target_are_values_of_rows_only_if_these_are_shown(
    s3: S3Client, tmp_path: Path, count: int, config: dict[str, Any], expected: dict[str, float | None]
) -> None:
    rows = "".join(f"{n},a,{n}\n" for n in range(count))
    run = prepared(s3, tmp_path, {**PRICES, **config}, f"x,c,y\n{rows}", "x,c,y\n,a,0\n")
    train, validation = (run.report["splits"][name] for name in ("train", "validation"))
    assert train["ranges"] == {"x": expected}
    assert {name: train["target"][name] for name in expected} == expected
    assert validation["ranges"] == {"x": dict.fromkeys(expected)}


def test_data_report_target_too_large_to_square_has_no_deviation(s3: S3Client, tmp_path: Path) -> None:
    config = {**PRICES, "show_values": True}
    run = prepared(s3, tmp_path, config, "x,c,y\n1,a,1e300\n2,b,-1e300\n", "x,c,y\n1,a,0\n")
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
        (
            PRICES,
            ["2.50", "2.5"],
            ["1", "2"],
            "train: all 2 rows have the same y; different values are needed",
        ),
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
