"""Reads the rows of a CSV text, as far as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, tee
from typing import Final

from retraining.config.schema import ModelConfig
from retraining.starts.inspection import lines
from retraining.starts.inspection.cells import MISSING, Cells
from retraining.starts.inspection.header import Columns, columns, control_a
from retraining.starts.inspection.heads import Short
from retraining.starts.inspection.operations import are_changes, bare, is_mark, refusal
from retraining.starts.inspection.problems import Fine, Problem, listed, shown

OPERATIONS: Final = frozenset({"I", "U", "D"})
"""What was done to a row: inserted, updated or deleted, as AWS DMS writes it."""

DELETED: Final = "D"
"""The operation of a row that is left out: its other values are not looked at."""


def table(
    text: str, config: ModelConfig, folders: Mapping[str, str], *, whole: bool
) -> Problem | Fine | Short:
    """The problem of a CSV file's text, or the number of its rows.

    `folders` are the columns in the file's path. `whole` is false if the text is only the file's head.
    """
    delimiter: str = config.data.delimiter
    if found := lines.sep_line(text):
        delimiter, text = found
    if text[:1] in ("\r", "\n") and text.strip("\r\n") and not config.data.header:
        return Problem("no_header", "the first line is empty, expected the header: remove the line")
    read = lines.doubled(text, delimiter, config.data, whole=whole)
    if isinstance(read, Problem):
        return read
    return _Table(config, lines.read(read, delimiter, whole=whole), folders, whole=whole).problem()


class _Table:
    """One file's lines, and how many of its rows have been read."""

    def __init__(
        self, config: ModelConfig, read: Iterator[list[str]], folders: Mapping[str, str], *, whole: bool
    ) -> None:
        self._config, self._lines, self._folders, self._whole = config, read, folders, whole
        self._cells = Cells.of(config)
        self._row = 0

    def problem(self) -> Problem | Fine | Short:
        """The first problem in the header or in a row, or the number of rows that end in the text."""
        try:
            header = self._configured() or next(self._lines, [])
            if not header:
                return Fine(0) if self._whole else Short()
            found = columns(header, self._config, self._folders)
            if isinstance(found, Problem):
                return found
            others = {name: value for name, value in self._folders.items() if name not in found.places}
            return in_folders(others, self._config) or self._rows(found)
        except lines.NotCsv as error:
            said = f"the file is not CSV: row {self._row + 1} has a quote in the wrong place or one that does"
            text = f"{said} not end, or a value of more than 131,072 characters"
            return Problem("format", text, row=self._row + 1, found=shown(str(error)))

    def _rows(self, columns: Columns) -> Problem | Fine | Short:
        places = [(name, place) for name, place in columns.places.items() if name in self._cells.kinds]
        rows = self._lines
        for name, value in columns.in_folders.items():
            if are_changes(name, [value.strip()], MISSING):
                return _changes(name, self._config)
        if columns.unset:
            rows, all_rows = tee(rows)
            # Before anything else: a row that was deleted may have no other values.
            whole = [row for row in all_rows if len(row) == columns.count]
            for name, place in columns.unset.items():
                if are_changes(name, (row[place].strip() for row in whole), MISSING):
                    return _changes(name, self._config)
        for row in rows:
            if self._row == 0 and (problem := self._second_header(row)):
                return problem
            self._row += 1
            if problem := self._problem_in(row, columns, places):
                return problem
        return Fine(self._row) if self._row or self._whole else Short()

    def _configured(self) -> list[str]:
        """The header that `data.header` gives. A file may lack the columns that its path names, and a first
        full load the column of operations."""
        data = self._config.data
        names = [*data.header]
        inside = [name for name in names if name not in self._folders]
        operation = data.cdc.operation if data.cdc else None
        if not data.header or (inside == names and operation not in names):
            return names
        first = next(self._lines, None)
        if first is None:
            return names
        self._lines = chain([first], self._lines)
        shorter = [[name for name in left if name != operation] for left in (names, inside)]
        ways = (names, inside, *shorter)
        return next((way for way in ways if len(way) == len(first)), names)

    def _second_header(self, row: list[str]) -> Problem | None:
        """The problem of a header in a file for which the configuration names the columns."""
        names = self._config.data.header
        if not names or [cell.strip() for cell in row] != [*names]:
            return None
        said = "the first line is a header, and data.header in handsoff.yaml names the columns"
        return Problem("unexpected_header", f"{said}: remove one of them")

    def _problem_in(self, row: list[str], columns: Columns, places: list[tuple[str, int]]) -> Problem | None:
        number = self._row
        if len(row) != columns.count:
            return control_a(row) or self._wrong_length(row, columns.count)
        for place in range(columns.named, columns.count):
            if row[place].strip():
                text = f"row {number} has a value in column {place + 1}, which has no name"
                return Problem("format", text, row=number, found=shown(row[place]))
        if columns.changes is not None:
            operation = row[columns.changes].strip()
            if operation == DELETED:
                return None
            if operation not in OPERATIONS:
                name = self._config.data.cdc.operation if self._config.data.cdc else ""
                text = f"row {number}: {listed([name])} is none of I, U and D"
                return Problem("not_an_operation", text, number, name, shown(operation))
        for name, value in self._folders.items():
            if name in columns.places and not self._cells.same(value, row[columns.places[name]]):
                text = f"row {number}: {listed([name])} has another value than the file's folder"
                return Problem("two_values", text, number, name, shown(row[columns.places[name]]))
        for name, place in places:
            if fault := self._cells.fault(name, row[place]):
                text = f"row {number}: {listed([name])} {fault.text}"
                return Problem(fault.kind, text, number, name, shown(row[place]))
        return None

    def _wrong_length(self, row: list[str], expected: int) -> Problem:
        """The problem of a row that has not as many values as the header."""
        data = self._config.data
        text = f"row {self._row} has {len(row)} values, the header {expected}"
        is_change = len(row) == expected + 1 and row[0].strip() in OPERATIONS
        if is_change and data.header and not (data.cdc and data.cdc.operation in data.header):
            text += (
                "; its first value says what was done to the row (I, U or D), as AWS DMS writes it: put Op "
                "first in data.header and set data.cdc in handsoff.yaml"
            )
        return Problem("format", text, row=self._row, found=shown(data.delimiter.join(row)))


def _changes(name: str, config: ModelConfig) -> Problem:
    """The problem of a file of changes, which would be trained on as rows."""
    if (cdc := config.data.cdc) and not is_mark(name):
        return Problem(
            "changes",
            f"no column {listed([cdc.operation])}, which data.cdc names, and a column like Op says what was "
            "done to each row (I, U or D): did you mean that? write both alike, or land the rows without it",
            column=cdc.operation,
        )
    column = "Op" if bare(name) == "op" else name.strip()
    return Problem("changes", ": ".join(refusal(name)), column=column)


def in_folders(folders: Mapping[str, str], config: ModelConfig) -> Problem | None:
    """The problem of a value that stands in a file's path; None if all fit."""
    cells = Cells.of(config)
    for name, value in folders.items():
        if name in cells.kinds and (fault := cells.fault(name, value)):
            return Problem(fault.kind, f"its folder: {listed([name])} {fault.text}", None, name, shown(value))
    return None
