"""Quotes in CSV files: where they must end, and how long a value may be."""

from __future__ import annotations

import csv
import gzip
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import csv_text
import quotes
from convert import convert
from job import DataProblem, parse_config
from quotes import QuoteCheck, whole_rows
from tables import open_file
from tests.pipeline_def.helpers import KEY, SMALL, VALIDATION, Run, land

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def possessive() -> st.SearchStrategy[bool]:
    """Patterns with greedy groups, as before Python 3.11.5, and those of this Python."""
    return st.sampled_from([False, csv_text.POSSESSIVE_GROUPS])


def read(folder: Path, body: str | bytes, **data: Any) -> list[tuple[Any, ...]]:
    """The file's rows as (x, c, y)."""
    path = folder / "object"
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    config = parse_config({**SMALL, "data": data})
    found: list[tuple[Any, ...]] = []
    for block in open_file(path, KEY, config).blocks():
        table = convert(block, config, KEY, len(found) + 1)
        found += list(zip(*(table[name].to_pylist() for name in ("x", "c", "y")), strict=True))
    return found


def refused(folder: Path, body: str | bytes, **data: Any) -> str:
    """Why the file is refused."""
    with pytest.raises(DataProblem) as caught:
        read(folder, body, **data)
    return str(caught.value)


def stray(first: str, second: str, count: int = 2000) -> str:
    """A file of which the rows 101 and 1,501 hold these categories."""
    cells = {101: first, 1501: second}
    return "x,c,y\n" + "".join(f"{row},{cells.get(row, 'v')},{row % 2}\n" for row in range(1, count + 1))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("quotes", [None, "doubled", "backslash"])
@pytest.mark.parametrize(
    ("first", "second"), [('"6 inch', '"7 inch'), ('"6 inch', "v"), ('"5" pipe', "v"), ('"a', '"b"')]
)
def test_open_file_rows_between_two_quotes_that_do_not_end_are_not_swallowed(
    tmp_path: Path, first: str, second: str, quotes: str | None, pack: Any
) -> None:
    body = pack(stray(first, second).encode())
    assert refused(tmp_path, body, **({"quotes": quotes} if quotes else {})).startswith(
        f"{KEY}, row 101: a quote is in the wrong place or does not end"
    )


@pytest.mark.parametrize("quotes", [None, "doubled", "backslash"])
@pytest.mark.parametrize(
    ("first", "second", "categories"),
    [
        ('6 inch"', '7" inch', {'6 inch"', '7" inch'}),
        ('"a, b"', '"a\n\nb"', {"a, b", "a\n\nb"}),
        ('"6"', '""', {"6"}),
    ],
)
def test_open_file_quotes_that_end_and_quotes_within_a_value_lose_no_row(
    tmp_path: Path, first: str, second: str, categories: set[str], quotes: str | None
) -> None:
    found = read(tmp_path, stray(first, second), **({"quotes": quotes} if quotes else {}))
    assert len(found) == 2000
    assert {row[1] for row in found} - {None, "v"} == categories


@pytest.mark.parametrize("typed", [False, True])
def test_only_quote_of_a_file_counts_in_its_last_row(tmp_path: Path, typed: bool) -> None:
    path = tmp_path / "object"
    path.write_bytes(b"x,c,y\n" + b"1,a,0\n" * 200_000 + b'2,"a,""b""",1\n')
    *_, block = open_file(path, KEY, parse_config(SMALL)).blocks(typed=typed)
    assert str(block.column("c")[-1]) == 'a,"b"'


def test_open_file_quote_in_the_wrong_place_of_the_header_is_refused(tmp_path: Path) -> None:
    body = 'x,c,y,"note"s\n1,a,0,b\n'
    assert refused(tmp_path, body).startswith(f"{KEY}, header: a quote is in the wrong place")


@pytest.mark.parametrize("other", ["v", '5" pipe', '"v"'])
def test_open_file_longest_value_does_not_depend_on_other_rows(tmp_path: Path, other: str) -> None:
    assert len(read(tmp_path, f"x,c,y\n1,{other},0\n2,{'z' * 131_072},1\n")) == 2
    assert refused(tmp_path, f"x,c,y\n1,{other},0\n2,{'z' * 131_073},1\n") == (
        f"{KEY}, row 2: column 2 has a value of more than 131,072 characters; expected fewer"
    )


@pytest.mark.slow
@example('\n\n"a\n\n,"\r\r\n,"b"\n\n\n', 1, False)
@given(st.text(alphabet='a",\r\n', max_size=12), st.integers(1, 4), possessive())
def test_quote_check_agrees_with_the_csv_module(text: str, size: int, groups: bool) -> None:
    with patch.object(csv_text, "POSSESSIVE_GROUPS", groups):
        check = QuoteCheck(",")
    for start in range(0, len(text), size):
        check.add(text[start : start + size].encode())
    check.end()
    try:
        empty = [row == [] for row in csv.reader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error:
        assert check.wrong
    else:
        assert not check.wrong
        assert check.blank_lines == sum(empty)


@example('a,"b\n"\n' * 5, 8, 3, 2, False)
@given(
    st.text(alphabet='a",\r\n', max_size=40),
    st.integers(4, 12),
    st.integers(1, 16),
    st.sampled_from([0, 2]),
    possessive(),
)
def test_whole_rows_blocks_have_the_rows_of_the_text(
    text: str, size: int, chunk: int, tries: int, groups: bool
) -> None:
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        return
    chunks = [text[start : start + chunk].encode() for start in range(0, len(text), chunk)]
    try:
        with patch.object(quotes, "TRIES", tries), patch.object(csv_text, "POSSESSIVE_GROUPS", groups):
            blocks = [bytes(block).decode() for block in whole_rows(chunks, ",", size)]
    except pa.ArrowInvalid:
        longest = max(len(line) for line in re.split(r"(?<=\n)|(?<=\r)", text))
        assert longest >= size or '"' in text
        return
    assert "".join(blocks) == text
    assert max(map(len, blocks)) <= size
    found = [
        row for block in blocks for row in csv.reader(io.StringIO(block, newline=""), strict=True) if row
    ]
    assert found == rows


@pytest.mark.parametrize(
    ("first", "second", "quotes", "code"),
    [
        ('"5\\" pipe"', '"C:\\\\x,y"', None, 1),
        ('"5\\" pipe"', '"C:\\\\x,y"', "backslash", 0),
        ('"5\\" pipe"', "C:\\\\x", None, 0),
        ('"5\\" pipe"', '"C:\\x,y"', None, 0),
        ('"5"" pipe"', '"C:\\\\x,y"', None, 0),
    ],
)
def test_preprocess_two_backslashes_mean_the_same_in_all_files(
    s3: S3Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    first: str,
    second: str,
    quotes: str | None,
    code: int,
) -> None:
    config = {**SMALL, "data": {"quotes": quotes} if quotes else {}}
    land(s3, "curated/small/train/a.csv", f"x,c,y\n1,{first},0\n2,b,1\n")
    land(s3, "curated/small/train/b.csv", f"x,c,y\n1,{second},0\n2,b,1\n")
    land(s3, "curated/small/validation.csv", VALIDATION)
    run = Run(tmp_path / "run", s3, config, "abcdefghijkl")
    assert run.preprocess() == code
    if code:
        assert capsys.readouterr().err.strip() == (
            "curated/small/train/b.csv: a quoted value has two backslashes, which are one if quotes are "
            "written as in curated/small/train/a.csv; set data.quotes in handsoff.yaml to backslash, as "
            "Spark writes them, or to doubled"
        )


def test_blocks_are_as_long_as_usual_unless_a_row_is_longer() -> None:
    text = [b"a,b\n1,2\n", b'"a longer', b' row",3\n4', b",5\n"]
    blocks = [bytes(block) for block in whole_rows(text, ",", 32, 8)]
    assert blocks == [b"a,b\n1,2\n", b'"a longer row",3\n4,5\n']


def test_row_longer_than_the_longest_block_is_refused_however_long_blocks_usually_are() -> None:
    with pytest.raises(pa.ArrowInvalid, match="no row ends within a block"):
        list(whole_rows([b"1\n", b"0" * 32, b"\n"], ",", 32, 8))
