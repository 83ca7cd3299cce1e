"""Parquet's types: each gives the same rows as the same values in a CSV file."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import parquet_files
from convert import convert, to_classes
from job import DataProblem, parse_config
from tables import open_file
from tests.pipeline_def.helpers import SMALL

CONFIG = parse_config({**SMALL, "features": {"numeric": ["x"], "categorical": ["c"], "boolean": ["b"]}})
NUMBERS: list[str | None] = ["1.5", None, "3"]
WITH_WORDS: list[str | None] = ["1.5", "NA", "3"]
TEXTS = (pa.string(), pa.large_string(), pa.string_view())
BYTES = (pa.binary(), pa.large_binary(), pa.binary_view())


def read(folder: Path, name: str, body: bytes | pa.Table) -> pa.Table:
    path = folder / "object"
    if isinstance(body, bytes):
        path.write_bytes(body)
    else:
        pq.write_table(body, path)
    blocks = list(open_file(path, name, CONFIG).blocks())
    assert len(blocks) == 1
    return convert(blocks[0], CONFIG, name, 1)


def encoded(texts: list[str | None]) -> list[bytes | None]:
    return [None if text is None else text.encode() for text in texts]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("x", pa.array([1.5, None, 3.0])),
        ("x", pa.array([1.5, float("nan"), 3.0], pa.float32())),
        ("x", pa.array([1.5, None, 3.0], pa.float16())),
        ("x", pa.array([Decimal("1.50"), None, Decimal("3.00")], pa.decimal128(5, 2))),
        ("x", pa.array([Decimal("1.50"), None, Decimal("3.00")], pa.decimal256(50, 2))),
        ("x", pa.array([1.5, None, 3.0]).dictionary_encode()),
        *(("x", pa.array(texts, kind)) for texts in (NUMBERS, WITH_WORDS) for kind in TEXTS),
        *(("x", pa.array(encoded(texts), kind)) for texts in (NUMBERS, WITH_WORDS) for kind in BYTES),
        ("x", pa.array(NUMBERS).dictionary_encode()),
        ("x", pa.array(WITH_WORDS).dictionary_encode()),
        ("c", pa.array([1, None, 37.8])),
        ("c", pa.array([1, None, 37.8], pa.float32())),
        ("c", pa.array([Decimal("1.00"), None, Decimal("37.80")], pa.decimal128(10, 2))),
        ("c", pa.array([1, None, 37.8]).dictionary_encode()),
        ("c", pa.array(["1.0", "NULL", "37.80"], pa.string_view())),
        ("c", pa.array(["1", "", " 37.8 "], pa.large_string()).dictionary_encode()),
        ("c", pa.array([b"1", None, b"37.8"])),
        ("b", pa.array([True, None, False])),
        ("b", pa.array([1, None, 0], pa.int8())),
        ("b", pa.array(["t", "NA", "f"], pa.string_view())),
        ("b", pa.array([True, None, False]).dictionary_encode()),
        ("y", pa.array([False, True, True])),
        ("y", pa.array([0, 1, 1], pa.uint8())),
        ("y", pa.array([Decimal("0.0"), Decimal("1.0"), Decimal("1.0")])),
        ("y", pa.array(["0", "1.0", "1"], pa.string_view())),
        ("y", pa.array(["0", "1", "1"]).dictionary_encode()),
        ("y", pa.array([0, 1, 1]).dictionary_encode()),
    ],
)
def test_open_file_every_type_gives_the_rows_of_the_csv_file(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    table = pa.table({"x": NUMBERS, "c": ["1", None, "37.8"], "b": ["t", None, "f"], "y": ["0", "1", "1"]})
    table = table.set_column(table.schema.names.index(column), column, values)
    right = read(tmp_path, "train.csv", b"x,c,b,y\n1.5,1,t,0\n,,,1\n3,37.8,f,1\n")
    assert read(tmp_path, "train.parquet", table).drop("handsoff:row").equals(right.drop("handsoff:row"))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0.1, 0.47, 37.8], pa.float32()),
        pa.array([0.1, 0.47, 37.8], pa.float32()).dictionary_encode(),
        pa.array([Decimal("0.10"), Decimal("0.47"), Decimal("37.80")], pa.decimal128(6, 2)),
        pa.array([Decimal("0.10"), Decimal("0.47"), Decimal("37.80")], pa.decimal256(60, 2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("column", ["x", "c"])
def test_open_file_numbers_with_decimals_are_those_of_the_csv_file(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    table = pa.table({"x": ["1"] * 3, "c": ["a"] * 3, "b": ["t"] * 3, "y": ["0"] * 3})
    table = table.set_column(table.schema.names.index(column), column, values)
    expected = {"x": [0.1, 0.47, 37.8], "c": ["0.1", "0.47", "37.8"]}
    assert read(tmp_path, "train.parquet", table)[column].to_pylist() == expected[column]


@pytest.mark.parametrize("kind", [pa.decimal128(6, 2), pa.decimal256(60, 2), pa.float32(), pa.float64()])
def test_to_classes_number_with_decimals_is_the_class_of_that_number(kind: pa.DataType) -> None:
    values = pa.array([Decimal("0.47"), Decimal("1.10")]).cast(pa.string()).cast(kind)
    assert to_classes(values, ("1.1", "0.47"), "p", "y", 1).to_pylist() == [1, 0]


@pytest.mark.parametrize("column", ["c", "b", "y", "other"])
def test_convert_values_beyond_python_name_file_and_column(column: str) -> None:
    values = pa.array([[2**62]], pa.list_(pa.timestamp("s")))
    columns = {"x": ["1"], "c": ["a"], "b": ["t"], "y": ["0"], "other": ["1"]} | {column: values}
    with pytest.raises(DataProblem) as raised:
        convert(pa.RecordBatch.from_pydict(columns), CONFIG, "p", 1)
    assert str(raised.value) == (
        f"p: column {column} has values that cannot be converted; write it as text or numbers"
    )


DAY = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (pa.array([DAY.date()]), "2026-01-02"),
        (pa.array([DAY.replace(tzinfo=None)], pa.timestamp("ns")), "2026-01-02"),
        (pa.array([DAY.replace(tzinfo=None)], pa.timestamp("ms")), "2026-01-02 00:00:00"),
        (pa.array([DAY], pa.timestamp("us", "UTC")), "2026-01-02T00:00:00Z"),
        (pa.array([DAY + datetime.timedelta(hours=1)], pa.timestamp("us", "UTC")), "2026-01-02 01:00"),
        (pa.nulls(1), ""),
        (pa.nulls(1, pa.float64()), ""),
        (pa.array([True]), "True"),
    ],
)
def test_open_file_times_are_the_categories_of_the_csv_file(
    tmp_path: Path, values: pa.Array, text: str
) -> None:
    found = read(tmp_path, "a", pa.table({"x": [1], "c": values, "b": ["t"], "y": [0]}))
    assert found["c"].to_pylist() == read(tmp_path, "b", f"x,c,b,y\n1,{text},t,0\n".encode())["c"].to_pylist()


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("x", pa.array([DAY]), "p: column x has the type timestamp[us, tz=UTC], expected numbers"),
        (
            "x",
            pa.array([{"secret": 1.0}]),
            "p: column x has the type struct, expected numbers",
        ),
        ("c", pa.array([b"\xff"]), "p: column c holds bytes that are not UTF-8"),
        (
            "x",
            pa.array([1e151]),
            "p, row 1: column x has a wrong value, expected a number between -1e150 and",
        ),
        (
            "x",
            pa.array(["secret"], pa.string_view()),
            "p, row 1: column x has a wrong value, expected a number",
        ),
        ("y", pa.array([2.0]), "p, row 1: column y has a wrong value, expected 0 or 1"),
    ],
)
def test_open_file_value_of_another_kind_is_named_without_it(
    tmp_path: Path, column: str, values: pa.Array, reason: str
) -> None:
    table = pa.table({"x": [1], "c": ["a"], "b": ["t"], "y": [0]})
    table = table.set_column(table.schema.names.index(column), column, values)
    with pytest.raises(DataProblem) as caught:
        read(tmp_path, "p", table)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("estimator", "number", "fits"),
    [
        ("random_forest", 3.4028234663852886e38, True),
        ("random_forest", -3.4028234663852886e38, True),
        ("random_forest", 3.41e38, False),
        ("ridge", 1e150, True),
        ("ridge", -1.1e150, False),
        ("logistic_regression", 1.1e150, False),
        ("hist_gradient_boosting", 1.7e308, True),
    ],
)
def test_convert_number_beyond_the_range_of_the_estimator(
    tmp_path: Path, estimator: str, number: float, fits: bool
) -> None:
    config = parse_config({**SMALL, "training": {"estimator": estimator}})
    path = tmp_path / "object"
    path.write_text(f"x,c,y\n1,a,0\n{number!r},a,1\n")
    (block,) = open_file(path, "train.csv", config).blocks()
    if fits:
        assert convert(block, config, "train.csv", 1)["x"].to_pylist() == [1.0, number]
    else:
        with pytest.raises(DataProblem, match=r"train\.csv, row 2: column x .* expected a number between"):
            convert(block, config, "train.csv", 1)


def test_open_file_parquet_without_rows_or_columns_is_no_fault(tmp_path: Path) -> None:
    for table in (pa.table({}), pa.table({"x": [1], "c": ["a"], "b": ["t"], "y": [0]}).slice(0, 0)):
        path = tmp_path / "object"
        pq.write_table(table, path)
        assert list(open_file(path, "p", CONFIG).blocks()) == []


def test_open_file_damaged_parquet_is_named_without_the_words_of_arrow(tmp_path: Path) -> None:
    path = tmp_path / "object"
    pq.write_table(pa.table({"x": list(range(9999)), "c": ["secret"] * 9999}), path)
    for body in (path.read_bytes()[:-9], path.read_bytes()[:40] + b"\0" * 400 + path.read_bytes()[440:]):
        path.write_bytes(body)
        with pytest.raises(
            DataProblem, match=r"p (cannot be read: the Parquet file is damaged|has no columns y, b)"
        ):
            list(open_file(path, "p", CONFIG).blocks())


@pytest.mark.parametrize("kind", [pa.decimal32(5, 1), pa.decimal64(9, 1), pa.decimal128(9, 1)])
def test_convert_decimals_of_any_width_are_categories_and_numbers(tmp_path: Path, kind: pa.DataType) -> None:
    values = pa.array([Decimal("1.0"), None, Decimal("0.1")], kind)
    table = read(
        tmp_path, "a", pa.table({"x": values, "c": values, "b": [1, 0, 1], "y": [0, 1, 0], "z": values})
    )
    assert table["x"].to_pylist() == [1.0, None, 0.1]
    assert table["c"].to_pylist() == ["1", None, "0.1"]


def test_convert_numbers_of_16_bits_are_those_that_their_text_says(tmp_path: Path) -> None:
    values = pa.array([0.1, None, 65504.0, 1e-5, -2051.0], pa.float16())
    table = read(tmp_path, "a", pa.table({"x": values, "c": values, "b": [1] * 5, "y": [0, 1, 0, 1, 0]}))
    assert table["x"].to_pylist() == [0.1, None, 65504.0, 1e-05, -2052.0]
    assert table["c"].to_pylist() == ["0.1", None, "65504", "0.00001", "-2052"]


@pytest.mark.parametrize("column", ["c", "ignored"])
def test_convert_time_in_a_zone_that_the_machine_does_not_know_is_read_in_utc(
    tmp_path: Path, column: str
) -> None:
    moments = pa.array([0, None], pa.timestamp("s", "Mars/Olympus"))
    columns = {"x": [1.0, 2.0], "c": ["a", "b"], "b": [1, 0], "y": [0, 1], column: moments}
    table = read(tmp_path, "a", pa.table(columns))
    assert table["c"].to_pylist() == (["1970-01-01", None] if column == "c" else ["a", "b"])


@pytest.mark.slow
@pytest.mark.parametrize("repeated", [True, False], ids=["dictionary", "text"])
def test_open_file_long_values_come_in_blocks_of_bounded_size(tmp_path: Path, repeated: bool) -> None:
    path, count = tmp_path / "object", 3000
    texts = ["x" * 50_000] * count if repeated else [f"{row:07}" + "x" * 49_993 for row in range(count)]
    columns = {"x": [1.0] * count, "c": texts, "b": [True] * count, "y": [0, 1] * (count // 2)}
    pq.write_table(pa.table(columns), path, store_schema=False)
    sizes = [(block.num_rows, block.nbytes) for block in open_file(path, "a", CONFIG).blocks()]
    assert sum(rows for rows, _ in sizes) == 3000
    assert max(size for _, size in sizes) <= 64 << 20


@pytest.mark.slow
def test_open_file_short_values_come_in_large_blocks(tmp_path: Path) -> None:
    path, count = tmp_path / "object", 300_000
    columns = {"x": range(count), "c": ["a", "b"] * (count // 2), "b": [True] * count, "y": [0] * count}
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), path)
    blocks = list(open_file(path, "a", CONFIG).blocks())
    assert [block.num_rows for block in blocks] == [131_072, 131_072, 37_856]
    assert blocks[-1]["x"][-1].as_py() == 299_999


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (pa.ArrowMemoryError("x"), "1,024 of its rows need more memory than the job has"),
        (MemoryError(), "1,024 of its rows need more memory than the job has"),
        (
            pa.ArrowNotImplementedError("x"),
            "has a type, an encoding or a compression that Arrow does not read",
        ),
        (pa.ArrowInvalid("x"), "is damaged or truncated"),
    ],
)
def test_readable_says_what_ails_a_parquet_file(error: Exception, said: str) -> None:
    with pytest.raises(DataProblem, match=said), parquet_files.readable("a"):
        raise error
