"""The distribution of each column of the training rows, small enough to be kept beside the model.

drift.py compares the profiles of two models. A profile is counted from the Parquet file that training reads,
with one column in memory at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from job import MAX_CATEGORIES, Array, Json, StepConfig

SCHEMA_VERSION: Final = 1
"""The version of data_profile.json. A change that breaks a reader raises it."""

MAX_POINTS: Final = 256
"""Values of a numeric column that a profile holds."""


def profile(path: Path, config: StepConfig, wanted: Array | None = None) -> Json:
    """data_profile.json of the Parquet file at `path`.

    Dates are left out, as later rows have later ones. A boolean column has the categories true and false, a
    target of classes has these. `wanted` says for each row whether it counts; without it, all do.
    """
    with pq.ParquetFile(path) as file:
        columns = {
            name: described(kind, _column(file, name, wanted))
            for kind, names in config.features.by_kind.items()
            for name in names
            if kind != "date"
        }
        target = _column(file, config.target, wanted)
        if config.classes:
            target = pc.take(pa.array(config.classes), target)
        kind = "categorical" if config.classes else "numeric"
        rows = len(target)
        return {
            "schema_version": SCHEMA_VERSION,
            "rows": rows,
            "columns": columns,
            "target": described(kind, target),
        }


def described(kind: str, values: pa.ChunkedArray) -> Json:
    """A column of this kind: numeric, categorical or boolean."""
    if kind == "numeric":
        return numbers(values)
    if kind == "boolean":
        values = pc.cast(pc.cast(values, pa.bool_()), pa.string())
    return categories(values)


def numbers(values: pa.ChunkedArray) -> Json:
    """A numeric column: `points`, which are values of the column in ascending order, and `below`.

    `below` counts, for each point, the rows with no greater value. Up to MAX_POINTS distinct values are all
    points; the profile is `exact`. Of more, the points are the values at MAX_POINTS even steps through the
    sorted rows, from the lowest to the highest value.
    """
    known = np.sort(values.drop_null().to_numpy())
    points = np.unique(known)
    exact = len(points) <= MAX_POINTS
    if not exact:
        points = np.unique(known[np.arange(MAX_POINTS) * (len(known) - 1) // (MAX_POINTS - 1)])
    return {
        "kind": "numeric",
        "missing": values.null_count,
        "exact": exact,
        "points": points.tolist(),
        "below": np.searchsorted(known, points, side="right").tolist(),
    }


def categories(values: pa.ChunkedArray) -> Json:
    """A text column: the rows of each of the MAX_CATEGORIES most frequent categories, and all `other` rows.

    Of equally frequent categories the first by name is kept. `once` counts the categories with one row.
    """
    counted = pc.value_counts(values.drop_null())
    table = pa.table({"text": counted.field("values"), "rows": counted.field("counts")})
    table = table.sort_by([("rows", "descending"), ("text", "ascending")])
    kept = table.slice(0, MAX_CATEGORIES)
    counts = dict(zip(kept["text"].to_pylist(), kept["rows"].to_pylist(), strict=True))
    return {
        "kind": "categorical",
        "missing": values.null_count,
        "counts": counts,
        "other": len(values) - values.null_count - sum(counts.values()),
        "once": int(pc.sum(pc.equal(table["rows"], 1)).as_py() or 0),
    }


def _column(file: pq.ParquetFile, name: str, wanted: Array | None) -> pa.ChunkedArray:
    values = file.read(columns=[name])[name]
    return values if wanted is None else values.filter(pa.array(wanted))
