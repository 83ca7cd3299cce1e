"""Whatever is wrong with a file, the reason of the job holds no value of a row."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import csv_text
from changes import Changes, check_no_changes
from convert import convert
from job import DataProblem, parse_config
from tables import open_file
from tests.pipeline_def.helpers import BOOLEANS, PRICES, SMALL, WORDS

SECRET = "Zora4711"
CONFIGS: list[dict[str, Any]] = [SMALL, PRICES, WORDS, {**BOOLEANS, "classes": ["a", "b"]}]
DATA: list[dict[str, Any]] = [
    {},
    {"encoding": "cp1252"},
    {"encoding": "utf-16"},
    {"delimiter": ";"},
    {"decimal": ",", "thousands": "."},
    {"quotes": "backslash"},
    {"header": ["x", "c", "b", "y"]},
    {"cdc": {"operation": "Op", "key": ["c"]}},
]
PIECES = [
    SECRET,
    f"{SECRET}.5",
    f'"{SECRET}',
    f'\\"{SECRET}',
    ",",
    ";",
    '"',
    "\n",
    "\r",
    "1",
    "a",
    "I",
    "",
    "\udcff",
    "\x00",
]


def reason(folder: Path, body: bytes, key: str, config: dict[str, Any], data: dict[str, Any]) -> str:
    """The reason of the job that reads this file; empty if there is none."""
    path = folder / "object"
    path.write_bytes(body)
    known, row = parse_config({**config, "data": data}), 1
    changes = Changes(known.data.cdc) if known.data.cdc else None
    try:
        file = open_file(path, key, known)
        for block in file.blocks():
            if changes:
                changes.without_deleted(block, known, key, row)
            else:
                check_no_changes(block, known, key)
                convert(block, known, key, row)
            row += block.num_rows
    except DataProblem as problem:
        return str(problem)
    return ""


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.sampled_from(["x,c,b,y\n", "x;c;b;y\n", "Op,x,c,b,y\n", f"{SECRET},7,{SECRET}\n", "x,c,b,y,\n", ""]),
    st.sampled_from(CONFIGS),
    st.sampled_from(DATA),
    st.booleans(),
)
def test_reason_of_any_text_holds_no_value(
    tmp_path: Path, pieces: list[str], header: str, config: Any, data: Any, packed: bool
) -> None:
    body = (header + "1,a,t,0\n" + ",".join(pieces) + "\n").encode("utf-8", "surrogateescape")
    said = reason(tmp_path, gzip.compress(body) if packed else body, "train.csv", config, data)
    assert SECRET not in said
    assert "4711" not in said


def parquet(column: pa.Array, name: str) -> bytes:
    table = pa.table({"x": [1], "c": ["a"], "b": ["t"], "y": ["0"]})
    buffer = io.BytesIO()
    pq.write_table(table.set_column(table.schema.names.index(name), name, column), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["x", "c", "b", "y"])
@pytest.mark.parametrize(
    "column",
    [
        pa.array([SECRET]),
        pa.array([SECRET.encode()]),
        pa.array([b"\xff" + SECRET.encode()]),
        pa.array([SECRET]).dictionary_encode(),
        pa.array([[SECRET]]),
        pa.array([{SECRET: SECRET}]),
        pa.array([4711.5]),
        pa.array([4711], pa.timestamp("s")),
        pa.array([47114711], pa.duration("s")),
    ],
    ids=str,
)
def test_reason_of_any_parquet_value_holds_no_value(tmp_path: Path, name: str, column: pa.Array) -> None:
    said = reason(tmp_path, parquet(column, name), "train.parquet", BOOLEANS | SMALL, {})
    assert f": {SECRET}" not in said.replace(str(column.type), "")
    assert "4711" not in said.replace(str(column.type), "")


@pytest.mark.slow
def test_reason_of_a_fault_deep_in_a_file_names_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 256)
    rows = "1,a,0\n" * 1000
    for last, said in {
        f"{SECRET},a,0\n": "row 1001: column x has a wrong value, expected a number",
        f"1,{SECRET}\n": "row 1001: 2 values, expected 3 as in the header",
        f"1,a,{SECRET}\n": "row 1001: column y has a wrong value, expected 0 or 1",
        f'1,"{SECRET},0\n': "row 1001: a quote is in the wrong place or does not end",
        f"1,{SECRET * 99},0\n": "row 1001: a row has more than 256 bytes, which is too wide",
    }.items():
        assert said in reason(tmp_path, f"x,c,y\n{rows}{last}".encode(), "train.csv", SMALL, {})
