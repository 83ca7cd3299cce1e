"""Typed columns of CSV files: they mean what the same file means as texts, also where it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import csv_text
from convert import convert
from data_counts import CellCounts
from job import DataProblem, parse_config
from tables import open_file
from tests.pipeline_def.helpers import BOOLEANS, KEY, PRICES, SMALL

NUMBERS = [
    *("1", "2.5", "-0", "+1", "007", "1.", ".5", "1e3", "1E-3", "0x1F", "1_000", "1,000", "1.000,5", "1 000"),
    *("1e999", "-1e999", "1e-999", "9007199254740991", "9007199254740993", "123456789012345678901234567890"),
    *(
        "0.1000000000000000055511151231257827",
        "3.5e38",
        "1e160",
        "5e-324",
        "\u0663",
        "\uff11",
        "1%",
        "$1",
        "1 ",
        " 1",
    ),
    *("\t1", "1\u00a0", " ", "\t", "\u2003", "1\n", "\n", "--1", "1-", "e5", ".", "-", "1d", "1f", "0b1"),
]
WORDS = [
    *("", "NA", "N/A", "null", "NULL", "None", "nan", "NaN", "-nan", "NAN", "inf", "-inf", "Infinity", "\\N"),
    *("nan(1)", "#N/A", "1.#IND", "<NA>", "NaT", "na", " NA", "NA ", "true", "False", "T", "yes", "No", "0"),
]
TEXTS = [
    *("a", "A", " a", "a ", "01234", "1.0", "+1", "1e0", "2026-01-31", "2026-01-31 14:05:00", "Zürich"),
    *("Zu\u0308rich", "\u200ba", "two\nlines", "two\r\nlines", 'say "hi"', "a,b", "'1'", "\ufeffa", "TRUE"),
]
CELLS = [*NUMBERS, *WORDS, *TEXTS]
NO_UTF8 = "\udcff"

CONFIGS: list[dict[str, Any]] = [
    SMALL,
    {**SMALL, "training": {"estimator": "random_forest"}},
    BOOLEANS,
    PRICES,
    {**SMALL, "features": {"numeric": [], "categorical": [], "date": ["c"]}},
    {**SMALL, "classes": ["true", "false"]},
    {**SMALL, "data": {"decimal": ","}},
    {**SMALL, "data": {"thousands": ","}},
    {**SMALL, "data": {"identity": ["x"]}},
    {**SMALL, "data": {"ignore_case": True, "not_missing": ["NA"]}},
    {**SMALL, "data": {"weight": "b"}},
]


def quoted(cell: str, *, always: bool) -> str:
    """The cell as a CSV file has it."""
    if always or any(sign in cell for sign in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def meaning(path: Path, config: dict[str, Any], *, typed: bool) -> tuple[Any, ...]:
    """The rows, what was counted in cells, and why the file is refused: the reason and what was found."""
    known, row = parse_config(config), 1
    counts, tables = CellCounts(known.features), []
    try:
        for block in open_file(path, KEY, known).blocks(typed=typed):
            table = convert(block, known, KEY, row)
            counts.add(block, table)
            tables.append(table)
            row += block.num_rows
    except DataProblem as problem:
        return str(problem), repr(problem.found)
    rows = pa.concat_tables(tables).combine_chunks().to_pydict() if tables else None
    return repr(rows), counts.missing_words, counts.canonicalised


def check(folder: Path, config: dict[str, Any], cells: list[tuple[str, str, str, str]], always: bool) -> Any:
    """Read these rows in both ways; returns what they mean."""
    lines = [",".join(quoted(cell, always=always) for cell in row) for row in cells]
    path = folder / "object"
    path.write_bytes("\n".join(["x,c,b,y", *lines, ""]).encode("utf-8", "surrogateescape"))
    found = meaning(path, config, typed=True)
    assert found == meaning(path, config, typed=False)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("always", [False, True], ids=["bare", "quoted"])
def test_typed_columns_each_cell_means_what_its_text_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, always: bool
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 128)
    before, after = [("1", "a", "t", "0")] * 12, [("2", "b", "f", "1")] * 3
    for cell in [*CELLS, NO_UTF8][:: 3 if always else 1]:
        check(tmp_path, SMALL, [*before, (cell, "a", "t", "0"), *after], always)
        check(tmp_path, PRICES, [*before, ("1", cell, "t", cell), *after], always)
        check(tmp_path, BOOLEANS, [*before, ("1", "a", cell, "1"), *after], always)


@pytest.mark.parametrize("cell", ["1" * 131_073, "0." + "0" * 131_072])
def test_typed_columns_longest_value_of_a_number_is_that_of_a_text(tmp_path: Path, cell: str) -> None:
    rows = [("1", "a", "t", "0"), (cell, "a", "t", "1")]
    assert check(tmp_path, SMALL, rows, always=False) == (
        f"{KEY}, row 2: column 1 has a value of more than 131,072 characters; expected fewer",
        "None",
    )


def test_typed_columns_longest_value_counts_in_quotes(tmp_path: Path) -> None:
    assert check(tmp_path, SMALL, [("1", "a", "t", "0"), ("1", "a," * 65_537, "t", "1")], always=False) == (
        f"{KEY}, row 2: column 2 has a value of more than 131,072 characters; expected fewer",
        "None",
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([("1", "NA", "t", "0"), ("", "", "", "1"), ("nan", "a", "f", "1")], SMALL, False)
@given(
    st.lists(
        st.tuples(*[st.sampled_from(CELLS) | st.text(alphabet="0123456789.-+e ", max_size=6)] * 4), max_size=8
    ),
    st.sampled_from(CONFIGS),
    st.booleans(),
)
def test_typed_columns_any_rows_mean_what_their_texts_mean(
    tmp_path: Path, cells: list[tuple[str, str, str, str]], config: dict[str, Any], always: bool
) -> None:
    check(tmp_path, config, cells, always)


def test_typed_columns_end_at_the_block_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 64)
    path = tmp_path / "object"
    path.write_text("x,c,y\n" + "1,a,0\n" * 20 + "NA,b,1\n" + "3,c,1\n" * 20)
    blocks = [*open_file(path, KEY, parse_config(SMALL)).blocks(typed=True)]
    kinds = [str(block.column(0).type) for block in blocks]
    assert (kinds[0], kinds[-1]) == ("double", "string")
    assert kinds == sorted(kinds)
    rows = [value for block in blocks for value in block.column(0).to_pylist()]
    assert [str(value).removesuffix(".0") for value in rows] == ["1"] * 20 + ["NA"] + ["3"] * 20


@pytest.mark.parametrize("cell", ["", "1", "-0.5", "9007199254740991"])
def test_typed_columns_usual_numbers_are_not_looked_at_as_text(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "object"
    path.write_text(f"x,c,y\n{cell},a,0\n")
    (block,) = open_file(path, KEY, parse_config(SMALL)).blocks(typed=True)
    assert [str(column.type) for column in block.columns] == [
        "double",
        "dictionary<values=string, indices=int32, ordered=0>",
        "dictionary<values=string, indices=int32, ordered=0>",
    ]
