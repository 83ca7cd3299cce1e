"""One table written as files in the ways of pandas, Polars, Arrow and DuckDB.

A table has a number x (hundredths), an integer category k, a text category c, a boolean b and the target y.
"""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq

if TYPE_CHECKING:  # else imported when they write: all workers of a test run import this module, one uses it
    import polars as pl

Record = tuple[int | None, int | None, str | None, bool | None, int]
"""A row: x in hundredths, k, c, b and y."""

Writer = Literal["pandas", "polars", "arrow", "duckdb"]
"""Which library writes."""

TYPES: Final[dict[str, tuple[pa.DataType, ...]]] = {
    "x": (pa.float64(), pa.decimal128(12, 2)),
    "k": (pa.int64(), pa.int8(), pa.float64(), pa.string(), pa.dictionary(pa.int32(), pa.string())),
    "c": (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())),
    "b": (pa.bool_(), pa.string(), pa.int64()),
    "y": (pa.int64(), pa.int8(), pa.string(), pa.float64()),
}
"""The types of each column that a Parquet file may have."""


@dataclass(frozen=True)
class Form:
    """How a table is written. `types` are those of a Parquet file, by column.

    `told` says whether the config names how quotes are written. `parts` are files of consecutive rows.
    `partition` is a column that goes into the path instead, if any.
    """

    writer: Writer
    format: Literal["csv", "parquet"]
    types: tuple[pa.DataType, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    quote_all: bool = False
    told: bool = True
    crlf: bool = False
    packed: bool = False
    parts: int = 1
    partition: Literal["k", "c"] | None = None


def arrow_table(records: Sequence[Record], types: Sequence[pa.DataType] = ()) -> pa.Table:
    """The rows as an Arrow table; without `types` as Arrow's natural ones."""
    natural = {
        "x": pa.array([None if x is None else x / 100 for x, *_ in records], pa.float64()),
        "k": pa.array([k for _, k, *_ in records], pa.int64()),
        "c": pa.array([c for _, _, c, *_ in records], pa.string()),
        "b": pa.array([b for *_, b, _ in records], pa.bool_()),
        "y": pa.array([y for *_, y in records], pa.int64()),
    }
    for (name, values), kind in zip(list(natural.items()), types, strict=False):
        if pa.types.is_dictionary(kind):
            natural[name] = values.cast(pa.string()).dictionary_encode()
        else:
            natural[name] = values.cast(kind, safe=False)
    return pa.table(natural)


def files(records: Sequence[Record], form: Form) -> dict[str, bytes]:
    """The files that hold these rows, by their names below a split's folder."""
    table = arrow_table(records, form.types)
    if form.partition:
        with tempfile.TemporaryDirectory(prefix="writers-") as folder:
            PARTITIONED[form.writer](table, Path(folder), form)
            found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            return {str(path.relative_to(folder)): _packed(path.read_bytes(), form) for path in found}
    size = -(-len(records) // form.parts) or 1
    write = CSV[form.writer] if form.format == "csv" else PARQUET[form.writer]
    return {
        f"part-{number:05}": _packed(write(table.slice(number * size, size), form), form)
        for number in range(form.parts)
    }


def _packed(body: bytes, form: Form) -> bytes:
    if form.format == "csv" and form.encoding != "utf-8":
        body = body.decode("utf-8").encode(form.encoding)
    return gzip.compress(body, mtime=0) if form.packed else body


def _pandas(table: pa.Table) -> pd.DataFrame:
    """As pandas reads it: an integer column with a missing value is one of floats."""
    found: pd.DataFrame = table.to_pandas()
    return found


def _polars(table: pa.Table) -> pl.DataFrame:
    import polars as pl

    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found


def _pandas_csv(table: pa.Table, form: Form) -> bytes:
    text = _pandas(table).to_csv(
        index=False,
        sep=form.delimiter,
        quoting=1 if form.quote_all else 0,
        lineterminator="\r\n" if form.crlf else "\n",
    )
    return text.encode()


def _polars_csv(table: pa.Table, form: Form) -> bytes:
    text = _polars(table).write_csv(
        separator=form.delimiter,
        quote_style="non_numeric" if form.quote_all else "necessary",
        line_terminator="\r\n" if form.crlf else "\n",
    )
    return text.encode()


def _arrow_csv(table: pa.Table, form: Form) -> bytes:
    file = io.BytesIO()
    style = "all_valid" if form.quote_all else "needed"
    pa_csv.write_csv(table, file, pa_csv.WriteOptions(delimiter=form.delimiter, quoting_style=style))
    return file.getvalue()


def _duckdb_csv(table: pa.Table, form: Form) -> bytes:
    quote = ", FORCE_QUOTE *" if form.quote_all else ""
    return _copied(table, f"FORMAT csv, HEADER, DELIMITER '{form.delimiter}'{quote}")


def _duckdb_parquet(table: pa.Table, _form: Form) -> bytes:
    return _copied(table, "FORMAT parquet")


def _copied(table: pa.Table, options: str) -> bytes:
    import duckdb

    with tempfile.TemporaryDirectory(prefix="writers-") as folder, duckdb.connect() as connection:
        path = Path(folder, "file")
        connection.register("landed", table)
        connection.execute(f"COPY (SELECT * FROM landed) TO '{path}' ({options})")
        return path.read_bytes()


def _into(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


CSV: Final[dict[Writer, Callable[[pa.Table, Form], bytes]]] = {
    "pandas": _pandas_csv,
    "polars": _polars_csv,
    "arrow": _arrow_csv,
    "duckdb": _duckdb_csv,
}
"""How each library writes one CSV file in UTF-8."""

PARQUET: Final[dict[Writer, Callable[[pa.Table, Form], bytes]]] = {
    "pandas": lambda table, _form: _into(lambda file: _pandas(table).to_parquet(file, index=False)),
    "polars": lambda table, _form: _into(lambda file: _polars(table).write_parquet(file)),
    "arrow": lambda table, _form: _into(lambda file: pq.write_table(table, file)),
    "duckdb": _duckdb_parquet,
}
"""How each library writes one Parquet file."""


def _arrow_folders(table: pa.Table, folder: Path, form: Form) -> None:
    """As Arrow's data sets are written: Hive's names, with its escapes."""
    column = table.schema.field(form.partition)
    style: Any = pa_dataset.partitioning(pa.schema([column]), flavor="hive")
    options = {"format": form.format, "partitioning": style, "existing_data_behavior": "overwrite_or_ignore"}
    pa_dataset.write_dataset(table, folder, **options)


def _pandas_folders(table: pa.Table, folder: Path, form: Form) -> None:
    if form.format == "parquet":
        _pandas(table).to_parquet(folder, partition_cols=[form.partition], index=False)
        return
    for number, (value, group) in enumerate(_pandas(table).groupby(form.partition, dropna=False)):
        name = _escaped(str(value)) if value == value else "__HIVE_DEFAULT_PARTITION__"  # NaN equals nothing
        path = folder / f"{form.partition}={name}" / f"part-{number}.csv"
        path.parent.mkdir(parents=True)
        group.drop(columns=[form.partition]).to_csv(path, index=False)


def _escaped(value: str) -> str:
    """A value as Spark and Hive write it into a path (Hive, FileUtils.escapePathName)."""
    special = set("\"#%'*/:=?\\{[]^\x7f") | {chr(code) for code in range(32)}
    return "".join(f"%{ord(sign):02X}" if sign in special else sign for sign in value)


def _polars_folders(table: pa.Table, folder: Path, form: Form) -> None:
    import polars as pl

    frame = _polars(table)
    target = pl.PartitionBy(folder, key=form.partition, include_key=False)
    if form.format == "csv":
        frame.lazy().sink_csv(target, mkdir=True)
    else:
        frame.lazy().sink_parquet(target, mkdir=True)


def _duckdb_folders(table: pa.Table, folder: Path, form: Form) -> None:
    import duckdb

    header = ", HEADER" if form.format == "csv" else ""
    with duckdb.connect() as connection:
        connection.register("landed", table)
        options = f"FORMAT {form.format}{header}, PARTITION_BY ({form.partition}), OVERWRITE_OR_IGNORE"
        connection.execute(f"COPY (SELECT * FROM landed) TO '{folder}' ({options})")


PARTITIONED: Final[dict[Writer, Callable[[pa.Table, Path, Form], None]]] = {
    "pandas": _pandas_folders,
    "polars": _polars_folders,
    "arrow": _arrow_folders,
    "duckdb": _duckdb_folders,
}
"""How each library writes a folder for each value of a column."""
