"""Which file is a table with the model's columns: at the landing, and in the job."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.wall.sides import accepted_at_landing, accepted_by_job, model

ROWS = "1,a,t,0\n2,b,f,1\n"


def parquet() -> bytes:
    """A good Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [1, 2], "c": ["a", "b"], "b": [True, False], "y": [0, 1]}), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "body", "fits"),
    [
        ("train.csv", "x,c,b,y\n" + ROWS, True),
        ("train.csv", "\ufeffx,c,b,y\n" + ROWS, True),
        ("train.csv", "x,c,b,y\r\n1,a,t,0\r\n2,b,f,1\r\n", True),
        ("train.csv", "y,b,c,x,note\n0,t,a,1,\n1,f,b,2,new\n", True),
        ("train.csv", '"x","c","b","y"\n1,"a, b",t,0\n2,"two\nlines",f,1\n', True),
        ("train.csv", "x,c,b,y\n\n1,a,t,0\n\n2,b,f,1\n\n", True),
        ("train.csv", "x,c,y,b,x\n1,a,0,t,1\n2,b,1,f,2\n", False),
        ("train.csv", "x,c,b,y,note,note\n1,a,t,0,,\n2,b,f,1,,\n", False),
        ("train.csv", "x,c,b\n1,a,t\n2,b,f\n", False),
        ("train.csv", "X,c,b,y\n" + ROWS, False),
        ("train.csv", " x,c,b,y\n" + ROWS, False),
        ("train.csv", "x;c;b;y\n1;a;t;0\n2;b;f;1\n", False),
        ("train.csv", "x,c,b,y\n1,a,t\n2,b,f,1\n", False),
        ("train.csv", "x,c,b,y\n1,a,t,0,5\n2,b,f,1\n", False),
        ("train.csv", "x,c,b,y\n", False),
        ("train.csv", "x,c,b,y", False),
        ("train.csv", "", False),
        ("train.csv", "\n", False),
        ("train.csv", b"\xff\xfex,c,b,y\n", False),
        ("train.csv", b"x,c,b,y\n1,\xff,t,0\n2,b,f,1\n", False),
        ("train.csv", parquet(), False),
        ("train/a.csv.gz", gzip.compress(b"x,c,b,y\n" + ROWS.encode(), mtime=0), True),
        (
            "train/a.csv.gz",
            gzip.compress(b"x,c,b,y\n", mtime=0) + gzip.compress(ROWS.encode(), mtime=0),
            True,
        ),
        ("train/a.csv.gz", gzip.compress(b"x,c,b,y\n" + ROWS.encode(), mtime=0)[:-9], False),
        ("train/a.csv.gz", "x,c,b,y\n" + ROWS, False),
        ("train.parquet", parquet(), True),
        ("train.parquet", parquet()[:-5], False),
        ("train.parquet", "x,c,b,y\n" + ROWS, False),
    ],
)
def test_file_is_accepted_by_both_or_by_none(
    tmp_path: Path, name: str, body: str | bytes, fits: bool
) -> None:
    content = body.encode() if isinstance(body, str) else body
    assert accepted_at_landing(content, name, model()) == fits
    assert accepted_by_job(content, name, model(), tmp_path) == fits
