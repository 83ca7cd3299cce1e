"""Text as people's tools write it: encodings, delimiters, quotes, numbers, changes of rows."""

from __future__ import annotations

from typing import Any

import pytest

from retraining.starts.inspection import Fine, Problem, inspect
from tests.functions.starts.looking import ROWS, look, model, said

# ---- encodings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "configured"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
        ("cp1252", "latin1"),
        ("shift_jis", "shift_jis"),
    ],
)
def test_inspect_reads_the_configured_encoding(written: str, configured: str) -> None:
    text = "x,c,b,y\n1,é,t,0\n".replace("é", "欄" if written == "shift_jis" else "é")
    assert look(text.encode(written), config=model(encoding=configured)) == Fine(1)


@pytest.mark.parametrize(
    ("body", "configured", "text"),
    [
        (ROWS.encode("utf-16"), "utf-8", "not UTF-8, but utf-16: set data.encoding: utf-16 in handsoff.yaml"),
        (ROWS.encode("utf-16-be"), "utf-8", "not UTF-8, but utf-16-be: set data.encoding: utf-16-be in"),
        (ROWS.encode("utf-32"), "cp1252", "not cp1252, as data.encoding says, but utf-32: set data.encoding"),
        (ROWS.encode("utf-8-sig"), "cp1252", "not cp1252, as data.encoding says, but utf-8: set"),
        (ROWS.encode(), "utf-16", "not utf-16, as data.encoding says: its first 512 bytes have no zero byte"),
        (
            "x,c,b,y\n1,é,t,0\n".encode("cp1252"),
            "utf-8",
            "not UTF-8: line 2 has the byte 0xe9 at byte 10 of the file; set data.encoding in handsoff.yaml "
            "(cp1252 for a file of Windows), or save it as UTF-8",
        ),
        (b"x,c,b,y\n1,\x81,t,0\n", "cp1252", "not cp1252, as data.encoding says: line 2 has the byte 0x81"),
    ],
)
def test_inspect_names_another_encoding(body: bytes, configured: str, text: str) -> None:
    kind, found = said(look(body, config=model(encoding=configured)))
    assert kind == "encoding"
    assert text in found


# ---- delimiters and headers ------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [";", "\t", "|", ","])
def test_inspect_reads_the_delimiter_that_the_file_or_the_configuration_names(sign: str) -> None:
    body = ROWS.replace(",", sign)
    assert look(body, config=model(delimiter=sign)) == Fine(2)
    assert look(f"sep={sign}\r\n{body}") == Fine(2)
    assert look(f"\ufeffSEP={sign}\n{body}") == Fine(2)


def test_inspect_names_the_delimiter_that_the_header_has() -> None:
    expected = 'the values are separated by commas, expected tabs: set data.delimiter: "," in handsoff.yaml'
    assert said(look(ROWS, config=model(delimiter="\t"))) == ("delimiter", expected)
    expected = 'the values are separated by tabs, expected commas: set data.delimiter: "\\t" in handsoff.yaml'
    assert said(look(ROWS.replace(",", "\t"))) == ("delimiter", expected)


@pytest.mark.parametrize("header", [(), ("x", "c", "b", "y")])
def test_inspect_names_the_separator_of_hive_and_athena(header: tuple[str, ...]) -> None:
    found = look("1\x01a\x01t\x010\n2\x01b\x01f\x011\n", config=model(header=header))
    assert said(found) == (
        "delimiter",
        r"the values are separated by \x01 (Ctrl-A), which is not read: write them separated by commas, "
        "or as Parquet",
    )


@pytest.mark.parametrize("operation", ["I", "U", "D"])
def test_inspect_names_a_change_that_data_header_has_no_column_for(operation: str) -> None:
    rows = f"{operation},1,a,t,0\n"
    advice = (
        "row 1 has 5 values, the header 4; its first value says what was done to the row (I, U or D), as AWS "
        "DMS writes it: put Op first in data.header and set data.cdc in handsoff.yaml"
    )
    config = model(header=("x", "c", "b", "y"))
    assert said(look(rows, config=config)) == ("format", advice)
    config = model(header=("x", "c", "b", "y"), cdc={"operation": "Op", "key": ["x"]})
    assert said(look(rows, config=config)) == ("format", advice)
    config = model(header=("Op", "x", "c", "b", "y"), cdc={"operation": "Op", "key": ["x"]})
    assert look(rows, config=config) == Fine(1)
    assert look("1,a,t,0\n", config=config) == Fine(1)


def test_inspect_names_no_change_where_the_first_value_is_none() -> None:
    config = model(header=("x", "c", "b", "y"))
    assert said(look("7,1,a,t,0\n", config=config)) == ("format", "row 1 has 5 values, the header 4")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("X,c,b,y", "no column x; the header has 'X': did you mean that? write both alike"),
        ("x , c,b,y", "no column x, c; the header has 'x ', ' c': did you mean that? write both alike"),
        ("x,c,b,z", "no column y in the header, which has 4 columns"),
    ],
)
def test_inspect_asks_for_a_column_that_differs_in_case_or_spaces(header: str, text: str) -> None:
    assert said(look(f"{header}\n1,a,t,0\n")) == ("missing_column", text)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x,c,b,y,\n1,a,t,0,\n", None),
        ("x,c,b,y,,\n1,a,t,0, ,\n", None),
        ("x,c,b,y,\n1,a,t,0,7\n", "row 1 has a value in column 5, which has no name"),
        ("x,c,b,y,\n1,a,t,0\n", "row 1 has 4 values, the header 5"),
        ("x,c,b,y\n1,a,t,0,\n", "row 1 has 5 values, the header 4"),
        (",x,c,b,y\n0,1,a,t,0\n", None),
    ],
)
def test_inspect_trailing_commas(body: str, expected: str | None) -> None:
    found = look(body)
    assert found == Fine(1) if expected is None else said(found) == ("format", expected)


def test_inspect_takes_the_columns_of_data_header() -> None:
    config = model(header=("x", "c", "b", "y"))
    assert look("1,a,t,0\n2,b,f,1\n", config=config) == Fine(2)
    assert look("\n", config=config) == Fine(0)
    assert said(look(ROWS, config=config)) == (
        "unexpected_header",
        "the first line is a header, and data.header in handsoff.yaml names the columns: remove one of them",
    )
    assert said(look("1,a,t\n", config=config)) == ("format", "row 1 has 3 values, the header 4")


# ---- quotes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "quotes", "expected"),
    [
        ('1,"5\\" pipe, used",t,0\n', None, None),
        ('1,"5\\" pipe, used",t,0\n', "backslash", None),
        ('1,"5\\" pipe, used",t,0\n', "doubled", "format"),
        ('1,"5"" pipe, used",t,0\n', None, None),
        ('1,"C:\\dir\\",t,0\n', None, None),
        ('1,"C:\\dir\\",t,0\n', "backslash", "format"),
        ("1,C:\\dir\\,t,0\n", "backslash", None),
        ('1,"a\\\\",t,0\n', "backslash", None),
        ('1,"two\n5\\" lines",t,0\n', None, None),
        ('1,"a\\"\n,t,0\n', None, "format"),
        ('1,"a\\",b,""\\"",t,0\n', None, "format"),
    ],
)
def test_inspect_reads_quotes_as_the_file_shows_them(
    rows: str, quotes: str | None, expected: str | None
) -> None:
    found = look("x,c,b,y\n" + rows, config=model(quotes=quotes) if quotes else model())
    assert found == Fine(1) if expected is None else said(found)[0] == expected


def test_inspect_refuses_quotes_that_can_be_read_in_two_ways() -> None:
    """The category is two backslashes, or one that is written as Spark does."""
    body = 'x,c,b,y\n1,"\\\\",t,0\n'
    kind, text = said(look(body))
    assert kind == "quotes"
    assert text.startswith("the quotes in it can be read in two ways: set data.quotes in handsoff.yaml")
    assert look(body, config=model(quotes="doubled")) == Fine(1)
    assert look(body, config=model(quotes="backslash")) == Fine(1)


def test_inspect_quotes_of_a_head_that_is_cut() -> None:
    body = ("x,c,b,y\n" + '1,"5\\" pipe, ""used\\"\n",t,0\n'.replace('""', '\\"') * 40).encode()
    for length in range(60, 300):
        found = inspect(body[:length], len(body), "curated/m/train/p", model())
        assert isinstance(found, Fine), (length, found)


# ---- numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "data", "fits"),
    [
        ("7,25", {"decimal": ","}, True),
        ("7.25", {"decimal": ","}, False),
        ("-1.234.567,5", {"decimal": ",", "thousands": "."}, True),
        ("1.23,5", {"decimal": ",", "thousands": "."}, False),
        ("1,234.5", {"thousands": ","}, True),
        ("12,34.5", {"thousands": ","}, False),
        ("1234.5", {"thousands": ","}, True),
        ("1 234", {"thousands": " "}, True),
        ("1\u00a0234", {"thousands": " "}, True),
        ("1\u202f234,5", {"thousands": " ", "decimal": ","}, True),
        ("1'234", {"thousands": "'"}, True),
        ("1_234", {"thousands": "_"}, True),
        (",5", {"decimal": ","}, True),
        ("1,5e3", {"decimal": ","}, True),
        ("NA", {"decimal": ","}, True),
    ],
)
def test_inspect_reads_numbers_as_configured(text: str, data: dict[str, Any], fits: bool) -> None:
    found = look(f"x|c|b|y\n{text}|a|t|0\n", config=model(delimiter="|", **data))
    assert isinstance(found, Fine) == fits


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("7,25", '; if it is written so, set data.decimal: "," in handsoff.yaml'),
        ("1,234", '; if it is written so, set data.decimal: "," or data.thousands: "," in handsoff.yaml'),
        ("1,234,567", '; if it is written so, set data.thousands: "," in handsoff.yaml'),
        ("1.234,5", '; if it is written so, set data.decimal: "," and data.thousands: "." in handsoff.yaml'),
        ("1 234,5", '; if it is written so, set data.decimal: "," and data.thousands: " " in handsoff.yaml'),
        ("1 234", '; if it is written so, set data.thousands: " " in handsoff.yaml'),
        ("seven", ""),
    ],
)
def test_inspect_says_how_a_number_seems_to_be_written(text: str, advice: str) -> None:
    found = look(f"x|c|b|y\n{text}|a|t|0\n", config=model(delimiter="|"))
    assert found == Problem("not_a_number", f"row 1: x is not a number{advice}", 1, "x", repr(text))


def test_inspect_number_that_a_random_forest_cannot_hold_is_a_problem() -> None:
    body = "x,c,b,y\n1e39,a,t,0\n"
    forest = model(estimator="random_forest")
    assert look(body.replace("1e39", "3.4028234663852886e38"), config=forest) == Fine(1)
    assert look(body) == Fine(1)
    assert said(look(body.replace("1e39", "-2e150")))[1].endswith("-1e150 and 1e150 (ridge computes squares)")
    assert said(look(body, config=forest))[1] == (
        "row 1: x is out of range, expected a number between -3.4e38 and 3.4e38 "
        "(random_forest computes in 32 bits)"
    )


# ---- changes of rows -------------------------------------------------------------------------------------

CDC = {"operation": "Op", "key": ["x"]}


@pytest.mark.parametrize("name", ["Op", "op", " OP "])
def test_inspect_refuses_changes_without_data_cdc(name: str) -> None:
    kind, text = said(look(f"{name},x,c,b,y\nI,1,a,t,0\nD,1,,,\n"))
    assert kind == "changes"
    assert text.startswith("the column Op says what was done to each row (I, U or D), as AWS DMS writes it")


@pytest.mark.parametrize("values", [("sum", "mean"), ("", ""), ("I", "insert")])
def test_inspect_takes_a_column_op_with_other_values_as_any_other(values: tuple[str, str]) -> None:
    assert look(f"op,x,c,b,y\n{values[0]},1,a,t,0\n{values[1]},1,a,t,0\n") == Fine(2)


def test_inspect_reads_changes_with_data_cdc() -> None:
    config = model(cdc=CDC)
    assert look("Op,x,c,b,y\nI,1,a,t,0\nU,1,a,t,1\nD,1,,,\n", config=config) == Fine(3)
    assert look("x,c,b,y\n1,a,t,0\n", config=config) == Fine(1)  # a full load
    assert said(look("Op,x,c,b,y\nX,1,a,t,0\n", config=config)) == (
        "not_an_operation",
        "row 1: Op is none of I, U and D",
    )
    assert said(look("Op,c,b,y\nI,a,t,0\n", config=config))[0] == "missing_column"


@pytest.mark.parametrize(("operation", "name"), [("Op", "op"), ("Operation", "Op"), ("dml", " DML")])
def test_inspect_refuses_changes_in_another_column_than_data_cdc_names(operation: str, name: str) -> None:
    """The row marked D would be trained on."""
    config = model(cdc={**CDC, "operation": operation})
    assert said(look(f"{name},x,c,b,y\nI,1,a,t,0\nD,2,a,t,1\n", config=config)) == (
        "changes",
        f"no column {operation}, which data.cdc names, and a column like Op says what was done to each row "
        "(I, U or D): did you mean that? write both alike, or land the rows without it",
    )


def test_inspect_reads_changes_without_header() -> None:
    config = model(cdc=CDC, header=["Op", "x", "c", "b", "y"])
    assert look("I,1,a,t,0\nD,1,,,\n", config=config) == Fine(2)
    assert look("1,a,t,0\n", config=config) == Fine(1)
    assert said(look("I,1,Kelly,t,0\nD,1,Kelly,,\n"))[0] == "no_header"


def test_inspect_says_which_key_names_a_column_that_is_not_there() -> None:
    config = model(group=["home", "street"], identity="id")
    found = look("x,c,b,y,home\n1,a,t,0,7\n", config=config)
    assert said(found) == (
        "missing_column",
        "no column id, street in the header, which has 5 columns; data.identity in handsoff.yaml names id: "
        "land it, or remove it there; data.group in handsoff.yaml names street: land it, or remove it there",
    )
