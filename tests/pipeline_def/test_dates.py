"""Dates as features: training, evaluation and serving see the same numbers of the same cell."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import artifact
import convert
import dates
import inference
import serving_request
import train
from cells import as_date
from job import DataProblem, parse_config
from tests.pipeline_def.helpers import SMALL, Run, land_small, rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATES: dict[str, Any] = {
    **SMALL,
    "features": {"numeric": ["x"], "categorical": ["c"], "boolean": [], "date": ["d"]},
}
HEADER = "x,c,d,y\n"
ESTIMATORS = ["hist_gradient_boosting", "random_forest", "logistic_regression"]


def parts(*texts: str) -> list[list[float]]:
    """Year, month, weekday and days of each text."""
    days = pd.DataFrame({"d": [dates.days_of(as_date(text)) for text in texts]})
    found = dates.with_parts(days, ["d"])
    names = ["handsoff:year:d", "handsoff:month:d", "handsoff:weekday:d", "d"]
    return [[float(value) for value in row] for row in found[names].to_numpy()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", [1970, 1, 4, 0]),  # a Thursday
        ("2026-11-30", [2026, 11, 1, 20787]),  # a Monday
        ("2024-02-29T12:00:00", [2024, 2, 4, 19782.5]),
        ("2024-03-01 01:00:00+02:00", [2024, 2, 4, 19782 + 23 / 24]),  # the day before, in UTC
        ("1969-12-31 18:00", [1969, 12, 3, -0.25]),
        ("0001-01-01", [1, 1, 1, -719162]),
        ("9999-12-31", [9999, 12, 5, 2932896]),
    ],
)
def test_parts_of_a_date(text: str, expected: list[float]) -> None:
    assert parts(text) == [pytest.approx(expected)]


def test_parts_of_a_missing_date_are_missing() -> None:
    assert all(math.isnan(value) for value in parts("NULL")[0])


@pytest.mark.slow
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_parts_are_those_of_pythons_calendar(at: datetime) -> None:
    year, month, weekday, days = parts(at.isoformat())[0]
    assert (year, month, weekday) == (at.year, at.month, at.isoweekday())
    assert days == pytest.approx((at - datetime(1970, 1, 1)).total_seconds() / 86400)


def body(count: int, first: int = 0) -> str:
    """y is 1 in January, February and March, and every seventh date is missing."""
    lines = []
    for n in range(first, first + count):
        at = f"2025-{1 + n % 12:02}-{1 + n % 28:02}"
        lines.append(f"{n},a,{'' if n % 7 == 0 else at},{int(n % 12 < 3)}\n")
    return HEADER + "".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_dates_go_from_files_to_predictions_as_in_serving(
    s3: S3Client, tmp_path: Path, estimator: str
) -> None:
    land_small(s3, body(240), body(60, 240))
    config = {**DATES, "training": {"estimator": estimator}}
    run = Run(tmp_path / "run", s3, config, "abcdefghijkl")
    assert run.preprocess() == 0
    run.train()
    metrics = run.evaluate()["handsoff"]["candidate"]["metrics"]
    assert metrics["roc_auc"]["value"] > 0.9
    model = inference.model_fn(str(run.model_dir))
    validation = rows(run, "validation").head(20)
    request = "x,c,d\n" + "".join(line.rpartition(",")[0] + "\n" for line in body(20, 240).splitlines()[1:])
    answer = inference.predict_fn(inference.input_fn(request, "text/csv"), model)
    assert isinstance(answer, pd.DataFrame)
    stored = artifact.Model(model.pipeline, parse_config(config)).predict(validation)
    assert answer["probability"].to_numpy() == pytest.approx(stored)


@pytest.mark.parametrize(
    ("show", "ends"),
    [
        (False, {"p5": "2025-01-17", "p95": "2025-12-15"}),
        (True, {"min": "2025-01-05", "max": "2025-12-28"}),
    ],
)
def test_report_has_dates_as_dates_and_no_drift_of_them(
    s3: S3Client, tmp_path: Path, show: bool, ends: dict[str, str]
) -> None:
    land_small(s3, body(240), HEADER + "1,a,,1\n2,a,,0\n")
    run = Run(tmp_path / "run", s3, {**DATES, "show_values": show}, "abcdefghijkl")
    assert run.preprocess() == 0
    train_split, validation = (run.report["splits"][split] for split in ("train", "validation"))
    assert train_split["dates"] == {"d": ends}
    assert validation["dates"] == {"d": dict.fromkeys(ends)}
    assert train_split["missing_share"]["d"] == pytest.approx(35 / 240)
    assert "d" not in train_split["ranges"]
    profile = json.loads((run.output / "report" / "data_profile.json").read_text())
    assert set(profile["columns"]) == {"x", "c"}


def test_wrong_date_names_file_row_and_column(s3: S3Client, run: Run, base_dir: Path) -> None:
    (run.code / "model.json").write_text(json.dumps(DATES))
    land_small(s3, HEADER + "1,a,2025-01-01,0\n1,a,31.12.2025,1\n", body(60))
    assert run.preprocess() == 1
    assert (base_dir / "output" / "message").read_text() == (
        "curated/small/train.csv, row 2: column d has a wrong value, expected a date such as 2026-01-31, or "
        "a time such as 2026-01-31 14:05:00"
    )


@pytest.mark.slow
def test_row_keeps_its_identity_when_its_date_becomes_a_feature(s3: S3Client, tmp_path: Path) -> None:
    land_small(s3, body(50), body(20))
    found = []
    for execution, config in (("first", SMALL), ("second", DATES)):
        run = Run(tmp_path / execution, s3, config, execution)
        assert run.preprocess() == 0
        found.append(rows(run, "train")["handsoff:row"].tolist())
    assert found[0] == found[1]


@pytest.mark.slow
def test_dates_of_parquet_are_those_of_text(s3: S3Client, tmp_path: Path) -> None:
    table = pa.table(
        {
            "x": [1.0, 2.0, 3.0],
            "c": ["a", "b", "a"],
            "d": pa.array([datetime(2025, 1, 2, 12), None, datetime(2025, 3, 4)], pa.timestamp("ms", "UTC")),
            "y": [0, 1, 1],
        }
    )
    path = tmp_path / "train.parquet"
    pq.write_table(table, path)
    land_small(s3, path.read_bytes(), HEADER + "1,a,2025-01-02T12:00:00Z,0\n2,b,NaT,1\n")
    run = Run(tmp_path / "run", s3, DATES, "abcdefghijkl")
    assert run.preprocess() == 0
    assert rows(run, "train")["d"].tolist()[:1] == rows(run, "validation")["d"].tolist()[:1] == [20090.5]
    assert np.isnan(rows(run, "train")["d"][1])


@pytest.mark.parametrize(
    ("kind", "number", "unit"),
    [
        (pa.timestamp("s"), 10**13, "s"),
        (pa.timestamp("s"), -(10**12), "s"),
        (pa.timestamp("ms"), 253402300800000, "ms"),
        (pa.timestamp("ms", "Europe/Madrid"), 1706659200000000, "ms"),
        (pa.timestamp("us"), 253402300800000000, "us"),
        (pa.timestamp("us"), -62135596800000001, "us"),
        (pa.date32(), 10**9, "days"),
        (pa.date32(), -719163, "days"),
        (pa.date64(), 253402300800000, "ms"),
    ],
)
def test_date_of_parquet_beyond_the_calendar_names_file_row_and_column(
    kind: pa.DataType, number: int, unit: str
) -> None:
    whole = pa.int32() if kind == pa.date32() else pa.int64()
    values = pa.array([0, None, number], whole).cast(kind)
    with pytest.raises(DataProblem) as refused:
        convert.to_dates(values, "f.parquet", "d", 1)
    assert str(refused.value).startswith(
        "f.parquet, row 3: column d has a wrong value, expected a date of the years 1 to 9999, "
        f"in {unit} since 1970"
    )


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        (pa.timestamp("s"), -62135596800, 253402300799),
        (pa.timestamp("us"), -62135596800000000, 253402300799999999),
        (pa.timestamp("ns"), -(2**63) + 1, 2**63 - 1),
        (pa.date32(), -719162, 2932896),
    ],
)
def test_date_of_parquet_at_the_ends_of_the_calendar_is_read(
    kind: pa.DataType, first: int, last: int
) -> None:
    whole = pa.int32() if kind == pa.date32() else pa.int64()
    found = convert.to_dates(pa.array([first, None, last], whole).cast(kind), "f", "d", 1).to_pylist()
    assert found[1] is None
    assert found[0] < found[2]


def test_date_that_no_row_has_is_not_used() -> None:
    features = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "c": ["a"] * 4, "d": [np.nan] * 4})
    fitted = train.fit(parse_config(DATES), features, pd.Series([0, 1, 0, 1], dtype="int16"))
    used = [names for kind, _, names in fitted["columns"].transformers_ if kind != "remainder"]
    assert used == [["x"], ["c"]]


@pytest.mark.parametrize("value", [20260101, True, "31.12.2025", "2026-13-01"])
def test_serving_refuses_what_is_no_date(value: object) -> None:
    nothing: Any = None
    model = serving_request.Model(nothing, ("0", "1"), (), (), (), date=("d",))
    request = json.dumps([{"d": value}])
    answer = inference.predict_fn(inference.input_fn(request, "application/json"), model)
    assert isinstance(answer, serving_request.Refused)
    assert str(answer) == (
        "row 1: d has a wrong value, expected a date such as 2026-01-31, or a time such as "
        "2026-01-31 14:05:00"
    )
