"""One table by four writers, in any dialect, type, number of parts and folder: the same rows and report."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.field.play import Place, Played, config
from tests.field.writers import TYPES, Form, Record, files

FEATURES = {"numeric": ["x"], "categorical": ["k", "c"], "boolean": ["b"]}

TEXTS = st.text("aB é\",;|\t'\\/=%\n", min_size=1, max_size=6).map(str.strip).filter(bool)
"""Categories with signs that separate, quote, escape and break lines; none is a number or a missing word."""

RECORDS = st.tuples(
    st.none() | st.integers(-1_000_000, 1_000_000),
    st.none() | st.integers(-3, 90),
    st.none() | TEXTS,
    st.none() | st.booleans(),
    st.integers(0, 1),
)
TABLES = st.lists(RECORDS, min_size=1, max_size=25).map(lambda found: [*found, *BOTH_CLASSES])
BOTH_CLASSES: list[Record] = [(150, 1, "a", True, 0), (250, 2, "B", False, 1)]

CSV_FORMS = st.builds(
    Form,
    writer=st.sampled_from(["pandas", "polars", "arrow", "duckdb"]),
    format=st.just("csv"),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp1252"]),
    quote_all=st.booleans(),
    told=st.booleans(),
    crlf=st.booleans(),
    packed=st.booleans(),
    parts=st.integers(1, 4),
)
PARQUET_FORMS = st.builds(
    Form,
    writer=st.sampled_from(["pandas", "polars", "arrow", "duckdb"]),
    format=st.just("parquet"),
    types=st.tuples(*(st.sampled_from(kinds) for kinds in TYPES.values())),
    parts=st.integers(1, 4),
)
FOLDERS = st.builds(
    Form,
    writer=st.sampled_from(["pandas", "polars", "arrow", "duckdb"]),
    format=st.sampled_from(["csv", "parquet"]),
    partition=st.sampled_from(["k", "c"]),
)


TWO_WAYS = "the quotes in it can be read in two ways"
"""Why a file is refused that a writer with backslashes may have written, if the config does not tell."""


def landed(records: list[Record], form: Form) -> Played:
    """Train and validation hold the same rows, written in this form."""
    written = files(records, form)
    data = {"delimiter": form.delimiter, "encoding": form.encoding}
    data |= {"quotes": "doubled"} if form.told else {}
    known = config(
        target="y",
        features=FEATURES,
        data=data if form.format == "csv" else {},
        approvers={"show_values": True},  # so that the report has least and greatest values
    )
    return Place(known).land(
        {f"{split}/{name}": body for split in ("train", "validation") for name, body in written.items()}
    )


def read(played: Played, split: str) -> Counter[tuple[Any, ...]]:
    """The rows that training reads, how often each."""
    assert played.output is not None, f"{played.kind}: {played}"
    table: pa.Table = pq.read_table(played.output / split / f"{split}.parquet")
    return Counter(zip(*(table[name].to_pylist() for name in ("x", "k", "c", "b", "y")), strict=True))


def expected(records: list[Record]) -> Counter[tuple[Any, ...]]:
    """The rows that training should read."""
    return Counter(
        (
            None if x is None else x / 100,
            None if k is None else str(k),
            c,
            None if b is None else float(b),
            y,
        )
        for x, k, c, b, y in records
    )


def check(records: list[Record], form: Form) -> None:
    """The same rows in both splits, and a report that counts them."""
    note(str(form))
    played = landed(records, form)
    if not form.told and TWO_WAYS in str(played):
        assert any("\\" in c for _, _, c, *_ in records if c)
        return
    for split in ("train", "validation"):
        assert read(played, split) == expected(records)
        said = played.report["splits"][split]
        numbers = [x / 100 for x, *_ in records if x is not None]
        assert said["rows"] == len(records)
        assert said["ranges"] == {"x": {"min": min(numbers), "max": max(numbers)}}
        assert said["categories"] == {
            name: len({record[place] for record in records} - {None}) for name, place in (("k", 1), ("c", 2))
        }
        places = {"x": 0, "k": 1, "c": 2, "b": 3}
        gaps = {name: sum(record[place] is None for record in records) for name, place in places.items()}
        assert said["missing_share"] == {name: gap / len(records) for name, gap in gaps.items()}
        labels = [record[4] for record in records]
        assert said["class_share"] == {str(label): labels.count(label) / len(labels) for label in (0, 1)}
    assert played.report["unknown_categories"] == {}
    assert played.report["ignored_count"] == 0


KINDLY = settings(
    max_examples=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.slow
@KINDLY
@given(TABLES, CSV_FORMS)
def test_a_table_as_csv_gives_the_same_rows_by_each_writer(records: list[Record], form: Form) -> None:
    """Dialects, encodings, gzip and parts change nothing."""
    check(records, form)


@pytest.mark.slow
@KINDLY
@given(TABLES, PARQUET_FORMS)
def test_a_table_as_parquet_gives_the_same_rows_by_each_writer(records: list[Record], form: Form) -> None:
    """Types and parts change nothing."""
    check(records, form)


@pytest.mark.slow
@KINDLY
@given(TABLES, FOLDERS)
def test_a_table_in_partitioned_folders_gives_the_same_rows_by_each_writer(
    records: list[Record], form: Form
) -> None:
    """A column that stands in the path changes nothing."""
    check(records, form)


ODD = st.sampled_from(
    [
        *("NA", "null", "None", "\\N", "nan", "inf", "#N/A", "7", "7.0", "007", "+7", "-0", "0.10", "1e5"),
        *("1E+5", "True", "FALSE", "yes", "2026-01-01", "2026-01-01 00:00:00", "2026-01-01T00:00:00Z"),
        *("1,000", "1.000,5", "0x1F", "1_000", "٣", "½", "A", "a", "é", "e\u0301", "a b", "a  b"),
    ]
)
"""Categories that some writer or reader might take for something else."""


@pytest.mark.slow
@KINDLY
@given(
    st.lists(st.tuples(st.just(150), st.just(1), st.none() | ODD, st.none(), st.integers(0, 1)), min_size=3),
    st.one_of(CSV_FORMS, PARQUET_FORMS, FOLDERS),
)
def test_a_category_that_looks_like_something_else_is_read_alike_from_all(
    found: list[Record], form: Form
) -> None:
    """The same rows as from plain CSV, whatever a category looks like."""
    records = [*found, *BOTH_CLASSES]
    if form.encoding == "cp1252":
        form = replace(form, encoding="utf-8")
    note(str(form))
    plain = landed(records, Form("arrow", "csv"))
    assert read(landed(records, form), "train") == read(plain, "train")
