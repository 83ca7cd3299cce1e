"""How far the validation rows are from the training rows, and the newest training rows from the earlier ones.

Both are measured as drift.py measures the candidate's training rows against the champion's. The Parquet files
of the splits are read with one column in memory at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from data_counts import FEWEST, TAILS
from data_profile import profile
from drift import shift
from job import SPLITS, Array, Json, StepConfig
from order_statistics import quantiles, select
from written import known_dates, read_dates

NEWEST: Final = 0.2
"""The share of the training rows with a date that counts as the newest, at least: rows of one date stay
together."""


def split_drift(paths: Mapping[str, Path], profiles: Mapping[str, Json], config: StepConfig) -> Json:
    """The part of data_report.json about drift within the batch. Paths and profiles are those of each split.

    `time_drift` is None without `data.date`, and if all rows have the same date or none; `dates` is None
    without `data.date`.
    """
    spelling = config.data.spelling
    found: Json = {
        "validation_drift": shift(profiles["train"], profiles["validation"], spelling),
        "time_drift": None,
        "dates": None,
    }
    if config.data.date is None:
        return found
    ours, theirs = (read_dates(paths[split]) for split in SPLITS)
    found["dates"] = dates(ours, theirs, show=config.show_values)
    since = first_of_newest(ours)
    if since is not None:
        known = ~np.isnat(ours)
        earlier, newest = (
            profile(paths["train"], config, known & rows) for rows in (ours < since, ours >= since)
        )
        found["time_drift"] = {
            **shift(earlier, newest, spelling),
            "from": written(since if config.show_values else day(since)),
        }
    return found


def first_of_newest(found: Array) -> np.datetime64 | None:
    """The date from which the newest rows are; None if there are no earlier ones."""
    blocks = known_dates(found)
    rows = sum(len(block) for block in blocks())
    if not rows:
        return None
    places = np.array([0, rows - int(np.ceil(NEWEST * rows)), rows - 1])
    (first, since, last), below = select(blocks, places)
    if first == last:
        return None
    if since == first:  # so many rows have the first date: all later ones are the newest
        since = select(blocks, below[1:2])[0][0]
    return np.datetime64(int(since), "us")


def dates(train: Array, validation: Array, *, show: bool) -> Json:
    """By split the ends of its dates and the `undated` rows.

    The ends are the days of the percentiles 5 and 95, `p5` and `p95`, None of fewer than FEWEST dates; with
    `show` the `first` and the `last` date, which single rows have. Of validation also `before_train_end`: its
    rows that are older than the newest training row.
    """
    ends = [train[~np.isnat(train)], validation[~np.isnat(validation)]]
    found: Mapping[str, Json] = {
        split: {
            **(first_and_last(known) if show else percentiles(known)),
            "undated": len(every) - len(known),
        }
        for split, known, every in zip(("train", "validation"), ends, (train, validation), strict=True)
    }
    before = int((ends[1] < ends[0].max()).sum()) if len(ends[0]) else 0
    return {**found, "validation": {**found["validation"], "before_train_end": before}}


def first_and_last(known: Array) -> dict[str, str | None]:
    """The first and the last date; None without one."""
    ends = (known.min(), known.max()) if len(known) else (None, None)
    return {name: end and written(end) for name, end in zip(("first", "last"), ends, strict=True)}


def percentiles(known: Array) -> dict[str, str | None]:
    """The days of the percentiles 5 and 95; None of too few dates."""
    if len(known) < FEWEST:
        return {"p5": None, "p95": None}
    low, high = quantiles(known_dates(known), TAILS).astype("int64").astype("datetime64[us]")
    return {"p5": written(day(low)), "p95": written(day(high))}


def day(date: np.datetime64) -> np.datetime64:
    """The day of a time."""
    found: np.datetime64 = date.astype("datetime64[D]")
    return found


def written(date: np.datetime64) -> str:
    """The date in ISO 8601, with its time unless that is midnight."""
    return str(date).replace("T", " ").removesuffix(".000000").removesuffix(" 00:00:00")


def date_notes(report: Mapping[str, Any]) -> list[str]:
    """What approvers should know of the dates in a data_report.json, one line each."""
    found: Mapping[str, Json] = report["dates"] or {}
    rows = {split: report["splits"][split]["rows"] for split in found}
    notes = [
        f"{found[split]['undated']:,} of {count:,} {split} rows have no value in data.date: they are in no "
        "drift by time"
        for split, count in rows.items()
        if found[split]["undated"]
    ]
    if found and (before := found["validation"]["before_train_end"]):
        which = f" ({last})" if (last := found["train"].get("last")) else ""
        notes.append(
            f"{before:,} of {rows['validation']:,} validation rows are older than the newest training row"
            f"{which}: a random split tells less than a split by time how well the model knows later rows"
        )
    return notes
