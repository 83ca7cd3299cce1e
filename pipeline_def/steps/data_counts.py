"""Counts of a split for data_report.json: what reading changed, ranges, categories.

Cells are counted block by block, from the text that arrived and the value that it became. All else is counted
from the Parquet file that training reads, with one column in memory at a time. No count shows a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dates import EPOCH
from job import WEIGHT, Array, Features, Json


class CellCounts:
    """By feature, the cells with text that became a missing value, and those that changed their spelling.

    Only cells that arrive as text count: the types of a Parquet file have no spelling. An empty cell is
    missing, not a word for it. Only a category has a spelling of its own: 07 and 7 are one number. `changes`
    says that `keep` may leave rows out: it remembers which rows had such cells.
    """

    def __init__(self, features: Features, *, changes: bool = False) -> None:
        self._changes = changes
        self._rows = 0
        self._noted: list[tuple[dict[str, int], str, int, Array]] = []
        self._categorical = frozenset(features.categorical)
        self.missing_words = dict.fromkeys(features.names, 0)
        self.canonicalised = dict.fromkeys(features.categorical, 0)

    def add(self, block: pa.RecordBatch, table: pa.Table) -> None:
        """Count a block's cells. `table` has what its rows became, in the same order."""
        for name in self.missing_words:
            if name not in block.schema.names or (text := _text(block.column(name))) is None:
                continue
            became = table[name].combine_chunks()
            lost = pc.and_(pc.not_equal(text, ""), pc.is_null(became))
            self._count(self.missing_words, name, lost)
            if name in self._categorical:
                self._count(self.canonicalised, name, pc.not_equal(text, became))
        self._rows += table.num_rows

    def _count(self, counts: dict[str, int], name: str, found: pa.Array) -> None:
        counts[name] += (count := _true(found))
        if self._changes and count:
            mask = np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False))
            self._noted.append((counts, name, self._rows, mask))

    def keep(self, kept: Array) -> None:
        """Take back what was counted in rows for which `kept`, in the order of adding, is false."""
        for counts, name, start, mask in self._noted:
            counts[name] -= int(np.sum(mask & ~kept[start : start + len(mask)]))
        self._noted = []


def _text(values: pa.Array) -> pa.Array | None:
    """A column as strings; None if its cells are no text."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(values, pa.string())
    return None


def _true(mask: pa.Array) -> int:
    return int(pc.sum(mask, min_count=0).as_py())


def ranges(path: Path, features: Features) -> Json:
    """By numeric feature the least and the greatest value, `min` and `max`; None where it has no value."""
    found: Json = {}
    for name in features.numeric:
        found[name] = pc.min_max(_column(path, name)).as_py()
    return found


def date_ranges(path: Path, features: Features) -> Json:
    """By date the earliest and the latest one, `min` and `max`, as text in UTC; None without a value."""
    found: Json = {}
    for name in features.date:
        ends = pc.min_max(_column(path, name)).as_py()
        found[name] = {end: None if days is None else moment(days) for end, days in ends.items()}
    return found


def weights(path: Path) -> Json:
    """The least, the greatest and the mean weight of the rows, and how many rows have the weight 0."""
    found = _column(path, WEIGHT).to_numpy()
    return {
        "min": float(found.min()),
        "max": float(found.max()),
        "mean": float(found.mean()),
        "zero": int((found == 0).sum()),
    }


def moment(days: float) -> str:
    """A date, or a time to the second, by its days since 1970-01-01."""
    at = EPOCH + timedelta(seconds=round(days * 86400))
    return at.isoformat(sep=" ").removesuffix(" 00:00:00")


def distinct_categories(path: Path, features: Features) -> dict[str, int]:
    """By categorical feature, how many different categories it has."""
    return {
        name: int(pc.count_distinct(_column(path, name), mode="only_valid").as_py())
        for name in features.categorical
    }


def unknown_categories(train: Path, validation: Path, features: Features) -> Json:
    """By categorical feature, what the validation rows have of categories that no training row has.

    `categories` are different ones, `rows` have one of them, `share` is the part of all validation rows, from
    0 to 1. A feature without any is left out.
    """
    found: Json = {}
    for name in features.categorical:
        values = _column(validation, name)
        known = pc.unique(_column(train, name).drop_null()).cast(values.type)
        unknown = values.drop_null().filter(pc.invert(pc.is_in(values.drop_null(), value_set=known)))
        if len(unknown):
            found[name] = {
                "categories": len(pc.unique(unknown)),
                "rows": len(unknown),
                "share": len(unknown) / len(values),
            }
    return found


def empty_columns(missing: Mapping[str, int], rows: int) -> list[str]:
    """The features without any value, sorted. `missing` counts, by feature, the rows without a value."""
    return sorted(name for name, count in missing.items() if count == rows)


def _column(path: Path, name: str) -> pa.ChunkedArray:
    with pq.ParquetFile(path) as file:
        return file.read(columns=[name])[name]
