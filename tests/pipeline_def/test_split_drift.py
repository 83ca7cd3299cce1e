"""Drift of the validation rows and of the newest training rows, from files to evaluation.json."""

from __future__ import annotations

import io
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import drift
import split_drift
from convert import to_dates
from job import DataProblem
from tests.pipeline_def.helpers import PRICES, SMALL, TRAIN, VALIDATION, land_small, prepared, register

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = pytest.mark.usefixtures("undrawn")

DATED: dict[str, Any] = {**SMALL, "data": {"date": "day"}}


def days(*numbers: int | None) -> Any:
    """Dates of January 2026; NaT for None."""
    return np.array(["NaT" if n is None else f"2026-01-{n:02}" for n in numbers], dtype="datetime64[us]")


def dated(days: range, x: int = 0) -> str:
    """A CSV file with a row of each class on each day of 2026, and x from 0 on."""
    first = date(2026, 1, 1)
    rows = (
        f"{day % 7 + x},{'ab'[day % 2]},{label},{first + timedelta(days=day)}\n"
        for day in days
        for label in (0, 1)
    )
    return "x,c,y,day\n" + "".join(rows)


# ---- dates -----------------------------------------------------------------------------------------------


def test_to_dates_reads_iso_8601_and_missing_words() -> None:
    texts = [
        "2026-01-31",
        " 2026-01-31 14:05 ",
        "2026-01-31T14:05:00.123456789Z",
        "2026-01-31 01:00:00+02:00",
    ]
    found = to_dates(pa.array([*texts, "", "NULL", None, "9999-12-31"]), "k", "day", 1).to_pylist()
    assert [value and value.isoformat() for value in found] == [
        "2026-01-31T00:00:00",
        "2026-01-31T14:05:00",
        "2026-01-31T14:05:00.123456",
        "2026-01-30T23:00:00",
        *(None, None, None),
        "9999-12-31T00:00:00",
    ]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1769868300123456789, None], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([1769868300, None], pa.timestamp("s")),
        pa.array([1769868300123, None], pa.timestamp("ms", "UTC")),
    ],
    ids=str,
)
def test_to_dates_reads_times_of_parquet_in_utc(values: Any) -> None:
    found = to_dates(values, "k", "day", 1).to_pylist()
    assert (f"{found[0]:%Y-%m-%d %H:%M:%S}", found[1]) == ("2026-01-31 14:05:00", None)


def test_to_dates_reads_dates_of_parquet() -> None:
    found = to_dates(pa.array([20484], pa.date32()), "k", "day", 1).to_pylist()
    assert found[0].isoformat() == "2026-01-31T00:00:00"


@pytest.mark.parametrize("wrong", ["31.01.2026", "2026-02-30", "14:05:00.5", "2026", "20260131", "soon"])
def test_to_dates_of_another_text_is_refused(wrong: str) -> None:
    expected = "a date such as 2026-01-31, or a time such as 2026-01-31 14:05:00"
    with pytest.raises(DataProblem) as raised:
        to_dates(pa.array(["2026-01-31", wrong]), "train.csv", "day", 1)
    assert str(raised.value) == f"train.csv, row 2: column day has a wrong value, expected {expected}"
    assert raised.value.found == wrong


@pytest.mark.parametrize(
    "values", [pa.array([1, 2]), pa.array([1.5]), pa.array([1], pa.time64("us"))], ids=str
)
def test_to_dates_of_other_types_is_refused(values: Any) -> None:
    with pytest.raises(DataProblem, match="column day has a wrong value"):
        to_dates(values, "train.parquet", "day", 1)


# ---- the newest fifth ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "since"),
    [
        (days(*range(1, 11)), "2026-01-09"),  # two of ten
        (days(*range(10, 0, -1)), "2026-01-09"),
        (days(*range(1, 12)), "2026-01-09"),  # three of eleven: at least a fifth
        (days(1, 2, 3, 8, 8, 8), "2026-01-08"),  # rows of one date stay together
        (days(1, 1, 1, 1, 1, 1, 1, 1, 1, 2), "2026-01-02"),  # the first date is never the newest
        (days(1, 2, None, None), "2026-01-02"),
    ],
)
def test_first_of_newest_is_the_date_of_a_fifth(found: Any, since: str) -> None:
    assert str(split_drift.first_of_newest(found)) == f"{since}T00:00:00.000000"


@pytest.mark.parametrize("found", [days(), days(None, None), days(3, 3, 3), days(3, None)])
def test_first_of_newest_without_earlier_rows_is_none(found: Any) -> None:
    assert split_drift.first_of_newest(found) is None


def test_dates_count_validation_rows_before_the_end_of_train() -> None:
    assert split_drift.dates(days(3, 9, None), days(8, 9, 10, None, None), show=True) == {
        "train": {"first": "2026-01-03", "last": "2026-01-09", "undated": 1},
        "validation": {"first": "2026-01-08", "last": "2026-01-10", "undated": 2, "before_train_end": 1},
    }
    assert split_drift.dates(days(None), days(1), show=True)["validation"]["before_train_end"] == 0


# ---- from files ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_preprocess_measures_the_drift_of_validation_rows(s3: S3Client, tmp_path: Path) -> None:
    near = "x,c,y\n" + "".join(f"{n % 9},{'ab'[n % 2]},{n % 2}\n" for n in range(200))
    far = "x,c,y\n" + "".join(f"{n % 9 * 100},{'ab'[n % 2]},{int(n % 10 == 0)}\n" for n in range(200))
    found = prepared(s3, tmp_path / "a", SMALL, near, near).report["validation_drift"]
    assert (found["columns"]["x"]["psi"], found["target"]["psi"]) == (0.0, 0.0)
    assert found["columns"]["x"]["by_chance"] == pytest.approx(8 * (1 / 200 + 1 / 200))
    report = prepared(s3, tmp_path / "b", SMALL, near, far).report
    found = report["validation_drift"]
    assert found["columns"]["x"]["psi"] > 3
    assert found["columns"]["c"]["psi"] == 0.0
    # half of the rows are of class 1, then a tenth: (0.5 − 0.1) · ln(0.9 / 0.1) = 0.88, but for half rows
    assert found["target"]["psi"] == pytest.approx(0.88, abs=0.02)
    assert (report["time_drift"], report["dates"]) == (None, None)


@pytest.mark.slow
def test_evaluate_tells_drift_by_time_and_dates(s3: S3Client, tmp_path: Path) -> None:
    moved = dated(range(80)) + dated(range(80, 100), x=50).removeprefix("x,c,y,day\n")
    run = prepared(s3, tmp_path, {**DATED, "show_values": True}, moved, dated(range(90, 110)))
    assert run.report["dates"] == {
        "train": {"first": "2026-01-01", "last": "2026-04-10", "undated": 0},
        "validation": {"first": "2026-04-01", "last": "2026-04-20", "undated": 0, "before_train_end": 18},
    }
    run.train()
    found = run.evaluate()["handsoff"]
    assert found["time_drift"]["from"] == "2026-03-22"
    assert found["time_drift"]["columns"]["x"]["psi"] > 3
    assert found["time_drift"]["target"]["psi"] < 0.03  # 0 but for the half row of an empty bin
    assert found["data_notes"] == [
        "92.0% of the training rows look like another one: copies of training rows in validation are hardly "
        "seen; if the files have a key, name it in data.identity",
        "18 of 40 validation rows are older than the newest training row (2026-04-10): a random split tells "
        "less than a split by time how well the model knows later rows",
    ]


@pytest.mark.slow
def test_evaluate_tells_no_date_of_a_single_row_unless_values_are_shown(s3: S3Client, tmp_path: Path) -> None:
    run = prepared(s3, tmp_path, DATED, dated(range(100)), dated(range(90, 100)))
    assert run.report["dates"] == {
        "train": {"p5": "2026-01-05", "p95": "2026-04-05", "undated": 0},
        "validation": {"p5": "2026-04-01", "p95": "2026-04-10", "undated": 0, "before_train_end": 18},
    }
    run.train()
    assert run.evaluate()["handsoff"]["data_notes"][-1].startswith(
        "18 of 20 validation rows are older than the newest training row: a random split"
    )


@pytest.mark.slow
def test_preprocess_of_later_validation_rows_has_no_note(s3: S3Client, tmp_path: Path) -> None:
    run = prepared(s3, tmp_path, DATED, dated(range(20)), dated(range(20, 30)))
    run.train()
    assert run.evaluate()["handsoff"]["data_notes"] == []


@pytest.mark.slow
def test_preprocess_notes_rows_without_a_date(s3: S3Client, tmp_path: Path) -> None:
    undated = dated(range(20)).replace("2026-01-20", "")
    run = prepared(s3, tmp_path, DATED, undated, dated(range(20, 30)))
    run.train()
    assert run.evaluate()["handsoff"]["data_notes"] == [
        "2 of 40 train rows have no value in data.date: they are in no drift by time"
    ]


def test_preprocess_reads_dates_of_parquet(s3: S3Client, tmp_path: Path) -> None:
    frame = pd.read_csv(io.StringIO(dated(range(20))), parse_dates=["day"])
    body = io.BytesIO()
    frame.to_parquet(body)
    land_small(s3, body.getvalue(), dated(range(20, 30)))
    config = {**DATED, "show_values": True}
    run = prepared(s3, tmp_path, config, body.getvalue(), dated(range(20, 30)))
    assert run.report["dates"]["train"]["last"] == "2026-01-20"


# ---- the target ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_evaluate_measures_the_drift_of_the_target(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    first = prepared(s3, tmp_path / "1", SMALL, TRAIN * 1 + "3,a,0\n" * 47, VALIDATION)
    first.execution_id = "aaaaaaaaaaaa"
    first.preprocess()
    first.train()
    champion = register(sagemaker, first)
    second = prepared(s3, tmp_path / "2", SMALL, TRAIN + "3,a,1\n" * 47, VALIDATION)
    second.train()
    moved = second.evaluate(champion)["handsoff"]["drift"]["target"]
    # 2 of 50 rows were of class 1, which was therefore no bin of its own, and now 49 are
    assert moved["psi"] == pytest.approx((49.5 - 2.5) / 51 * np.log(49.5 / 2.5 * 48.5 / 1.5), rel=0.01)
    assert moved["by_chance"] == pytest.approx(1 / 50 + 1 / 50)


def test_with_target_takes_class_shares_of_an_earlier_version() -> None:
    report = {"splits": {"train": {"rows": 50, "class_share": {"0": 0.9, "1": 0.1}}}}
    found = drift.with_target({"columns": {}, "rows": 50}, report)
    now = {"kind": "categorical", "missing": 0, "counts": {"0": 45, "1": 5}, "other": 0, "once": 0}
    assert drift.shift(found, {"columns": {}, "target": now})["target"]["psi"] == 0.0
    prices = {"splits": {"train": {"rows": 50, "target": {}}}}
    unknown = drift.shift(drift.with_target({"columns": {}}, prices), {"columns": {}, "target": now})
    assert np.isnan(unknown["target"]["psi"])
    assert PRICES["classes"] == []
