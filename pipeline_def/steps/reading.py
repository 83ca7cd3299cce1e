"""Reads the files of a batch, several at a time, and gives their rows in order to the files of the splits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from batch import READERS, DataObject, fetch, split_of
from changes import Changes, check_no_changes
from convert import convert
from data_report import FileRead, check_quotes
from division import Division, add_to
from in_turn import in_turn
from job import DATE, SPLITS, Array, DataProblem, StepConfig
from tables import SplitWriter, open_file

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


MAX_TOGETHER: Final = 8192
"""Rows that are converted together at most. A block with as many is converted by itself."""

SMALL: Final = 1 << 20
"""Bytes up to which objects are so small that their time is mostly waiting for S3."""

Part = tuple[pa.RecordBatch, pa.Table | None] | FileRead
"""A block, and what convert.py makes of it if it has MAX_TOGETHER rows; or, at the end of a file, what was
read. Changes are converted when it is their turn."""

Add = Callable[[pa.Table, pa.RecordBatch], None]
"""Takes rows block by block: as convert.py makes them, and as they are."""


@dataclass
class Together:
    """Converts blocks of small files that have the same columns together: a call of Arrow takes as long for
    two rows as for thousands. `add` takes the rows in their order."""

    config: StepConfig
    add: Add
    waiting: list[tuple[pa.RecordBatch, str, int]] = field(default_factory=list)
    rows: int = 0

    def take(self, block: pa.RecordBatch, key: str, first_row: int, table: pa.Table | None = None) -> None:
        """Convert this block now or later, unless `table` has its rows already.

        Raises DataProblem for this block, or for one before it.
        """
        if table is not None:
            self.finish()
            return self.add(table, block)
        full = self.rows + block.num_rows > MAX_TOGETHER
        if self.waiting and (full or block.schema != self.waiting[0][0].schema):
            self.finish()
        self.waiting.append((block, key, first_row))
        self.rows += block.num_rows
        if self.rows >= MAX_TOGETHER:
            self.finish()

    def finish(self) -> None:
        """Convert the blocks that wait. A problem names the file and the row that it is of."""
        blocks, self.waiting, self.rows = self.waiting, [], 0
        if len(blocks) > 1:
            _, key, first_row = blocks[0]
            try:
                whole = pa.concat_batches([block for block, *_ in blocks])
                table = convert(whole, self.config, key, first_row)
            except (DataProblem, pa.ArrowException):
                pass  # each by itself, which tells where it is
            else:
                return self.add(table, whole)
        for block, key, first_row in blocks:
            self.add(convert(block, self.config, key, first_row), block)


@dataclass(frozen=True)
class Landing:
    """The objects of a batch. Each is copied to a file while it is read, whose name begins with `path`."""

    s3: S3Client
    bucket: str
    config: StepConfig
    objects: Sequence[DataObject]
    path: Path

    def read(self, writers: Mapping[str, SplitWriter], division: Division | None) -> list[FileRead]:
        """Add the rows of all files to the writers, and end these. Raises DataProblem.

        `division` divides the rows; without it the files' names do.
        """
        cdc = self.config.data.cdc
        all_rows = Changes(cdc) if cdc and division else None
        changes = {split: all_rows or Changes(cdc) for split in SPLITS} if cdc else {}
        together: dict[str, Together] = {}
        for split, writer in writers.items():
            add = partial(division.add, writers=writers) if division else partial(add_to, writer, split)
            together[split] = Together(self.config, add)
        files = []
        with closing(self._in_turn(typed=not division)) as turns:
            try:
                for item, parts in zip(self.objects, turns, strict=False):
                    split = "train" if division else split_of(item.key, self.config.name) or "train"
                    files.append(self._add_file(item, parts, changes.get(split), together[split]))
            finally:  # a problem of an earlier file comes first
                for blocks in together.values():
                    blocks.finish()
        check_quotes(files)
        kept = {split: found.kept() for split, found in changes.items()}
        if division and all_rows:
            kept = division.kept(kept["train"])
        for split, writer in writers.items():
            if split in kept and writer.rows:
                writer.keep(kept[split])
            else:
                writer.close()
        return files

    def dates(self) -> Array:
        """The dates of all rows, datetime64 of microseconds, NaT where missing. Raises DataProblem."""
        found = [np.empty(0, dtype="datetime64[us]")]
        changes = Changes(self.config.data.cdc) if self.config.data.cdc else None

        def add(table: pa.Table, _: pa.RecordBatch) -> None:
            found.append(table[DATE].to_numpy())

        together = Together(self.config, add)
        with closing(self._in_turn(typed=False)) as turns:
            try:
                for item, parts in zip(self.objects, turns, strict=False):
                    self._add_file(item, parts, changes, together)
            finally:
                together.finish()
        dates = np.concatenate(found)
        return dates[changes.kept()] if changes else dates

    def _in_turn(self, *, typed: bool) -> Generator[Iterator[Part], None, None]:
        """The parts of each object, in the order of the objects."""
        tasks = (partial(self._parts, place, typed=typed) for place in range(len(self.objects)))
        return in_turn(tasks, self.readers())

    def readers(self) -> int:
        """How many objects are read at a time: as many as there are processors, and more if all are small.

        The largest of so many must fit on half of the free disk, or fewer are read.
        """
        sizes = sorted((item.size for item in self.objects), reverse=True)
        wanted = READERS if not sizes or sizes[0] <= SMALL else os.cpu_count() or 1
        room = shutil.disk_usage(self.path.parent).free // 2
        return max((count for count in range(1, wanted + 1) if sum(sizes[:count]) <= room), default=1)

    def _parts(self, place: int, *, typed: bool) -> Generator[Part, None, None]:
        """The parts of one object. `typed` says that training rows need no text of numbers."""
        config, item, changes = self.config, self.objects[place], self.config.data.cdc is not None
        path = self.path.with_name(f"{self.path.name}-{place}")
        typed = typed and not changes and split_of(item.key, config.name) == "train"
        try:
            digest = fetch(self.s3, self.bucket, item, path)
            file, rows = open_file(path, item.key, config), 0
            for block in file.blocks(typed=typed):
                table = None
                if not changes:
                    check_no_changes(block, config, item.key)
                    if block.num_rows >= MAX_TOGETHER:
                        table = convert(block, config, item.key, rows + 1)
                yield block, table
                rows += block.num_rows
            operation = config.data.cdc.operation if config.data.cdc else None
            yield FileRead(
                item,
                digest,
                [name for name in file.columns if name != operation],
                rows,
                file.blank_lines,
                **file.written(),
                partition=file.partition,
                two_backslashes=file.csv is not None and file.csv.two_backslashes,
            )
        finally:
            path.unlink(missing_ok=True)

    def _add_file(
        self, item: DataObject, parts: Iterator[Part], changes: Changes | None, together: Together
    ) -> FileRead:
        """Hand the rows of one object to `together`, block by block.

        `changes` are those of the rows, if the files hold changes. Raises DataProblem.
        """
        key, rows = item.key, 0
        for part in parts:
            if isinstance(part, FileRead):
                read = part
                continue
            block, table = part
            if changes:
                left, table = changes.without_deleted(block, self.config, key, rows + 1)
                together.add(table, left)
            else:
                together.take(block, key, rows + 1, table)
            rows += block.num_rows
        print(f"{key}: {rows} rows, {item.size} bytes, version {item.version_id}", flush=True)
        return read
