"""What lies below a prefix and is no data is left out and named; a table with snapshots is refused."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest

from retraining.starts.as_of import Version, batch_as_of
from retraining.starts.batches import Ignored
from retraining.starts.names import MAX_IGNORED, table_among
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BEGIN, MODEL, OneModel

MINUTE = timedelta(minutes=1)
DELTA = (
    "curated/titanic/train/ is a Delta table: its files hold the rows of all its snapshots. Land the "
    "files of one snapshot as plain Parquet or CSV, for example by an UNLOAD or an export, delete the table "
    "there, and land a new marker if the model uses one"
)


def entry(rest: str, size: int = 1) -> Version:
    return Version(f"curated/m/{rest}", "v", BEGIN, True, "e", size)


def test_batch_names_what_it_leaves_out_and_first_what_may_be_meant_as_data() -> None:
    rests = ["train.csv", "validation.csv", "train/_tmp/a.csv", "train_2026.csv", "Train/a.csv", "DONE"]
    batch = batch_as_of("m", [entry(rest) for rest in rests])
    assert [item.key for item in batch.objects] == ["curated/m/train.csv", "curated/m/validation.csv"]
    assert batch.ignored == (
        Ignored("curated/m/DONE", "elsewhere"),
        Ignored("curated/m/Train/a.csv", "elsewhere"),
        Ignored("curated/m/train_2026.csv", "elsewhere"),
        Ignored("curated/m/train/_tmp/a.csv", "hidden"),
    )
    said = json.loads(batch.manifest())
    assert said["ignoredCount"] == 4
    assert said["ignored"][3] == {"key": "curated/m/train/_tmp/a.csv", "reason": "hidden"}


def test_batch_leaves_out_the_markers_and_what_holds_no_bytes_without_naming_them() -> None:
    rests = ["train/a.csv", "validation/a.csv", "DONE", "train/DONE", "validation/DONE"]
    empty = [entry(rest, 0) for rest in ("train/", "train_$folder$", "train/_SUCCESS", "train/_started_1")]
    batch = batch_as_of("m", [*map(entry, rests), *empty], name="DONE")
    assert [item.key for item in batch.objects] == ["curated/m/train/a.csv", "curated/m/validation/a.csv"]
    assert (batch.ignored, batch.ignored_count, batch.left_out) == ((), 0, "")
    assert "ignored" not in json.loads(batch.manifest())


def test_batch_counts_all_that_it_leaves_out_and_names_some() -> None:
    batch = batch_as_of("m", [entry(f"holdout/{number:03}.csv") for number in range(250)])
    assert (len(batch.ignored), batch.ignored_count) == (MAX_IGNORED, 250)
    where = "(neither below train/ or validation/ nor a file train.csv or validation.csv)"
    names = ", ".join(f"holdout/00{number}.csv {where}" for number in range(5))
    assert batch.left_out == f"250 objects left out: {names} and 245 more"


@pytest.mark.parametrize(
    ("rests", "folder", "kind"),
    [
        (["train/a.parquet", "train/_delta_log/00.json"], "train/", "a Delta"),
        (["validation/x/b.parquet", "validation/x/_delta_log/00.json"], "validation/x/", "a Delta"),
        (["part-0.parquet", "_delta_log/0.checkpoint.parquet"], "", "a Delta"),
        (["sales/_delta_log/00.json"], "sales/", "a Delta"),
        (["train/data/a.parquet", "train/metadata/00000-a.metadata.json"], "train/", "an Iceberg"),
        (["train/data/a.parquet", "train/metadata/v1.metadata.json.gz"], "train/", "an Iceberg"),
        (["data/a.parquet", "metadata/v1.gz.metadata.json"], "", "an Iceberg"),
        (["train/data/data/a", "train/data/metadata/v1.metadata.json"], "train/data/", "an Iceberg"),
        (["train/a.parquet", "train/.hoodie/hoodie.properties"], "train/", "a Hudi"),
    ],
)
def test_batch_knows_a_table_by_its_own_files(rests: list[str], folder: str, kind: str) -> None:
    batch = batch_as_of("m", [entry(rest) for rest in rests])
    assert (batch.table or "").startswith(f"curated/m/{folder} is {kind} table: ")


@pytest.mark.parametrize(
    "more",
    [
        [entry("archive/_delta_log/00.json")],
        [entry("_old/_delta_log/00.json")],
        [entry("train/_delta_log/", 0)],
        [entry("train/metadata/a.metadata.json")],
        [entry("train/metadata/a.metadata.json"), entry("train/mydata/a"), entry("train/a/data/a")],
        [Version("curated/m/train/_delta_log/0.json", "v", BEGIN, True)],
    ],
    ids=["elsewhere", "hidden", "placeholder", "no Iceberg", "other folders", "deleted"],
)
def test_batch_beside_what_only_looks_like_a_table_is_none(more: list[Version]) -> None:
    assert batch_as_of("m", [entry("train.csv"), entry("validation.csv"), *more]).table is None


def test_table_among_thousands_of_files_named_as_an_iceberg_table_takes_linear_time() -> None:
    """16,000 of 32,000 names took four minutes when each was compared with all."""
    names = [
        f"train/{name}" for n in range(16_000) for name in (f"metadata/{n}.metadata.json", f"p-{n}.parquet")
    ]
    began = time.process_time()
    assert table_among(names, "curated/m/", anywhere=False) is None
    assert time.process_time() - began < 20


@pytest.mark.parametrize("ask", ["landing", "request-1"])
def test_table_is_refused_by_name_and_told_once_and_blocks_no_later_landing(ask: str) -> None:
    world = OneModel()
    world.land_batch(0)
    world.land("train/part-0.parquet", b"PAR1")
    world.land("train/_delta_log/00000000000000000000.json", b"{}")
    world.land("_SUCCESS", b"")
    for _ in range(3):
        world.come(ask)
        world.now += MINUTE
        world.sweep()
    state, _ = world.using().states.load(MODEL)
    assert (state.answer, state.reason) == ("refuse", DELTA)
    (sent,) = world.sns.sent
    assert json.loads(json.loads(sent["Message"])["default"])["reasons"] == [DELTA]
    for name in ("train/part-0.parquet", "train/_delta_log/00000000000000000000.json"):
        world.s3.delete_object(Key=f"curated/{MODEL}/{name}")
    world.now += MINUTE
    world.mark()
    assert len(world.started()) == 1


def test_split_that_lies_elsewhere_is_refused_by_name_and_told() -> None:
    world = OneModel()
    world.land("train.csv", HEADER + ROWS)
    world.land("Validation/a.csv", HEADER + ROWS)
    world.mark()
    state, _ = world.using().states.load(MODEL)
    assert state.reason == (
        "there is no validation data; 1 object left out: Validation/a.csv (neither below train/ or "
        "validation/ nor a file train.csv or validation.csv)"
    )
    assert len(world.sns.sent) == 1
    world.land("validation/a.csv", HEADER + ROWS)
    world.now += MINUTE
    world.mark()
    assert len(world.started()) == 1


def test_files_without_a_known_ending_are_trained() -> None:
    world = OneModel()
    world.land("train/a.csv", HEADER + ROWS)
    world.land("train/b.CSV", HEADER + ROWS * 2)
    world.land("train/20261130_0001_abc", HEADER + ROWS * 3)
    world.land("train/_temporary/0/part-0.csv", HEADER + ROWS)
    world.land("train/.a.csv.crc", b"crc")
    world.land("validation/a.csv", HEADER + ROWS)
    world.mark()
    (started,) = world.started()
    manifest = json.loads(
        world.s3.get_object(Key=f"batches/{MODEL}/{started['Batch']}/manifest.json")["Body"].read()
    )
    assert [item["key"].removeprefix("curated/titanic/") for item in manifest["objects"]] == [
        "train/20261130_0001_abc",
        "train/a.csv",
        "train/b.CSV",
        "validation/a.csv",
    ]
    assert manifest["ignored"] == [
        {"key": "curated/titanic/train/.a.csv.crc", "reason": "hidden"},
        {"key": "curated/titanic/train/_temporary/0/part-0.csv", "reason": "hidden"},
    ]


def test_tables_of_both_splits_are_named_in_one_reason() -> None:
    names = ["train/_delta_log/0.json", "train/_delta_log/1.json", "validation/_delta_log/0.json"]
    assert table_among(names, "curated/m/", anywhere=False) == (
        "curated/m/train/ is a Delta table, curated/m/validation/ is a Delta table: their files hold the "
        "rows of all their snapshots. Land the files of one snapshot as plain Parquet or CSV, for example by "
        "an UNLOAD or an export, delete the tables there, and land a new marker if the model uses one"
    )


def test_many_tables_are_counted() -> None:
    names = [f"train/{number}/_delta_log/0.json" for number in range(7)]
    said = table_among(names, "curated/m/", anywhere=False) or ""
    assert "curated/m/train/4/ is a Delta table and 2 more tables: their files" in said
