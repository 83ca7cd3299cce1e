"""Which file is a table with the model's columns: at the landing, and in the job."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import csv_files
import formats
import tables
from job import DataProblem
from retraining.config.data import Data
from retraining.starts.inspection import formats as landing_formats
from retraining.starts.inspection import heads, lines
from retraining.starts.inspection.problems import Problem
from tests.wall.sides import accepted_at_landing, accepted_by_job, for_steps, model

HEADER = "x,c,b,y\n"
ROWS = "1,a,t,0\n2,b,f,1\n"
GERMAN = "x;c;b;y\n1,5;Zürich;t;0\n2;b;f;1\n"
CDC = {"operation": "Op", "key": ["id"]}


def parquet() -> bytes:
    """A good Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [1, 2], "c": ["a", "b"], "b": [True, False], "y": [0, 1]}), buffer)
    return buffer.getvalue()


def zipped() -> bytes:
    """A zip archive with a good file in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("train.csv", HEADER + ROWS)
    return buffer.getvalue()


def orc_file() -> bytes:
    """A good table as ORC."""
    buffer = io.BytesIO()
    orc.write_table(pa.table({"x": [1.0]}), buffer)
    return buffer.getvalue()


def shown(value: object) -> str | None:
    """A parameter in a test's name, which is short. Bytes are not shown, as some hold the time."""
    if isinstance(value, bytes):
        return "bytes"
    return ascii(value)[:40] if isinstance(value, str) else None


def agree(folder: Path, name: str, body: str | bytes, fits: bool, **data: Any) -> None:
    """Both sides accept the file, or none does."""
    content = body.encode() if isinstance(body, str) else body
    assert accepted_at_landing(content, name, model(**data)) == fits
    assert accepted_by_job(content, name, model(**data), folder) == fits


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (HEADER + ROWS, True),
        ("\ufeff" + HEADER + ROWS, True),
        ("x,c,b,y\r\n1,a,t,0\r\n2,b,f,1\r\n", True),
        ("y,b,c,x,note\n0,t,a,1,\n1,f,b,2,new\n", True),
        ('"x","c","b","y"\n1,"a, b",t,0\n2,"two\nlines",f,1\n', True),
        ("x,c,b,y\n\n1,a,t,0\n\n2,b,f,1\n\n", True),
        ("x,c,y,b,x\n1,a,0,t,1\n2,b,1,f,2\n", False),
        ("x,c,b,y,note,note\n1,a,t,0,,\n2,b,f,1,,\n", False),
        ("x,c,b\n1,a,t\n2,b,f\n", False),
        ("X,c,b,y\n" + ROWS, False),
        (" x,c,b,y\n" + ROWS, False),
        ("x;c;b;y\n1;a;t;0\n2;b;f;1\n", False),
        ("x,c,b,y\n1,a,t\n2,b,f,1\n", False),
        ("x,c,b,y\n1,a,t,0,5\n2,b,f,1\n", False),
        (HEADER, True),
        ("x,c,b,y", True),
        ("x,c,b\n", False),
        ("", True),
        ("\n", True),
        ("\ufeff", True),
        ("\r\n\r\n", True),
        ("\n" + HEADER + ROWS, False),
        (HEADER + "1,a,t,0\n", True),
        (b"\xff\xfex,c,b,y\n", False),
        (b"x,c,b,y\n1,\xff,t,0\n2,b,f,1\n", False),
        (b"x,c,b,y\n1,a\x00,t,0\n2,b,f,1\n", False),
        (HEADER + '1,"a,t,0\n2,b,f,1\n', False),
        ("sep=;\nx;c;b;y\n1;a;t;0\n", True),
        ('"sep=\t"\r\nx\tc\tb\ty\r\n1\ta\tt\t0\r\n', True),
        ("x,c,b,y,\n1,a,t,0,\n", True),
        ("x,c,b,y,, \n1,a,t,0,,\n", True),
        ("x,c,b,y,\n1,a,t,0,5\n", False),
        ("x,c,b,y,\n1,a,t,0\n", False),
        (HEADER + '1,"5\\" pipe, used",t,0\n', True),
        (HEADER + '1,"a\\\\",t,0\n', False),
        (HEADER + '1,"C:\\",t,0\n', True),
        ("Op,x,c,b,y\nI,1,a,t,0\nD,,,,\n", False),
        ("Op,x,c,b,y\nI,1,a,t,0\nother,2,a,t,1\n", True),
        ("Secret,Name,7,male\nOther,Name,8,female\n", False),
        (HEADER + "1e39,a,t,0\n", False),
        (HEADER + "-3.4028234663852886e38,a,t,0\n", True),
        (HEADER + "7;25,a,t,0\n", False),
        pytest.param(
            ",".join(["x,c,b,y", *(f"n{n}" for n in range(19_996))]) + "\n1,a,t,0" + "," * 19_996 + "\n",
            True,
            marks=pytest.mark.slow,
        ),
        (",".join(["x,c,b,y", *(f"n{n}" for n in range(19_997))]) + "\n1,a,t,0" + "," * 19_997 + "\n", False),
        ("1," * (1 << 20), False),
        (HEADER + "1" * (1 << 20), False),
        ("x,c,b,y,n\n1,a,t,0," + "1" * 131_072 + "\n", True),
        ("x,c,b,y,n\n1,a,t,0," + "1" * 131_073 + "\n", False),
    ],
    ids=shown,
)
def test_text_is_accepted_by_both_or_by_none(tmp_path: Path, body: str | bytes, fits: bool) -> None:
    agree(tmp_path, "curated/small/train.csv", body, fits)


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (parquet(), True),
        (parquet()[:-5], False),
        (b"PAR1", False),
        (HEADER + ROWS, True),
        (gzip.compress((HEADER + ROWS).encode(), mtime=0), True),
        (gzip.compress(HEADER.encode(), mtime=0) + gzip.compress(ROWS.encode(), mtime=0), True),
        (gzip.compress((HEADER + ROWS).encode(), mtime=0)[:-9], False),
        (gzip.compress(b"", mtime=0), True),
        (gzip.compress(gzip.compress((HEADER + ROWS).encode())), False),
        (gzip.compress(parquet()), False),
        (gzip.compress(zipped()), False),
        (b"\x1f\x8b" + b"damaged" * 9, False),
        (bz2.compress((HEADER + ROWS).encode()), False),
        (lzma.compress((HEADER + ROWS).encode()), False),
        (zipped(), False),
        (orc_file(), False),
        ('[{"x": 1, "c": "a", "b": true, "y": 0}]', False),
        ('{"x": 1, "c": "a", "b": true, "y": 0}\n', False),
        ("<!DOCTYPE html><html></html>", False),
    ],
    ids=shown,
)
@pytest.mark.parametrize("name", ["train.csv", "train/a.parquet", "train/a.CSV.GZ", "train/part-0"])
def test_content_decides_on_both_sides_and_the_name_does_not(
    tmp_path: Path, name: str, body: str | bytes, fits: bool
) -> None:
    agree(tmp_path, f"curated/small/{name}", body, fits)


@pytest.mark.parametrize(
    "name",
    [
        *[
            "PAR1",
            "PARENT_ID",
            "PARE",
            "FEA1",
            "ARROW1",
            "ORC",
            "ORCHARD",
            "BZh9",
            "Obj",
            "SEQ",
            "7z",
            "Rar!",
        ],
        *["%PDF-share", "<head>", "<body>", "<error>", "<error", "{}", "{a}", '{"a"}'],
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_name_of_a_column_is_no_magic_on_either_side(tmp_path: Path, name: str, packed: bool) -> None:
    body = f"{name},{name}2,{HEADER}7,8,1,a,t,0\n".encode()
    agree(tmp_path, "curated/small/train.csv", gzip.compress(body, mtime=0) if packed else body, True)


def test_text_with_ustar_where_a_tar_archive_has_it_is_csv_on_both_sides(tmp_path: Path) -> None:
    body = f"note,{HEADER}".encode().ljust(257, b"a") + b"ustar,1,a,t,0\n"
    agree(tmp_path, "curated/small/train.csv", body, True)


def ipc(new: Any) -> bytes:
    """A good table as Arrow writes it."""
    sink = pa.BufferOutputStream()
    table = pa.table({"x": [1.0]})
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (bz2.compress(b"x\n1\n"), "packed by bzip2"),
        (orc_file(), "ORC"),
        (ipc(pa.ipc.new_file), "an Arrow file (Feather)"),
        (b"FEA1\x00\x00\x00\x00" + bytes(20), "a Feather file"),
        (b"PARE" + (300).to_bytes(4, "little") + b"x" * 300 + b"PARE", "Parquet with an encrypted footer"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'}", "a NumPy array"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"train.csv".ljust(257, b"\x00") + b"ustar\x0000", "a tar archive"),
        (b"train.csv".ljust(257, b"\x00") + b"ustar  \x00", "a tar archive"),
        (b"<head>\n<title>Access denied, sorry</title>", "HTML or XML"),
        (b'<html lang="en, de"><body>', "HTML or XML"),
        (b"\xef\xbb\xbf\n <!DOCTYPE html>", "HTML or XML"),
        (b'{"x": 1, "y": 2}\n', "JSON"),
        (b'{\n  "a \\" b": []', "JSON"),
        (b"{}\n{}\n", "JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_formats_are_told_by_the_same_name_on_both_sides(body: bytes, name: str) -> None:
    problem = landing_formats.refused(body)
    assert problem is not None
    assert problem.text.startswith(f"the file is {name}, which is not read: ")
    assert (formats.other_format(body) or ("",))[0] == name


@pytest.mark.parametrize(
    ("body", "tail", "expected"),
    [
        (parquet(), b"PAR1", True),
        (parquet()[:40], b"", True),
        (b"PAR1" + b"x" * 8 + b"PAR1", b"PAR1", True),
        (b"PAR1,PAR2,x\n1,2,3\n", b",3\n", False),
        (b"PARENT,x\n", b",x\n", False),
        (b"", b"", False),
    ],
    ids=["whole", "cut", "both ends", "text", "other text", "empty"],
)
def test_parquet_is_known_by_its_bytes_and_not_by_a_columns_name(
    body: bytes, tail: bytes, expected: bool
) -> None:
    assert formats.is_parquet(body, tail) == landing_formats.is_parquet(body, tail) == expected


@pytest.mark.parametrize(
    ("body", "data", "fits"),
    [
        (GERMAN, {"delimiter": ";", "decimal": ","}, True),
        (GERMAN, {"delimiter": ";"}, False),
        (GERMAN.encode("cp1252"), {"delimiter": ";", "decimal": ",", "encoding": "cp1252"}, True),
        (GERMAN.encode("cp1252"), {"delimiter": ";", "decimal": ","}, False),
        (GERMAN.encode("utf-16"), {"delimiter": ";", "decimal": ",", "encoding": "utf-16"}, True),
        (GERMAN.encode("utf-16-be"), {"delimiter": ";", "decimal": ",", "encoding": "utf-16"}, True),
        (GERMAN.encode("utf-16-le"), {"delimiter": ";", "decimal": ","}, False),
        (GERMAN.encode("utf-8-sig"), {"delimiter": ";", "decimal": ",", "encoding": "cp1252"}, False),
        (GERMAN, {"delimiter": ";", "decimal": ",", "encoding": "utf-16"}, False),
        (HEADER + "1.234,5,a,t,0\n", {}, False),
        ('x,c,b,y\n"1,234.5",a,t,0\n', {"thousands": ","}, True),
        ('x,c,b,y\n"1,23",a,t,0\n', {"thousands": ","}, False),
        ("x;c;b;y\n7.25;a;t;0\n", {"delimiter": ";", "decimal": ","}, False),
        (ROWS, {"header": ["x", "c", "b", "y"]}, True),
        (HEADER + ROWS, {"header": ["x", "c", "b", "y"]}, False),
        (HEADER + '1,"a\\\\",t,0\n', {"quotes": "backslash"}, True),
        (HEADER + '1,"a\\\\",t,0\n', {"quotes": "doubled"}, True),
        (HEADER + '1,"5\\" pipe, used",t,0\n', {"quotes": "doubled"}, False),
        (HEADER + '1,"5" pipe,t,0\n', {}, False),
        (HEADER + '1,"5 inch,t,0\n2,"6 inch,t,1\n', {}, False),
        (HEADER + '1,"5 inch,t,0\n2,"6 inch,t,1\n', {"quotes": "backslash"}, False),
        (HEADER + '1,5" pipe,t,0\n', {}, True),
        ("Op,id,x,c,b,y\nI,1,1,a,t,0\nD,2,,,,\n", {"cdc": CDC}, True),
        ("Op,id,x,c,b,y\nI,1,1,a,t,0\nX,2,2,a,t,1\n", {"cdc": CDC}, False),
        ("id,x,c,b,y\n1,1,a,t,0\n", {"cdc": CDC}, True),
        ("Op,x,c,b,y\nI,1,a,t,0\n", {"cdc": CDC}, False),
        ("op,id,x,c,b,y\nI,1,1,a,t,0\nD,2,,,,\n", {"cdc": CDC}, False),
        (" O P ,id,x,c,b,y\nI,1,1,a,t,0\n", {"cdc": CDC}, False),
        ("Op,id,x,c,b,y\nI,1,1,a,t,0\nD,2,2,a,t,1\n", {"cdc": {**CDC, "operation": "Operation"}}, False),
        ("operation,id,x,c,b,y\nD,1,1,a,t,0\n", {"cdc": {**CDC, "operation": "Operation"}}, False),
        ("op,id,x,c,b,y\nsum,1,1,a,t,0\n", {"cdc": CDC}, True),
        ("Op,x,c,b,y\n1,1,a,t,0\n", {"cdc": {"operation": "Operation", "key": ["Op"]}}, True),
        ("o p,x,c,b,y\nI,1,a,t,0\n", {}, False),
        ("x,c,b,y,id,day\n1,a,t,0,,\n", {"identity": "id", "date": "day"}, True),
        ("x,c,b,y,id\n1,a,t,0,7\n", {"identity": "id", "date": "day"}, False),
        ("x,c,b,y,id\n1,a,t,0,7\n", {"group": ["id", "day"]}, False),
        ("x,c,b,y,Id\n1,a,t,0,7\n", {"group": "id"}, False),
        ("x,c,b,y,id,id\n1,a,t,0,7,7\n", {"group": "id"}, False),
        ("x,c,b,y,Op\n1,a,t,0,I\n", {"group": "Op"}, True),
        ("1,a,t,0,7\n", {"group": "id", "header": ["x", "c", "b", "y", "id"]}, True),
        ("1,1,a,t,0\n", {"cdc": CDC, "header": ["Op", "id", "x", "c", "b", "y"]}, True),
        ("I,1,1,a,t,0\n", {"cdc": CDC, "header": ["Op", "id", "x", "c", "b", "y"]}, True),
    ],
)
def test_dialect_is_accepted_by_both_or_by_none(
    tmp_path: Path, body: str | bytes, data: Any, fits: bool
) -> None:
    agree(tmp_path, "curated/small/train.csv", body, fits, **data)


@pytest.mark.parametrize(
    ("folder", "body", "fits"),
    [
        ("y=1/b=t", "x,c\n1,a\n", True),
        ("y=2/b=t", "x,c\n1,a\n", False),
        ("c=a%2Fb", "x,b,y\n1,t,0\n", True),
        ("x=abc", "c,b,y\na,t,0\n", False),
        ("c=a/c=b", "x,b,y\n1,t,0\n", False),
        ("c=a", HEADER + "1,a,t,0\n", True),
        ("c=a", HEADER + "1,b,t,0\n", False),
        ("c=__HIVE_DEFAULT_PARTITION__", HEADER + "1,,t,0\n", True),
        ("y=__HIVE_DEFAULT_PARTITION__", "x,c,b\n1,a,t\n", False),
    ],
)
def test_columns_of_the_path_are_the_same_on_both_sides(
    tmp_path: Path, folder: str, body: str, fits: bool
) -> None:
    agree(tmp_path, f"curated/small/train/{folder}/p.csv", body, fits)


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (HEADER + "1,a,t,0\n", True),
        ("x,c,b,y,home\n1,a,t,0,7.0\n", True),
        ("x,c,b,y,home\n1,a,t,0,8\n", False),
    ],
)
def test_group_may_stand_in_the_path(tmp_path: Path, body: str, fits: bool) -> None:
    agree(tmp_path, "curated/small/train/home=7/p.csv", body, fits, group="home")


@pytest.mark.parametrize(
    ("folder", "cell", "data", "fits"),
    [
        ("c=2024-02-01", "2024-02-01 00:00:00", {}, True),
        ("c=2024-02-01", "2024-02-01T00:00:00Z", {}, True),
        ("c=2024-02-01 01%3A00%3A00", "2024-02-01T02:00:00+01:00", {}, True),
        ("c=10%3A00%3A00", "10:00:00.000", {}, True),
        ("c=2024-02-01", "2024", {}, False),
        ("c=male", "MALE", {"ignore_case": True}, True),
        ("c=STRASSE", "straße", {"ignore_case": True}, True),
        ("c=null", "Null", {"ignore_case": True}, True),
        ("c=male", "MALE", {}, False),
        ("c=e%CC%81", "é", {}, True),
        ("c=TRUE", "true", {}, True),
        ("c=02", "2.0", {}, False),
        ("c=1.234,5", "1234,50", {"delimiter": ";", "decimal": ",", "thousands": "."}, True),
        ("day=2024-02-01", "a", {}, True),
        ("x=1", "b", {}, True),
    ],
)
def test_value_in_path_and_file_is_the_same_by_the_text_of_categories(
    tmp_path: Path, folder: str, cell: str, data: Any, fits: bool
) -> None:
    sign = data.get("delimiter", ",")
    body = sign.join(["x", "c", "b", "y", "day"]) + "\n" + sign.join(["1", cell, "t", "0", "1 Feb"]) + "\n"
    name = f"curated/small/train/{folder}/p.csv"
    assert accepted_by_job(body.encode(), name, model(**data), tmp_path) == fits
    # The landing lets pass what it cannot know: digits that begin with zero are a category or a number.
    assert accepted_at_landing(body.encode(), name, model(**data)) == (fits or folder == "c=02")


def test_both_sides_have_the_same_formats_and_limits() -> None:
    assert formats.MAGIC == landing_formats.MAGIC
    assert formats.PATTERNS == landing_formats.PATTERNS
    assert csv_files.MAX_COLUMNS == heads.MAX_COLUMNS == 20_000
    assert csv_files.MAX_HEADER_BYTES == heads.MAX_HEAD_BYTES == 1024 * 1024


CELL = st.text('ab"\\, \n', max_size=5)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(CELL, CELL), min_size=1, max_size=4),
    st.sampled_from(["doubled", "backslash"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.booleans(),
)
def test_any_cell_is_read_as_it_was_written_or_refused(
    tmp_path: Path, cells: list[tuple[str, str]], quotes: Any, quoting: Any, told: bool
) -> None:
    """Whatever stands between quotes, no column is shifted and both sides read the same cells."""
    rows = [(*pair, "1", "t", "0") for pair in cells]
    buffer = io.StringIO("c,d,x,b,y\n")
    buffer.seek(0, io.SEEK_END)
    if quotes == "doubled":
        csv.writer(buffer, quoting=quoting, lineterminator="\n").writerows(rows)
    else:
        for row in rows:
            escaped = [cell.replace("\\", "\\\\").replace('"', '\\"') for cell in row]
            buffer.write(",".join(f'"{cell}"' for cell in escaped) + "\n")
    text, data = buffer.getvalue(), {"quotes": quotes} if told else {}
    path = tmp_path / "object"
    path.write_bytes(text.encode())
    landed = lines.doubled(text, ",", Data.model_validate(data), whole=True)
    try:
        blocks = list(tables.open_file(path, "train.csv", for_steps(model(**data))).blocks())
    except DataProblem:
        assert isinstance(landed, Problem)
        assert not told
        return
    assert isinstance(landed, str)
    read = [(row["c"], row["d"]) for block in blocks for row in block.to_pylist()]
    assert read == [(row[0], row[1]) for row in lines.read(landed, ",", whole=True)][1:]
    if told or quotes == "doubled":
        assert read == cells
    assert [[cell.replace("\\", "") for cell in row] for row in read] == [
        [cell.replace("\\", "") for cell in row] for row in cells
    ]
