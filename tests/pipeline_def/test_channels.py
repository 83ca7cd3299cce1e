"""What own code gets: the columns that landed, typed, and the rows that its model is asked about."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import channels
from tests.pipeline_def.helpers import BOOLEANS, PENGUINS, PRICES, WORDS, land
from tests.pipeline_def.own_code import OWN, OwnRun

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

VALIDATION = "x,c,y\n7,a,1\n8,b,0\n"


def own(s3: S3Client, folder: Path, files: dict[str, str | bytes], config: dict[str, Any] = OWN) -> OwnRun:
    """An execution after DataPreProcessing has read these files."""
    for name, content in files.items():
        land(s3, f"curated/small/{name}", content)
    run = OwnRun(folder / "own", s3, config, "abcdefghijkl")
    assert run.preprocess() == 0
    return run


def channel(run: OwnRun, split: str = "train") -> dict[str, list[Any]]:
    """The columns of a channel as plain values."""
    columns: dict[str, list[Any]] = pq.read_table(run.output / f"channel-{split}").to_pydict()
    return columns


def parquet(**columns: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def test_channel_has_the_columns_that_landed_in_their_order(s3: S3Client, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "train.csv": 'note,x,y,c\n"a, b",1,0,u\n,2.5,1,\nz,,1,1.0\n',
        "validation.csv": 'note,x,y,c\n"say ""hi""",7,1,u\nNULL,,0,v\n',
    }

    run = own(s3, tmp_path, files)

    assert channel(run) == {
        "note": ["a, b", None, "z"],
        "x": [1.0, 2.5, None],
        "y": [0, 1, 1],
        "c": ["u", None, "1"],
    }
    for split in ("train", "validation"):
        folder = run.output / f"channel-{split}"
        assert sorted(path.name for path in folder.iterdir()) == ["_columns.json", f"{split}.parquet"]
        assert json.loads((folder / "_columns.json").read_text()) == ["note", "x", "c"]
    assert run.rows.read_text() == '"note","x","c"\n"say ""hi""","7","u"\n"NULL",,"v"\n'


def test_rows_are_in_the_order_of_the_validation_rows(s3: S3Client, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "train.csv": VALIDATION,
        "validation/a.csv": "x,c,y\n3,a,1\n1,b,0\n",
        "validation/b.csv": "x,c,y\n2,a,1\n",
    }

    run = own(s3, tmp_path, files)

    assert pd.read_csv(run.rows)["x"].tolist() == pd.read_parquet(run.output / "validation")["x"].tolist()


def test_declared_columns_are_those_that_the_config_names(s3: S3Client, tmp_path: Path) -> None:
    config = {**OWN, "data": {"columns": "declared", "identity": ["id"]}}
    files: dict[str, str | bytes] = {
        "train.csv": "note,id,x,y,c\nn,1,1,0,u\nn,2,1,1,u\n",
        "validation.csv": "id,c,y,x\n3,u,1,7\n4,u,0,7\n",
    }

    run = own(s3, tmp_path, files, config)

    assert list(channel(run)) == ["id", "x", "y", "c"]
    assert run.rows.read_text().splitlines()[0] == '"id","x","c"'


@pytest.mark.parametrize(
    ("config", "written", "found"),
    [
        (WORDS, "died,survived", ["died", "survived"]),
        (PENGUINS, "Gentoo,Adelie,Chinstrap", ["Gentoo", "Adelie", "Chinstrap"]),
        (PRICES, "1.5,-2", [1.5, -2.0]),
        ({**OWN, "classes": ["01", "2"]}, "01,2", ["01", "2"]),
        ({**OWN, "classes": ["-1", "1"]}, "-1,1.0", [-1, 1]),
        ({**OWN, "classes": ["false", "true"]}, "no,TRUE", ["false", "true"]),
    ],
)
def test_target_is_written_as_the_config_names_classes(
    s3: S3Client, tmp_path: Path, config: dict[str, Any], written: str, found: list[Any]
) -> None:
    rows = "x,c,y\n" + "".join(f"{at},a,{name}\n" for at, name in enumerate(written.split(",")))

    run = own(s3, tmp_path, {"train.csv": rows, "validation.csv": rows}, {**config, "training": {}})

    assert channel(run)["y"] == found


def test_booleans_are_one_and_zero(s3: S3Client, tmp_path: Path) -> None:
    rows = "x,b,y\n1,true,0\n2,No,1\n3,,1\n"
    run = own(s3, tmp_path, {"train.csv": rows, "validation.csv": rows}, {**BOOLEANS, "training": {}})

    assert channel(run)["b"] == [1.0, 0.0, None]
    assert run.rows.read_text() == '"x","b"\n"1","1"\n"2","0"\n"3",\n'


def test_dates_are_as_they_landed(s3: S3Client, tmp_path: Path) -> None:
    rows = "x,d,y\n1,2026-01-31T01:00:00+02:00,0\n2,,1\n"
    features = {"numeric": ["x"], "categorical": [], "boolean": [], "date": ["d"]}
    run = own(s3, tmp_path, {"train.csv": rows, "validation.csv": rows}, {**OWN, "features": features})

    assert channel(run)["d"] == ["2026-01-31T01:00:00+02:00", None]
    assert run.rows.read_text() == '"x","d"\n"1","2026-01-31T01:00:00+02:00"\n"2",\n'


def test_columns_of_parquet_keep_their_type_and_are_text_in_rows(s3: S3Client, tmp_path: Path) -> None:
    rows = parquet(
        x=[1, 2],
        c=pa.array(["a", None]).dictionary_encode(),
        y=[0, 1],
        day=[date(2026, 1, 31), None],
        price=pa.array([Decimal("1.10"), None]),
        flag=[True, None],
        count=pa.array([3, None], pa.int8()),
        ratio=[0.5, float("nan")],
        digest=pa.array([b"\xff\x00", None]),
        nothing=pa.nulls(2),
        several=[[1, 2], None],
    )
    run = own(s3, tmp_path, {"train.parquet": rows, "validation.parquet": rows})

    found = channel(run)
    assert list(found) == ["x", "c", "y", "day", "price", "flag", "count", "ratio", "digest", "nothing"]
    assert found["day"] == [date(2026, 1, 31), None]
    assert found["price"] == [Decimal("1.10"), None]
    assert (found["flag"], found["count"]) == ([True, None], [3, None])
    assert (found["digest"], found["nothing"]) == (["ff00", None], [None, None])
    assert run.rows.read_text() == (
        '"x","c","day","price","flag","count","ratio","digest","nothing"\n'
        '"1","a","2026-01-31","1.10","true","3","0.5","ff00",\n"2",,,,,,,,\n'
    )


def test_files_with_other_columns_and_types_are_joined(s3: S3Client, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "train/a.csv": "x,c,y,n\n1,a,0,7\n",
        "train/b.parquet": parquet(x=[2], c=["b"], y=[1], n=[8], day=[date(2026, 1, 31)]),
        "train/c.csv": "y,x,c\n1,3,c\n",
        "validation/a.parquet": parquet(x=[4, 5], c=["b", "b"], y=[1, 0], extra=[0.5, None]),
    }

    run = own(s3, tmp_path, files)

    assert channel(run) == {
        "x": [1.0, 2.0, 3.0],
        "c": ["a", "b", "c"],
        "y": [0, 1, 1],
        "n": ["7", "8", None],
        "day": [None, date(2026, 1, 31), None],
        "extra": [None, None, None],
    }
    assert list(channel(run, "validation")) == ["x", "c", "y", "n", "day", "extra"]
    assert run.rows.read_text() == '"x","c","n","day","extra"\n"4","b",,,"0.5"\n"5","b",,,\n'


def test_partitions_are_columns(s3: S3Client, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "train/region=eu/part.csv": "x,c,y\n1,a,0\n2,a,1\n",
        "validation.csv": "x,c,y,region\n1,a,0,us\n2,a,1,us\n",
    }

    run = own(s3, tmp_path, files)

    assert channel(run)["region"] == ["eu", "eu"]


def test_changes_leave_out_what_they_replace_and_delete(s3: S3Client, tmp_path: Path) -> None:
    config = {**OWN, "data": {"cdc": {"operation": "Op", "key": ["id"]}}}
    changes = "Op,id,x,c,y\nI,1,1,a,0\nI,2,2,b,1\nU,1,9,a,0\nD,2,2,b,1\nI,3,3,a,1\n"
    run = own(s3, tmp_path, {"train.csv": changes, "validation.csv": changes}, config)

    assert channel(run) == {"id": ["1", "3"], "x": [9.0, 3.0], "c": ["a", "a"], "y": [0, 1]}
    assert channel(run, "validation")["x"] == pd.read_parquet(run.output / "validation")["x"].tolist()
    assert run.rows.read_text() == '"id","x","c"\n"1","9","a"\n"3","3","a"\n'


def test_many_rows_are_written_in_parts_of_bounded_memory(
    s3: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "ROW_GROUP", 10)
    rows = "x,c,y\n" + "".join(f"{at},a,{at % 2}\n" for at in range(95))
    run = own(s3, tmp_path, {"train/a.csv": rows, "train/b.csv": rows, "validation.csv": rows})

    assert channel(run)["x"] == [float(at) for at in range(95)] * 2
    assert len(run.rows.read_text().splitlines()) == 96


@pytest.mark.parametrize(
    ("types", "common"),
    [
        ([pa.int8(), pa.int32()], pa.int64()),
        ([pa.int64(), pa.float32()], pa.float64()),
        ([pa.null(), pa.date32()], pa.date32()),
        ([pa.null()], pa.string()),
        ([pa.int64(), pa.uint64()], pa.string()),
        ([pa.int64(), pa.string()], pa.string()),
        ([pa.timestamp("us"), pa.date32()], pa.string()),
        ([pa.bool_(), pa.int64()], pa.string()),
    ],
)
def test_common_type(types: list[pa.DataType], common: pa.DataType) -> None:
    assert channels.common_type(types) == common


@pytest.mark.parametrize("by", ["random", {"group": "g"}, {"time": "d"}])
@pytest.mark.parametrize("cdc", [False, True])
def test_rows_that_are_divided_are_the_same_in_the_channels(
    s3: S3Client, tmp_path: Path, by: Any, cdc: bool
) -> None:
    data: dict[str, Any] = {"split": {"by": by, "validation": 0.3}, "group": ["g"], "date": "d"}
    lines = [f"{at},g{at // 5},2026-01-{1 + at % 28:02},{at}.5,a,{at % 2}" for at in range(100)]
    text = "id,g,d,x,c,y\n" + "\n".join(lines) + "\n"
    if cdc:
        data["cdc"] = {"operation": "Op", "key": ["id"]}
        marks = "".join(f"{'IUD'[at % 3]},{line}\n" for at, line in enumerate(lines))
        text = "Op,id,g,d,x,c,y\n" + "".join(f"I,{line}\n" for line in lines) + marks

    run = own(s3, tmp_path, {"all.csv": text}, {**OWN, "data": data})

    found = {split: pd.read_parquet(run.output / split)["x"].tolist() for split in ("train", "validation")}
    assert {split: channel(run, split)["x"] for split in found} == found
    assert pd.read_csv(run.rows)["x"].tolist() == found["validation"]
    assert sum(map(len, found.values())) == (67 if cdc else 100)
    assert list(channel(run)) == ["id", "g", "d", "x", "c", "y"]
