"""Counts of a split for data_report.json: what reading changed, ranges, categories.

Cells are counted block by block, from the text that arrived and the value that it became. All else is counted
from the Parquet file that training reads, one column after the other. No count shows a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dates import EPOCH
from job import WEIGHT, Array, Features, Json
from order_statistics import Places, places_of
from texts import is_encoded
from written import Categories, Column, known, opened

TAILS: Final = (0.05, 0.95)
"""The quantiles that stand for the ends of a column's values, which are values of single rows."""

FEWEST: Final = 20
"""Values from which these quantiles are told: one of so few is beyond them."""


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
            if name not in block.schema.names:
                continue
            values, rows = block.column(name), None
            if not _is_text(values.type):
                continue
            became = table[name].combine_chunks()
            if became.equals(values):  # nothing to count
                continue
            if is_encoded(values) and not self._changes:
                values, became, rows = _each_once(values, became)
            text = pc.cast(values, pa.string())
            lost = pc.and_(pc.not_equal(text, ""), pc.is_null(became))
            self._count(self.missing_words, name, lost, rows)
            if name in self._categorical:
                self._count(self.canonicalised, name, pc.not_equal(text, became.cast(pa.string())), rows)
        self._rows += table.num_rows

    def _count(self, counts: dict[str, int], name: str, found: pa.Array, rows: Array | None) -> None:
        """Count the cells for which `found` is true; each stands for so many `rows`, or for one."""
        if rows is not None:
            counts[name] += int(rows[found.fill_null(False).to_numpy(zero_copy_only=False)].sum())
            return
        counts[name] += (count := _true(found))
        if self._changes and count:
            mask = np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False))
            self._noted.append((counts, name, self._rows, mask))

    def keep(self, kept: Array) -> None:
        """Take back what was counted in rows for which `kept`, in the order of adding, is false."""
        for counts, name, start, mask in self._noted:
            counts[name] -= int(np.sum(mask & ~kept[start : start + len(mask)]))
        self._noted = []


def _each_once(values: pa.Array, became: pa.Array) -> tuple[pa.Array, pa.Array, Array]:
    """The texts of a dictionary that occur (k), what each of them became, and the rows of each."""
    codes = values.indices.to_numpy()
    rows = np.bincount(codes, minlength=len(values.dictionary))
    places = np.zeros(len(rows), dtype=np.int64)
    places[codes] = np.arange(len(codes))  # a row of each: equal texts become the same
    occurs = np.flatnonzero(rows)
    return values.dictionary.take(pa.array(occurs)), became.take(pa.array(places[occurs])), rows[occurs]


def _is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type has strings."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _true(mask: pa.Array) -> int:
    return int(pc.sum(mask, min_count=0).as_py())


def ends(found: Places, *, show: bool) -> Json:
    """Between which numbers most of the values lie: their percentiles 5 and 95, `p5` and `p95`.

    With `show`, between which all of them lie: `min` and `max`, which are values of single rows. None where
    there is no value, and as percentiles of fewer than FEWEST values.
    """
    names = ("min", "max") if show else ("p5", "p95")
    if found.rows < (1 if show else FEWEST):
        return dict.fromkeys(names)
    both = found.values[[0, -1]].tolist() if show else [found.quantile(share) for share in TAILS]
    return {name: end if np.isfinite(end) else None for name, end in zip(names, both, strict=True)}


def date_ends(found: Places, *, show: bool) -> Json:
    """The `ends` of a date, as text in UTC; of percentiles, the day."""
    return {
        end: None if days is None else moment(days if show else float(np.floor(days)))
        for end, days in ends(found, show=show).items()
    }


def weights(path: Path, *, show: bool) -> Json:
    """The `ends` and the mean of the rows' weights, and how many rows have the weight 0."""
    with opened(path) as file:
        blocks = known(Column(file, WEIGHT))
        found = places_of(blocks, steps=2, shares=TAILS)
        mean = sum(float(block.sum()) for block in blocks()) / found.rows
        zero = sum(int((block == 0).sum()) for block in blocks())
    return {**ends(found, show=show), "mean": mean, "zero": zero}


def all_zero(path: Path) -> bool:
    """Whether all rows have the weight 0."""
    with opened(path) as file:
        return not any(block.any() for block in known(Column(file, WEIGHT))())


def moment(days: float) -> str:
    """A date, or a time to the second, by its days since 1970-01-01."""
    at = EPOCH + timedelta(seconds=round(days * 86400))
    return at.isoformat(sep=" ").removesuffix(" 00:00:00")


def unknown_categories(train: Categories, validation: Categories, rows: int) -> Json | None:
    """What the `rows` of validation have of a feature's categories that no training row has; None if nothing.

    `categories` are different ones, `rows` have one of them, `share` is the part of all validation rows, from
    0 to 1.
    """
    new = ~pc.is_in(validation.texts, value_set=train.texts).to_numpy(zero_copy_only=False)
    if not new.any():
        return None
    count = int(validation.counts[new].sum())
    return {"categories": int(new.sum()), "rows": count, "share": count / rows}


def empty_columns(missing: Mapping[str, int], rows: int) -> list[str]:
    """The features without any value, sorted. `missing` counts, by feature, the rows without a value."""
    return sorted(name for name, count in missing.items() if count == rows)
