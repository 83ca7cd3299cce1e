"""Shows a model's data: the batch that would train now, the newest data report, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from handsoff.operating.data import LastReport, ModelData
from handsoff.showing.console import coloured, escape, moment, print_lines
from handsoff.showing.models import delivery_line
from retraining.facts.starts import SPLITS
from retraining.starts.batches import ROOT, DataObject
from retraining.starts.names import WORDS

MAX_SHOWN: Final = 20
"""Files of a list that are shown; --json has all."""

Lines = list[tuple[str, str]]
"""A name and rich markup for each line."""


def show_data(console: Console, found: ModelData) -> None:
    """Print what would train now, then what the newest execution found in its data."""
    print_lines(console, _batch(found))
    if found.last is None:
        console.print("no execution has read data yet")
        return
    console.print()
    print_lines(console, [*_report(found.last), *_changes(found.last.changes)])
    console.print(_columns(found.last.report))
    for item in found.last.report["files"][:MAX_SHOWN]:
        console.print(f"  {_file(item)}", soft_wrap=True)
    if (more := len(found.last.report["files"]) - MAX_SHOWN) > 0:
        console.print(f"  and {more:,} more files; --json has all")


def _batch(found: ModelData) -> Lines:
    """The batch that would train now, and why it may be another one than what lies in S3."""
    batch = found.batch
    lines: Lines = [("model", found.model), ("trains now on", f"batch {found.identity or 'of many files'}")]
    if not batch.objects:
        lines[-1] = ("trains now on", f"nothing: no data below {ROOT}{found.model}/")
    elif found.refused:
        lines[-1] = ("does not train", f"[yellow]{escape(found.refused)}[/]")
    if batch.marker:
        lines.append(("as of", f"{moment(batch.marker.landed_at)}, when the marker landed"))
    elif found.marker:
        lines.append(("as of", f"now, as {ROOT}{found.model}/{found.marker} has never landed"))
    lines += [("delivery" if not n else "", delivery_line(item)) for n, item in enumerate(found.deliveries)]
    if batch.whole:
        lines += _objects("data", batch.objects)
    for split in () if batch.whole else SPLITS:
        lines += _objects(split, [one for one in batch.objects if one.split == split])
    left_out = [f"{escape(item.key)}: {WORDS.get(item.reason, item.reason)}" for item in batch.ignored]
    return [*lines, *_named("left out", left_out, batch.ignored_count)]


def _objects(name: str, objects: Sequence[DataObject]) -> Lines:
    """How many files these are, and the first of them."""
    lines = [(name, f"{_files(len(objects))}, {sum(one.size for one in objects):,} bytes")]
    lines += [("", _object(one)) for one in objects[:MAX_SHOWN]]
    if (more := len(objects) - MAX_SHOWN) > 0:
        lines.append(("", f"and {more:,} more; --json has all"))
    return lines


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _object(item: DataObject) -> str:
    return f"{escape(item.key)}, {item.size:,} bytes, landed {moment(item.landed_at)}"


def _report(last: LastReport) -> Lines:
    """The newest report: rows, what was left out, and what reading changed."""
    report = last.report
    lines: Lines = [
        ("last report", f"{escape(last.execution.arn)} {coloured(last.execution.status)}"),
        ("batch", escape(str(report.get("batch")))),
    ]
    for name, split in report["splits"].items():
        counts = {"repeat an earlier one": "repeatedRows", "left out by changes": "leftOutRows"}
        note = "".join(f", {count:,} {what}" for what, key in counts.items() if (count := split.get(key)))
        lines.append((name, f"{split['rows']:,} rows{note}"))
    if found := report.get("split"):
        lines.append(("divided by", escape(_divided(found))))
    if also := report.get("validationRowsAlsoInTrain"):
        lines.append(("", f"{also:,} validation rows are also in train and left out"))
    if related := report.get("validationRowsOfTrainGroups"):
        lines.append(("", f"{related:,} validation rows are of groups in train and left out"))
    if names := report.get("partitionColumns"):
        lines.append(("from paths", escape(", ".join(names))))
    if names := report.get("ignoredColumns"):
        lines.append(("columns that are no features", escape(", ".join(names))))
    left_out = [
        f"{escape(item['key'])}: {WORDS.get(item['reason'], escape(item['reason']))}"
        for item in report.get("ignored", [])
    ]
    return [*lines, *_named("left out", left_out, report.get("ignoredCount", 0))]


def _divided(found: Mapping[str, Any]) -> str:
    """How the rows were divided into the splits (`data.split`)."""
    by = " ".join([found["by"], *found["columns"]])
    since = f", validation from {found['from']} on" if "from" in found else ""
    asked = f" ({found['validation']:.1%} asked for)" if found["validation"] else ""
    proposed = f"; from: {found['proposedFrom']} would bring it back" if found.get("proposedFrom") else ""
    return f"{by}{since}: {found['share']:.1%} of the rows are validation{asked}{proposed}"


def _named(name: str, texts: list[str], count: int) -> Lines:
    """The first texts, below one another, and how many of `count` there are beyond."""
    lines = [(name if not n else "", text) for n, text in enumerate(texts[:MAX_SHOWN])]
    if (more := count - len(lines)) > 0 and lines:
        lines.append(("", f"and {more:,} more"))
    return lines


def _file(item: Mapping[str, Any]) -> str:
    """A line about a file that was read: its rows, and how it was found to be written."""
    found = [item.get(name) for name in ("format", "compression", "encoding", "quotes")]
    written = " ".join(str(part) for part in found if part)
    delimiter = f", separated by {item['delimiter']!r}" if item.get("delimiter") not in (None, ",") else ""
    blank = f", blank lines: {item['blankLines']:,}" if item.get("blankLines") else ""
    empty = " [yellow](empty)[/]" if not item["rows"] else ""
    return escape(f"{item['key']}: {item['rows']:,} rows, {written}{delimiter}{blank}") + empty


def _columns(report: Mapping[str, Any]) -> Table:
    """A row for each feature: its missing share, its range or number of categories, what reading changed."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("feature", "split", "missing", "range or categories", "changed in reading"):
        table.add_column(name, overflow="fold")
    splits = report["splits"]
    unknown = report.get("unknownCategories", {})
    for feature in splits["train"]["missingShare"]:
        for name, split in splits.items():
            told = _domain(split, feature)
            if name == "validation" and feature in unknown:
                told += f", {unknown[feature]['categories']} unknown in {unknown[feature]['share']:.1%}"
            share = f"{split['missingShare'][feature]:.1%}"
            table.add_row(escape(feature), name, share, told, _read_anew(split, feature))
    return table


def _domain(split: Mapping[str, Any], feature: str) -> str:
    """The range of a number, or how many categories there are; empty for booleans and in older reports.

    A range ends at the percentiles 5 and 95, or at the least and the greatest value where values are shown.
    """
    for kind, form in (("ranges", "g"), ("dates", "")):
        if (ends := split.get(kind, {}).get(feature)) is not None:
            shown = "min" in ends
            low, high = (ends["min"], ends["max"]) if shown else (ends["p5"], ends["p95"])
            none = "no value" if shown or split["missingShare"][feature] == 1 else "fewer than 20 values"
            most = "" if shown else " (5 to 95 %)"
            return none if low is None else f"{low:{form}} to {high:{form}}{most}"
    count = split.get("categories", {}).get(feature)
    return "" if count is None else f"{count:,} categories"


def _read_anew(split: Mapping[str, Any], feature: str) -> str:
    words = split.get("missingWords", {}).get(feature, 0)
    anew = split.get("canonicalised", {}).get(feature, 0)
    said = [f"{words:,} words for missing"] * bool(words) + [f"{anew:,} spelled anew"] * bool(anew)
    return ", ".join(said)


def _changes(changes: Mapping[str, Any] | None) -> Lines:
    """What differs from the champion's data, a line each; the champion's number first."""
    if changes is None:
        return [("since the champion", "not known: there was none, or it could not be loaded")]
    return [("since the champion" if not n else "", text) for n, text in enumerate(changes_lines(changes))]


def changes_lines(changes: Mapping[str, Any]) -> list[str]:
    """What differs between two batches, a line each as rich markup; the older number first."""
    said = [f"rows of {split}: {_pair(pair)}" for split, pair in changes["rows"].items()]
    said.append(f"files: {_pair(changes['files'])}")
    columns = changes["columns"] or {}
    said += [f"columns {how}: {', '.join(names)}" for how, names in columns.items() if names]
    for split, shares in changes["missingShare"].items():
        said += [f"{name} missing in {split}: {_pair(pair, '.1%')}" for name, pair in shares.items()]
    said += [
        f"{name} in train: {_ends(old)} → {_ends(new)}" for name, (old, new) in changes["ranges"].items()
    ]
    said += [f"{name} in train: {_categories(item)}" for name, item in changes["categories"].items()]
    return [escape(text) for text in said]


def _pair(pair: Iterable[float | None], form: str = ",") -> str:
    return " → ".join("not known" if value is None else format(value, form) for value in pair)


def _ends(ends: Iterable[float] | None) -> str:
    return "no value" if ends is None else " to ".join(f"{end:g}" for end in ends)


def _categories(item: Mapping[str, Any]) -> str:
    if item["new"] is None:
        return "other categories; too many to count"
    return f"{item['new']:,} new categories in {item['rows']:,} rows, {item['gone']:,} gone"
