"""CSV files: delimiter, way of quoting, header and rows, read block by block with every column as text.

Arrow reads the rows. Its errors quote them, so a file that it refuses is read once more to say which row is
wrong, without a value.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

import csv_text
import typed_columns
from csv_text import CsvText, LongRow, encoding_of, first_undecodable, raw_chunks, undecodable
from formats import damaged_gzip
from job import DataProblem, Dialect, one_line
from partitions import partitions
from quotes import MAX_VALUE, signs_of, whole_rows
from texts import ENCODED

MAX_HEADER_BYTES: Final = 1 << 20
"""Bytes of text in which header and first row must end. start_retraining has the same limit."""

MAX_COLUMNS: Final = 20_000
"""Columns of a file at most. start_retraining has the same limit."""

UNNAMED: Final = "handsoff:unnamed:"
"""How the names begin that columns have while they are read, where the header ends in empty names."""

_SEP: Final = re.compile(r"""(["']?)sep=([,;\t|])\1(?:\r\n|\r|\n)""", re.IGNORECASE)

_BLANK: Final = re.compile(rb"[\r\n]*+")


@dataclass(frozen=True)
class CsvFile:
    """A CSV file that is ready to be read.

    `header` are the names of its columns, of which there are `unnamed` more. `skipped` lines come before the
    first row. `empty` says that there is no row. `blank_lines` counts the empty lines below the header.
    `two_backslashes` says that a quoted value has two in a row, which only `data.quotes` or another file can
    tell the meaning of. `long_values` says that a value may have more than MAX_VALUE characters. `quoted`
    says that there is a quote: Arrow parses a text that has none faster if it is told to expect none.
    """

    text: CsvText
    delimiter: str
    quotes: Literal["doubled", "backslash"]
    header: tuple[str, ...]
    unnamed: int
    skipped: int
    empty: bool
    blank_lines: int
    two_backslashes: bool = False
    long_values: bool = False
    quoted: bool = True

    def blocks(self, numbers: Collection[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in blocks, with every column as text. Raises DataProblem.

        With `numbers`, these columns are float64, null for an empty text, and all others are dictionaries of
        texts. A block with a number that does not fit (typed_columns.py), or with a row that cannot be read,
        is read again as text, and so is what follows.
        """
        if self.empty:
            return
        texts = dict.fromkeys(self.header, pa.string())
        typed, rows = numbers is not None and not self.long_values, 0
        types = {name: typed_columns.NUMBER if name in (numbers or ()) else ENCODED for name in self.header}
        with self._named_faults():
            for text in self._bodies(csv_text.BLOCK_BYTES if typed else csv_text.TEXT_BYTES):
                block = self._typed(text, types) if typed else None
                typed = block is not None
                if block is None:
                    block = self._parsed(text, texts)
                    self._check_lengths(block, rows + 1)
                if block.num_rows:
                    yield self._without_unnamed(block, rows + 1)
                rows += block.num_rows

    def _bodies(self, size: int) -> Iterator[memoryview]:
        """The text below the header in blocks of whole rows, of about `size` bytes."""
        header = re.compile(rb"(?:[^\r\n]*+(?:\r\n|\r|\n)){%d}" % self.skipped)
        most = csv_text.BLOCK_BYTES
        blocks = whole_rows(self.text.chunks(), self.delimiter, most, min(size, most))
        for place, block in enumerate(blocks):
            found = None if place else header.match(block)
            body = block[found.end() :] if found else block
            if not _BLANK.fullmatch(body):
                yield body

    def _typed(self, text: memoryview, types: Mapping[str, pa.DataType]) -> pa.RecordBatch | None:
        """The rows with columns of these types; None where one does not fit."""
        with suppress(pa.ArrowInvalid):
            block = self._parsed(text, types)
            if all(typed_columns.fits(block.column(name)) for name in self.header):
                return block
        return None

    def _parsed(self, text: memoryview, types: Mapping[str, pa.DataType]) -> pa.RecordBatch:
        """The rows of a block. Columns without a name are text."""
        unnamed = [f"{UNNAMED}{place}" for place in range(self.unnamed)]
        table = pa_csv.read_csv(
            pa.BufferReader(text),
            read_options=pa_csv.ReadOptions(
                block_size=len(text) + 1, use_threads=False, column_names=[*self.header, *unnamed]
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.delimiter,
                quote_char='"' if self.quoted else False,
                newlines_in_values=True,
                ignore_empty_lines=True,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={**types, **dict.fromkeys(unnamed, pa.string())},
                null_values=[""],
                strings_can_be_null=False,
            ),
        )
        (block,) = table.to_batches()
        return block

    def _check_lengths(self, block: pa.RecordBatch, first_row: int) -> None:
        """Raises DataProblem for a value with more than MAX_VALUE characters."""
        for place, values in enumerate(block.columns, 1):
            if typed_columns.longest(values) <= MAX_VALUE:
                continue
            if (row := pc.index(pc.greater(pc.utf8_length(values), MAX_VALUE), True).as_py()) >= 0:
                raise DataProblem(
                    f"{self.text.key}, row {first_row + row}: column {place} has a value of more than "
                    f"{MAX_VALUE:,} characters; expected fewer"
                )

    def _without_unnamed(self, block: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        for place in range(len(self.header), len(self.header) + self.unnamed):
            filled = pc.not_equal(pc.utf8_trim_whitespace(block.column(place)), "")
            if (row := pc.index(filled, True).as_py()) >= 0:
                raise DataProblem(
                    f"{self.text.key}, row {first_row + row}: column {place + 1} has a value, but the header "
                    "has no name for it; expected a name, or no value",
                    block.column(place)[row],
                )
        return block.select(list(self.header)) if self.unnamed else block

    @contextmanager
    def _named_faults(self) -> Iterator[None]:
        """Turn an error of Arrow into a DataProblem that names the row, without a value."""
        try:
            yield
        except (pa.ArrowInvalid, OSError) as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> DataProblem:
        count, row, key = len(self.header) + self.unnamed, 0, self.text.key
        try:
            for row, line in enumerate(_rows(self.text, self.delimiter, self.skipped), 1):
                if not _is_text(line):
                    return undecodable(self.text, first_undecodable(self.text) or 0, row)
                if len(line) != count:
                    return wrong_length(key, row, len(line), count, line)
        except csv.Error:
            return _not_csv(key, row + 1, error)
        except LongRow:
            return LongRow(f"{key}, row {row + 1}")
        if isinstance(error, OSError):
            return damaged_gzip(key, error)
        return DataProblem(f"{key} cannot be read as CSV: see the log of the job", one_line(error))


def wrong_length(key: str, row: int, found: int, expected: int, line: Sequence[str]) -> DataProblem:
    """The problem of a row with fewer or more values than the header."""
    values = "1 value" if found == 1 else f"{found:,} values"
    return DataProblem(
        f"{key}, row {row}: {values}, expected {expected:,} as in the header", list(line[:100])
    )


def open_csv(path: Path, key: str, dialect: Dialect, *, packed: bool) -> CsvFile:
    """Find out how the file at `path` is written. `packed` says whether gzip packed it.

    Raises DataProblem if it is not what `dialect` says, or if it has no header.
    """
    text = CsvText(path, key, packed, "utf-8")
    head = _head(raw_chunks(text))
    text = replace(text, encoding=encoding_of(head, dialect.encoding, key))
    start, whole = _start(text)
    if "\x00" in start:
        raise DataProblem(f"{key} is not text: character {start.index(chr(0)) + 1} is zero")
    delimiter, skipped = dialect.delimiter, 0
    if found := _SEP.match(start):
        delimiter, skipped = found[2], 1
        start = start[found.end() :]
    if whole and not start.strip("\r\n"):
        return CsvFile(text, delimiter, "doubled", (), 0, 0, empty=True, blank_lines=0)
    if not whole and "\n" not in start and "\r" not in start:
        raise _too_wide(key)
    signs = signs_of(text, delimiter)
    quotes = dialect.quotes or "doubled"
    if dialect.quotes is None and signs.escaped:
        quotes = _quotes(text, delimiter, skipped)
    if quotes == "backslash":
        text = replace(text, backslash=delimiter)
        start, whole = _start(text)
        start = start[_SEP.match(start).end() :] if skipped else start  # type: ignore[union-attr]
        signs = signs_of(text, delimiter)
    if signs.wrong_quote:
        _check_quotes(text, delimiter, skipped, 1 if dialect.header else 0)
    header, lines, empty = _header(start, whole, delimiter, dialect, text)
    unnamed = 0
    while unnamed < len(header) - 1 and not header[-1 - unnamed].strip():
        unnamed += 1
    named = header[: len(header) - unnamed]
    unclear = dialect.quotes is None and signs.two_backslashes and not signs.escaped
    return CsvFile(
        text=text,
        delimiter=delimiter,
        quotes=quotes,
        header=named,
        unnamed=unnamed,
        skipped=skipped + lines,
        empty=empty,
        blank_lines=0 if empty else signs.blank_lines,
        two_backslashes=unclear and _length(text) != _length(replace(text, backslash=delimiter)),
        long_values=signs.long_values,
        quoted=signs.quoted,
    )


def _length(text: CsvText) -> int:
    """Bytes of the text. Where a backslash escapes, two of them within quotes are one, and it is shorter."""
    return sum(map(len, text.chunks()))


def _head(chunks: Iterator[bytes]) -> bytes:
    """The first MAX_HEADER_BYTES of the chunks, or fewer if there are no more."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= MAX_HEADER_BYTES:
            break
    return head[:MAX_HEADER_BYTES]


def _start(text: CsvText) -> tuple[str, bool]:
    """The begin of the text, and whether it is all of it."""
    head = _head(text.chunks())
    return head.decode("utf-8", "surrogateescape"), len(head) < MAX_HEADER_BYTES


def _header(
    start: str, whole: bool, delimiter: str, dialect: Dialect, text: CsvText
) -> tuple[tuple[str, ...], int, bool]:
    """The names of the columns, the lines that they take, and whether no row follows."""
    source = io.StringIO(start, newline="")
    reader = csv.reader(source, delimiter=delimiter)
    try:
        header = next(reader, [])
        if not header and not dialect.header:
            raise DataProblem(f"{text.key} has no header: its first line is empty; remove the line")
        lines = reader.line_num
        first = next((line for line in (() if dialect.header else reader) if line), None)
    except csv.Error as error:
        if whole or source.tell() < len(start):
            raise _not_csv(text.key, 1, error) from error
    if not whole and source.tell() >= len(start):
        raise _too_wide(text.key)
    if not _is_text(header):
        raise undecodable(text, first_undecodable(text) or 0)
    if not dialect.header:
        return tuple(header), lines, first is None
    return _configured(header, dialect, text.key), 0, not start.strip("\r\n")


def _too_wide(key: str) -> DataProblem:
    return DataProblem(
        f"{key} is too wide: header and first row do not end in its first {MAX_HEADER_BYTES:,} bytes"
    )


def _configured(first: list[str], dialect: Dialect, key: str) -> tuple[str, ...]:
    """The header that the config gives.

    A file may lack the columns that its path names, and a first full load the column of operations.
    """
    if [cell.strip() for cell in first] == [*dialect.header]:
        raise DataProblem(
            f"{key}: the first line is a header, and data.header in handsoff.yaml names the columns; "
            "remove one of them"
        )
    folders, operation = partitions(key), dialect.cdc.operation if dialect.cdc else None
    inside = tuple(name for name in dialect.header if name not in folders)
    shorter = [tuple(name for name in names if name != operation) for names in (dialect.header, inside)]
    ways = (dialect.header, inside, *shorter)
    return next((names for names in ways if len(names) == len(first)), dialect.header)


def _quotes(text: CsvText, delimiter: str, skipped: int) -> Literal["doubled", "backslash"]:
    r"""How a file with `\"` in it writes quotes: the reading counts in which all rows have as many values.

    Raises DataProblem if both do so and differ.
    """
    doubled = _Reading(text, delimiter, skipped)
    backslash = _Reading(replace(text, backslash=delimiter), delimiter, skipped)
    same = True
    for one, other in zip_longest(doubled, backslash):
        same = same and one == other
        if not (doubled.fits and backslash.fits):
            break
    if doubled.fits and backslash.fits and not same:
        raise DataProblem(
            f"{text.key}: the quotes in it can be read in two ways; set data.quotes in handsoff.yaml to "
            "backslash, as Spark writes them, or to doubled"
        )
    if doubled.fits:
        return "doubled"
    for _ in backslash:  # to its end
        pass
    return "backslash" if backslash.fits else "doubled"


class _Reading:
    """The rows of a text in one way of quoting; `fits` turns false where a row has another length."""

    def __init__(self, text: CsvText, delimiter: str, skipped: int) -> None:
        self.fits = True
        self._rows = _rows(text, delimiter, skipped, strict=True)
        self._count = 0

    def __iter__(self) -> Iterator[list[str]]:
        try:
            for row in self._rows:
                self._count = self._count or len(row)
                if len(row) != self._count:
                    break
                yield row
            else:
                return
        except csv.Error:
            pass
        self.fits = False


def _check_quotes(text: CsvText, delimiter: str, skipped: int, row: int) -> None:
    """Raises DataProblem for the first quote that does not end where a value does. `row` is the first one."""
    try:
        for _ in _rows(text, delimiter, skipped, strict=True):
            row += 1
    except csv.Error as error:
        raise _not_csv(text.key, row, error) from error


def _is_text(line: list[str]) -> bool:
    """Whether no byte of the line was undecodable: such a byte is a lone surrogate."""
    try:
        return all(cell.isascii() or bool(cell.encode()) for cell in line)
    except UnicodeEncodeError:
        return False


def _rows(text: CsvText, delimiter: str, skipped: int, *, strict: bool = False) -> Iterator[list[str]]:
    """The lines behind the skipped ones, as lists of values. Empty lines are left out. Raises csv.Error."""
    lines = text.lines()
    for _ in range(skipped):
        next(lines, None)
    return (row for row in csv.reader(lines, delimiter=delimiter, strict=strict) if row)


def _not_csv(key: str, row: int, error: Exception) -> DataProblem:
    """The problem of a row that Python's csv module refuses. Row 0 is the header."""
    where = f"row {row}" if row else "header"
    return DataProblem(
        f"{key}, {where}: a quote is in the wrong place or does not end, or a value has more than "
        f"{csv.field_size_limit():,} characters; expected CSV",
        one_line(error),
    )
