"""Tables: landed files in, block by block, and one Parquet file per split out.

CSV columns arrive as text. convert.py decides column by column what a text means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Required, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

import parquet_files
import typed_columns
from channels import Channel
from csv_files import MAX_COLUMNS, CsvFile, open_csv
from data_counts import CellCounts
from formats import format_of
from job import Array, DataProblem, Dialect, StepConfig, listed
from parquet_files import MAX_BYTES, ROW_GROUP
from partitions import partitions, with_partitions
from texts import ENCODED

DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may separate values (`data.delimiter`), and its name."""


class Written(TypedDict, total=False):
    """How a file is written: `format` is csv or parquet; the others are of CSV, as in the config."""

    format: Required[str]
    compression: str | None
    encoding: str
    delimiter: str
    quotes: str


@dataclass(frozen=True)
class Landed:
    """A landed file that is ready to be read. `key` names it in errors.

    `columns` are those of the file, then those that `partition`, the columns of its path, adds. `wanted` are
    those that the config names. A file without bytes has no columns. `csv` says how a CSV file is written; a
    Parquet file says so itself. `numbers` are those of typed_columns.py.
    """

    path: Path
    key: str
    columns: Sequence[str]
    dialect: Dialect
    partition: Mapping[str, str] = field(default_factory=dict)
    csv: CsvFile | None = None
    wanted: Sequence[str] = ()
    numbers: Collection[str] | None = None

    def blocks(self, *, typed: bool = False) -> Iterator[pa.RecordBatch]:
        """The rows with all columns, in blocks that have rows. Raises DataProblem.

        The columns of a CSV file are text; `typed` says that they may have the types of `CsvFile.blocks`.
        """
        row = 1
        for block in self._blocks(typed):
            if block.num_rows:
                yield with_partitions(block, self.partition, self.wanted, self.key, row, self.dialect)
            row += block.num_rows

    def _blocks(self, typed: bool) -> Iterator[pa.RecordBatch]:
        if self.csv:
            yield from self.csv.blocks(self.numbers if typed else None)
        elif self.columns:
            yield from parquet_files.blocks(self.path, self.key)

    def written(self) -> Written:
        """How the file is written, for the data report."""
        if not self.csv:
            return Written(format="parquet") if self.columns else Written(format="csv")
        text = self.csv.text
        return Written(
            format="csv",
            compression="gzip" if text.packed else None,
            encoding=text.encoding,
            delimiter=self.csv.delimiter,
            quotes=self.csv.quotes,
        )

    @property
    def blank_lines(self) -> int:
        """How many lines of the file are empty. A Parquet file has none."""
        return self.csv.blank_lines if self.csv else 0


def open_file(path: Path, key: str, config: StepConfig) -> Landed:
    """The landed file at `path`, whose content says what it is. `key` is its key in the bucket.

    Raises DataProblem if it is not a table with the columns that the config names. A file that is empty, or
    has a header only, is none.
    """
    if not path.stat().st_size:
        return Landed(path, key, (), config.data)
    found, partition = format_of(path, key), partitions(key)
    csv = None
    if found == "parquet":
        with parquet_files.readable(key), pq.ParquetFile(path) as file:
            names: Sequence[str] = file.schema_arrow.names
            if not names and file.metadata.num_rows == 0:
                return Landed(path, key, (), config.data)
    else:
        csv = open_csv(path, key, config.data, packed=found == "gzip")
        names = csv.header
        if not names:
            return Landed(path, key, (), config.data)
    check_header(names, partition, config, key)
    added = [name for name in partition if name not in names]
    numbers = typed_columns.numbers(config, partition)
    return Landed(path, key, (*names, *added), config.data, partition, csv, config.columns, numbers)


def check_header(names: Sequence[str], partition: Mapping[str, str], config: StepConfig, key: str) -> None:
    """Raises DataProblem if a file has too many columns, lacks one, or has two of the same name.

    A header may be a row of a file that has none, so no name is shown but those of the config. What is
    missing comes first: a row may hold a value twice.
    """
    if len(names) > MAX_COLUMNS:
        raise DataProblem(
            f"{key} is too wide: it has {len(names):,} columns, at most {MAX_COLUMNS:,} are read"
        )
    wanted = config.columns
    there = {*names, *partition}
    if missing := [name for name in wanted if name not in there]:
        raise _missing(missing, config, names, partition, key)
    places: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if (first := places.setdefault(name, place)) != place:
            said = f"column {listed([name])}" if name in wanted else "the same name"
            raise DataProblem(
                f"{key}: the header has {said} more than once, in columns {first} and {place}; "
                "expected distinct names",
                name,
            )


def check_rows(rows: Mapping[str, int]) -> None:
    """Raises DataProblem if a split has no row. Single files may have none."""
    for split, count in rows.items():
        if not count:
            raise DataProblem(f"{split} has no rows: each of its files is empty or has a header only")


def _missing(
    missing: Sequence[str], config: StepConfig, names: Sequence[str], folders: Iterable[str], key: str
) -> DataProblem:
    wanted = config.columns
    near = {_plain(name): f"the folder {name}=" for name in folders}
    near |= {_plain(name): f"column {place}" for place, name in reversed([*enumerate(names, 1)])}
    alike = [f"{near[_plain(name)]} for {listed([name])}" for name in missing if _plain(name) in near]
    found = list(names[:100])
    if not alike and len(names) == 1 and (word := _other_delimiter(names[0], missing)):
        return DataProblem(
            f"{key}: the values are separated by {word}; set data.delimiter in handsoff.yaml", found
        )
    if not alike and len(missing) == len(wanted):
        return DataProblem(
            f"{key} has no header: its first line names none of the columns {listed(wanted)}; "
            "write a header, or name the columns in data.header",
            found,
        )
    word = "column" if len(missing) == 1 else "columns"
    counted = "1 column" if len(names) == 1 else f"{len(names):,} columns"
    text = f"{key} has no {word} {listed(missing)} in its header of {counted}"
    if alike:
        text += f"; did you mean {listed(alike)}? The names differ in case or spaces; write both alike"
    for key_of, named in config.data.about_rows.items():
        if not alike and (asked := [name for name in named if name in missing]):
            text += f"; data.{key_of} in handsoff.yaml names {listed(asked)}: land it, or remove it there"
    return DataProblem(text, found)


def _other_delimiter(header: str, missing: Sequence[str]) -> str | None:
    """The name of the delimiter by which this header of one cell has a missing column; None if none does."""
    wanted = {_plain(name) for name in missing}
    for delimiter, word in DELIMITERS.items():
        if delimiter in header and wanted & {_plain(cell) for cell in header.split(delimiter)}:
            return word
    return None


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def encoding(schema: pa.Schema) -> dict[str, Any]:
    """How the columns of a split's file are encoded, as keywords of ParquetWriter.

    Only texts repeat so that a dictionary and Snappy make them smaller. Of numbers and hashes both would take
    most of the time of writing. No reader of the file looks for rows by statistics.
    """
    texts = [field.name for field in schema if field.type in (pa.string(), ENCODED)]
    return {
        "use_dictionary": texts,
        "compression": {name: "snappy" if name in texts else "none" for name in schema.names},
        "write_statistics": False,
        "store_schema": False,  # which would have readers give dictionaries
    }


class SplitWriter:
    """One split's Parquet file, and the counts of the rows in it. Close it when all rows are added.

    `missing` counts, by feature, the rows without a value. `cells` counts what reading made of cells.
    `channel` gets the same rows for own training code.
    """

    def __init__(self, path: Path, config: StepConfig, channel: Channel | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.rows = 0
        self.channel = channel
        self.missing = dict.fromkeys(config.features.names, 0)
        self.cells = CellCounts(config.features, changes=config.data.cdc is not None)
        self._file: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self._waiting_bytes = 0

    def add(self, table: pa.Table, block: pa.RecordBatch) -> None:
        """Add rows as convert.py makes them from `block`."""
        self.cells.add(block, table)
        if self.channel:
            self.channel.add(table, block)
        self._add(table)

    def _add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        for name in self.missing:
            self.missing[name] += table[name].null_count
        self._schema = self._schema or table.schema
        self._waiting.append(table if table.schema == self._schema else table.cast(self._schema))
        self._waiting_rows += table.num_rows
        self._waiting_bytes += table.nbytes
        if self._waiting_rows >= ROW_GROUP or self._waiting_bytes >= MAX_BYTES:
            self._flush()

    def keep(self, kept: Array) -> None:
        """End the file with only those of its rows for which `kept`, in the order of adding, is true."""
        self.close()
        self.cells.keep(kept)
        if self.channel:
            self.channel.keep(kept)
        every = self.path.with_suffix(".all")
        self.path.rename(every)
        self.rows, self.missing, self._file = 0, dict.fromkeys(self.missing, 0), None
        self._schema = None
        with pq.ParquetFile(every, pre_buffer=False) as file:
            start = 0
            for block in file.iter_batches(batch_size=ROW_GROUP):
                self._add(
                    pa.Table.from_batches([block]).filter(pa.array(kept[start : start + block.num_rows]))
                )
                start += block.num_rows
        self.close()
        every.unlink()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting).unify_dictionaries()
            self._file = self._file or pq.ParquetWriter(self.path, table.schema, **encoding(table.schema))
            self._file.write_table(table)
            self._waiting = []
            self._waiting_rows = self._waiting_bytes = 0

    def close(self) -> None:
        """Write the rows that wait, and end the file."""
        self._flush()
        if self._file:
            self._file.close()
