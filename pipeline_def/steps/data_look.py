"""What the columns of both splits hold: each is looked at once, for the profile and the data report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from data_counts import date_ends, ends, unknown_categories
from data_profile import described, looked_at, target_looked_at, whole
from job import SPLITS, Array, Json, StepConfig
from order_statistics import Places
from written import Categories, Column, known, opened


@dataclass
class Look:
    """What the columns of one split hold.

    `profile` is as in data_profile.json. `ranges`, `dates` and `categories` are those of the split in
    data_report.json. `target` are the values of the target.
    """

    profile: Json
    target: Places | Categories
    ranges: Json = field(default_factory=dict)
    dates: Json = field(default_factory=dict)
    categories: dict[str, int] = field(default_factory=dict)


def look(paths: Mapping[str, Path], config: StepConfig) -> tuple[dict[str, Look], Json]:
    """What each split's Parquet file holds, and by feature the `unknown_categories` of validation."""
    unknown: Json = {}
    with ExitStack() as stack:
        files = {split: stack.enter_context(opened(path)) for split, path in paths.items()}
        rows = {split: file.metadata.num_rows for split, file in files.items()}
        looks = {split: _begun(file, config) for split, file in files.items()}
        for kind, names in config.features.by_kind.items():
            for name in names:
                found = {split: looked_at(file, name, kind) for split, file in files.items()}
                for split, column in found.items():
                    _note(looks[split], name, kind, column, rows[split], show=config.show_values)
                train, validation = (found[split] for split in SPLITS)
                if kind == "categorical" and (new := _unknown(train, validation, rows["validation"])):
                    unknown[name] = new
    return looks, unknown


def _unknown(train: Places | Categories, validation: Places | Categories, rows: int) -> Json | None:
    if isinstance(train, Categories) and isinstance(validation, Categories):
        return unknown_categories(train, validation, rows)
    return None


def _begun(file: pq.ParquetFile, config: StepConfig) -> Look:
    """The look at a split when only its target is known."""
    target, rows = target_looked_at(file, config), file.metadata.num_rows
    return Look(whole({}, described(target, rows), rows), target)


def _note(seen: Look, name: str, kind: str, column: Places | Categories, rows: int, *, show: bool) -> None:
    """Add what a feature's column holds."""
    if kind != "date":
        seen.profile["columns"][name] = described(column, rows)
    if isinstance(column, Categories):
        if kind == "categorical":
            seen.categories[name] = len(column.texts)
    elif kind == "date":
        seen.dates[name] = date_ends(column, show=show)
    else:
        seen.ranges[name] = ends(column, show=show)


@dataclass(frozen=True)
class Target:
    """The target of a split's rows. Of classes `counts` has the rows of each (k), in the order of the config.

    Of numbers there are `low`, `high`, `mean` and the standard deviation `deviation`, divided by n.
    """

    rows: int
    counts: Array | None = None
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0

    def by_class(self, names: Sequence[str]) -> dict[str, int]:
        """The rows of each class."""
        return dict(zip(names, [] if self.counts is None else self.counts.tolist(), strict=True))


def read_target(path: Path, config: StepConfig) -> Target:
    """The target of a split's Parquet file."""
    with opened(path) as file:
        column, rows = Column(file, config.target), file.metadata.num_rows
        if config.classes:
            length = len(config.classes)
            counts = [np.bincount(chunk.to_numpy(), minlength=length) for chunk in column.chunks]
            return Target(rows, np.sum(counts, axis=0))
        blocks = known(column)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = sum(block.sum() for block in blocks()) / rows
            variance = sum(((block - mean) ** 2).sum() for block in blocks()) / rows
            low, high = min(block.min() for block in blocks()), max(block.max() for block in blocks())
            return Target(rows, None, float(low), float(high), float(mean), float(np.sqrt(variance)))
