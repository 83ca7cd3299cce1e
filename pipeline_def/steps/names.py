"""Pure: what an object below `curated/<model>/` is by its name: data of a split, or something else.

`rest` is the object's key after `curated/<model>/`. `whole` says that the model's files hold the rows of both
splits (`data.split`): then every folder is one of data. What a file holds is no matter of its name: the
inspection and the preprocessing step find its format. Both sides of the wall have this file, word for word:
functions/retraining/starts/names.py and pipeline_def/steps/names.py; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

SUFFIXES: Final = (
    "csv tsv tab psv txt dat parquet parq pq gz gzip zip 7z bz2 xz zst zstd lz4 snappy deflate lzo tar tgz "
    "xls xlsx xlsm xlsb ods json jsonl ndjson avro orc arrow feather ipc"
)
"""Suffixes of a split's single file at the root, in any case, separated by spaces: of formats that are read,
and of formats that hold data and are refused by what they hold. Another suffix (train.csv.md5) is no data."""

DATA: Final = re.compile(
    rf"(?P<split>train|validation)(?:/.+|(?:\.[^/]+)?\.(?i:{'|'.join(SUFFIXES.split())}))?", re.DOTALL
)
"""Names of data: everything below a split's folder, and a split's single file at the root."""

WHOLE: Final = re.compile(rf".+/.+|(?!.*/)(?:[^.]+|.*\.(?i:{'|'.join(SUFFIXES.split())}))", re.DOTALL)
"""Names of data that is not yet divided into splits: everything in a folder, and files at the root with the
ending of a data format or without one."""

NOT_DATA: Final[Mapping[str, re.Pattern[str]]] = {
    "placeholder": re.compile(r"(?:.*/)?|.*_\$folder\$", re.DOTALL),
    "hidden": re.compile(r"(?:.*/)?[_.].*", re.DOTALL),
    "unfinished": re.compile(
        r".*\._COPYING_|"
        r"(?:train|validation)/.*\.(?i:inprogress(?:\.[^/]*)?|tmp|temp|partial|filepart|crdownload)",
        re.DOTALL,
    ),
    "copy": re.compile(
        r"(?:train|validation)/(?:.*/)?(?:[^/]*(?:~|\.(?i:bak|swp))|~\$[^/]*|#[^/]*#)", re.DOTALL
    ),
}
"""Names that are never data, by the reason. Placeholders stand for folders; consoles and Hadoop write them.
A path part that begins with `_` or `.` is hidden: Spark, Hive and Databricks keep their own files there.
Hadoop copies into names that end with `._COPYING_`, Flink writes into `.inprogress`, and downloads and
uploads end with the others until they are complete. Editors and people keep copies beside a file: its rows
would count twice."""

ELSEWHERE: Final = "elsewhere"
"""The reason of a name that is neither below a split's folder nor a split's single file."""

ENDING: Final = "ending"
"""The reason of a file at the root whose ending is none of a data format, where all files are one set."""

QUARANTINED: Final = "quarantined"
"""The reason of a file that would be data and lies in quarantine."""

WORDS: Final[Mapping[str, str]] = {
    QUARANTINED: "in quarantine",
    "placeholder": "stands for a folder",
    "hidden": "a part of its name begins with _ or .",
    "unfinished": "its name is that of a file that is still written",
    "copy": "its name is that of a copy that an editor keeps",
    ENDING: "its ending is none of a data format",
    ELSEWHERE: "neither below train/ or validation/ nor a file train.csv or validation.csv",
}
"""What each reason says to people."""

MAX_IGNORED: Final = 100
"""Objects that are left out of a batch and are kept by name, also in its manifest."""

MAX_NAMED: Final = 5
"""Objects left out that a text names."""

MAX_NAME: Final = 200
"""Characters of such a name."""

TABLES: Final[Mapping[str, re.Pattern[str]]] = {
    "Delta": re.compile(r"(?P<folder>(?:.*?/)?)_delta_log/.+", re.DOTALL),
    "Hudi": re.compile(r"(?P<folder>(?:.*?/)?)\.hoodie/.+", re.DOTALL),
    "Iceberg": re.compile(r"(?P<folder>(?:.*/)?)metadata/[^/]+\.metadata\.json(?:\.gz)?", re.DOTALL),
}
"""Names of objects by which a folder is a table of this format. Iceberg's lies beside a folder `data/`."""

_DATA_FOLDER: Final = re.compile(r"(?<![^/])data/")

TABLE: Final = (
    "{tables}: {its} files hold the rows of all {its} snapshots. Land the files of one snapshot as plain "
    "Parquet or CSV, for example by an UNLOAD or an export, delete the {noun} there, and land a new marker "
    "if the model uses one"
)
"""Why tables are not read, and what to do."""

MISPLACED: Final = (
    "{named}: data.split divides the rows itself, so no file may say by its name that it is of one split; "
    "delete it there and land its rows under another name, or remove data.split"
)
"""Why files of a split are not read where all rows are divided, and what to do."""


def ignored_as(rest: str, *, whole: bool = False) -> str | None:
    """The reason why an object with this name is no data: a key of WORDS. None for data."""
    names = (rest, f"train/{rest}") if whole else (rest,)  # what is said of a split's folder holds for all
    for reason, pattern in NOT_DATA.items():
        if any(map(pattern.fullmatch, names)):
            return reason
    if whole:
        return None if WHOLE.fullmatch(rest) else ENDING
    return None if DATA.fullmatch(rest) else ELSEWHERE


def ignored_among(rests: Iterable[str], *, whole: bool = False) -> list[tuple[str, str]]:
    """The names that are no data, each with its reason: first those that may have been meant as data."""
    found = [(rest, reason) for rest in rests if (reason := ignored_as(rest, whole=whole))]
    return sorted(found, key=lambda one: (one[1] != ELSEWHERE, one[0]))


def left_out(ignored: Sequence[tuple[str, str]], count: int) -> str:
    """How many objects are left out, and the first of them by name and reason; "" if `count` is 0."""
    if not count:
        return ""
    named = [f"{rest[:MAX_NAME]} ({WORDS.get(reason, reason)})" for rest, reason in ignored[:MAX_NAMED]]
    more = f" and {count - len(named):,} more" if count > len(named) else ""
    return f"{count:,} object{'' if count == 1 else 's'} left out: {', '.join(named)}{more}"


def split_of(rest: str) -> str | None:
    """`train` or `validation` for a data object, None for a marker or anything else."""
    found = None if ignored_as(rest) else DATA.fullmatch(rest)
    return found["split"] if found else None


def is_data(rest: str, *, whole: bool = False) -> bool:
    """Whether an object with this name is data."""
    return ignored_as(rest, whole=whole) is None


def misplaced(rests: Iterable[str], prefix: str) -> str | None:
    """Why data that is divided by `data.split` is not read: files of it say that they are of one split.

    `rests` are the names of data objects, `prefix` is what their keys begin with. None if there is no such
    file.
    """
    found = sorted(f"{prefix}{rest}" for rest in rests if split_of(rest))
    if not found:
        return None
    named = ", ".join(key[:MAX_NAME] for key in found[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED:,} more" if len(found) > MAX_NAMED else ""
    return MISPLACED.format(named=named + more)


def markers_of(marker: str) -> tuple[str, str, str]:
    """The names of a model's markers: the root's, and those in the folders of train and validation."""
    return marker, f"train/{marker}", f"validation/{marker}"


def table_among(rests: Collection[str], prefix: str, *, anywhere: bool, whole: bool = False) -> str | None:
    """Why data is not read because tables' own files lie there; None if there is no table.

    `rests` are the names of all objects that hold bytes, `prefix` is what their keys begin with. Tables count
    at the root and below a split's folder, and `anywhere` else only if that is true. The first MAX_NAMED
    tables are named.
    """
    found = sorted(set(_tables(rests, anywhere=anywhere, whole=whole)))
    if not found:
        return None
    named = [
        f"{prefix}{folder} is {'an' if kind == 'Iceberg' else 'a'} {kind} table" for folder, kind in found
    ]
    more = f" and {len(named) - MAX_NAMED:,} more tables" if len(named) > MAX_NAMED else ""
    its, noun = ("its", "table") if len(named) == 1 else ("their", "tables")
    return TABLE.format(tables=", ".join(named[:MAX_NAMED]) + more, its=its, noun=noun)


def _tables(rests: Collection[str], *, anywhere: bool, whole: bool) -> Iterator[tuple[str, str]]:
    """The folder and the format of each table that would be read; a table once for each of its own files."""
    beside_data = {folder for rest in rests for folder in _folders_with_data(rest)}
    for rest in rests:
        for kind, pattern in TABLES.items():
            if (found := pattern.fullmatch(rest)) is None:
                continue
            folder = found["folder"]
            where = ignored_as(f"{folder}file", whole=whole)
            is_read = not folder or where is None or (anywhere and where == ELSEWHERE)
            if is_read and (kind != "Iceberg" or folder in beside_data):
                yield folder, kind


def _folders_with_data(rest: str) -> Iterator[str]:
    """The folders ("" or with a slash at the end) that have a folder `data/` in which this object lies."""
    for found in _DATA_FOLDER.finditer(rest):
        yield rest[: found.start()]
