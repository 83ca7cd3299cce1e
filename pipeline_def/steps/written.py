"""The Parquet file of a split, read back one column at a time, in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from job import DATE, Array
from order_statistics import Blocks
from parquet_files import ROW_GROUP

MAX_HELD: Final = 1 << 20
"""Rows of a file whose columns are held in memory, one at a time. Of more they are read several times."""


class Chunks(Protocol):
    """A column in chunks, which may be read several times: a Column, or a ChunkedArray."""

    @property
    def chunks(self) -> Iterable[pa.Array]:
        """The chunks from the first row on."""


@dataclass(frozen=True)
class Column:
    """A column of a split's file. With `wanted`, only of the rows for which that is true."""

    file: pq.ParquetFile
    name: str
    wanted: Array | None = None

    @property
    def chunks(self) -> Iterator[pa.Array]:
        """The values, each time read anew; texts are dictionaries."""
        start = 0
        for block in self.file.iter_batches(ROW_GROUP, columns=[self.name], use_threads=False):
            values = block.column(self.name)  # the name of another column may begin with this one and a dot
            if self.wanted is not None:
                values = values.filter(pa.array(self.wanted[start : start + len(values)]))
            start += block.num_rows
            yield values


def opened(path: Path) -> pq.ParquetFile:
    """The file at `path`, whose texts are read as dictionaries. Close it."""
    texts = [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]
    return pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False)


def known(values: Chunks) -> Blocks:
    """The values of a column that are not missing, as float64."""

    def blocks() -> Iterator[Array]:
        for chunk in values.chunks:
            yield np.asarray(chunk.drop_null().to_numpy(zero_copy_only=False), dtype=np.float64)

    if isinstance(values, Column) and values.file.metadata.num_rows > MAX_HELD:
        return blocks
    held = [*blocks()]
    return lambda: held


@dataclass(frozen=True)
class Categories:
    """The different texts of a column (k), and the rows of each."""

    texts: pa.Array
    counts: Array

    @property
    def rows(self) -> int:
        """All rows with a text."""
        return int(self.counts.sum())


def categories_of(values: Chunks) -> Categories:
    """Count the texts of a column, in chunks of text or of dictionaries."""
    found: list[tuple[pa.Array, Array]] = []
    merged = 0
    for chunk in values.chunks:
        encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        places = encoded.indices.drop_null().to_numpy()
        counts = np.bincount(places, minlength=len(encoded.dictionary))
        found.append((encoded.dictionary.filter(pa.array(counts > 0)), counts[counts > 0]))
        if sum(len(texts) for texts, _ in found) > 2 * merged + ROW_GROUP:
            found = [_together(found)]
            merged = len(found[0][0])
    return Categories(*_together(found))


def _together(found: Sequence[tuple[pa.Array, Array]]) -> tuple[pa.Array, Array]:
    """Each different text once, and its rows."""
    if not found:
        return pa.array([], pa.string()), np.empty(0, dtype=np.int64)
    encoded = pa.concat_arrays([texts for texts, _ in found]).dictionary_encode()
    counts = np.bincount(encoded.indices.to_numpy(), weights=np.concatenate([rows for _, rows in found]))
    return encoded.dictionary, counts.astype(np.int64)


def read_dates(path: Path) -> Array:
    """The date of each row of a split's Parquet file, datetime64[us]; NaT where there is none."""
    with opened(path) as file:
        found, start = np.empty(file.metadata.num_rows, dtype="datetime64[us]"), 0
        for chunk in Column(file, DATE).chunks:
            found[start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
            start += len(chunk)
    return found


def known_dates(found: Array) -> Blocks:
    """The dates that are not missing, as microseconds since 1970, in blocks."""

    def blocks() -> Iterator[Array]:
        for start in range(0, len(found), ROW_GROUP):
            part = found[start : start + ROW_GROUP]
            yield part[~np.isnat(part)].view(np.int64)

    return blocks
