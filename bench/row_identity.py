"""Row identities: hashing parsed rows, and finding the same rows in two splits.

The rows are those of bench/preprocess.py as the step reads them: numbers as float64, other columns as
dictionaries of text. Limits: BLAKE2b reads the bytes of the parsed columns once, and numpy sorts the
identities of train once. Peers: pandas hashes the same rows with `hash_pandas_object`, and finds them with
`isin` and `duplicated`.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.csv_rows import CATEGORIES, NUMBERS
from bench.preprocess import CONFIG, STEPS
from bench.row import Goal, Row, alternating, at_least, at_most, cpu_seconds, measured, print_rows

MILLION = 1_000_000
BLOCK = 1 << 17
"""Rows of a block."""

SPLITS = ("train", "validation")


def hashing() -> dict[str, float]:
    """CPU seconds of the identities of a million parsed rows, of their bytes once, and of pandas."""
    sys.path.insert(0, str(STEPS))
    import identity
    from job import parse_config

    random, config = np.random.default_rng(0), parse_config(CONFIG)
    columns = {
        name: pa.array(np.round(random.normal(size=BLOCK), 4), mask=random.random(BLOCK) < 0.02)
        for name in NUMBERS
    }
    for place, name in enumerate(CATEGORIES):
        texts = pa.array([f"v{k}" for k in range(5 + 20 * place)])
        places = pa.array(random.integers(len(texts), size=BLOCK, dtype="i4"))
        columns[name] = pa.DictionaryArray.from_arrays(places, texts)
    target = random.integers(2, size=BLOCK, dtype="i4")
    landed = {**columns, "y": pa.DictionaryArray.from_arrays(pa.array(target), pa.array(["0", "1"]))}
    block, converted = pa.record_batch(landed), {**columns, "y": pa.array(target.astype("i2"))}
    arrays = [getattr(column, "indices", column) for column in converted.values()]
    buffers = [memoryview(each) for array in arrays for each in array.buffers() if each]
    frame = pa.table(converted).to_pandas().astype(dict.fromkeys(CATEGORIES, object))
    spent = cpu_seconds(
        {
            "ours": lambda: identity.of_rows(block, converted, landed, "key", config),
            "limit": lambda: [hashlib.blake2b(each).digest() for each in buffers],
            "peer": lambda: pd.util.hash_pandas_object(frame, index=False),
        }
    )
    return {name: seconds * MILLION / BLOCK for name, seconds in spent.items()}


def write_ids(path: Path, count: int, seed: int) -> None:
    """Write a file of `count` rows that only have two identities, in blocks."""

    from job import LOOKALIKE, ROW

    random, schema = np.random.default_rng(seed), pa.schema([(ROW, pa.uint64()), (LOOKALIKE, pa.uint64())])
    with pq.ParquetWriter(path, schema, use_dictionary=False, compression="none") as file:
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            ids = [pa.array(random.integers(2**64, size=size, dtype="u8")) for _ in schema]
            file.write_table(pa.table(ids, schema=schema))


def comparing(who: str, count: int) -> None:
    """Find validation rows, a tenth as many, among `count` training rows; print the CPU seconds."""
    sys.path.insert(0, str(STEPS))
    import row_ids
    from job import LOOKALIKE, ROW
    from seen_rows import seen

    with tempfile.TemporaryDirectory(prefix="handsoff-bench-") as folder:
        paths = [Path(folder, split) for split in SPLITS]
        write_ids(paths[0], count, 0)
        write_ids(paths[1], count // 10, 1)

        if who == "ours":
            train, validation = map(row_ids.read_ids, paths)
            spent = cpu_seconds({who: lambda: seen(validation, train, ROW, group=False)}, 1)
        else:
            frame, other = map(pd.read_parquet, paths)
            calls: dict[str, Any] = {
                "limit": lambda name: np.sort(frame[name].to_numpy()),
                "peer": lambda name: other[name].isin(frame[name]).sum() + frame[name].duplicated().sum(),
            }
            spent = cpu_seconds({who: lambda: [calls[who](name) for name in (ROW, LOOKALIKE)]}, 1)
        print(spent[who])


def compared(name: str, value: float, unit: str, goal: Goal, spent: dict[str, float]) -> Row:
    """A row of CPU seconds."""
    return Row(name, value, unit, goal, "CPU s", spent["ours"], spent["limit"], spent["peer"])


def rows() -> list[Row]:
    """Both, and the memory of finding rows among 1 M and among 10 M."""
    command = [sys.executable, "-m", "bench.row_identity"]
    whole = alternating({who: [*command, who, str(MILLION)] for who in ("ours", "limit", "peer")})
    hashed, spent = hashing(), {who: float(used.output) for who, used in whole.items()}
    limits = hashed["ours"] / hashed["limit"], spent["ours"] / spent["limit"]
    of_rows, name = "Identities of 1 M parsed rows of 15 columns: CPU", "Rows seen in training"
    peak = measured([*command, "ours", str(10 * MILLION)], 1).peak
    return [
        compared(of_rows, limits[0], "× BLAKE2b of the bytes", at_most(1), hashed),
        compared(f"{of_rows} of pandas", hashed["peer"] / hashed["ours"], "× ours", at_least(1), hashed),
        compared(f"{name}, 100,000 among 1 M: CPU", limits[1], "× sorting once", at_most(2.5), spent),
        Row(f"{name}, among 10 M: peak memory", peak, "MB", at_most(300), "MB", peak),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        comparing(sys.argv[1], int(sys.argv[2]))
    else:
        print_rows(rows())
