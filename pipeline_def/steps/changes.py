"""Files of changes, as AWS DMS writes them: a column says what was done to a row (I, U or D).

Of the changes of one row the last one counts; a row whose last change is D is left out. About 40 bytes of
memory are needed for each change of a split, and twice the disk of its rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cells import MISSING_WORDS
from convert import convert
from identity import key_ids
from job import Array, Cdc, DataProblem, Dialect, StepConfig
from operations import NAMES, are_changes, bare, is_mark, refusal
from texts import canonical, plain, to_text

OPERATIONS: Final = ("I", "U", "D")
"""What was done to a row: inserted, updated, deleted."""

DELETED: Final = "D"
"""The operation that leaves a row out."""

FULL_LOAD: Final = re.compile(r"LOAD[0-9A-Fa-f]+\..*|LOAD[0-9A-Fa-f]+")
"""Names of the files of a first full load (AWS DMS, "Using Amazon S3 as a target"). Changes have a date."""

LATER: Final = 1 << 62
"""What the place of a change has more than that of a row of a full load."""


def check_no_changes(block: pa.RecordBatch, config: StepConfig, key: str) -> None:
    """Raises DataProblem if the block's rows are changes: they would count as rows.

    `data.cdc` is not set, or names a column that the block does not have.
    """
    cdc = config.data.cdc
    alike = NAMES | {bare(cdc.operation)} if cdc else NAMES
    for name in block.schema.names:
        if name in config.columns or not (bare(name) in alike or is_mark(name)):
            continue
        if not are_changes(name, _operations(block, name, key).unique().to_pylist(), MISSING_WORDS):
            continue
        if cdc and not is_mark(name):
            raise DataProblem(
                f"{key} has no column {cdc.operation}, which data.cdc names, and a column like Op says what "
                "was done to each row (I, U or D); did you mean that? Write both alike, or land the rows "
                "without it"
            )
        raise DataProblem(f"{key}: {'; '.join(refusal(name))}")


class Changes:
    """The changes of one split, in the order in which they are read.

    Rows of full loads come before all changes: files that DMS names LOAD…, and files without the column of
    operations.
    """

    def __init__(self, cdc: Cdc) -> None:
        self._cdc = cdc
        self._keys: list[Array] = []
        self._places: list[Array] = []
        self._deleted: list[Array] = []
        self._next = 0

    def without_deleted(
        self, block: pa.RecordBatch, config: StepConfig, key: str, first_row: int
    ) -> tuple[pa.RecordBatch, pa.Table]:
        """The rows that are not D, without the column of operations, and what convert.py makes of them.

        Raises DataProblem, also for another operation and for a row without a key.
        """
        deleted = self._note(block, config, key, first_row)
        if self._cdc.operation in block.schema.names:
            block = block.drop_columns([self._cdc.operation])
        left = block.filter(pa.array(~deleted))
        try:
            return left, convert(left, config, key, first_row)
        except DataProblem:
            for start, stop in _runs(deleted):  # with the numbers that rows have in the file
                convert(block.slice(start, stop - start), config, key, first_row + start)
            raise

    def _note(self, block: pa.RecordBatch, config: StepConfig, key: str, first_row: int) -> Array:
        """Remember the block's changes; returns whether each row is D."""
        operation, count = self._cdc.operation, block.num_rows
        full_load = FULL_LOAD.fullmatch(key.rsplit("/", 1)[-1]) is not None
        deleted = np.zeros(count, dtype=bool)
        if operation in block.schema.names:
            found = _operations(block, operation, key)
            known = pc.is_in(found, pa.array(OPERATIONS))
            if (row := pc.index(known, False).as_py()) >= 0:
                raise DataProblem(
                    f"{key}, row {first_row + row}: column {operation} has a wrong value, expected I, U or D",
                    found[row].as_py(),
                )
            deleted = pc.equal(found, DELETED).to_numpy(zero_copy_only=False)
        else:
            full_load = True
            check_no_changes(block, config, key)
        places = np.arange(self._next, self._next + count, dtype=np.int64)
        self._next += count
        self._places.append(places if full_load else places + LATER)
        self._keys.append(self._identities(block, config.data, key, first_row))
        self._deleted.append(deleted)
        return deleted

    def _identities(self, block: pa.RecordBatch, dialect: Dialect, key: str, first_row: int) -> Array:
        """A 64-bit hash of each row's key. 1 and 1.0 are the same key."""
        columns = {name: canonical(block.column(name), key, name, dialect) for name in self._cdc.key}
        for name, values in columns.items():
            if values.null_count:
                row = pc.index(pc.is_null(values), True).as_py()
                raise DataProblem(
                    f"{key}, row {first_row + row}: the key column {name} has no value, expected one"
                )
        return key_ids(columns)

    def kept(self) -> Array:
        """Whether each row that was not D is the last change of its key, in the order of reading."""
        if not self._keys:
            return np.empty(0, dtype=bool)
        keys, deleted = np.concatenate(self._keys), np.concatenate(self._deleted)
        order = np.lexsort((np.concatenate(self._places), keys))
        ordered = keys[order]
        last = np.append(ordered[1:] != ordered[:-1], True)
        kept = np.zeros(len(keys), dtype=bool)
        kept[order[last]] = True
        return np.asarray(kept[~deleted])


def _operations(block: pa.RecordBatch, name: str, key: str) -> pa.Array:
    return pc.utf8_trim_whitespace(to_text(plain(block.column(name), key, name)))


def _runs(deleted: Array) -> Sequence[tuple[int, int]]:
    """Begin and end of each run of rows that are not D."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], deleted, [True])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
