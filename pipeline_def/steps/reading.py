"""Reads the files of a batch one after the other, and gives each row to the file of its split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from batch import DataObject, fetch, split_of
from changes import Changes, check_no_changes
from convert import convert
from data_report import FileRead, check_quotes
from division import Division, add_to
from job import DATE, SPLITS, Array, DataProblem, StepConfig
from tables import SplitWriter, open_file

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


MAX_TOGETHER: Final = 8192
"""Rows that are converted together at most. A block with as many is converted by itself."""

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

    def take(self, block: pa.RecordBatch, key: str, first_row: int) -> None:
        """Convert this block now or later. Raises DataProblem for this block, or for one before it."""
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
    """The objects of a batch. Each is copied to `path` while it is read."""

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
        try:
            for item in self.objects:
                split = "train" if division else split_of(item.key, self.config.name) or "train"
                typed = split == "train" and not division
                files.append(self.read_file(item, changes.get(split), together[split], typed=typed))
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
        try:
            for item in self.objects:
                self.read_file(item, changes, together)
        finally:
            together.finish()
        dates = np.concatenate(found)
        return dates[changes.kept()] if changes else dates

    def read_file(
        self,
        item: DataObject,
        changes: Changes | None,
        together: Together,
        *,
        typed: bool = False,
    ) -> FileRead:
        """Hand the rows of one object to `together`, block by block.

        `changes` are those of the rows, if the files hold changes. `typed` says that no text of numbers is
        needed. Raises DataProblem.
        """
        config, key = self.config, item.key
        digest = fetch(self.s3, self.bucket, item, self.path)
        file, rows = open_file(self.path, key, config), 0
        for block in file.blocks(typed=typed and not changes):
            if changes:
                left, table = changes.without_deleted(block, config, key, rows + 1)
                together.add(table, left)
            else:
                check_no_changes(block, config, key)
                together.take(block, key, rows + 1)
            rows += block.num_rows
        print(f"{key}: {rows} rows, {item.size} bytes, version {item.version_id}", flush=True)
        operation = config.data.cdc.operation if config.data.cdc else None
        columns = [name for name in file.columns if name != operation]
        return FileRead(
            item,
            digest,
            columns,
            rows,
            file.blank_lines,
            **file.written(),
            partition=file.partition,
            two_backslashes=file.csv is not None and file.csv.two_backslashes,
        )
