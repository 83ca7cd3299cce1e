"""What the columns of a split hold, small enough to be kept beside the model: drift is measured against it.

Counted from the Parquet that training reads, one column in memory at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MOST_POINTS: Final = 256
MOST_CATEGORIES: Final = 254  # as many as training tells apart (train.py)


def profile(
    path: Path, numeric: Sequence[str], categorical: Sequence[str], boolean: Sequence[str]
) -> dict[str, Any]:
    """The profile of the Parquet file that preprocess.py wrote, as data_profile.json has it."""
    columns: dict[str, Any] = {}
    with pq.ParquetFile(path) as file:
        for name in numeric:
            columns[name] = numbers(_column(file, name))
        for name in categorical:
            columns[name] = categories(_column(file, name))
        for name in boolean:
            values = pc.cast(_column(file, name), pa.bool_())
            columns[name] = categories(pc.cast(values, pa.string()))
        rows = file.metadata.num_rows
    return {"schema_version": 1, "rows": rows, "columns": columns}


def numbers(values: Any) -> dict[str, Any]:
    """Ascending `points`, values of the column, and how many rows have no more than each.

    Of up to 256 distinct values each is a point, and that is `exact`. Of more, 256 values are taken at even
    steps through the sorted rows, from the lowest to the highest; what is taken twice is one point.
    """
    known = np.sort(values.drop_null().to_numpy())
    points = np.unique(known)
    exact = len(points) <= MOST_POINTS
    if not exact:
        points = np.unique(known[np.arange(MOST_POINTS) * (len(known) - 1) // (MOST_POINTS - 1)])
    return {
        "kind": "numeric",
        "missing": values.null_count,
        "exact": exact,
        "points": points.tolist(),
        "below": np.searchsorted(known, points, side="right").tolist(),
    }


def categories(values: Any) -> dict[str, Any]:
    """Rows by text: of the 254 most frequent texts each, of equally many by name, of the rest together."""
    counted = pc.value_counts(values.drop_null())
    table = pa.table({"text": counted.field("values"), "rows": counted.field("counts")})
    table = table.sort_by([("rows", "descending"), ("text", "ascending")])
    kept = table.slice(0, MOST_CATEGORIES)
    counts = dict(zip(kept["text"].to_pylist(), kept["rows"].to_pylist(), strict=True))
    return {
        "kind": "categorical",
        "missing": values.null_count,
        "counts": counts,
        "other": len(values) - values.null_count - sum(counts.values()),
    }


def _column(file: Any, name: str) -> Any:
    return file.read(columns=[name])[name]
