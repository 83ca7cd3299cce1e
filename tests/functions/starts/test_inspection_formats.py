"""Which files are read, by their bytes, folders and width; no value of a row is told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining.starts.inspection import Fine, Problem, Short, inspect
from retraining.starts.inspection.partitions import partitions
from tests.functions.starts.looking import ROWS, look, model, said

# ---- formats ---------------------------------------------------------------------------------------------


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, ROWS)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("train.csv")
        entry.size = len(ROWS)
        archive.addfile(entry, io.BytesIO(ROWS.encode()))
    return file.getvalue()


def orc() -> bytes:
    file = io.BytesIO()
    pyarrow.orc.write_table(pa.table({"x": [1, 2]}), file)
    return file.getvalue()


def sqlite() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table t (x)")
        return bytes(connection.serialize())


def arrow_ipc(new: Any) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"x": [1, 2]})
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("key", ["curated/m/train.csv", "curated/m/train/p.csv.gz", "curated/m/train/p"])
@pytest.mark.parametrize(
    ("body", "name"),
    [
        (zipped("train.csv"), "a zip archive"),
        (zipped("xl/workbook.xml"), "an Excel workbook (xlsx)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "an Excel workbook (xls)"),
        (bz2.compress(ROWS.encode()), "packed by bzip2"),
        (lzma.compress(ROWS.encode()), "packed by xz"),
        (pa.compress(ROWS.encode() * 9, "zstd", asbytes=True), "packed by zstd"),
        (pa.compress(ROWS.encode() * 9, "lz4", asbytes=True), "packed by lz4"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"),
        (tarred(), "a tar archive"),
        (gzip.compress(tarred()), "a tar archive packed by gzip"),
        (orc(), "ORC"),
        (b"Obj\x01\x04\x14avro.codec", "Avro"),
        (arrow_ipc(pa.ipc.new_file), "an Arrow file (Feather)"),
        (arrow_ipc(pa.ipc.new_stream), "an Arrow stream"),
        (sqlite(), "a SQLite database"),
        ('{"x": 1, "y": 2}\n{"x": 2, "y": 3}\n', "JSON"),
        ('[{"x": 1}]', "JSON"),
        (gzip.compress(b'{"x": 1}\n'), "JSON packed by gzip"),
        ("<!DOCTYPE html><html>", "HTML or XML"),
        ('<?xml version="1.0"?><Error><Code>AccessDenied</Code>', "HTML or XML"),
        ("%PDF-1.7\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture (PNG)"),
        (b"PARE" + bytes(20), "Parquet with an encrypted footer"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_inspect_refuses_other_formats_by_name(body: bytes | str, name: str, key: str) -> None:
    kind, text = said(look(body, key))
    assert kind == "unsupported_format"
    assert text.startswith(f"the file is {name}, which is not read: ")


def test_inspect_refuses_parquet_and_gzip_within_gzip() -> None:
    packed = gzip.compress(b"PAR1" + bytes(20))
    assert said(look(packed))[1].endswith("packed by gzip, which is not read: land the Parquet file itself")
    assert said(look(gzip.compress(packed)))[1] == "the file is packed by gzip twice: pack it once"


@pytest.mark.parametrize("name", ["p", "p.csv", "p.CSV", "p.csv.gz", "p.gz", "p.parquet", "p.txt"])
def test_inspect_reads_the_content_whatever_the_name_ends_in(name: str) -> None:
    key = f"curated/m/train/{name}"
    assert look(ROWS, key) == Fine(2)
    assert look(gzip.compress(ROWS.encode()), key) == Fine(2)
    file = io.BytesIO()
    pq.write_table(pa.table({"x": [1]}), file)
    assert look(file.getvalue(), key) == Fine(None)


@pytest.mark.parametrize("header", ["ORC,x,c,b,y", "BZh,x,c,b,y", "Obj,x,c,b,y", "PK,x,c,b,y", "SEQ,x,c,b,y"])
def test_inspect_reads_a_header_that_begins_like_another_format(header: str) -> None:
    assert look(f"{header}\n,1,a,t,0\n") == Fine(1)


def test_inspect_gzip_that_ends_with_zeros_is_read() -> None:
    packed = gzip.compress(ROWS.encode(), mtime=0)
    assert look(packed + bytes(2_000)) == Fine(2)
    assert said(look(packed + bytes(2_000) + b"x"))[0] == "damaged"


# ---- few rows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "rows"),
    [("", 0), ("\n", 0), ("\ufeff", 0), ("x,c,b,y", 0), ("x,c,b,y\n", 0), ("x,c,b,y\n1,a,t,0", 1)],
)
def test_inspect_file_with_few_rows_is_fine(body: str, rows: int) -> None:
    assert look(body) == Fine(rows)
    assert look(gzip.compress(body.encode())) == Fine(rows)


def test_inspect_header_without_rows_is_looked_at() -> None:
    assert said(look("x,c,b\n"))[0] == "missing_column"


# ---- folders ---------------------------------------------------------------------------------------------

PARTS = {
    "curated/m/train/c=S/p.csv": {"c": "S"},
    "curated/m/train/c=S/b=t/p": {"c": "S", "b": "t"},
    "curated/m/train/c=/p": {"c": ""},
    "curated/m/train/c=__HIVE_DEFAULT_PARTITION__/p": {"c": ""},
    "curated/m/train/c=a%3Db%2Fc%25/p": {"c": "a=b/c%"},
    "curated/m/train/c=a=b/p": {"c": "a=b"},
    "curated/m/train/c=%C3%A9/p": {"c": "é"},
    "curated/m/train/c=é/p": {"c": "é"},
    "curated/m/train/c=%E9/p": {"c": "é"},
    "curated/m/train/c=100%/p": {"c": "100%"},
    "curated/m/train/c=a+b/p": {"c": "a+b"},
    "curated/m/train/a%20b=1/p": {"a b": "1"},
    "curated/m/train/=x/p": {},
    "curated/m/train/c=S.csv": {},
}
"""Keys, and the columns that their folders name."""


@pytest.mark.parametrize("key", PARTS)
def test_partitions_of_a_key(key: str) -> None:
    assert partitions(key) == PARTS[key]


def test_partitions_named_twice_are_a_problem() -> None:
    kind, text = said(look(ROWS, "curated/m/train/d=1/d=2/p"))
    assert (kind, text) == ("duplicate_column", "the folders name the column d twice: name each column once")


@pytest.mark.parametrize(
    ("folder", "body", "expected"),
    [
        ("c=S", "x,b,y\n1,t,0\n", None),
        ("x=1.5/c=a", "b,y\nt,0\n", None),
        ("y=1", "x,c,b\n1,a,t\n", None),
        ("dt=2026-01-01", ROWS, None),
        ("c=a", "x,c,b,y\n1,a,t,0\n", None),
        ("x=1", "x,c,b,y\n1.0,a,t,0\n", None),
        ("day=2024-02-01", "day,x,c,b,y\n01/02/2024,1,a,t,0\n", None),
        ("c=2024-02-01", "x,c,b,y\n1,2024-02-01 00:00:00,t,0\n", None),
        ("x=one", "c,b,y\na,t,0\n", "its folder: x is not a number"),
        (
            "b=maybe",
            "x,c,y\n1,a,0\n",
            "its folder: b is not a boolean, expected true or false (also yes/no, t/f, y/n, 1/0); list the "
            "column in features.categorical if it has other values",
        ),
        ("y=__HIVE_DEFAULT_PARTITION__", "x,c,b\n1,a,t\n", "its folder: y is missing, expected a number"),
        ("x=__HIVE_DEFAULT_PARTITION__", "c,b,y\na,t,0\n", None),
        ("c=S", "x,c,b,y\n1,S,t,0\n1,a,t,0\n", "row 2: c has another value than the file's folder"),
    ],
)
def test_inspect_columns_of_folders(folder: str, body: str, expected: str | None) -> None:
    found = look(body, f"curated/m/train/{folder}/p.csv")
    assert isinstance(found, Fine) if expected is None else said(found)[1] == expected


def test_inspect_folders_of_a_parquet_file() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"c": ["a"]}), file)
    assert look(file.getvalue(), "curated/m/train/x=1/p") == Fine(None)
    assert said(look(file.getvalue(), "curated/m/train/x=one/p")) == (
        "not_a_number",
        "its folder: x is not a number",
    )


# ---- wide files ------------------------------------------------------------------------------------------


def wide(columns: int, rows: int, name: str = "k{:05}") -> bytes:
    header = ",".join(["x,c,b,y", *(name.format(number) for number in range(columns))])
    row = "1,a,t,0" + ",7" * columns
    return "\n".join([header, *[row] * rows, ""]).encode()


def test_inspect_reads_15781_columns_and_refuses_60000() -> None:
    body = wide(15_781, 300)
    found = inspect(body[: 1 << 18], len(body), "curated/m/train/p", model())
    assert isinstance(found, Fine)
    body = wide(60_000, 2)
    assert said(look(body)) == (
        "too_wide",
        "the file is too wide: it has 60,004 columns, at most 20,000 columns are read",
    )


def test_inspect_names_of_40_characters_fit_for_20000_columns() -> None:
    body = wide(19_996, 2, "a name of forty characters, no. {:06}, end"[:40].replace(",", " "))
    assert 800_000 < len(body) < 1_048_576
    assert look(body) == Fine(2)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.slow
def test_inspect_header_of_four_megabytes_is_too_wide(packed: bool) -> None:
    body = wide(524_000, 1)
    assert len(body) > 4_000_000
    data = gzip.compress(body) if packed else body
    found = inspect(data[: 1 << 20], len(data), "curated/m/train/p", model())
    assert said(found) == (
        "too_wide",
        "the file is too wide: header and first row do not end in its first 1,048,576 bytes, at most 20,000 "
        "columns are read",
    )


def test_inspect_gzip_with_four_megabytes_before_its_data_is_too_wide() -> None:
    """A gzip file may name its content, in any number of bytes."""
    plain = gzip.compress(ROWS.encode(), mtime=0)
    data = plain[:3] + b"\x08" + plain[4:10] + b"n" * 4_000_000 + b"\0" + plain[10:]
    assert gzip.decompress(data) == ROWS.encode()
    assert isinstance(inspect(data[: 1 << 18], len(data), "curated/m/train/p", model()), Short)
    assert said(inspect(data[: 1 << 20], len(data), "curated/m/train/p", model()))[0] == "too_wide"


# ---- no value leaves -------------------------------------------------------------------------------------

SECRET = "Mr. Kelly 4711"


@pytest.mark.parametrize(
    "body",
    [
        f"{SECRET},male,1\n{SECRET},male,0\n",
        f"I,{SECRET},t,0\n",
        f"x,c,b,y\n{SECRET},a,t,0\n",
        f"x,c,b,y\n1,a,{SECRET},0\n",
        f"x,c,b,y\n1,a,t,{SECRET}\n",
        f"x,c,b,y\n1,a,t,0,{SECRET}\n",
        f"x,c,b,y,\n1,a,t,0,{SECRET}\n",
        f'x,c,b,y\n1,"{SECRET}"x,t,0\n',
        f"x,c,b,y\n1,{SECRET} \xe9,t,0\n".encode("latin-1"),
        f"x,c,b,y,{SECRET},{SECRET}\n1,a,t,0,,\n",
        f"{SECRET}\n{SECRET}\n",
        f"{SECRET};{SECRET}\n",
        f"x,c,b,{SECRET}\n",
        f"Op,x,c,b,y\nI,1,{SECRET},t,0\n",
        f'{{"name": "{SECRET}"}}\n',
    ],
)
def test_inspect_tells_no_value_but_for_the_report(body: bytes | str) -> None:
    found = look(body)
    assert isinstance(found, Problem)
    for part in SECRET.split():
        assert part not in f"{found.kind} {found.text} {found.column}"


@given(st.text(min_size=4, max_size=20, alphabet=st.characters(codec="utf-8", categories=["L", "N"])))
def test_inspect_tells_no_value_of_any_row(value: str) -> None:
    for body in (f"{value},{value}Z,t,0\n", f"x,c,b,y\n1,a,{value}Z,0\n", f"x,c,b,y\n{value}Z,a,t,0\n"):
        found = look(body)
        if isinstance(found, Problem):
            assert f"{value}Z" not in found.text
