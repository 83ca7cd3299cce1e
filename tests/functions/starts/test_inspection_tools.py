"""What the page on tools (PAGE) says of a file: the reason that is seen, and the key that mends it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from retraining.starts.inspection import Fine
from tests.functions.starts.looking import ROWS, look, model, said

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "land-data-of-your-tools.md"
HEADER = ["x", "c", "b", "y"]
PARTS = ROWS.removeprefix("x,c,b,y\n")
CDC = {"operation": "Op", "key": ["x"]}
GERMAN = "x;c;b;y\r\n1.007,25;männlich;t;0\r\n".encode("cp1252")
NUMBERS = {"encoding": "cp1252", "delimiter": ";"}


@pytest.mark.parametrize(
    ("body", "wrong", "seen", "right"),
    [
        (PARTS, {}, "no header: the first line names none of the columns", {"header": HEADER}),
        (gzip.compress(PARTS.encode()), {}, "no header: ", {"header": HEADER}),
        (
            PARTS.replace(",", "|"),
            {"header": HEADER},
            "row 1 has 1 values, the header ",
            {"header": HEADER, "delimiter": "|"},
        ),
        (
            "I,1,a,t,0\n",
            {"header": HEADER},
            "; its first value says what was done to the row ",
            {"header": ["Op", *HEADER], "cdc": CDC},
        ),
        (
            "I,1,a,t,0\n",
            {"header": ["Op", *HEADER]},
            "the column Op says what was done to each row ",
            {"header": ["Op", *HEADER], "cdc": CDC},
        ),
        (
            GERMAN,
            {},
            "the file is not UTF-8: line 2 has the byte 0xe4 ",
            NUMBERS | {"decimal": ",", "thousands": "."},
        ),
        (
            GERMAN,
            {"encoding": "cp1252"},
            "the values are separated by semicolons, expected commas: ",
            NUMBERS | {"decimal": ",", "thousands": "."},
        ),
    ],
)
def test_inspect_file_of_a_tool(
    body: bytes | str, wrong: dict[str, Any], seen: str, right: dict[str, Any]
) -> None:
    assert seen in said(look(body, config=model(**wrong)))[1]
    assert seen in PAGE.read_text(encoding="utf-8")
    assert isinstance(look(body, config=model(**right)), Fine)


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("1\x01a\x01t\x010\n", r"the values are separated by \x01 (Ctrl-A), which is not read"),
        ('{"x": 1}\n', "the file is JSON, which is not read"),
        (
            b"PK\x03\x04[Content_Types].xml",
            "the file is an Excel workbook (xlsx), which is not read: save its sheet as CSV",
        ),
    ],
)
def test_inspect_refuses_what_no_key_mends(body: bytes | str, seen: str) -> None:
    assert seen in said(look(body))[1]
    assert seen in PAGE.read_text(encoding="utf-8")
