"""Parquet files, read in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from job import DataProblem, one_line

ROW_GROUP: Final = 128 * 1024
"""Rows of a block at most, and rows of a row group in the files that the step writes."""

MAX_BYTES: Final = 64 << 20
"""Bytes of a block at most, unless one row has more."""

STEP: Final = 1024
"""Rows that are read at once. A dictionary may repeat a long value in each of them."""


def blocks(path: Path, key: str) -> Iterator[pa.RecordBatch]:
    """The rows of the file at `path` in blocks, without dictionaries. Raises DataProblem."""
    with readable(key), pq.ParquetFile(path) as file:
        waiting: list[pa.RecordBatch] = []
        rows = size = 0
        for step in file.iter_batches(batch_size=_step(file.metadata)):
            for block in _pieces(_decoded(step)):
                if waiting and (size + block.nbytes > MAX_BYTES or rows + block.num_rows > ROW_GROUP):
                    yield pa.concat_batches(waiting)
                    waiting, rows, size = [], 0, 0
                waiting.append(block)
                rows, size = rows + block.num_rows, size + block.nbytes
        if waiting:
            yield pa.concat_batches(waiting)


@contextmanager
def readable(key: str) -> Iterator[None]:
    """Turn the errors of Arrow about a Parquet file into a DataProblem without their words."""
    try:
        yield
    except MemoryError as error:
        raise DataProblem(
            f"{key} cannot be read: {STEP:,} of its rows need more memory than the job has; leave columns "
            "with long values out, or shorten them",
            one_line(error),
        ) from error
    except pa.ArrowNotImplementedError as error:
        raise DataProblem(
            f"{key} cannot be read: the Parquet file has a type, an encoding or a compression that Arrow "
            "does not read; write it with other settings",
            one_line(error),
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise DataProblem(
            f"{key} cannot be read: the Parquet file is damaged or truncated; write and land it again",
            one_line(error),
        ) from error


def _step(metadata: pq.FileMetaData) -> int:
    """Rows to read at once: as many as have MAX_BYTES in the row group with the longest rows."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(STEP, MAX_BYTES // max(longest, 1)))


def _decoded(block: pa.RecordBatch) -> pa.RecordBatch:
    """The block with the values of its dictionaries in each row, so that its size is that of its values."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in block.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=block.schema.names)


def _pieces(block: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The block in parts of MAX_BYTES, if its rows are about as long as each other."""
    rows = max(1, min(block.num_rows, block.num_rows * MAX_BYTES // max(block.nbytes, 1)))
    for start in range(0, block.num_rows, rows):
        yield block.slice(start, rows)
