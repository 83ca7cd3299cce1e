"""What DataPreProcessing says about the data: data_report.json, the lines of the log, and a target to refuse.

The report is kept beside the model and becomes the `data` of the evidence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from batch import DataObject, split_of
from data_counts import all_zero, empty_columns, ends, weights
from data_look import Look, Target
from division import described, split_notes
from job import GROUP, IDENTITY, ROW, SPLITS, DataProblem, Json, StepConfig, listed
from names import MAX_NAME, MAX_NAMED, left_out
from order_statistics import Places
from row_ids import Ids, equal
from seen_rows import Seen
from tables import SplitWriter

CHECKSUMS: Final = re.compile(r"(?:.*/)?\.[^/]+\.crc", re.DOTALL)
"""Keys of checksums that Hadoop writes beside each file. No approver needs to know of them."""

MAX_Z: Final = 4
"""Standard errors above which the log warns of lookalikes; above as many, verdicts/leaks.py holds."""

MANY_ALIKE: Final = 0.9
"""The share of training rows that look like another one, from which the test of lookalikes says little."""

SOME_ALIKE: Final = 0.1
"""The share of training rows that look like another one, from which a random split needs an identity."""

SCHEMA_VERSION: Final = 2
"""The version of data_report.json. A change that breaks a reader raises it."""


@dataclass(frozen=True)
class FileRead:
    """One file of the batch after it was read. `sha256` is that of its bytes, in hexadecimal.

    `format` is csv or parquet, `compression` is None or gzip. What follows is None for Parquet: `encoding` by
    Python's name, `delimiter` as one character, `quotes` as in the config (`data`). `partition` are the
    columns that the file's path gives, with their values. `two_backslashes` is that of csv_files.CsvFile.
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
    two_backslashes: bool = False

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
            "format": self.format,
            "compression": self.compression,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "quotes": self.quotes,
        }


@dataclass(frozen=True)
class Rows:
    """What is known about the rows of both splits: their targets, columns and identities, each by split.

    `unknown` are the categories that only validation has, by feature. `known` are the validation rows that
    were seen in training.
    """

    targets: Mapping[str, Target]
    looks: Mapping[str, Look]
    unknown: Json
    ids: Mapping[str, Ids]
    known: Seen


def data_report(
    config: StepConfig,
    batch: str,
    files: Iterable[FileRead],
    writers: Mapping[str, SplitWriter],
    rows: Rows,
    ignored: Sequence[Mapping[str, str]] = (),
    ignored_count: int = 0,
) -> Json:
    """data_report.json, but for `execution`, which the script adds.

    `writers` are by split. `ignored` are the objects that
    are no data, by `key` and `reason`; `ignored_count` counts them, also those of which the list is full.
    """
    files = list(files)
    read: Counter[str | None] = Counter()
    for file in files:
        read[split_of(file.item.key, config.name)] += file.rows
    columns = {tuple(sorted(file.columns)) for file in files if file.columns}
    found = rows.known
    return {
        "schema_version": SCHEMA_VERSION,
        "model": config.name,
        "batch": batch,
        "target": config.target,
        "files": [file.report() for file in files],
        "columns": [list(names) for names in sorted(columns)],
        "ignored_columns": sorted({name for names in columns for name in names} - {*config.columns}),
        "partition_columns": sorted({name for file in files for name in file.partition}),
        "ignored": [dict(item) for item in ignored],
        "ignored_count": ignored_count,
        "splits": {
            name: _split_report(writer, rows, name, config, read[name]) for name, writer in writers.items()
        },
        "unknown_categories": rows.unknown,
        "validation_rows_also_in_train": int(found.same.sum()),
        "validation_rows_of_train_groups": int(found.same_group.sum()),
        "lookalikes": found.lookalikes,
    }


def check_quotes(files: Sequence[FileRead]) -> None:
    """Raises DataProblem if two backslashes are one sign in a file and may be two in another one."""
    escaped = next((file.item.key for file in files if file.quotes == "backslash"), None)
    unclear = next((file.item.key for file in files if file.two_backslashes), None)
    if escaped and unclear:
        raise DataProblem(
            f"{unclear}: a quoted value has two backslashes, which are one if quotes are written as in "
            f"{escaped}; set data.quotes in handsoff.yaml to backslash, as Spark writes them, or to doubled"
        )


def check_targets(targets: Mapping[str, Target], config: StepConfig) -> None:
    """Raises DataProblem unless the targets can be learned from and measured.

    Regression needs two values in train. Classification needs each class in train and two in validation.
    """
    train = targets["train"]
    if train.counts is None:
        if train.low == train.high:
            raise DataProblem(
                f"train: all {train.rows} rows have the same {config.target}; different values are needed"
            )
        return
    needed = "both classes are needed" if len(config.classes) == 2 else "at least two classes are needed"
    for split, target in targets.items():
        there = [name for name, count in target.by_class(config.classes).items() if count]
        if len(there) == 1:
            raise DataProblem(f"{split}: all {target.rows} rows have {config.target} = {there[0]}; {needed}")
    if absent := [name for name, count in train.by_class(config.classes).items() if not count]:
        raise DataProblem(f"train: no row has {config.target} = {listed(absent)}; every class is needed")


def check_weights(writer: SplitWriter, config: StepConfig) -> None:
    """Raises DataProblem if all training rows have the weight 0: nothing can be learned from them."""
    if config.data.weight is not None and all_zero(writer.path):
        raise DataProblem(
            f"train: all {writer.rows} rows have the weight 0 in column {listed([config.data.weight])}; "
            "at least one row needs more"
        )


def _split_report(writer: SplitWriter, rows: Rows, split: str, config: StepConfig, read: int) -> Json:
    """A split's entry in data_report.json. Shares are of the split's rows, from 0 to 1.

    `read` are the rows of its files. Of files of changes,
    `left_out_rows` counts those that are not in the split: a deletion, and a row that a later change deletes
    or replaces.
    """
    show, look, target = config.show_values, rows.looks[split], rows.targets[split]
    report: Json = {
        "rows": writer.rows,
        "missing_share": {name: count / writer.rows for name, count in writer.missing.items()},
        "missing_words": _positive(writer.cells.missing_words),
        "canonicalised": _positive(writer.cells.canonicalised),
        "empty_columns": empty_columns(writer.missing, writer.rows),
        "repeated_rows": writer.rows - rows.known.rows.of(split),
        **_about_rows(rows, split, config),
        "ranges": look.ranges,
        **({"dates": look.dates} if config.features.date else {}),
        "categories": look.categories,
    }
    if config.data.weight is not None:
        report["weights"] = weights(writer.path, show=show)
    if config.data.cdc and not config.data.whole:
        report["left_out_rows"] = read - writer.rows
    if isinstance(look.target, Places):
        return report | {"target": _moments(target, look.target, show=show)}
    shares = {name: count / writer.rows for name, count in target.by_class(config.classes).items()}
    return report | {"class_share": shares}


def _about_rows(rows: Rows, split: str, config: StepConfig) -> Json:
    """How many rows have no identity or no group, and how many groups there are, where the config has them.

    Such a row has the hash of the whole row in place of its identity, and that of the same row in place of
    its group.
    """
    found, ids = {}, rows.ids[split]
    if config.data.identity:
        found["without_identity"] = equal(ids, IDENTITY, ROW)
    if rows.known.groups:
        found["without_group"] = equal(ids, GROUP, config.row_column)
        found["groups"] = rows.known.groups.of(split)
    return found


def _positive(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _moments(target: Target, found: Places, *, show: bool) -> dict[str, float | None]:
    """Mean, standard deviation (divided by n), and the `ends`; None where a float cannot hold one."""
    both = {"mean": target.mean, "standard_deviation": target.deviation}
    moments = {name: value if np.isfinite(value) else None for name, value in both.items()}
    return moments | ends(found, show=show)


def summary(report: Mapping[str, Any]) -> str:
    """The report as lines for the log, warnings last."""
    lines = [f"batch {report['batch']}"]
    for name, split in report["splits"].items():
        gaps = ", ".join(f"{column} {share:.1%}" for column, share in split["missing_share"].items() if share)
        target = _target_summary(report["target"], split)
        lines.append(f"{name}: {split['rows']} rows, {target}; missing: {gaps or 'nothing'}")
    if found := report.get("split"):
        lines.append(f"divided by {described(found)}")
    lines.append(f"ignored columns: {', '.join(report['ignored_columns']) or 'none'}")
    lines += [f"{name}: {text}" for name, text in _read_as(report)]
    return "\n".join([*lines, *(f"warning: {text}" for text in _warnings(report))])


def _read_as(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """By split, what reading made of its cells, and how many rows are left out or repeat."""
    lines = []
    for name, split in report["splits"].items():
        counts = {
            "words read as missing": split["missing_words"],
            "categories spelled anew": split["canonicalised"],
        }
        lines += [(name, f"{what}: {_counted(found)}") for what, found in counts.items() if found]
        if left_out := split.get("left_out_rows"):
            lines.append((name, f"deletions, and rows that later changes delete or replace: {left_out}"))
        if split["repeated_rows"]:
            lines.append((name, f"rows that repeat an earlier one: {split['repeated_rows']}"))
        if "groups" in split:
            lines.append((name, f"groups: {split['groups']}"))
    return lines


def _counted(counts: Mapping[str, int]) -> str:
    return listed([f"{column} {count}" for column, count in counts.items()])


def data_notes(report: Mapping[str, Any]) -> list[str]:
    """What approvers should know of the data, one line for each kind of thing; empty in most cases.

    They name keys and columns, never a cell.
    """
    found = []
    ignored = [(item["key"], item["reason"]) for item in report["ignored"]]
    if named := [one for one in ignored if not CHECKSUMS.fullmatch(one[0])]:
        found.append(left_out(named, report["ignored_count"] - len(ignored) + len(named)))
    if empty := [file["key"] for file in report["files"] if not file["rows"]]:
        more = f" and {len(empty) - MAX_NAMED:,} more" if len(empty) > MAX_NAMED else ""
        names = ", ".join(key[:MAX_NAME] for key in empty[:MAX_NAMED])
        found.append(f"{len(empty):,} file{'' if len(empty) == 1 else 's'} without rows: {names}{more}")
    if "split" in report:
        found += split_notes(report["split"])
    found += _notes_about_rows(report)
    train, validation = (report["splits"][split]["empty_columns"] for split in SPLITS)
    for split, other, ours, theirs in (
        ("train", "validation", train, validation),
        ("validation", "train", validation, train),
    ):
        if alone := [name for name in ours if name not in theirs]:
            found.append(f"without any value in {split}, but not in {other}: {listed(alone)}")
    return found


def _notes_about_rows(report: Mapping[str, Any]) -> list[str]:
    """Which rows have no identity or group, and that most validation rows leave as rows of train."""
    found = []
    for name, key, instead in (
        ("identity", "without_identity", "known by all their columns"),
        ("group", "without_group", "groups of their own"),
    ):
        found += [
            f"{split[key]:,} of {split['rows']:,} {part} rows have no value in a column of data.{name}: they "
            f"are {instead}"
            for part, split in report["splits"].items()
            if split.get(key)
        ]
    validation, overlap = report["splits"]["validation"], report["validation_rows_also_in_train"]
    if 2 * overlap > validation["rows"] and "without_identity" not in validation:
        found.append(
            f"{overlap:,} of {validation['rows']:,} validation rows are equal to a training row in all "
            "columns and are left out; if they are other rows, land a column that tells rows apart, and name "
            "it in data.identity"
        )
    alike = report.get("lookalikes")
    if alike and alike["train_share"] >= SOME_ALIKE and _by_features(report):
        found.append(
            f"{alike['train_share']:.1%} of the training rows have the features and the target of another "
            "one: data.split keeps such rows on one side, so that validation is not what new rows will be; "
            "name a key in data.identity"
        )
    elif alike and alike["train_share"] >= MANY_ALIKE:
        found.append(
            f"{alike['train_share']:.1%} of the training rows look like another one: copies of training rows "
            "in validation are hardly seen; if the files have a key, name it in data.identity"
        )
    return found


def _by_features(report: Mapping[str, Any]) -> bool:
    """Whether the rows are divided by their features and their target."""
    by: str | None = report.get("split", {}).get("by")
    return by == "random" and "without_identity" not in report["splits"]["train"]


def _warnings(report: Mapping[str, Any]) -> list[str]:
    """What the data allows, and a person should know."""
    found = data_notes(report)
    found += [
        f"{file['key']} has blank lines, which are not counted as rows: {file['blank_lines']}"
        for file in report["files"]
        if file["blank_lines"]
    ]
    shares = report["splits"]["validation"].get("class_share", {})
    if absent := [name for name, share in shares.items() if not share]:
        found.append(f"no validation row has {report['target']} = {listed(absent)}")
    if unknown := report["unknown_categories"]:
        named = [f"{name} {item['share']:.1%}" for name, item in unknown.items()]
        found.append(f"validation rows with a category that train has not: {listed(named)}")
    if overlap := report["validation_rows_also_in_train"]:
        found.append(f"{overlap} validation rows are also in train; the evaluation leaves them out")
    if related := report["validation_rows_of_train_groups"]:
        found.append(f"{related} validation rows are of groups in train; the evaluation leaves them out")
    if (alike := report["lookalikes"]) and alike["z"] > MAX_Z:
        found.append(
            f"{alike['share']:.1%} of the validation rows look like a training row, and "
            f"{alike['train_share']:.1%} of the training rows look like another one"
        )
    return found


def _target_summary(target: str, split: Mapping[str, Any]) -> str:
    """The target's distribution in a split, in a few words."""
    if "target" in split:
        moments = {name.replace("_", " "): value for name, value in split["target"].items()}
        return f"{target}: " + ", ".join(
            f"{name} {'too large' if value is None else format(value, 'g')}"
            for name, value in moments.items()
            if value is not None or name not in ("p5", "p95")
        )
    shares = split["class_share"]
    if len(shares) == 2:
        positive = list(shares)[1]
        return f"{target} = {positive} in {shares[positive]:.1%}"
    return f"{target}: " + listed([f"{name} {share:.1%}" for name, share in shares.items()])
