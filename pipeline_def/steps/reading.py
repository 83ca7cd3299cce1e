"""Reads the files of a batch one after the other, and gives each row to the file of its split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from batch import DataObject, fetch, split_of
from changes import Changes, check_no_changes
from convert import convert
from data_report import FileRead, check_quotes
from division import Division, add_to
from job import DATE, SPLITS, Array, StepConfig
from tables import SplitWriter, open_file

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
        files = []
        for item in self.objects:
            split = split_of(item.key, self.config.name) or "train"
            add = (
                partial(division.add, writers=writers) if division else partial(add_to, writers[split], split)
            )
            typed = split == "train" and not division
            files.append(self.read_file(item, changes.get(split), add, typed=typed))
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

        for item in self.objects:
            self.read_file(item, changes, add)
        dates = np.concatenate(found)
        return dates[changes.kept()] if changes else dates

    def read_file(
        self,
        item: DataObject,
        changes: Changes | None,
        add: Callable[[pa.Table, pa.RecordBatch], None],
        *,
        typed: bool = False,
    ) -> FileRead:
        """Hand the rows of one object to `add`, block by block: as convert.py makes them, and as they are.

        `changes` are those of the rows, if the files hold changes. `typed` says that `add` needs no text of
        numbers. Raises DataProblem.
        """
        config, key = self.config, item.key
        digest = fetch(self.s3, self.bucket, item, self.path)
        file, rows = open_file(self.path, key, config), 0
        for block in file.blocks(typed=typed and not changes):
            left = block
            if changes:
                left, table = changes.without_deleted(block, config, key, rows + 1)
            else:
                check_no_changes(block, config, key)
                table = convert(block, config, key, rows + 1)
            add(table, left)
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
