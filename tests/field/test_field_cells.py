"""Categories and numbers that other writers spell otherwise, dialects, and types of Parquet files."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from tests.field.conftest import Gives
from tests.field.people import COLUMNS, Row, as_csv, as_parquet, changed, passengers, typed
from tests.field.play import FEATURES, Place, config

ROWS = passengers(200)
VALIDATION = {"validation.csv": as_csv(passengers(100, 9))}


def read(body: bytes, gives: Gives | None = None, **changes: Any) -> pd.DataFrame:
    """The training rows of a file."""
    found = Place(config(**changes)).land({"train/part-0": body, **VALIDATION})
    return (gives(found) if gives else found).table()


@pytest.fixture(scope="module")
def plain() -> pd.DataFrame:
    """The rows as plain CSV gives them."""
    return Place().land({"train.csv": as_csv(ROWS), **VALIDATION}).table()


@pytest.mark.parametrize(
    "respelled",
    [
        {"pclass": lambda text: f"{text}.0"},
        {"pclass": lambda text: f" {text} "},
        {"sex": lambda text: f"{text} "},
        {"pclass": lambda text: f"{text}.00"},
        {"pclass": lambda text: f"+{text}e0"},
        {"pclass": lambda text: f"\u3000{text}\u00a0"},
        {"pclass": lambda text: chr(ord(text) + 0xFEE0)},
        {"pclass": lambda text: f"\ufeff{text}\u200b"},
        {"alone": str.upper},
        {"alone": lambda text: {"true": "1.0", "false": "0.0"}[text]},
        {"age": lambda text: text or "NULL"},
        {"age": lambda text: text or "\\N"},
        {"age": lambda text: text or "None"},
        {"fare": lambda text: f"+{float(text):E}"},
        {"survived": lambda text: f"{text}.0"},
    ],
    ids=[
        "pclass 1.0",
        "pclass padded",
        "sex padded",
        "pclass 1.00",
        "pclass +1e0",
        "pclass between wide spaces",
        "pclass of full width",
        "pclass between signs without a width",
        "alone in capitals",
        "alone as 1.0",
        "age NULL",
        "age backslash N",
        "age None",
        "fare with a sign and an exponent",
        "survived 1.0",
    ],
)
def test_the_same_values_spelled_otherwise_are_the_same_rows(
    respelled: dict[str, Any], plain: pd.DataFrame, gives: Gives
) -> None:
    """The same rows as from the usual spelling."""
    found = read(as_csv(changed(ROWS, **respelled)), gives)
    pd.testing.assert_frame_equal(found, plain)


@pytest.mark.parametrize("word", ["NULL", "NA", "nan", "None", "\\N", "", "null", "N/A"])
def test_words_for_missing_are_missing_in_a_category(word: str, gives: Gives) -> None:
    """Missing, and counted."""
    body = as_csv(changed(ROWS, embarked=lambda text: word if text == "Q" else text))
    found = gives(Place().land({"train.csv": body, **VALIDATION}))
    count = sum(row["embarked"] == "Q" for row in ROWS)
    assert count > 10
    assert found.table()["embarked"].isna().sum() == count
    assert found.report["splits"]["train"]["missing_words"] == ({"embarked": count} if word else {})


def test_case_counts_unless_the_config_says_otherwise(gives: Gives) -> None:
    """Male and male are two categories, and one with ignore_case."""
    body = as_csv(changed(ROWS[:100], sex=str.title) + ROWS[100:])
    assert read(body)["sex"].nunique() == 4
    assert read(body, gives, data={"ignore_case": True})["sex"].nunique() == 2


TEXT_AGES = [row["age"] or None for row in ROWS]
FLOAT_AGES = [float(row["age"]) if row["age"] else None for row in ROWS]
CLASSES = [int(row["pclass"]) for row in ROWS]
SEXES = [row["sex"] for row in ROWS]
FARES = [Decimal(row["fare"]) for row in ROWS]
LABELS = [int(row["survived"]) for row in ROWS]


@pytest.mark.parametrize(
    "columns",
    [
        {"age": pa.array(TEXT_AGES, pa.string_view())},
        {"age": pa.array(TEXT_AGES, pa.large_string())},
        {"age": pa.array(TEXT_AGES).dictionary_encode()},
        {"age": pa.array([text or "NA" for text in TEXT_AGES], pa.string_view())},
        {"age": pa.array([text or "NA" for text in TEXT_AGES], pa.large_string())},
        {"age": pa.array([text or "NA" for text in TEXT_AGES]).dictionary_encode()},
        {"age": pa.array(FLOAT_AGES).dictionary_encode()},
        {"sex": pa.array(SEXES, pa.string_view())},
        {"sex": pa.array(SEXES).dictionary_encode()},
        {"sex": pa.array([text.encode() for text in SEXES], pa.binary())},
        {"pclass": pa.array(CLASSES).dictionary_encode()},
        {"pclass": pa.array([float(value) for value in CLASSES])},
        {"pclass": pa.array([Decimal(value) for value in CLASSES], pa.decimal128(12, 2))},
        {"pclass": pa.array([str(value) for value in CLASSES], pa.string_view())},
        {"fare": pa.array(FARES, pa.decimal128(12, 2))},
        {"fare": pa.array([str(value) for value in FARES])},
        {"alone": pa.array([row["alone"] for row in ROWS])},
        {"survived": pa.array([str(value) for value in LABELS], pa.string_view())},
        {"survived": pa.array([bool(value) for value in LABELS])},
        {"survived": pa.array(LABELS, pa.int8()).dictionary_encode()},
        {"survived": pa.array([float(value) for value in LABELS])},
    ],
    ids=lambda columns: " ".join(f"{name} {array.type}" for name, array in columns.items()),
)
def test_types_of_parquet_say_what_csv_says(
    columns: dict[str, pa.Array], plain: pd.DataFrame, gives: Gives
) -> None:
    """The same rows as from CSV."""
    pd.testing.assert_frame_equal(read(as_parquet(typed(ROWS, **columns)), gives), plain)


@pytest.mark.parametrize("kind", [pa.binary(), pa.binary(16), pa.large_binary()], ids=str)
def test_bytes_in_a_column_that_is_no_feature_stop_nothing(
    kind: pa.DataType, plain: pd.DataFrame, gives: Gives
) -> None:
    """A UUID or a picture beside the features: the same rows, and the bytes tell rows apart."""
    numbers = pa.array([bytes([255, number % 50]) * 8 for number in range(len(ROWS))], kind)
    two = [next(row for row in ROWS if row["survived"] == label) for label in "01"]
    table = typed(two * (len(ROWS) // 2)).append_column("uuid", numbers)
    found = gives(Place().land({"train/part-0": as_parquet(table), **VALIDATION}))
    assert found.report["splits"]["train"]["repeated_rows"] == 150
    pd.testing.assert_frame_equal(read(as_parquet(typed(ROWS).append_column("uuid", numbers))), plain)


def test_decimals_of_parquet_keep_their_text_as_categories(gives: Gives) -> None:
    """37.8 is 37.8 from CSV, as a decimal and as a double."""
    features = {"numeric": ["age"], "categorical": ["fare"], "boolean": []}
    by_csv = read(as_csv(ROWS), features=features)["fare"]
    by_decimal = read(
        as_parquet(typed(ROWS, fare=pa.array(FARES, pa.decimal128(12, 2)))), gives, features=features
    )
    assert by_decimal["fare"].tolist() == by_csv.tolist()
    assert read(as_parquet(typed(ROWS)), features=features)["fare"].tolist() == by_csv.tolist()


def test_a_day_is_the_same_category_as_date_as_timestamp_and_as_text(gives: Gives) -> None:
    """One category for each day."""
    features = FEATURES | {"categorical": ["note"]}
    days = [datetime.date(2026, 1, 1 + number % 3) for number in range(len(ROWS))]
    times = [datetime.datetime(day.year, day.month, day.day) for day in days]
    texts = read(
        as_csv([row | {"note": str(day)} for row, day in zip(ROWS, days, strict=True)]), features=features
    )
    for array in (pa.array(days, pa.date32()), pa.array(times, pa.timestamp("us"))):
        found = read(as_parquet(typed(ROWS, note=array)), gives, features=features)
        assert found["note"].tolist() == texts["note"].tolist()


def test_a_column_without_any_value_is_read_and_noted(gives: Gives) -> None:
    """Told: without any value in train, but not in validation."""
    body = as_parquet(typed(ROWS, age=pa.nulls(len(ROWS))))
    found = gives(Place().land({"train/part-0": body, **VALIDATION}))
    assert found.report["splits"]["train"]["empty_columns"] == ["age"]


def quoted(rows: list[Row], quote: str) -> bytes:
    """CSV with a quote inside the notes, written in this way."""
    lines = [",".join(COLUMNS)]
    for row in rows:
        cells = [row[name] for name in COLUMNS]
        cells[COLUMNS.index("note")] = f'"5{quote} pipe, used"'
        lines.append(",".join(cells))
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("quote", ['\\"', '""'])
def test_quotes_after_a_backslash_as_spark_writes_them_shift_no_column(
    quote: str, plain: pd.DataFrame, gives: Gives
) -> None:
    """The same rows, whichever way quotes are written."""
    pd.testing.assert_frame_equal(read(quoted(ROWS, quote), gives), plain)


def semicolons(rows: list[Row], thousands: str = "") -> bytes:
    """CSV as a spreadsheet writes it where decimals have a comma."""

    def number(text: str) -> str:
        if not text:
            return text
        whole, _, part = text.partition(".")
        return f"{int(whole):,}".replace(",", thousands) + f",{part}"

    return as_csv(changed(rows, fare=number, age=number), delimiter=";")


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (semicolons(ROWS), {"delimiter": ";", "decimal": ","}),
        (
            semicolons(changed(ROWS, fare=lambda text: f"9{text}"), "."),
            {"delimiter": ";", "decimal": ",", "thousands": "."},
        ),
        (as_csv(ROWS).decode().encode("utf-16"), {"encoding": "utf-16"}),
        (as_csv(changed(ROWS, note="café")).decode().encode("cp1252"), {"encoding": "cp1252"}),
        (b"sep=;\n" + as_csv(ROWS, delimiter=";"), {}),
        (as_csv(ROWS, header=False), {"header": list(COLUMNS)}),
        (as_csv(ROWS, lineterminator="\r\n"), {}),
        (b"\xef\xbb\xbf" + as_csv(ROWS), {}),
        (as_csv(ROWS, delimiter="\t"), {"delimiter": "\t"}),
        (as_csv(ROWS).replace(b"\n", b",\n"), {}),
    ],
    ids=[
        "decimal comma",
        "thousands",
        "utf-16",
        "cp1252",
        "sep=",
        "no header",
        "CR LF",
        "byte order mark",
        "tabs",
        "trailing commas",
    ],
)
def test_a_dialect_that_the_config_or_the_file_names_is_read(
    body: bytes, data: dict[str, Any], plain: pd.DataFrame, gives: Gives
) -> None:
    """The same rows as from plain CSV."""
    files = {"train/part-0": body, "validation/part-0": body}
    found = gives(Place(config(data=data)).land(files))
    expected = plain
    if data.get("thousands"):
        expected = plain.assign(fare=[float(f"9{row['fare']}") for row in ROWS])
    pd.testing.assert_frame_equal(found.table(), expected)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (semicolons(ROWS), ("delimiter",)),
        (as_csv(changed(ROWS, fare=lambda text: text.replace(".", ","))), ("row 1", "fare", "decimal")),
        (as_csv(changed(ROWS, note="café")).decode().encode("cp1252"), ("encoding",)),
        (as_csv(ROWS).decode().encode("utf-16"), ("utf-16",)),
        (as_csv(ROWS).replace(b"fare", b"Fare "), ("fare", "did you mean")),
        (as_csv(ROWS, header=False), ("header",)),
        (as_csv(changed(ROWS[:150], fare="1e39") + ROWS[150:]), ("row 1", "fare")),
    ],
    ids=[
        "semicolons",
        "decimal comma",
        "cp1252",
        "utf-16",
        "header with a space",
        "no header",
        "1e39",
    ],
)
def test_a_dialect_that_is_not_named_is_refused_by_its_name(
    body: bytes, words: tuple[str, ...], gives: Gives
) -> None:
    """Refused before a job is paid for, naming what to set."""
    known = config(training={"estimator": "random_forest"})
    found = gives(Place(known).land({"train/part-0": body, **VALIDATION}))
    assert found.kind == "quarantined"
    for word in words:
        assert word in found.said


DMS = [{"Op": "I", **row} for row in ROWS]


def test_changes_of_a_database_are_refused_without_cdc_and_applied_with_it(gives: Gives) -> None:
    """Refused by that name; with `cdc` a deleted row is never trained on."""
    columns = ("Op", *COLUMNS)
    last = [DMS[0] | {"Op": "D"}, DMS[1] | {"Op": "U", "fare": "1.25"}]
    files = {
        "train/2026/a.csv": as_csv(DMS, columns=columns),
        "train/2026/b.csv": as_csv(last, columns=columns),
        **VALIDATION,
    }
    refused = Place().land(files)
    assert refused.kind == "quarantined"
    assert "Op" in refused.said
    known = config(data={"cdc": {"operation": "Op", "key": ["name"]}})
    found = gives(Place(known).land(files))
    assert found.rows == (199, 100)
    assert (found.table()["fare"] == 1.25).sum() == 1


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("_change_type", ("insert", "delete")),
        ("METADATA$ACTION", ("INSERT", "DELETE")),
        ("__$operation", ("2", "1")),
        ("__op", ("c", "d")),
        ("op_type", ("I", "D")),
        ("_fivetran_deleted", ("false", "true")),
        ("_hoodie_is_deleted", ("", "True")),
        ("_sdc_deleted_at", ("", "2026-01-01 00:00:00")),
    ],
)
def test_changes_of_other_tools_are_refused_by_their_column(
    column: str, words: tuple[str, str], gives: Gives
) -> None:
    """Refused before a job is paid for as CSV, and by the job as Parquet; the deleted row never trains."""
    marked = [words[number == 7] for number in range(len(ROWS))]
    body = as_csv(
        [{column: word, **row} for word, row in zip(marked, ROWS, strict=True)], columns=(column, *COLUMNS)
    )
    found = gives(Place().land({"train/a.csv": body, **VALIDATION}))
    assert found.kind == "quarantined"
    table = typed(ROWS).append_column(column, pa.array(marked))
    in_parquet = Place().land({"train/a.parquet": as_parquet(table), **VALIDATION})
    assert in_parquet.kind == "failed"
    for said in (found.said, in_parquet.failure):
        assert "land the rows" in said
        assert column in said or "Op" in said
