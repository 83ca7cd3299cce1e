"""Finds the model's columns in a file's header, or in what the configuration says in place of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from retraining.config.schema import ModelConfig
from retraining.starts.inspection.heads import MAX_COLUMNS
from retraining.starts.inspection.lines import DELIMITERS
from retraining.starts.inspection.operations import NAMES, bare, is_mark
from retraining.starts.inspection.problems import Problem, listed, shown
from retraining.text import MAX_NAMED

CONTROL_A: Final = "\x01"
"""What separates values in text files of Hive, and of Athena's UNLOAD, if nothing else is asked for."""


@dataclass(frozen=True)
class Columns:
    """Where a model's columns are in a row of `count` values. Those only in the file's folders are not there.

    The values behind `named` have no name. `changes` is the position of the column that says what was done
    to a row, `unset` those of columns that may say so although `data.cdc` does not name them. `in_folders`
    are the values of such columns in the file's path.
    """

    count: int
    named: int
    places: Mapping[str, int]
    changes: int | None
    unset: Mapping[str, int]
    in_folders: Mapping[str, str]


def columns(header: Sequence[str], config: ModelConfig, folders: Mapping[str, str]) -> Columns | Problem:
    """The columns in this header, or the problem. `folders` are columns that the file's path names.

    What is missing comes first: a line that is no header may hold the same value twice.
    """
    count = len(header)
    if count > MAX_COLUMNS:
        return too_wide(f"it has {count:,} columns")
    named = count
    while named > 1 and not header[named - 1].strip():
        named -= 1
    wanted = config.columns
    there = {*header[:named], *folders}
    if missing := [name for name in wanted if name not in there]:
        return _missing(missing, header, folders, wanted, config)
    places: dict[str, int] = {}
    for place, name in enumerate(header[:named]):
        if (first := places.setdefault(name, place)) != place:
            return _twice(name, first, place, wanted)
    cdc = config.data.cdc
    unset = () if cdc and cdc.operation in there else _operations((*places, *folders), wanted, config)
    return Columns(
        count=count,
        named=named,
        places={name: places[name] for name in wanted if name in places},
        changes=places.get(cdc.operation) if cdc else None,
        unset={name: places[name] for name in unset if name in places},
        in_folders={name: folders[name] for name in unset if name in folders and name not in places},
    )


def too_wide(what: str) -> Problem:
    """The problem of a file with more columns than are read."""
    return Problem("too_wide", f"the file is too wide: {what}, at most {MAX_COLUMNS:,} columns are read")


def _operations(names: Iterable[str], wanted: Sequence[str], config: ModelConfig) -> Sequence[str]:
    """The columns that are named as a tool or `data.cdc` names those of changes, unless they are the
    model's own."""
    cdc = config.data.cdc
    alike = NAMES | {bare(cdc.operation)} if cdc else NAMES
    return [name for name in names if name not in wanted and (bare(name) in alike or is_mark(name))]


def _twice(name: str, first: int, second: int, wanted: Sequence[str]) -> Problem:
    """Two columns with one name. It is shown if it is one of the model's."""
    where = f"columns {first + 1} and {second + 1} of the header"
    if name in wanted:
        said = f"the column {listed([name])} is in the header twice: {where}"
        return Problem("duplicate_column", said, column=name)
    what = "have the same name" if name.strip() else "have no name"
    return Problem("duplicate_column", f"{where} {what}", found=shown(name))


def _missing(
    missing: Sequence[str],
    header: Sequence[str],
    folders: Iterable[str],
    wanted: Sequence[str],
    config: ModelConfig,
) -> Problem:
    found = shown(config.data.delimiter.join(header[:100]))
    near = {_plain(name): name for name in (*folders, *header)}
    alike = {name: near[_plain(name)] for name in missing if _plain(name) in near}
    if not alike and (problem := control_a(header)):
        return problem
    if not alike and (delimiter := _other_delimiter(header, missing)):
        said = f"the values are separated by {DELIMITERS[delimiter]}, expected {_expected(config)}"
        way_out = f'set data.delimiter: "{delimiter}" in handsoff.yaml'.replace("\t", "\\t")
        return Problem("delimiter", f"{said}: {way_out}", found=found)
    if not alike and len(missing) == len(wanted):
        said = f"no header: the first line names none of the columns {listed(wanted)}"
        way_out = "write a header, or name the columns in data.header"
        return Problem("no_header", f"{said}; {way_out}", found=found)
    text = f"no column {listed(missing)} in the header, which has {_counted(len(header))}"
    if alike:
        others = ", ".join(repr(name) for name in list(alike.values())[:MAX_NAMED])
        where = "the header has" if set(alike.values()) & set(header) else "the file's folders have"
        text = f"no column {listed(missing)}; {where} {others}: did you mean that? write both alike"
    for key, named in config.data.about_rows.items():
        if not alike and (asked := [name for name in named if name in missing]):
            text += f"; data.{key} in handsoff.yaml names {listed(asked)}: land it, or remove it there"
    return Problem("missing_column", text, column=missing[0], found=found)


def control_a(line: Sequence[str]) -> Problem | None:
    """The problem of a line whose values Hive or Athena separated: Ctrl-A is their default."""
    if len(line) != 1 or CONTROL_A not in line[0]:
        return None
    said = r"the values are separated by \x01 (Ctrl-A), which is not read"
    return Problem(
        "delimiter", f"{said}: write them separated by commas, or as Parquet", found=shown(line[0])
    )


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def _counted(columns: int) -> str:
    return "1 column" if columns == 1 else f"{columns:,} columns"


def _expected(config: ModelConfig) -> str:
    return DELIMITERS[config.data.delimiter]


def _other_delimiter(header: Sequence[str], missing: Sequence[str]) -> str | None:
    """The delimiter by which this header of one cell has a missing column; None if none does."""
    if len(header) > 1:
        return None
    names = {_plain(name) for name in missing}
    for delimiter in DELIMITERS:
        if delimiter in header[0] and names & {_plain(cell) for cell in header[0].split(delimiter)}:
            return delimiter
    return None
