"""Dates as a model sees them: year, month, day of the week, and days since a fixed day.

The file stands alone: train.py puts it beside the model, with inference.py, so that serving makes the same
columns of a date as training did.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MICROSECONDS_OF_A_DAY: Final = 86_400_000_000.0
"""The unit of a date in a table of features is a day of UTC, with the time of day as a fraction."""

EPOCH: Final = datetime(1970, 1, 1)
"""The day from which days are counted."""

MEASURES: Final = ("year",)
"""Parts of a date that are numbers, beside the days themselves."""

CYCLES: Final = ("month", "weekday")
"""Parts of a date that come again: 1 is January, and Monday."""

PREFIX: Final = "handsoff:"
"""Begins the name of a part's column, such as `handsoff:month:booked`."""


def days_of(at: datetime | None) -> float:
    """The days from 1970-01-01 to a time in UTC without a zone; NaN for a missing one."""
    return float("nan") if at is None else (at - EPOCH) / timedelta(days=1)


def part(kind: str, column: str) -> str:
    """The name of the column with a part of a date."""
    return f"{PREFIX}{kind}:{column}"


def with_parts(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The rows with the parts of these columns, which hold days. A part of a missing date is NaN."""
    import pandas as pd  # here: DataPreProcessing needs none, and it takes a quarter of a second

    if not columns:
        return rows
    parts: dict[str, pd.Series] = {}
    for name in columns:
        days = rows[name].to_numpy(dtype=float)
        whole = np.floor(np.where(np.isnan(days), 0.0, days)).astype("int64")
        dates = whole.astype("datetime64[D]")
        years = dates.astype("datetime64[Y]").astype("int64") + 1970
        months = dates.astype("datetime64[M]").astype("int64") % 12 + 1
        weekdays = (whole + 3) % 7 + 1  # 1970-01-01 was a Thursday
        for kind, values in (("year", years), ("month", months), ("weekday", weekdays)):
            found = np.where(np.isnan(days), np.nan, values.astype(float))
            parts[part(kind, name)] = pd.Series(found, index=rows.index)
    return pd.concat([rows, pd.DataFrame(parts, index=rows.index)], axis=1)
