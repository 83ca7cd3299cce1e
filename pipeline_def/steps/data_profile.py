"""The distribution of each column of the training rows, small enough to be kept beside the model.

drift.py compares the profiles of two models. A profile is counted from the Parquet file that training reads,
one column after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_counts import TAILS
from job import MAX_CATEGORIES, Array, Json, StepConfig
from order_statistics import Places, even, places_of
from written import Categories, Chunks, Column, categories_of, known, opened

SCHEMA_VERSION: Final = 1
"""The version of data_profile.json. A change that breaks a reader raises it."""

MAX_POINTS: Final = 256
"""Values of a numeric column that a profile holds."""


@dataclass(frozen=True)
class Named:
    """A column of numbers from 0 that stand for `names`, as text."""

    values: Chunks
    names: Sequence[str]

    @property
    def chunks(self) -> Iterator[pa.Array]:
        """The texts as dictionaries."""
        for chunk in self.values.chunks:
            yield pa.DictionaryArray.from_arrays(
                pc.cast(chunk, pa.int32()), pa.array(self.names, pa.string())
            )


def profile(path: Path, config: StepConfig, wanted: Array | None = None) -> Json:
    """data_profile.json of the Parquet file at `path`.

    Dates are left out, as later rows have later ones. A boolean column has the categories true and false, a
    target of classes has these. `wanted` says for each row whether it counts; without it, all do.
    """
    with opened(path) as file:
        rows = file.metadata.num_rows if wanted is None else int(wanted.sum())
        columns = {
            name: described(looked_at(file, name, kind, wanted), rows)
            for kind, names in config.features.by_kind.items()
            for name in names
            if kind != "date"
        }
        target = described(target_looked_at(file, config, wanted), rows)
        return whole(columns, target, rows)


def whole(columns: Json, target: Json, rows: int) -> Json:
    """data_profile.json of these columns."""
    return {"schema_version": SCHEMA_VERSION, "rows": rows, "columns": columns, "target": target}


def looked_at(file: pq.ParquetFile, name: str, kind: str, wanted: Array | None = None) -> Places | Categories:
    """What a feature's column holds. Dates are numbers."""
    values = Column(file, name, wanted)
    if kind in ("numeric", "date"):
        return numbers_of(values)
    return categories_of(Named(values, ("false", "true")) if kind == "boolean" else values)


def target_looked_at(
    file: pq.ParquetFile, config: StepConfig, wanted: Array | None = None
) -> Places | Categories:
    """What the target's column holds: numbers, or the names of classes."""
    values = Column(file, config.target, wanted)
    return categories_of(Named(values, config.classes)) if config.classes else numbers_of(values)


def numbers_of(values: Chunks) -> Places:
    """The values of a numeric column that its profile and its ends need."""
    return places_of(known(values), steps=MAX_POINTS, shares=TAILS)


def described(found: Places | Categories, rows: int) -> Json:
    """A column in a profile, of that many `rows`."""
    return numbers(found, rows) if isinstance(found, Places) else categories(found, rows)


def numbers(found: Places, rows: int) -> Json:
    """A numeric column: `points`, which are values of the column in ascending order, and `below`.

    `below` counts, for each point, the rows with no greater value. Up to MAX_POINTS distinct values are all
    points; the profile is `exact`. Of more, the points are the values at MAX_POINTS even steps through the
    sorted rows, from the lowest to the highest value.
    """
    points, below = even(found, MAX_POINTS)
    return {
        "kind": "numeric",
        "missing": rows - found.rows,
        "exact": found.exact and len(points) == len(found.values),
        "points": points.tolist(),
        "below": below.tolist(),
    }


def categories(found: Categories, rows: int) -> Json:
    """A text column: the rows of each of the MAX_CATEGORIES most frequent categories, and all `other` rows.

    Of equally frequent categories the first by name is kept. `once` counts the categories with one row.
    """
    kept = table = pa.table({"text": found.texts, "rows": found.counts})
    if found.rows:
        keys = [("rows", "descending"), ("text", "ascending")]
        kept = table.take(pc.select_k_unstable(table, k=MAX_CATEGORIES, sort_keys=keys))
    counts = dict(zip(kept["text"].to_pylist(), kept["rows"].to_pylist(), strict=True))
    return {
        "kind": "categorical",
        "missing": rows - found.rows,
        "counts": counts,
        "other": found.rows - sum(counts.values()),
        "once": int((found.counts == 1).sum()),
    }
