"""CSV files of made rows, as many as wanted: ten numbers, four categories and a target of 0 and 1."""

from __future__ import annotations

from pathlib import Path

NUMBERS = [f"n{place}" for place in range(10)]
CATEGORIES = [f"c{place}" for place in range(4)]
CHUNK = 250_000
"""Rows that are made at a time."""


def make(path: Path, count: int) -> None:
    """Write a CSV file of `count` rows: five percent of the cells of four numbers are empty."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    random = np.random.default_rng(count)
    with path.open("wb") as file:
        file.write((",".join([*NUMBERS, *CATEGORIES, "y"]) + "\n").encode())
        for start in range(0, count, CHUNK):
            n = min(CHUNK, count - start)
            columns = {name: np.round(random.normal(size=n), 4) for name in NUMBERS}
            table = {name: pa.array(values) for name, values in columns.items()}
            for name in NUMBERS[:4]:
                table[name] = pa.array(columns[name], mask=random.random(n) < 0.05)
            for place, name in enumerate(CATEGORIES):
                table[name] = pa.array([f"v{k}" for k in range(5 + 20 * place)]).take(
                    pa.array(random.integers(5 + 20 * place, size=n))
                )
            table["y"] = pa.array((columns["n0"] + random.normal(size=n) > 0).astype("int8"))
            csv.write_csv(pa.table(table), file, csv.WriteOptions(include_header=False, quoting_style="none"))
