"""Models whose files hold the rows of both splits (`data.split`): what is data, and what starts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from retraining.config.schema import parse_config
from retraining.starts import requests
from retraining.starts.as_of import Version, batch_as_of
from retraining.starts.batches import batch_of
from retraining.starts.names import ignored_as, is_data
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BEGIN, MODEL, OneModel

MISPLACED = (
    "curated/titanic/train.csv: data.split divides the rows itself, so no file may say by its name that it "
    "is of one split; delete it there and land its rows under another name, or remove data.split"
)


class Whole(OneModel):
    """One model whose rows are divided at random."""

    def __init__(self, **retrain: Any) -> None:
        super().__init__(**retrain)
        model = self.config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        model["data"] = {"split": {"by": "random", "validation": 0.2}}
        self.config = parse_config({"models": {MODEL: model}}, source="test").models[MODEL]

    @property
    def reason(self) -> str | None:
        return self.using().states.load(MODEL)[0].reason


def entry(rest: str, size: int = 1) -> Version:
    return Version(f"curated/m/{rest}", "v", BEGIN, True, "e", size)


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("rows.csv", None),
        ("rows", None),
        ("rows.CSV.gz", None),
        ("part-00000-abc.snappy.parquet", None),
        ("2026/11/rows.csv", None),
        ("day=2026-11-30/part-0", None),
        ("a/readme.md", None),
        ("train.csv", None),
        ("validation/a.csv", None),
        ("README.md", "ending"),
        ("rows.csv.md5", "ending"),
        ("_SUCCESS", "hidden"),
        ("day=1/_SUCCESS", "hidden"),
        ("day=1/.part-0.csv.crc", "hidden"),
        ("rows.csv.tmp", "unfinished"),
        ("day=1/rows.csv.filepart", "unfinished"),
        ("day=1/rows.csv~", "copy"),
        ("rows.csv.bak", "copy"),
        ("~$rows.xlsx", "copy"),
        ("day=1/", "placeholder"),
        ("day=1_$folder$", "placeholder"),
    ],
)
def test_ignored_as_where_all_files_are_one_set(rest: str, reason: str | None) -> None:
    assert ignored_as(rest, whole=True) == reason
    assert is_data(rest, whole=True) == (reason is None)


def test_batch_of_one_file_is_complete() -> None:
    batch = batch_as_of("m", [entry("rows.csv"), entry("README.md")], whole=True)
    assert (batch.missing, batch.misplaced, batch.table) == ([], None, None)
    assert batch.left_out == "1 object left out: README.md (its ending is none of a data format)"
    assert batch_of("m", batch.objects, whole=True).identity == batch.identity
    assert batch_of("m", [], whole=True).missing == ["train", "validation"]


def test_batch_without_a_file_says_that_there_is_no_data() -> None:
    batch = batch_as_of("m", [entry("README.md")], whole=True)
    assert batch.without_splits == (
        "there is no data; 1 object left out: README.md (its ending is none of a data format)"
    )


def test_batch_names_the_files_that_are_of_one_split() -> None:
    rests = ["rows.csv", *(f"train/{number}.csv" for number in range(7)), "validation"]
    said = batch_as_of("m", map(entry, rests), whole=True).misplaced
    assert said is not None
    named = ", ".join(f"curated/m/train/{number}.csv" for number in range(5))
    assert said.startswith(f"{named} and 3 more: data.split divides the rows itself")
    assert batch_as_of("m", map(entry, rests)).misplaced is None


def test_table_in_any_folder_is_refused() -> None:
    rests = ["rows/a.parquet", "rows/_delta_log/0.json"]
    table = batch_as_of("m", map(entry, rests), whole=True).table
    assert table is not None
    assert table.startswith("curated/m/rows/ is a Delta table")


def test_marker_starts_on_one_file() -> None:
    world = Whole()
    world.land("rows.csv", HEADER + ROWS * 3)
    world.mark()
    assert len(world.sagemaker.executions) == 1


def test_marker_without_a_file_is_refused() -> None:
    world = Whole()
    world.mark()
    assert world.reason == "there is no data"


def test_file_of_one_split_is_refused_and_told_once() -> None:
    world = Whole()
    world.land("rows.csv", HEADER + ROWS)
    world.land("train.csv", HEADER + ROWS)
    world.mark()
    world.mark()
    assert world.reason == MISPLACED
    assert [MISPLACED in call["Message"] for call in world.sns.sent] == [True, True]
    assert not world.sagemaker.executions


def test_bad_file_goes_to_quarantine_and_the_others_start_with_the_next_marker() -> None:
    world = Whole()
    world.land("a.csv", HEADER + ROWS)
    world.land("2026/b.csv", b"name,other\n1,2\n")
    world.mark()
    assert world.reason == "quarantined: curated/titanic/2026/b.csv"
    world.now += timedelta(minutes=1)
    world.mark()
    assert len(world.sagemaker.executions) == 1


def test_file_without_rows_alone_is_refused() -> None:
    world = Whole()
    world.land("a.csv", HEADER)
    world.mark()
    assert world.reason == "there are no rows in the data: its new files hold a header at most; land rows"


def test_min_new_rows_counts_the_rows_of_new_files() -> None:
    world = Whole(min_new_rows=1000)
    world.land("a.csv", HEADER + ROWS)
    world.mark()
    assert world.reason is not None
    assert world.reason.endswith("rows in new files, min_new_rows is 1000")


@pytest.mark.parametrize(("rest", "starts"), [("rows.csv", True), ("a/b", True), ("README.md", False)])
def test_every_object_makes_a_request_if_it_is_data(rest: str, starts: bool) -> None:
    world = Whole(ready={"when": "every_object"})
    assert requests.completes(rest, world.config) is starts
    assert requests.completes(rest, OneModel(ready={"when": "every_object"}).config) is False


def test_landing_whose_event_is_lost_is_found() -> None:
    world = Whole(ready={"when": "every_object"})
    world.land("rows.csv", HEADER + ROWS)
    for _ in range(3):
        world.now += timedelta(minutes=1)
        world.sweep()
    assert len(world.sagemaker.executions) == 1
