"""How far the validation rows are from the training rows, and the newest training rows from the earlier ones.

Both are measured as drift.py measures the candidate's training rows against the champion's. The Parquet files
of the splits are read with one column in memory at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from data_profile import profile
from drift import shift
from job import DATE, Array, Json, StepConfig

NEWEST: Final = 0.2
"""The share of the training rows with a date that counts as the newest, at least: rows of one date stay
together."""


def split_drift(train: Path, validation: Path, trained: Json, config: StepConfig) -> Json:
    """The part of data_report.json about drift within the batch.

    `trained` is the profile of the training rows. `time_drift` is None without `data.date`, and if all rows
    have the same date or none; `dates` is None without `data.date`.
    """
    spelling = config.data.spelling
    found: Json = {
        "validation_drift": shift(trained, profile(validation, config), spelling),
        "time_drift": None,
        "dates": None,
    }
    if config.data.date is None:
        return found
    ours, theirs = read_dates(train), read_dates(validation)
    found["dates"] = dates(ours, theirs)
    since = first_of_newest(ours)
    if since is not None:
        known = ~np.isnat(ours)
        earlier, newest = (profile(train, config, known & rows) for rows in (ours < since, ours >= since))
        found["time_drift"] = {**shift(earlier, newest, spelling), "from": written(since)}
    return found


def read_dates(path: Path) -> Array:
    """The date of each row of a split's Parquet file, datetime64[us]; NaT where there is none."""
    with pq.ParquetFile(path) as file:
        values = file.read(columns=[DATE])[DATE]
    return np.asarray(values.to_numpy(), dtype="datetime64[us]")


def first_of_newest(found: Array) -> np.datetime64 | None:
    """The date from which the newest rows are; None if there are no earlier ones."""
    known = np.sort(found[~np.isnat(found)])
    if not len(known) or known[0] == known[-1]:
        return None
    since = known[len(known) - int(np.ceil(NEWEST * len(known)))]
    if since == known[0]:  # so many rows have the first date: all later ones are the newest
        since = known[np.searchsorted(known, since, side="right")]
    return np.datetime64(since)


def dates(train: Array, validation: Array) -> Json:
    """By split the first and the last date and the `undated` rows.

    Of validation also `before_train_end`: its rows that are older than the newest training row.
    """
    ends = [train[~np.isnat(train)], validation[~np.isnat(validation)]]
    found: Mapping[str, Json] = {
        split: {
            "first": written(known.min()) if len(known) else None,
            "last": written(known.max()) if len(known) else None,
            "undated": len(every) - len(known),
        }
        for split, known, every in zip(("train", "validation"), ends, (train, validation), strict=True)
    }
    before = int((ends[1] < ends[0].max()).sum()) if len(ends[0]) else 0
    return {**found, "validation": {**found["validation"], "before_train_end": before}}


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
        notes.append(
            f"{before:,} of {rows['validation']:,} validation rows are older than the newest training row "
            f"({found['train']['last']}): a random split tells less than a split by time how well the model "
            "knows later rows"
        )
    return notes
