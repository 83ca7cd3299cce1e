"""What DataPreProcessing says about the data: data_report.json, the lines of the log, and a target to refuse.

The report is kept beside the model and becomes the `data` of the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from batch import DataObject
from job import Array, DataProblem, Json, StepConfig, listed
from tables import SplitWriter

SCHEMA_VERSION: Final = 2
"""The version of data_report.json. A change that breaks a reader raises it."""


@dataclass(frozen=True)
class FileRead:
    """One file of the batch after it was read. `sha256` is that of its bytes, in hexadecimal.

    `format` is csv or parquet, `compression` is None or gzip. What follows is None for Parquet: `encoding` by
    Python's name, `delimiter` as one character, `quotes` as in the config (`data`). `partition` are the
    columns that the file's path gives, with their values.
    """

    item: DataObject
    sha256: str
    columns: Sequence[str]
    rows: int
    blank_lines: int
    format: str = "csv"
    compression: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quotes: str | None = None
    partition: Mapping[str, str | None] = field(default_factory=dict)

    def report(self) -> Json:
        """The file's entry in data_report.json."""
        return {
            "key": self.item.key,
            "versionId": self.item.version_id,
            "etag": self.item.etag,
            "bytes": self.item.size,
            "sha256": self.sha256,
            "rows": self.rows,
            "blank_lines": self.blank_lines,
        }


def data_report(
    config: StepConfig,
    batch: str,
    files: Iterable[FileRead],
    writers: Mapping[str, SplitWriter],
    targets: Mapping[str, Array],
    overlap: int,
) -> Json:
    """data_report.json, but for `execution`, which the script adds.

    `writers` and `targets` are by split. `overlap` counts the validation rows that are also in train.
    """
    files = list(files)
    columns = {tuple(sorted(file.columns)) for file in files if file.columns}
    known = {config.target, *config.features.names}
    return {
        "schema_version": SCHEMA_VERSION,
        "model": config.name,
        "batch": batch,
        "target": config.target,
        "files": [file.report() for file in files],
        "columns": [list(names) for names in sorted(columns)],
        "ignored_columns": sorted({name for names in columns for name in names} - known),
        "splits": {name: _split_report(writer, targets[name], config) for name, writer in writers.items()},
        "validation_rows_also_in_train": overlap,
    }


def read_target(path: Path, name: str) -> Array:
    """The target of each row of a split's Parquet file: a float64, or the int16 index of its class."""
    with pq.ParquetFile(path) as file:
        return np.asarray(file.read(columns=[name])[name].to_numpy())


def check_targets(targets: Mapping[str, Array], config: StepConfig) -> None:
    """Raises DataProblem unless the targets can be learned from and measured.

    Regression needs two values in train. Classification needs each class in train and two in validation.
    """
    train = targets["train"]
    if not config.classes:
        if train.min() == train.max():
            raise DataProblem(
                f"train: all {len(train)} rows have {config.target} = {train[0]:g}; "
                "different values are needed"
            )
        return
    needed = "both classes are needed" if len(config.classes) == 2 else "at least two classes are needed"
    for name, target in targets.items():
        if target.min() == target.max():
            only = config.classes[target[0]]
            raise DataProblem(f"{name}: all {len(target)} rows have {config.target} = {only}; {needed}")
    counts = np.bincount(train, minlength=len(config.classes))
    if absent := [name for name, count in zip(config.classes, counts, strict=True) if not count]:
        raise DataProblem(f"train: no row has {config.target} = {listed(absent)}; every class is needed")


def _split_report(writer: SplitWriter, target: Array, config: StepConfig) -> Json:
    """A split's entry in data_report.json. Shares are of the split's rows, from 0 to 1."""
    report: Json = {
        "rows": writer.rows,
        "missing_share": {name: count / writer.rows for name, count in writer.missing.items()},
    }
    if config.classes:
        counts = np.bincount(target, minlength=len(config.classes)).tolist()
        shares = {name: count / writer.rows for name, count in zip(config.classes, counts, strict=True)}
        return report | {"class_share": shares}
    return report | {"target": _moments(target)}


def _moments(target: Array) -> dict[str, float | None]:
    """Mean, standard deviation (divided by n), minimum, maximum; None where a float cannot hold one."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = {
            "mean": target.mean(),
            "standard_deviation": target.std(),
            "min": target.min(),
            "max": target.max(),
        }
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def summary(report: Mapping[str, Any]) -> str:
    """The report as lines for the log, warnings last."""
    lines = [f"batch {report['batch']}"]
    for name, split in report["splits"].items():
        gaps = ", ".join(f"{column} {share:.1%}" for column, share in split["missing_share"].items() if share)
        target = _target_summary(report["target"], split)
        lines.append(f"{name}: {split['rows']} rows, {target}; missing: {gaps or 'nothing'}")
    lines.append(f"ignored columns: {', '.join(report['ignored_columns']) or 'none'}")
    return "\n".join([*lines, *(f"warning: {text}" for text in _warnings(report))])


def _warnings(report: Mapping[str, Any]) -> list[str]:
    """What the data allows, and a person should know."""
    found = [
        f"{file['key']} has blank lines, which are not counted as rows: {file['blank_lines']}"
        for file in report["files"]
        if file["blank_lines"]
    ]
    shares = report["splits"]["validation"].get("class_share", {})
    if absent := [name for name, share in shares.items() if not share]:
        found.append(f"no validation row has {report['target']} = {listed(absent)}")
    if overlap := report["validation_rows_also_in_train"]:
        found.append(f"{overlap} validation rows are also in train; the evaluation leaves them out")
    return found


def _target_summary(target: str, split: Mapping[str, Any]) -> str:
    """The target's distribution in a split, in a few words."""
    if "target" in split:
        moments = {name.replace("_", " "): value for name, value in split["target"].items()}
        return f"{target}: " + ", ".join(
            f"{name} {'too large' if value is None else format(value, 'g')}"
            for name, value in moments.items()
        )
    shares = split["class_share"]
    if len(shares) == 2:
        positive = list(shares)[1]
        return f"{target} = {positive} in {shares[positive]:.1%}"
    return f"{target}: " + listed([f"{name} {share:.1%}" for name, share in shares.items()])
