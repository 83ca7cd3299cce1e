"""How CSV files are written: encodings, quotes, separators, headers, numbers; why one cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

import csv_text
from convert import convert
from job import DataProblem, parse_config
from tables import open_file
from tests.pipeline_def.helpers import KEY, SMALL

CONFIG: dict[str, Any] = {**SMALL, "features": {"numeric": ["x"], "categorical": ["c"], "boolean": []}}
ROWS = [(1.5, "Zürich", 0), (None, "b", 1)]


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Reads a file's rows as (x, c, y)."""

    def reader(body: str | bytes, key: str = KEY, **data: Any) -> list[tuple[Any, ...]]:
        path = tmp_path / "object"
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        config = parse_config({**CONFIG, "data": data})
        found: list[tuple[Any, ...]] = []
        row = 1
        for block in open_file(path, key, config).blocks():
            table = convert(block, config, key, row)
            row += block.num_rows
            found += zip(*(table[name].to_pylist() for name in ("x", "c", "y")), strict=True)
        return found

    return reader


def refused(read: Any, body: str | bytes, key: str = KEY, **data: Any) -> str:
    with pytest.raises(DataProblem) as caught:
        read(body, key, **data)
    return str(caught.value)


# ---- encodings -------------------------------------------------------------------------------------------

TEXT = "x,c,y\n1.5,Zürich,0\n,b,1\n"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16"),
        (TEXT.encode("utf-16-be"), "utf-16"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-32"), "utf-32"),
        (TEXT.encode("cp037"), "cp037"),
        (gzip.compress(TEXT.encode("utf-16"), mtime=0), "utf-16"),
    ],
)
def test_open_file_reads_every_encoding(read: Any, body: bytes, encoding: str) -> None:
    assert read(body, encoding=encoding) == ROWS


def test_open_file_encoding_across_blocks_is_read_in_a_stream(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 64)
    monkeypatch.setattr(csv_text, "CHUNK_BYTES", 7)
    body = ("x,c,y\n" + "1,日本,0\n" * 300).encode("utf-16")
    assert read(body, encoding="utf-16") == [(1.0, "日本", 0)] * 300


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (
            TEXT.encode("utf-16"),
            "utf-8",
            f"{KEY} is not UTF-8, but utf-16: set data.encoding: utf-16 in handsoff.yaml, "
            "or save it as UTF-8",
        ),
        (
            TEXT.encode("utf-16-be"),
            "utf-8",
            f"{KEY} is not UTF-8, but utf-16-be: set data.encoding: utf-16-be in handsoff.yaml, "
            "or save it as UTF-8",
        ),
        (
            TEXT.encode("utf-8-sig"),
            "cp1252",
            f"{KEY} is not cp1252, as data.encoding says, but utf-8: set data.encoding: utf-8 in "
            "handsoff.yaml, or save it as UTF-8",
        ),
        (
            b"x,c,y\n" + b"1,a,0\n" * 200 + b"1,\x81,0\n",
            "cp1252",
            f"{KEY}: byte 1209 of the file is not cp1252, as data.encoding says; set data.encoding in "
            "handsoff.yaml (cp1252 for a file of Windows), or save it as UTF-8",
        ),
        (
            b"x,c,y\n" + b"1,a,0\n" * 200 + b"1,Z\xfcrich,0\n",
            "utf-8",
            f"{KEY}, row 201: byte 1210 of the file is not UTF-8; set data.encoding in handsoff.yaml "
            "(cp1252 for a file of Windows), or save it as UTF-8",
        ),
        (
            b"x,c,y,caf\xe9\n1,a,0,1\n",
            "utf-8",
            f"{KEY}: byte 10 of the file is not UTF-8; set data.encoding in handsoff.yaml "
            "(cp1252 for a file of Windows), or save it as UTF-8",
        ),
        (b"x,c,y\n1,a\x00,0\n", "utf-8", f"{KEY} is not text: character 10 is zero"),
    ],
)
def test_open_file_other_encoding_is_named_with_its_place(
    read: Any, body: bytes, encoding: str, reason: str
) -> None:
    assert refused(read, body, encoding=encoding) == reason


# ---- quotes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "data", "categories"),
    [
        ('x,c,y\n1,"5"" pipe, used",0\n', {}, ['5" pipe, used']),
        ('x,c,y\n1,"5\\" pipe, used",0\n', {}, ['5" pipe, used']),
        ('x,c,y\n1,"5\\" pipe",0\n2,"a, b",1\n', {}, ['5" pipe', "a, b"]),
        ('x,c,y\n1,"say \\"\\"",0\n', {}, ['say ""']),
        ('x,c,y\n1,"a\\\\",0\n', {"quotes": "backslash"}, ["a\\"]),
        ("x,c,y\n1,C:\\dir,0\n", {"quotes": "backslash"}, ["C:\\dir"]),
        ('x,c,y\n1,"C:\\",0\n', {"quotes": "doubled"}, ["C:\\"]),
        ('x,c,y\n1,"C:\\",0\n', {}, ["C:\\"]),
        ('x,c,y\n1,"two\\"\nlines",0\n', {}, ['two"\nlines']),
        ('x,c,y\n1,"\\\\\\"",0\n', {}, ['\\"']),
        ('x;c;y\n1;"a;\\"b\\"";0\n', {"delimiter": ";"}, ['a;"b"']),
        ('x,c,y\n1,5" pipe,0\n', {}, ['5" pipe']),
    ],
)
def test_open_file_quotes_are_recognised(read: Any, body: str, data: Any, categories: list[str]) -> None:
    assert [row[1] for row in read(body, **data)] == categories


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 8])
def test_open_file_backslashes_across_chunks(read: Any, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(csv_text, "CHUNK_BYTES", chunk)
    body = 'x,c,y\n1,"a\\"b\\\\",0\n2,"\\"\n,\\"",1\n3,plain"\\,0\n4,"",1\n5,"\\\\",0'
    assert [row[1] for row in read(body, quotes="backslash")] == ['a"b\\', '"\n,"', 'plain"\\', None, "\\"]


def test_open_file_quotes_that_can_be_read_in_two_ways_are_refused(read: Any) -> None:
    assert refused(read, 'x,c,y\n1,"a\\\\",0\n') == (
        f"{KEY}: the quotes in it can be read in two ways; set data.quotes in handsoff.yaml to backslash, as "
        "Spark writes them, or to doubled"
    )


def test_open_file_quote_that_does_not_end_is_refused(read: Any) -> None:
    body = "x,c,y\n1,a,0\n" * 1 + '2,"b,1\n' + "3,c,0\n" * 50
    assert refused(read, body) == (
        f"{KEY}, row 2: a quote is in the wrong place or does not end, or a value has more than 131,072 "
        "characters; expected CSV"
    )


# ---- separators, headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ("sep=;\nx;c;y\n1.5;Zürich;0\n;b;1\n", {}),
        ('\ufeff"sep=|"\r\nx|c|y\r\n1.5|Zürich|0\r\n|b|1\r\n', {}),
        ("x\tc\ty\n1.5\tZürich\t0\n\tb\t1\n", {"delimiter": "\t"}),
        ("x,c,y,\n1.5,Zürich,0,\n,b,1,\n", {}),
        ("x,c,y,, \n1.5,Zürich,0,,\n,b,1, ,\n", {}),
        ("1.5,Zürich,0\n,b,1\n", {"header": ["x", "c", "y"]}),
        ("sep=;\n1.5;Zürich;0\n\n;b;1\n", {"header": ["x", "c", "y"]}),
        ("\ufeff1.5,Zürich,0\n,b,1\n", {"header": ["x", "c", "y"]}),
        ("x,c,y\r1.5,Zürich,0\r\r,b,1\r", {}),
        ("x;c;y\n1,5;Zürich;0\n;b;1\n", {"delimiter": ";", "decimal": ","}),
        ('"x\nz","x","c",y\n,1.5,Zürich,0\n,,b,1\n', {}),
    ],
)
def test_open_file_separators_and_headers(read: Any, body: str, data: Any) -> None:
    assert read(body, **data) == ROWS


@pytest.mark.parametrize(
    ("body", "data", "reason"),
    [
        (
            "x ,C,y\n1,a,0\n",
            {},
            f"{KEY} has no columns x, c in its header of 3 columns; did you mean column 1 for x, column 2 "
            "for c? The names differ in case or spaces; write both alike",
        ),
        (
            "x;c;y\n1;a;0\n",
            {},
            f"{KEY}: the values are separated by semicolons; set data.delimiter in handsoff.yaml",
        ),
        (
            "Secret Name,7,male\nOther Name,8,female\n",
            {},
            f"{KEY} has no header: its first line names none of the columns y, x, c; write a header, or "
            "name the columns in data.header",
        ),
        (
            "x,c,y\n1,a,0\n",
            {"header": ["x", "c", "y"]},
            f"{KEY}: the first line is a header, and data.header in handsoff.yaml names the columns; remove "
            "one of them",
        ),
        (
            "x,c,y,\n1,a,0,\n1,a,0,secret\n",
            {},
            f"{KEY}, row 2: column 4 has a value, but the header has no name for it; expected a name, "
            "or no value",
        ),
        ("x,c,y\n1,a,0,\n", {}, f"{KEY}, row 1: 4 values, expected 3 as in the header"),
        (
            'x,c,y\n1,"two\nlines",0\n\n2,secret\n',
            {},
            f"{KEY}, row 2: 2 values, expected 3 as in the header",
        ),
        ("1,a,0\n1,a\n", {"header": ["x", "c", "y"]}, f"{KEY}, row 2: 2 values, expected 3 as in the header"),
        (
            "x,c,y,s,s\n1,a,0,1,2\n",
            {},
            f"{KEY}: the header has the same name more than once, in columns 4 and 5; "
            "expected distinct names",
        ),
    ],
)
def test_open_file_wrong_header_or_row_is_named_without_a_value(
    read: Any, body: str, data: Any, reason: str
) -> None:
    assert refused(read, body, **data) == reason


# ---- numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "data", "number"),
    [
        ("7,25", {"decimal": ","}, 7.25),
        (" -1.234.567,5 ", {"decimal": ",", "thousands": "."}, -1234567.5),
        ("1,234.5", {"thousands": ","}, 1234.5),
        ("1\u202f234", {"thousands": " "}, 1234.0),
        ("1 234,5e2", {"thousands": " ", "decimal": ","}, 123450.0),
        ("1'000'000", {"thousands": "'"}, 1e6),
        ("1234", {"thousands": ","}, 1234.0),
        (",5", {"decimal": ","}, 0.5),
        ("NA", {"decimal": ","}, None),
    ],
)
def test_convert_numbers_as_the_config_says(read: Any, text: str, data: Any, number: float | None) -> None:
    assert read(f"x;c;y\n{text};a;0\n", delimiter=";", **data) == [(number, "a", 0)]


@pytest.mark.parametrize(
    ("text", "data", "advice"),
    [
        ("7,25", {}, '; if it is written so, set data.decimal: "," in handsoff.yaml'),
        (
            "1.234,5",
            {},
            '; if it is written so, set data.decimal: "," and data.thousands: "." in handsoff.yaml',
        ),
        ("1 234", {}, '; if it is written so, set data.thousands: " " in handsoff.yaml'),
        ("7.25", {"decimal": ","}, ""),
        ("12,34", {"thousands": ","}, '; if it is written so, set data.decimal: "," in handsoff.yaml'),
        ("abc", {"decimal": ","}, ""),
    ],
)
def test_convert_number_in_another_notation_names_the_way_out(
    read: Any, text: str, data: Any, advice: str
) -> None:
    said = refused(read, f"x;c;y\n1;a;0\n{text};a;0\n", delimiter=";", **data)
    assert said == f"{KEY}, row 2: column x has a wrong value, expected a number{advice}"


def test_convert_categories_and_classes_are_in_the_same_notation(read: Any) -> None:
    found = read("x;c;y\n1,5;7,25;1,0\n1;7,25 kg;0\n", delimiter=";", decimal=",")
    assert found == [(1.5, "7.25", 1), (1.0, "7,25 kg", 0)]


# ---- width and empty parts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n",
        "\r\n\r\n",
        "\ufeff",
        "x,c,y",
        "x,c,y\n",
        "x,c,y\n\n\n",
        gzip.compress(b"", mtime=0),
        gzip.compress(b"x,c,y\n", mtime=0),
    ],
)
def test_open_file_without_rows_is_no_fault(read: Any, body: str | bytes) -> None:
    assert read(body) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            ",".join(f"n{n}" for n in range(60_000)) + "\n" + "1," * 59_999 + "1\n",
            "too wide: it has 60,000 columns",
        ),
        ("x,c,y\n1,a,0\n" + "1" * (9 << 20), "row 2: a row has more than 8,388,608 bytes, which is too wide"),
        ("1," * (1 << 20), "too wide: header and first row do not end in its first 1,048,576 bytes"),
        (
            "x,c,y\n" + "1" * (2 << 20),
            "too wide: header and first row do not end in its first 1,048,576 bytes",
        ),
    ],
    ids=["columns", "row", "line", "value"],
)
def test_open_file_too_wide_names_the_limit(read: Any, body: str, reason: str) -> None:
    assert reason in refused(read, body)
