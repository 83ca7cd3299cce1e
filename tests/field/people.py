"""Rows that the field cases land: passengers made by code, and ways to write them as files.

A passenger has age (a tenth missing), fare, pclass (1, 2, 3), sex, embarked, `alone` (true or false) and
`survived`, which depends on class and sex. `name` and `note` are no features. Names contain SECRET: no reason
may show one.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

SECRET: Final = "Privateperson"
"""A part of every name."""

COLUMNS: Final = ("name", "age", "fare", "pclass", "sex", "embarked", "alone", "note", "survived")
"""The columns, in the order in which files have them."""

Row = dict[str, str]
"""A passenger: the text of each column. A missing value is the empty text."""


def passengers(count: int, seed: int = 1, wrong: float = 0.0) -> list[Row]:
    """So many passengers. `wrong` is the share of labels that are turned around, from 0 to 1."""
    chance = random.Random(seed)
    return [_passenger(chance, f"{SECRET} {seed}-{number}", wrong) for number in range(count)]


def _passenger(chance: random.Random, name: str, wrong: float) -> Row:
    pclass, sex = chance.choice("1122333"), chance.choice(["female", "male"])
    odds = {"1": 0.85, "2": 0.55, "3": 0.15}[pclass] + (0.14 if sex == "female" else -0.14)
    survived = chance.random() < odds
    if chance.random() < wrong:
        survived = not survived
    return {
        "name": name,
        "age": "" if chance.random() < 0.1 else f"{min(90.0, max(1.0, chance.gauss(34, 13))):.1f}",
        "fare": f"{chance.uniform(4, 900):.2f}",
        "pclass": pclass,
        "sex": sex,
        "embarked": chance.choice("SSSCCQ"),
        "alone": chance.choice(["true", "false"]),
        "note": chance.choice(["", "lost a glove", "pipe, used", "twins"]),
        "survived": str(int(survived)),
    }


def changed(rows: Iterable[Row], **by: Any) -> list[Row]:
    """The rows with columns replaced: each by a text, or by what a function makes of the old text."""
    return [
        row | {name: value(row[name]) if callable(value) else value for name, value in by.items()}
        for row in rows
    ]


def as_csv(
    rows: Sequence[Row], *, header: bool = True, columns: Sequence[str] = COLUMNS, **dialect: Any
) -> bytes:
    """The rows as CSV in UTF-8; `dialect` is that of Python's csv module."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, extrasaction="ignore", **{"lineterminator": "\n", **dialect})
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def zipped(body: bytes) -> bytes:
    """The bytes as gzip."""
    return gzip.compress(body, mtime=0)


def typed(rows: Sequence[Row], **columns: pa.Array) -> pa.Table:
    """The rows as Arrow's natural types; `columns` replace or add some."""
    natural = {
        "age": pa.array([float(row["age"]) if row["age"] else None for row in rows], pa.float64()),
        "fare": pa.array([float(row["fare"]) for row in rows], pa.float64()),
        "pclass": pa.array([int(row["pclass"]) for row in rows], pa.int64()),
        "alone": pa.array([row["alone"] == "true" for row in rows], pa.bool_()),
        "survived": pa.array([int(row["survived"]) for row in rows], pa.int64()),
    }
    return pa.table(
        {name: natural.get(name, pa.array([row[name] for row in rows], pa.string())) for name in COLUMNS}
        | columns
    )


def as_parquet(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()
