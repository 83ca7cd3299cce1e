"""Columns that stand in a file's path: `train/embarked=S/part-0.csv`, as Hive, Spark and Arrow write them."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from retraining.starts.inspection.problems import Problem

DEFAULT: Final = "__HIVE_DEFAULT_PARTITION__"
"""The value that stands for a missing one (Apache Hive, hive.exec.default.partition.name)."""


def partitions(key: str) -> dict[str, str] | Problem:
    """The columns in the folders of a key, and their values. "" is a missing value.

    Names and values are percent-encoded: Hive and Spark encode the bytes of ASCII that paths do not take,
    Arrow and DuckDB those of UTF-8. Bytes that are not UTF-8 are read as Latin-1, as Hive reads them.
    """
    found: dict[str, str] = {}
    for folder in key.split("/")[:-1]:
        name, sign, value = folder.partition("=")
        if not sign or not name:
            continue
        column = _unescaped(name)
        if column in found:
            said = f"the folders name the column {column} twice: name each column once"
            return Problem("duplicate_column", said, column=column)
        found[column] = "" if value == DEFAULT else _unescaped(value)
    return found


def _unescaped(text: str) -> str:
    data = unquote_to_bytes(text)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
