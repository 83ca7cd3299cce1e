"""Tables: CSV and Parquet files in, block by block, and one Parquet file per split out.

CSV columns arrive as text. convert.py decides column by column what a text means.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from job import ROW, Array, DataProblem, StepConfig, listed, one_line

BLOCK_BYTES: Final = 8 << 20
"""Bytes of a CSV file that are read at a time."""

ROW_GROUP: Final = 128 * 1024
"""Rows that a row group of a Parquet file has at least, but for the last one."""


def read_blocks(path: Path, key: str) -> Iterator[pa.RecordBatch]:
    """The rows of the file, in blocks. `key` names the file in errors.

    The first block is empty and has the columns. Raises DataProblem if the file is not the table that its
    name says.
    """
    if not path.stat().st_size:
        raise DataProblem(f"{key} is empty")
    with unreadable(key):
        yield from _parquet_blocks(path, key) if key.endswith(".parquet") else _csv_blocks(path, key)


def blank_lines(path: Path, key: str, rows: int) -> int:
    """How many lines of the file are empty. Arrow does not count them among its `rows`.

    Only Arrow knows which line breaks are inside quotes. So it reads the file a second time and counts empty
    lines as rows. A Parquet file has none.
    """
    if key.endswith(".parquet"):
        return 0
    with unreadable(key), _open_csv(path, key, _csv_header(path, key), ignore_empty_lines=False) as reader:
        return int(sum(block.num_rows for block in reader)) - rows


@contextmanager
def unreadable(key: str) -> Iterator[None]:
    """Turn the errors of the readers about a broken file into a DataProblem that names `key`."""
    try:
        yield
    except (pa.ArrowInvalid, csv.Error, zlib.error, EOFError, OSError, UnicodeDecodeError) as error:
        raise DataProblem(f"{key} cannot be read: {one_line(error)}") from error


def _parquet_blocks(path: Path, key: str) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        check_distinct(file.schema_arrow.names, key)
        yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
        yield from file.iter_batches(batch_size=ROW_GROUP)


def _csv_blocks(path: Path, key: str) -> Iterator[pa.RecordBatch]:
    header = _csv_header(path, key)
    with _open_csv(path, key, header, ignore_empty_lines=True) as reader:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader


def _csv_header(path: Path, key: str) -> list[str]:
    """The names in the first line. Raises DataProblem if there are none, or if no line follows."""
    with (
        gzip.open(path) if key.endswith(".gz") else path.open("rb") as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text,
    ):
        lines = csv.reader(_short_lines(text, key))
        header, first = next(lines, []), next(lines, None)
    if not header:
        raise DataProblem(f"{key} has no header")
    check_distinct(header, key)
    if first is None:
        raise no_rows(key)
    return header


def _short_lines(text: io.TextIOWrapper, key: str) -> Iterator[str]:
    """The lines of a text. Raises DataProblem for one that is longer than a block, before it is read."""
    while line := text.readline(BLOCK_BYTES):
        if len(line) == BLOCK_BYTES:
            raise DataProblem(f"{key} has a line of more than {BLOCK_BYTES} characters; expected line breaks")
        yield line


@contextmanager
def _open_csv(
    path: Path, key: str, header: list[str], *, ignore_empty_lines: bool
) -> Iterator[pa_csv.CSVStreamingReader]:
    """Arrow's reader of the file, with every column as text."""
    with (
        pa.input_stream(str(path), compression="gzip" if key.endswith(".gz") else None) as stream,
        pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=ignore_empty_lines),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        ) as reader,
    ):
        yield reader


def check_distinct(names: Sequence[str], key: str) -> None:
    """Raises DataProblem if two columns of a file have the same name."""
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataProblem(f"{key}: the header has column {listed(repeated)} more than once")


def check_columns(names: Sequence[str], config: StepConfig, key: str) -> None:
    """Raises DataProblem if a file lacks the target or a feature."""
    there = set(names)
    if missing := [name for name in (config.target, *config.features.names) if name not in there]:
        word = "column" if len(missing) == 1 else "columns"
        raise DataProblem(f"{key} has no {word} {listed(missing)}; it has {listed(names)}")


def no_rows(key: str) -> DataProblem:
    """The problem of a file that has nothing below its header."""
    return DataProblem(f"{key} has a header and no rows")


class SplitWriter:
    """One split's Parquet file, and the counts of the rows in it. Close it when all rows are added.

    `missing` counts, by feature, the rows without a value.
    """

    def __init__(self, path: Path, config: StepConfig) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.rows = 0
        self.missing = dict.fromkeys(config.features.names, 0)
        self._ids: list[Array] = []
        self._file: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Add rows as convert.py makes them."""
        self.rows += table.num_rows
        for name in self.missing:
            self.missing[name] += table[name].null_count
        self._ids.append(table[ROW].to_numpy())
        self._waiting.append(table)
        if sum(waiting.num_rows for waiting in self._waiting) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self._file = self._file or pq.ParquetWriter(self.path, table.schema)
            self._file.write_table(table)
            self._waiting = []

    def close(self) -> None:
        """Write the rows that wait, and end the file."""
        self._flush()
        if self._file:
            self._file.close()

    def row_ids(self) -> Array:
        """The 64-bit identity of each row, in the order in which the rows were added."""
        return np.concatenate(self._ids) if self._ids else np.empty(0, dtype="uint64")
