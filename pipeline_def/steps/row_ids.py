"""The identities of a split's rows, in memory or in a Parquet file, looked at in parts that fit into memory.

A part has the rows whose identities begin with the same bits, so equal identities are in one part. Files are
read anew for each part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from identity import KIND, together
from job import GROUP, IDENTITY, LOOKALIKE, ROW, TEXT_ROW, Array
from parquet_files import ROW_GROUP

COLUMNS: Final = (ROW, IDENTITY, GROUP, LOOKALIKE, TEXT_ROW)
"""The reserved columns that hold identities."""

PART: Final = 1 << 20
"""Rows of a part, about. Reading and sorting it needs 16 MB."""


class Ids(Protocol):
    """The identities of n rows, by reserved column. Some columns may not be there."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    def __contains__(self, name: object) -> bool:
        """Whether there is such a column."""

    def blocks(self, names: Sequence[str]) -> Iterator[list[Array]]:
        """These columns in blocks of rows, uint64."""


class Held(dict[str, Array]):
    """Identities in memory: by reserved column an array of length n."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.values()), ()))

    def blocks(self, names: Sequence[str]) -> Iterator[list[Array]]:
        """All rows in one block."""
        yield [self[name] for name in names]


@dataclass(frozen=True)
class Stored:
    """Identities in an open Parquet file, of which `columns` are the names there. The file may be deleted."""

    file: pq.ParquetFile
    columns: Mapping[str, str]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.file.metadata.num_rows)

    def __contains__(self, name: object) -> bool:
        """Whether the file has such identities."""
        return name in self.columns

    def blocks(self, names: Sequence[str]) -> Iterator[list[Array]]:
        """The rows as they are read."""
        wanted = [self.columns[name] for name in names]
        for block in self.file.iter_batches(ROW_GROUP, columns=wanted, use_threads=False):
            yield [block.column(name).to_numpy() for name in wanted]


def read_ids(path: Path) -> Stored:
    """The identities of the rows in a Parquet file."""
    file = pq.ParquetFile(path, pre_buffer=False)
    return Stored(file, {name: name for name in COLUMNS if name in file.schema_arrow.names})


def read_training_ids(path: Path) -> Stored:
    """The identities in a training_rows.parquet. One of handsoff 0.1 has identities by text only."""
    found = read_ids(path)
    known = KIND.items() <= (found.file.schema_arrow.metadata or {}).items()
    return found if known else Stored(found.file, {TEXT_ROW: ROW})


def write_training_ids(ids: Ids, path: Path, *, different: bool = False) -> None:
    """Write a training_rows.parquet: each combination of the rows' identities once.

    `different` says that no two rows have the same identities.
    """
    names = [name for name in COLUMNS if name in ids]
    kept = None if different else first_of(ids, names)
    schema = pa.schema([(name, pa.uint64()) for name in names], metadata=KIND)
    start = 0
    encoding = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    with pq.ParquetWriter(path, schema, **encoding) as file:
        for columns in ids.blocks(names):
            rows = slice(start, start := start + len(columns[0]))
            file.write_table(
                pa.table([column if kept is None else column[kept[rows]] for column in columns], schema)
            )


def bits_of(*sides: Ids) -> int:
    """By how many of their first bits identities are divided into parts."""
    return max((max(side.rows for side in sides) - 1) // PART, 0).bit_length()


def part(
    ids: Ids, names: Sequence[str], bits: int, number: int, kept: Array | None = None
) -> Iterator[tuple[Array, Array]]:
    """Block by block, the places of the rows that belong to a part, and the hashes of their columns.

    Of one column the hash is its identity. `kept` says for each row whether it counts.
    """
    start = 0
    for columns in ids.blocks(names):
        block = together(columns) if len(columns) > 1 else columns[0]
        rows = len(block)
        here = np.ones(rows, dtype=bool) if kept is None else kept[start : start + rows]
        if bits:
            here = here & (block >> np.uint64(64 - bits) == np.uint64(number))
        yield np.flatnonzero(here) + start, block[here]
        start += rows


def whole_part(
    ids: Ids, names: Sequence[str], bits: int, number: int, kept: Array | None = None
) -> tuple[Array, Array]:
    """All blocks of a part together."""
    places, keys = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint64)]
    for at, block in part(ids, names, bits, number, kept):
        places.append(at)
        keys.append(block)
    return np.concatenate(places), np.concatenate(keys)


def sorted_part(ids: Ids, name: str, bits: int, number: int, kept: Array | None = None) -> Array:
    """The identities of a part in one column, ascending."""
    blocks = (block for _, block in part(ids, [name], bits, number, kept))
    keys = np.concatenate([np.empty(0, dtype=np.uint64), *blocks])
    keys.sort()
    return keys


def first_of(ids: Ids, names: Sequence[str], kept: Array | None = None) -> Array:
    """Which rows are the first with their combination of these columns, of those that are `kept`."""
    found, bits = np.zeros(ids.rows, dtype=bool), bits_of(ids)
    for number in range(1 << bits):
        places, keys = whole_part(ids, names, bits, number, kept)
        found[places[np.unique(keys, return_index=True)[1]]] = True
    return found


@dataclass(frozen=True)
class Overlap:
    """Which of our n rows have an identity that is among theirs, and how many different ones each has."""

    among: Array
    ours: int
    theirs: int

    def of(self, split: str) -> int:
        """The different identities of a split, where validation was compared with train."""
        return self.theirs if split == "train" else self.ours


def overlap(ours: Ids, theirs: Ids, name: str) -> Overlap:
    """Compare the identities of two sides in one column. Those of each side are sorted once."""
    found, bits, counts = np.zeros(ours.rows, dtype=bool), bits_of(ours, theirs), np.zeros(2, dtype=np.int64)
    for number in range(1 << bits):
        others = sorted_part(theirs, name, bits, number)
        counts += _different(sorted_part(ours, name, bits, number)), _different(others)
        for places, mine in part(ours, [name], bits, number):
            found[places] = among_sorted(mine, others)
    return Overlap(found, *counts.tolist())


def _different(ids: Array) -> int:
    """How many different ones of these, which ascend, there are."""
    return int(np.count_nonzero(ids[1:] != ids[:-1])) + bool(len(ids))


def equal(ids: Ids, one: str, other: str) -> int:
    """How many rows have the same hash in both columns."""
    return sum(int((left == right).sum()) for left, right in ids.blocks([one, other]))


def among_sorted(ids: Array, others: Array) -> Array:
    """Whether each of these identities is among the others, which ascend."""
    if not len(others):
        return np.zeros(len(ids), dtype=bool)
    places = np.minimum(np.searchsorted(others, ids), len(others) - 1)
    return np.asarray(others[places] == ids)


def repeated_sorted(ids: Array) -> Array:
    """Whether each of these identities, which ascend, is there more than once."""
    same = np.concatenate(([False], ids[1:] == ids[:-1], [False]))
    return np.asarray((same[1:] | same[:-1])[: len(ids)])
