"""Divides rows that land together into training and validation rows (`data.split`).

A row never changes its side while its identity and the configuration do not change. Identity and group are
hashes of values, of which a share is validation. A row without them is known by its features and its target,
never by other columns or by the folders and files that hold it, which come and go. A time is compared with a
cut. The first execution finds it from its rows and keeps it in the bucket; later executions read it there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from botocore.exceptions import ClientError

from batch import write_once
from hashes import mixed
from identity import text_ids
from job import (
    DATE,
    GROUP,
    LOOKALIKE,
    ROW,
    SPLITS,
    TEXT_ROW,
    Array,
    DataProblem,
    Json,
    Split,
    StepConfig,
    listed,
)
from order_statistics import select
from tables import SplitWriter
from written import known_dates, read_dates

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEMA_VERSION: Final = 1
"""The version of a kept cut. A change that breaks a reader raises it."""

TOLERANCE: Final = 0.1
"""How far the share of a rounded cut may be from the share that is asked for, as a part of that."""

FAR: Final = 0.5
"""How far the share of validation rows may be from the one that is asked for, before people are told."""

ROUNDINGS: Final[tuple[tuple[Callable[[datetime], datetime], float], ...]] = (
    (lambda at: at.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0), 366),
    (lambda at: at.replace(day=1, hour=0, minute=0, second=0, microsecond=0), 31),
    (lambda at: at.replace(hour=0, minute=0, second=0, microsecond=0), 1),
    (lambda at: at.replace(minute=0, second=0, microsecond=0), 1 / 24),
    (lambda at: at.replace(second=0, microsecond=0), 1 / 1440),
    (lambda at: at.replace(microsecond=0), 1 / 86400),
    (lambda at: at, 1e-6 / 86400),
)
"""To the begin of the year, month, day, hour, minute, second and microsecond, and the days after which the
next one has begun at the latest."""


@dataclass
class Division:
    """Where the rows of a batch go. `cut` is the first moment of validation, for a split by time.

    `found` says that this execution has found the cut. `sides` has for each row that was added, in order,
    whether it is a validation row.
    """

    split: Split
    column: str
    cut: datetime | None = None
    found: bool = False
    sides: list[Array] = field(default_factory=list)

    def validation(self, table: pa.Table) -> Array:
        """Whether each of the rows, as convert.py makes them, is a validation row."""
        values = table[self.column]
        if self.cut is None:
            ids, rows = values.to_numpy(), table[ROW].to_numpy()
            known = np.where(ids == rows, table[LOOKALIKE].to_numpy(), ids)
            return chosen(known, self.split.validation or 0.0)
        later = pc.greater_equal(values, pa.scalar(self.cut, pa.timestamp("us")))
        return np.asarray(later.fill_null(False).to_numpy())

    def add(self, table: pa.Table, block: pa.RecordBatch, writers: Mapping[str, SplitWriter]) -> None:
        """Add each row to the writer of its split. `table` has what the rows of `block` became."""
        validation = self.validation(table)
        self.sides.append(validation)
        for split, wanted in (("train", ~validation), ("validation", validation)):
            if wanted.any():
                mask = pa.array(wanted)
                add_to(writers[split], split, table.filter(mask), block.filter(mask))

    def kept(self, kept: Array) -> dict[str, Array]:
        """By split, which of its rows are kept. `kept` says it for all rows in the order of adding."""
        validation = np.concatenate([*self.sides, np.empty(0, dtype=bool)])
        return {"train": kept[~validation], "validation": kept[validation]}


def add_to(writer: SplitWriter, split: str, table: pa.Table, block: pa.RecordBatch) -> None:
    """Add rows to their split's file. Validation rows get their identity by text, too."""
    if split == "validation":
        table = table.append_column(TEXT_ROW, pa.array(text_ids(block)))
    writer.add(table, block)


def chosen(ids: Array, share: float) -> Array:
    """Whether each of n 64-bit hashes belongs to a share of all, from 0 to 1."""
    spread = mixed(ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    return np.asarray(spread < np.uint64(int(share * 2**64)))


def division_of(
    s3: S3Client, bucket: str, config: StepConfig, read_dates: Callable[[], Array]
) -> Division | None:
    """How the batch's rows are divided; None if its files say to which split their rows belong.

    `read_dates` reads the dates of all rows of the batch, as datetime64 of microseconds, NaT where missing.
    It is asked only where no earlier execution has kept a cut. Raises DataProblem if the dates have no cut.
    """
    split = config.data.split
    if split is None:
        return None
    if split.by == "random":
        return Division(split, config.row_column)
    if split.by == "group":
        return Division(split, GROUP)
    if split.start is not None:
        return Division(split, DATE, datetime.fromisoformat(split.start))
    if (kept := read_cut(s3, bucket, config.name, split)) is not None:
        return Division(split, DATE, kept)
    cut = find_cut(read_dates(), split.validation or 0.0)
    if cut is None:
        raise DataProblem(
            f"data.split: no date in column {listed(split.columns)} divides the rows, as those with a date "
            "all have the same one, or none has one; name another column, or split by random"
        )
    return Division(split, DATE, cut, found=True)


def find_cut(dates: Array, share: float) -> datetime | None:
    """The moment from which on about this share of n rows came about; None if no moment divides them.

    `dates` are datetime64 of microseconds; rows with NaT are not validation rows. It is the begin of a year,
    else of a month, else of a day and so on: of the first one whose share is near enough, and otherwise of
    the one whose share is nearest.
    """
    rows = len(dates) - int(np.isnat(dates).sum())
    wanted = round(share * len(dates))
    if not rows:
        return None
    (first, last), with_first = select(known_dates(dates), np.array([0, rows - 1]))
    if first == last:
        return None
    place = max(rows - max(wanted, 1), int(with_first[0]))
    exact: datetime = select(known_dates(dates), np.array([place]))[0].view("datetime64[us]")[0].item()
    best: tuple[float, datetime] | None = None
    for rounding, days in ROUNDINGS:
        below = rounding(exact)
        for cut in (below, rounding(_later(below, days))):
            later = int((dates >= np.datetime64(cut, "us")).sum())
            if 0 < later < rows:
                far = abs(later / len(dates) - share) / share
                best = min(best or (far, cut), (far, cut), key=lambda one: one[0])
        if best is not None and best[0] <= TOLERANCE:
            break
    return best[1] if best else None


def _later(at: datetime, days: float) -> datetime:
    try:
        return at + timedelta(days=days)
    except OverflowError:
        return at


def cut_key(model: str, split: Split) -> str:
    """The key of the cut that was found for this split. Another column or share has another cut."""
    told = json.dumps([split.by, list(split.columns), split.validation])
    return f"models/{model}/splits/{hashlib.sha256(told.encode()).hexdigest()}.json"


def read_cut(s3: S3Client, bucket: str, model: str, split: Split) -> datetime | None:
    """The cut that an earlier execution has kept; None if there is none. Raises ClientError."""
    try:
        body = s3.get_object(Bucket=bucket, Key=cut_key(model, split))["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    return datetime.fromisoformat(json.loads(body)["from"])


def keep_cut(s3: S3Client, bucket: str, model: str, division: Division, batch: str) -> None:
    """Keep the cut that this execution has found. Raises DataProblem if another one has kept its own."""
    if not division.found or division.cut is None:
        return
    split, cut = division.split, division.cut
    content: Json = {
        "schema_version": SCHEMA_VERSION,
        "by": {split.by: list(split.columns)},
        "validation": split.validation,
        "from": text_of(cut),
        "batch": batch,
    }
    key = cut_key(model, split)
    write_once(s3, bucket, key, json.dumps(content, indent=1).encode())
    if (kept := read_cut(s3, bucket, model, split)) != cut:
        raise DataProblem(
            f"another execution has kept the cut {text_of(kept or cut)} in s3://{bucket}/{key} meanwhile; "
            "start the model again"
        )


def text_of(at: datetime) -> str:
    """A moment as a config says it: a date, or a time if it is not midnight."""
    return at.isoformat(sep=" ").removesuffix(" 00:00:00")


def check_sides(division: Division, rows: Mapping[str, int]) -> None:
    """Raises DataProblem if a split has no row. `rows` counts those of each."""
    if not any(rows.values()):
        raise DataProblem("there are no rows: each file is empty or has a header only")
    empty = next((split for split in SPLITS if not rows[split]), None)
    if empty is None:
        return
    names = listed(division.split.columns)
    if division.cut is not None:
        all_or_no = "no row has" if empty == "validation" else "each row has"
        raise DataProblem(
            f"data.split leaves no row in {empty}: {all_or_no} a {names} from {text_of(division.cut)} on; "
            "set data.split.from to another date"
        )
    what = f"groups in column {names}" if division.split.by == "group" else "rows"
    raise DataProblem(
        f"data.split leaves no row in {empty}: there are too few {what} for a share of "
        f"{division.split.validation:.0%}; land more, or divide them yourself into train/ and validation/"
    )


def division_report(
    division: Division, writers: Mapping[str, SplitWriter], left_out: int | None = None
) -> Json:
    """The member `split` of data_report.json.

    `share` is the part of the rows that is validation. `proposed_from` is a cut that would bring the share
    back to `validation`, if it is far from that. `left_out` are the rows of the files that later changes
    delete or replace, if the files hold changes.
    """
    split, rows = division.split, {name: writer.rows for name, writer in writers.items()}
    share = rows["validation"] / sum(rows.values())
    found: Json = {
        "by": split.by,
        "columns": list(split.columns),
        "validation": split.validation,
        "share": share,
    }
    if left_out is not None:
        found["left_out_rows"] = left_out
    if division.cut is None:
        return found
    dates = np.concatenate([read_dates(writer.path) for writer in writers.values()])
    far = split.validation is not None and is_far(share, split.validation)
    proposed = find_cut(dates, split.validation or 0.0) if far else None
    return found | {
        "from": text_of(division.cut),
        "found_now": division.found,
        "without_date": int(np.isnat(dates).sum()),
        "proposed_from": text_of(proposed) if proposed else None,
    }


def is_far(share: float, wanted: float) -> bool:
    """Whether the share of validation rows is far from the one that is asked for."""
    return abs(share - wanted) > FAR * wanted


def described(found: Json) -> str:
    """The member `split` of data_report.json in a few words, for the log."""
    text = " ".join([found["by"], *found["columns"]])
    if "from" in found:
        text += f": validation from {found['from']} on"
        text += " (found in this batch)" if found["found_now"] else ""
    text += f", {found['share']:.1%} of the rows are validation"
    if left_out := found.get("left_out_rows"):
        text += f"; deletions, and rows that later changes delete or replace: {left_out}"
    return text


def split_notes(found: Json) -> list[str]:
    """What approvers should know of the division: a sentence for each thing."""
    said = []
    names, wanted, share = listed(found["columns"]), found["validation"], found["share"]
    if "from" in found and found["without_date"]:
        rows = f"{found['without_date']:,} row{'' if found['without_date'] == 1 else 's'}"
        said.append(f"{rows} without a {names}: they are training rows")
    if wanted and is_far(share, wanted):
        text = f"{share:.1%} of the rows are validation rows, and data.split asks for {wanted:.1%}"
        if "from" in found:
            text += f": those with a {names} from {found['from']} on"
            if proposed := found["proposed_from"]:
                text += f"; to train on newer rows, write from: {proposed} into data.split"
        elif found["by"] == "group":
            text += ": there are few groups, or some of them are large"
        said.append(text)
    return said
