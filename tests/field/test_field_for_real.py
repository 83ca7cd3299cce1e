"""Field cases of data on a deployment: from what people land to a decided model package, with real events."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from handsoff.operating.executions import evidence_of, newest_executions, package_of
from retraining.aws.pipelines import Execution
from tests.field.people import COLUMNS, SECRET, as_csv, as_parquet, changed, passengers, typed, zipped
from tests.field.play import FEATURES
from tests.loop.conftest import Loop, handsoff, wait

pytestmark = pytest.mark.story

MODEL: dict[str, Any] = {
    "features": FEATURES,
    "retrain": {"cooldown": "0s", "daily_limit": 50},
    "approval": {"rules": [{"metric": "accuracy", "min": 0.7}]},
}
BETTER = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "confidence": 0.95}}
STORIES: dict[str, Any] = {
    "respelled": MODEL | {"approval": {"rules": [{"metric": "accuracy", "min": 0.5}, BETTER]}},
    "endings": MODEL,
    "leftovers": MODEL,
    "lake": MODEL,
    "spark": MODEL,
    "folders": MODEL,
    "thin": MODEL,
    "tools": MODEL,
}
ROWS = passengers(1200)
OTHERS = passengers(600, 9)
VALIDATION = {"validation/part-0.csv": as_csv(OTHERS)}


def land(loop: Loop, model: str, files: Mapping[str, bytes], *markers: str) -> None:
    """Put files, then markers, below the model's prefix."""
    for name, body in [*files.items(), *((marker, b"") for marker in markers or ("_SUCCESS",))]:
        loop.deployment.s3.put_object(Bucket=loop.deployment.bucket, Key=f"curated/{model}/{name}", Body=body)


def data_of(loop: Loop, execution: Execution) -> dict[str, Any]:
    """The data part of the execution's evidence."""
    assert execution.status == "Succeeded", execution
    found: dict[str, Any] = evidence_of(loop.deployment, execution)["data"]
    return found


def rows(data: Mapping[str, Any]) -> tuple[int, int]:
    """Rows of train and validation."""
    return data["splits"]["train"]["rows"], data["splits"]["validation"]["rows"]


def approved(loop: Loop, execution: Execution) -> bool:
    """Whether the execution's candidate is approved."""
    package = package_of(loop.deployment, execution)
    assert package is not None
    return package.approval_status == "Approved"


def test_categories_that_change_their_spelling_leave_the_champion_as_good_as_it_was(loop: Loop) -> None:
    land(loop, "respelled", {"train.csv": as_csv(ROWS), "validation.csv": as_csv(OTHERS)})
    first = loop.settled("respelled", 1)
    assert approved(loop, first)
    before = evidence_of(loop.deployment, first)["metrics"]["accuracy"]

    def respelled(text: str) -> str:
        return f"{text}.0"

    worse = changed(passengers(1200, 4, wrong=0.4), pclass=respelled, sex=lambda text: f" {text}")
    validation = changed(OTHERS, pclass=respelled)
    land(loop, "respelled", {"train.csv": as_csv(worse), "validation.csv": as_csv(validation)})
    second = loop.settled("respelled", 2)
    found = evidence_of(loop.deployment, second)
    assert found["data"]["unknownCategories"] == {}
    assert found["data"]["splits"]["train"]["canonicalised"] == {"pclass": 1200, "sex": 1200}
    assert found["data"]["splits"]["validation"]["canonicalised"] == {"pclass": 600}
    assert found["dataChanges"]["categories"] == {}
    assert found["metrics"]["accuracy"] < before
    assert found["verdict"]["champion"] == evidence_of(loop.deployment, first)["modelPackageArn"]
    assert not approved(loop, second)


def test_files_are_read_whatever_their_names_end_with(loop: Loop) -> None:
    files = {
        "train/a.csv": as_csv(ROWS[:300]),
        "train/b.CSV": as_csv(ROWS[300:600]),
        "train/x.gz": zipped(as_csv(ROWS[600:900])),
        "train/20261130_0001_3f2b": as_parquet(typed(ROWS[900:])),
    }
    land(loop, "endings", files | VALIDATION)
    data = data_of(loop, loop.settled("endings", 1))
    assert rows(data) == (1200, 600)
    assert [(item["format"], item["compression"]) for item in data["files"]] == [
        ("parquet", None),
        ("csv", None),
        ("csv", None),
        ("csv", "gzip"),
        ("csv", None),
    ]


def test_what_writers_leave_beside_their_data_is_ignored_and_told(loop: Loop) -> None:
    files = {
        "train/part-0.csv": as_csv(ROWS),
        "train/_temporary/0/part-1.csv": as_csv(ROWS),
        "train/.part-0.csv.crc": b"crc",
        "train/_committed_7": b"{}",
        "train/2026/": b"",
    }
    land(loop, "leftovers", files | VALIDATION)
    data = data_of(loop, loop.settled("leftovers", 1))
    assert rows(data) == (1200, 600)
    assert sorted(item["key"] for item in data["ignored"]) == [
        "curated/leftovers/train/.part-0.csv.crc",
        "curated/leftovers/train/_committed_7",
        "curated/leftovers/train/_temporary/0/part-1.csv",
    ]
    told = loop.told("leftovers", "approved")["reasons"][-1]
    assert told.startswith("note: 2 objects left out: curated/leftovers/train/_committed_7")
    said = handsoff(loop, "data", "leftovers").stdout
    assert "curated/leftovers/train/_temporary/0/part-1.csv" in said
    assert SECRET not in said


def test_a_delta_table_is_refused_by_that_name(loop: Loop) -> None:
    log = {"train/_delta_log/00000000000000000000.json": b'{"commitInfo": {}}'}
    land(loop, "lake", {"train/part-0.parquet": as_parquet(typed(ROWS)), **log, **VALIDATION})

    def refused() -> bool:
        return "Delta" in handsoff(loop, "status", "lake").stdout

    wait("the refusal", refused)
    assert newest_executions(loop.deployment, "lake", 10) == []


def test_markers_in_each_splits_folder_start_one_execution(loop: Loop) -> None:
    train = {"train/part-0.csv": as_csv(ROWS)}
    land(loop, "spark", train, "train/_SUCCESS")
    loop.drained()
    assert newest_executions(loop.deployment, "spark", 10) == []
    assert "validation/_SUCCESS is waited for" in handsoff(loop, "status", "spark").stdout
    land(loop, "spark", VALIDATION, "validation/_SUCCESS")
    assert rows(data_of(loop, loop.settled("spark", 1))) == (1200, 600)
    loop.drained()
    loop.sweep()
    assert len(newest_executions(loop.deployment, "spark", 10)) == 1


def test_partitioned_folders_give_their_column(loop: Loop) -> None:
    others = [name for name in COLUMNS if name != "embarked"]
    files = {
        "train/embarked=S/part-0.csv": as_csv(ROWS[:400], columns=others),
        "train/embarked=C/part-0.parquet": as_parquet(typed(ROWS[400:800]).drop_columns(["embarked"])),
        "train/embarked=__HIVE_DEFAULT_PARTITION__/part-0.csv": as_csv(ROWS[800:], columns=others),
    }
    land(loop, "folders", files | VALIDATION)
    data = data_of(loop, loop.settled("folders", 1))
    assert rows(data) == (1200, 600)
    assert data["partitionColumns"] == ["embarked"]
    train = data["splits"]["train"]
    assert train["categories"]["embarked"] == 2
    assert train["missingShare"]["embarked"] == pytest.approx(400 / 1200)


def test_parts_with_few_rows_are_judged_over_the_split(loop: Loop) -> None:
    files = {
        f"train/part-{number:03}.csv": as_csv(ROWS[number * 12 : number * 12 + 12]) for number in range(99)
    }
    files |= {f"train/row-{number:02}.csv": as_csv([ROWS[1188 + number]]) for number in range(12)}
    files |= {"train/empty.csv": as_csv([]), "train/nothing.csv": b""}
    land(loop, "thin", files | VALIDATION)
    data = data_of(loop, loop.settled("thin", 1))
    assert rows(data) == (1200, 600)
    assert len(data["files"]) == 114
    assert "note: 2 files without rows: " in "\n".join(loop.told("thin", "approved")["reasons"])


def test_the_same_bytes_by_another_tool_start_one_execution(loop: Loop) -> None:
    bulky = as_csv(changed(ROWS, note=lambda text: text.ljust(10_000, ".")))
    assert len(bulky) > 11 << 20
    s3, bucket = loop.deployment.s3, loop.deployment.bucket
    land(loop, "tools", {"train/part-0.csv": bulky, **VALIDATION})
    loop.settled("tools", 1)
    etags = {s3.head_object(Bucket=bucket, Key="curated/tools/train/part-0.csv")["ETag"]}
    for megabytes in (5, 8):
        size = megabytes << 20
        parts = TransferConfig(multipart_threshold=size, multipart_chunksize=size)
        key = "curated/tools/train/part-0.csv"
        s3.upload_fileobj(io.BytesIO(bulky), bucket, key, Config=parts)
        etags.add(s3.head_object(Bucket=bucket, Key=key)["ETag"])
        land(loop, "tools", {})
        loop.drained()
        loop.sweep()
        assert "the same bytes" in handsoff(loop, "status", "tools").stdout
        assert len(newest_executions(loop.deployment, "tools", 10)) == 1
    assert len(etags) == 3
