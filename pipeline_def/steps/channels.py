"""What own training code gets: both splits as files, and the validation rows that its model is asked about.

A row has all columns that landed, or those that handsoff.yaml names (`data.columns: declared`). Features
are typed by their kind: numbers are float64, categories canonical text, booleans 1.0 and 0.0. The target
has the classes of the config; they are integers if all of them are. Dates and other columns are as they
landed: text from CSV, where an empty text is a missing value, and their own type from Parquet. Columns of
lists and structures are left out. CSV has the target first, and empty cells for missing values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from job import COLUMN_ORDER, Array, DataProblem, StepConfig, listed, write_json
from parquet_files import MAX_BYTES, ROW_GROUP
from texts import plain, to_text


class Channel:
    """One split's rows, written in parts: a part ends where a file has other columns or types.

    `folder` gets one file, `<split>.parquet`, when `finish` joins the parts.
    """

    def __init__(self, folder: Path, config: StepConfig) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.schemas: list[pa.Schema] = []
        self._config = config
        self._kept: Array | None = None
        self._file: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    @property
    def path(self) -> Path:
        """The file of all rows."""
        return self.folder / f"{self.folder.name.removeprefix('channel-')}.parquet"

    def add(self, table: pa.Table, block: pa.RecordBatch) -> None:
        """Add the rows of `block`; `table` is what convert.py makes of it."""
        rows = channel_rows(table, block, self._config)
        if not self.schemas or rows.schema != self.schemas[-1]:
            self._end_part()
            self.schemas.append(rows.schema)
        self._waiting.append(rows)
        if sum(each.num_rows for each in self._waiting) >= ROW_GROUP or (
            sum(each.nbytes for each in self._waiting) >= MAX_BYTES
        ):
            self._flush()

    def keep(self, kept: Array) -> None:
        """Leave out all rows but those for which `kept`, in the order of adding, is true."""
        self._kept = kept

    def join(self, schema: pa.Schema) -> None:
        """Write the one file, with the columns of `schema`, and delete the parts."""
        self._end_part()
        parts = [self._part(number) for number in range(len(self.schemas))]
        if len(parts) == 1 and self.schemas[0] == schema and self._kept is None:
            parts[0].rename(self.path)
            return
        start = 0
        with pq.ParquetWriter(self.path, schema) as file:
            for part in parts:
                for rows in _blocks(part):
                    left = rows
                    if self._kept is not None:
                        left = rows.filter(pa.array(self._kept[start : start + rows.num_rows]))
                    start += rows.num_rows
                    file.write_table(shaped(left, schema))
                part.unlink()

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number}"

    def _flush(self) -> None:
        if self._waiting:
            rows = pa.concat_tables(self._waiting)
            self._file = self._file or pq.ParquetWriter(self._part(len(self.schemas) - 1), rows.schema)
            self._file.write_table(rows)
            self._waiting = []

    def _end_part(self) -> None:
        self._flush()
        if self._file:
            self._file.close()
            self._file = None


def finish(channels: Sequence[Channel], config: StepConfig, output: Path) -> None:
    """Join the parts of both splits in one schema; write `_columns.json` beside each, and rows/rows.csv.

    `channels` are those of train and validation, or none where there is no own code. Raises DataProblem if no
    column but the target is left.
    """
    if not channels:
        return
    schema = common([schema for channel in channels for schema in channel.schemas])
    columns = [name for name in schema.names if name != config.target]
    if not columns:
        raise DataProblem(
            f"the rows have no column but the target {listed([config.target])}; own code needs one"
        )
    for channel in channels:
        channel.join(schema)
        write_json(columns, channel.folder / COLUMN_ORDER)
    rows = output / "rows" / "rows.csv"
    rows.parent.mkdir(parents=True, exist_ok=True)
    texts = pa.schema([(name, pa.string()) for name in columns])
    with csv.CSVWriter(rows, texts) as file:
        for block in _blocks(channels[-1].path):
            file.write_table(shaped(block.select(columns), texts))
    if config.data.channel_format == "csv":
        for channel in channels:
            write_csv(channel.path, [config.target, *columns])


def write_csv(path: Path, columns: Sequence[str]) -> None:
    """Put a CSV file in the place of a Parquet file: UTF-8, a line of names, text in quotes.

    A missing value is an empty cell, and so is a number that is not a number (NaN).
    """
    schema = pq.read_schema(path)
    kinds = {name: schema.field(name).type for name in columns}
    plain_numbers = (pa.types.is_integer, pa.types.is_floating)
    cells = pa.schema(
        (name, kind if any(is_one(kind) for is_one in plain_numbers) else pa.string())
        for name, kind in kinds.items()
    )
    with csv.CSVWriter(path.with_suffix(".csv"), cells) as file:
        for block in _blocks(path):
            rows = shaped(block.select(columns), cells)
            file.write_table(pa.table([without_nan(rows[name]) for name in columns], schema=cells))
    path.unlink()


def without_nan(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values, with null in the place of numbers that are not numbers."""
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def channel_rows(table: pa.Table, block: pa.RecordBatch, config: StepConfig) -> pa.Table:
    """The rows of `block` as own code gets them; `table` is what convert.py makes of it."""
    wanted = config.columns if config.data.columns == "declared" else block.schema.names
    columns = {}
    for name in block.schema.names:
        if name not in wanted:
            continue
        if name == config.target:
            columns[name] = target_values(table[name], config.classes)
        elif name in config.features.categorical:
            columns[name] = table[name].cast(pa.string())
        elif name in config.features.names and name not in config.features.date:
            columns[name] = table[name]
        elif not pa.types.is_nested(block.column(name).type):
            columns[name] = as_landed(block.column(name), name)
    return pa.table(columns)


def target_values(values: pa.ChunkedArray, classes: Sequence[str]) -> pa.ChunkedArray:
    """The target: a number, or the class as the config writes it, which is an integer if all classes are."""
    if not classes:
        return values
    integers = all(name.lstrip("-").isdecimal() and str(int(name)) == name for name in classes)
    return pc.take(pa.array([int(name) for name in classes] if integers else classes), values)


def as_landed(values: pa.Array, name: str) -> pa.Array:
    """A date, or a column that is no feature. Bytes that are no text are their hexadecimal digits."""
    if pa.types.is_null(values.type):
        return values
    try:
        found = plain(values, "", name)
    except DataProblem:
        found = pa.array(
            [value.hex() if isinstance(value, bytes) else value for value in values.to_pylist()], pa.string()
        )
    if pa.types.is_string(found.type):
        return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)
    return found


def common(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The columns of all schemas in the order in which they first come, in types that hold all values."""
    types: dict[str, list[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            types.setdefault(field.name, []).append(field.type)
    return pa.schema([(name, common_type(found)) for name, found in types.items()])


def common_type(types: Sequence[pa.DataType]) -> pa.DataType:
    """The one type if there is one, int64 of integers, float64 of numbers; otherwise text."""
    known = [kind for kind in dict.fromkeys(types) if not pa.types.is_null(kind)]
    if len(known) == 1:
        return known[0]
    if pa.uint64() in known:
        return pa.string()
    if known and all(pa.types.is_integer(kind) for kind in known):
        return pa.int64()
    if known and all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in known):
        return pa.float64()
    return pa.string()


def shaped(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with the columns of the schema. A column that they do not have is missing in each."""
    columns = []
    for field in schema:
        if field.name not in rows.column_names:
            columns.append(pa.nulls(rows.num_rows, field.type))
        elif pa.types.is_string(field.type):
            columns.append(as_text(rows[field.name]))
        else:
            columns.append(pc.cast(rows[field.name], field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values as text, null where missing. A number that is not a number (NaN) is missing."""
    if pa.types.is_string(values.type):
        return values
    values = without_nan(values)
    missing = pc.is_null(values)
    chunks = [to_text(chunk) for chunk in values.chunks]
    return pc.if_else(missing, pa.scalar(None, pa.string()), pa.chunked_array(chunks, pa.string()))


def _blocks(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for block in file.iter_batches(batch_size=ROW_GROUP):
            yield pa.Table.from_batches([block])
