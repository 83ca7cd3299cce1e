"""`handsoff data`: which files would train now, and what the newest execution found in its data."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from handsoff.operating.data import ModelData, as_json, model_data
from handsoff.showing.data import show_data
from retraining.aws.ledger import Ledger
from retraining.config.schema import parse_config
from tests.functions.starts.one_model import MODEL, OneModel

SPLIT: dict[str, Any] = {
    "rows": 1200,
    "missing_share": {"age": 0.25, "sex": 0.0},
    "missing_words": {"age": 3},
    "canonicalised": {"sex": 2},
    "empty_columns": [],
    "repeated_rows": 4,
    "ranges": {"age": {"min": 0.5, "max": 80.0}},
    "categories": {"sex": 2},
    "class_share": {"0": 0.5, "1": 0.5},
}
REPORT: dict[str, Any] = {
    "schema_version": 2,
    "batch": "b" * 64,
    "target": "survived",
    "files": [
        {
            "key": "curated/titanic/train/day=1/p0",
            "rows": 1200,
            "blank_lines": 1,
            "format": "csv",
            "compression": "gzip",
            "encoding": "cp1252",
            "delimiter": ";",
            "quotes": "backslash",
        },
        {"key": "curated/titanic/validation.parquet", "rows": 0, "blank_lines": 0, "format": "parquet"},
    ],
    "columns": [["age", "sex"]],
    "ignored_columns": ["name"],
    "partition_columns": ["day"],
    "ignored": [{"key": "curated/titanic/train/.p0.crc", "reason": "hidden"}],
    "ignored_count": 8,
    "splits": {
        "train": SPLIT,
        "validation": {
            **SPLIT,
            "rows": 300,
            "left_out_rows": 1007,
            "missing_words": {},
            "canonicalised": {},
            "ranges": {"age": {"min": None, "max": None}},
        },
    },
    "unknown_categories": {"sex": {"categories": 1, "rows": 30, "share": 0.1}},
    "validation_rows_also_in_train": 7,
    "validation_rows_of_train_groups": 3,
}
CHANGES: dict[str, Any] = {
    "batch": ["a", "b"],
    "files": [None, 2],
    "rows": {"train": [1000, 1200], "validation": [300, 300]},
    "columns": {"new": ["day"], "gone": []},
    "missing_share": {"train": {"age": [0.2, 0.25]}, "validation": {}},
    "ranges": {"age": [[1.0, 80.0], [0.5, 80.0]]},
    "categories": {
        "sex": {"new": 1, "gone": 0, "rows": 30},
        "home": {"new": None, "gone": None, "rows": None},
    },
}


def read(world: OneModel, *, when: str = "marker", **data: Any) -> ModelData:
    model = {
        "data": data,
        "task": "binary_classification",
        "target": "survived",
        "features": {"numeric": ["age"], "categorical": ["sex"]},
        "retrain": {"ready": {"when": when, **({"quiet_period": "5m"} if when == "quiet" else {})}},
    }
    deployment: Any = SimpleNamespace(
        s3=world.s3,
        sagemaker=world.sagemaker,
        ledger=Ledger(world.items),
        config=parse_config({"models": {MODEL: model}}, source="test"),
        bucket="data",
        prefix="handsoff",
        resource_name=lambda name: f"handsoff-{name}",
    )
    return model_data(deployment, MODEL)


def executed(world: OneModel, report: dict[str, Any], changes: dict[str, Any] | None) -> None:
    """An execution that has read its data and was evaluated."""
    arn = world.sagemaker.start_bare(f"by hand {len(world.sagemaker.executions)}")
    world.sagemaker.end(arn)
    folder = f"models/{MODEL}/{arn.rsplit('/', 1)[-1]}"
    world.s3.put_object(Key=f"{folder}/data_report.json", Body=json.dumps(report).encode())
    evaluation = {"handsoff": {"data_changes": changes}}
    world.s3.put_object(Key=f"{folder}/evaluation.json", Body=json.dumps(evaluation).encode())


def shown(found: ModelData) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False)
    show_data(console, found)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_data_shows_the_batch_as_of_the_marker_and_what_has_landed_after_it() -> None:
    world = OneModel()
    world.land_batch(0)
    world.now += timedelta(seconds=1)
    world.land("_SUCCESS", b"")
    world.now += timedelta(seconds=2)
    world.land("train/late.csv", b"x")
    found = read(world)
    assert [item.key for item in found.batch.objects] == [
        "curated/titanic/train.csv",
        "curated/titanic/validation.csv",
    ]
    said = shown(found)
    assert "when the marker landed" in said
    assert "1 file has landed without a marker after them" in said
    assert "curated/titanic/train/late.csv" not in said
    assert "no execution has read data yet" in said
    told = as_json(found)
    assert told["asOf"] == "2026-11-23T06:00:01+00:00"
    assert told["marker"] == "curated/titanic/_SUCCESS"
    assert (told["missing"], told["lastReport"]) == ([], None)
    assert [item["key"] for item in told["files"]] == [item.key for item in found.batch.objects]


def test_data_without_anything_landed_says_so() -> None:
    said = shown(read(OneModel()))
    assert "nothing: no data below curated/titanic/" in said
    assert "curated/titanic/_SUCCESS has never landed" in said
    assert as_json(read(OneModel()))["batch"] is None


def test_data_with_one_split_alone_says_which_is_missing() -> None:
    world = OneModel()
    world.land("train.csv", b"x")
    assert "there is no validation data" in shown(read(world, when="quiet"))


def test_data_of_a_model_that_divides_its_rows_shows_all_files_and_how_they_were_divided() -> None:
    world = OneModel()
    world.land("rows.csv", b"x")
    world.land("2026/more.csv", b"x")
    split = {"by": {"time": "day"}, "validation": 0.2}
    found = {"by": "time", "columns": ["day"], "validation": 0.2, "share": 0.45, "from": "2026-01-01"}
    executed(world, REPORT | {"split": found | {"proposed_from": "2026-06-01", "without_date": 0}}, None)
    said = shown(read(world, when="quiet", split=split))
    assert "2 files, 2 bytes" in said
    assert (
        "time day, validation from 2026-01-01 on: 45.0% of the rows are validation (20.0% asked for); from: "
        "2026-06-01 would bring it back"
    ) in " ".join(said.split())
    world.land("train.csv", b"x")
    assert "data.split divides the rows itself" in shown(read(world, when="quiet", split=split))


def test_data_leaves_out_a_version_that_is_in_quarantine() -> None:
    world = OneModel()
    world.land_batch(0)
    world.land("train/bad.csv", b"age,sex\nx,y\n")
    world.now += timedelta(seconds=1)
    world.mark()
    keys = [item.key for item in read(world).batch.objects]
    assert keys == ["curated/titanic/train.csv", "curated/titanic/validation.csv"]


def test_data_names_what_would_be_left_out_and_a_table_that_is_not_read() -> None:
    world = OneModel()
    world.land_batch(0)
    world.land("train/.part.csv.crc", b"x")
    world.land("readme.md", b"x")
    found = read(world, when="quiet")
    said = shown(found)
    assert "curated/titanic/train/.part.csv.crc: a part of its name begins with _ or ." in said
    assert "curated/titanic/readme.md: neither below train/ or validation/" in said
    assert as_json(found)["ignoredCount"] == 2
    world.land("train/_delta_log/0.json", b"{}")
    refused = read(world, when="quiet")
    said = shown(refused)
    assert "does not train" in said
    assert "is a Delta table" in said
    assert "trains now" not in said
    assert "is a Delta table" in as_json(refused)["refused"]


def test_data_says_that_what_is_left_of_a_quarantined_delivery_does_not_train() -> None:
    world = OneModel()
    world.land_batch(0)
    world.land("train/bad.csv", b"age,sex\nx,y\n")
    world.now += timedelta(seconds=1)
    world.mark()
    found = read(world)
    assert found.refused == "quarantined: curated/titanic/train/bad.csv"
    said = shown(found)
    assert "does not train" in said
    assert "trains now" not in said
    world.land("train/bad.csv", b"pclass,survived,sex,age\n1,1,female,29\n")
    world.land("_SUCCESS", b"")
    assert "trains now" in shown(read(world))


def test_data_says_that_a_range_without_values_is_of_nine_rows_in_ten() -> None:
    world = OneModel()
    split = {**SPLIT, "ranges": {"age": {"p5": 4.0, "p95": 57.0}}}
    executed(world, {**REPORT, "splits": {"train": split, "validation": split}}, None)
    assert "4 to 57 (5 to 95 %)" in shown(read(world))


def test_data_shows_the_newest_report_with_counts_and_ranges() -> None:
    world = OneModel()
    executed(world, REPORT, CHANGES)
    executed(world, {}, None)  # it failed before it had read its data
    found = read(world)
    assert found.last is not None
    assert found.last.execution.identity == "e0"
    said = shown(found)
    for text in (
        "1,200 rows, 4 repeat an earlier one",
        "300 rows, 4 repeat an earlier one, 1,007 left out by changes",
        "7 validation rows are also in train and left out",
        "3 validation rows are of groups in train and left out",
        "columns that are no features ",
        "curated/titanic/train/.p0.crc: a part of its name begins with _ or .",
        "and 7 more",
        "curated/titanic/train/day=1/p0: 1,200 rows, csv gzip cp1252 backslash, separated by ';'",
        ", blank lines: 1",
        "curated/titanic/validation.parquet: 0 rows, parquet (empty)",
        "0.5 to 80",
        "no value",
        "2 categories, 1 unknown in 10.0%",
        "3 words for missing",
        "2 spelled anew",
        "rows of train: 1,000 → 1,200",
        "files: not known → 2",
        "columns new: day",
        "age missing in train: 20.0% → 25.0%",
        "age in train: 1 to 80 → 0.5 to 80",
        "sex in train: 1 new categories in 30 rows, 0 gone",
        "home in train: other categories; too many to count",
    ):
        assert text in said, text
    told = as_json(found)["lastReport"]
    assert told["data"]["ignoredCount"] == 8
    assert told["dataChanges"]["missingShare"]["train"] == {"age": [0.2, 0.25]}


def test_data_shows_a_report_of_an_earlier_version() -> None:
    world = OneModel()
    old = {"rows": 3, "missing_share": {"age": 0.5}, "class_share": {"0": 1.0}}
    file = {"key": "curated/titanic/train.csv", "rows": 3, "blank_lines": 0}
    report = {
        "schema_version": 2,
        "batch": "b",
        "target": "survived",
        "files": [file],
        "columns": [["age"]],
        "ignored_columns": [],
        "splits": {"train": old, "validation": old},
        "validation_rows_also_in_train": 0,
    }
    executed(world, report, None)
    said = shown(read(world))
    assert "curated/titanic/train.csv: 3 rows" in said
    assert "50.0%" in said
    assert "not known: there was none, or it could not be loaded" in said
