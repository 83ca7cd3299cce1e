"""Columns that stand in a file's path: `train/embarked=S/part-0.csv`, as Hive, Spark and Arrow write them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import pyarrow as pa
import pyarrow.compute as pc

from job import DataProblem, Dialect
from texts import canonical

DEFAULT: Final = "__HIVE_DEFAULT_PARTITION__"
"""The value that stands for a missing one (Apache Hive, hive.exec.default.partition.name)."""


def partitions(key: str) -> dict[str, str]:
    """The columns in the folders of a key, and their values. "" is a missing value.

    Names and values are percent-encoded: Hive and Spark encode the bytes of ASCII that paths do not take,
    Arrow and DuckDB those of UTF-8. Bytes that are not UTF-8 are read as Latin-1, as Hive reads them. Raises
    DataProblem if the folders name a column twice.
    """
    found: dict[str, str] = {}
    for folder in key.split("/")[:-1]:
        name, sign, value = folder.partition("=")
        if not sign or not name:
            continue
        column = _unescaped(name)
        if column in found:
            raise DataProblem(f"{key}: the folders name the column {column} twice; name each column once")
        found[column] = "" if value == DEFAULT else _unescaped(value)
    return found


def with_partitions(
    block: pa.RecordBatch,
    found: Mapping[str, str],
    wanted: Collection[str],
    key: str,
    first_row: int,
    dialect: Dialect,
) -> pa.RecordBatch:
    """The block with the columns of its file's path. The values of a column that it has itself stay.

    Raises DataProblem if that is a column in `wanted` and a row has another value than the path.
    """
    for name, value in found.items():
        if name in block.schema.names and name not in wanted:
            continue
        if name in block.schema.names:
            _check_same(block.column(name), value, key, name, first_row, dialect)
        else:
            block = block.append_column(name, pa.repeat(pa.scalar(value), block.num_rows))
    return block


def _check_same(values: pa.Array, value: str, key: str, name: str, first_row: int, dialect: Dialect) -> None:
    if not len(values):
        return
    ours, path = (canonical(given, key, name, dialect) for given in (values, pa.array([value])))
    same = pc.equal(ours, path[0]) if path[0].is_valid else pc.is_null(ours)
    row = pc.index(pc.fill_null(same, False), False).as_py()
    if row >= 0:
        raise DataProblem(
            f"{key}, row {first_row + row}: column {name} has another value than the file's folder; "
            "expected the same value, or the column in one of the two places",
            ours[row].as_py(),
        )


def _unescaped(text: str) -> str:
    data = unquote_to_bytes(text)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
