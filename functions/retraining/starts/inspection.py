"""Pure: inspects the first bytes (the head) of a file that landed, before an execution is paid for.

It finds the wrong file, the wrong format and the wrong columns. DataPreProcessing checks every row later.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from retraining.config.schema import ModelConfig
from retraining.text import cut

HEAD_BYTES: Final = 256 * 1024
"""Bytes read of each file, if there are few files."""

ALL_HEADS_BYTES: Final = 64 * 1024 * 1024
"""Bytes read of all files together, if there are many."""

MIN_HEAD_BYTES: Final = 8 * 1024
"""Bytes read of each file, however many files there are."""

UNPACKED_LIMIT: Final = 1024 * 1024
"""Bytes to which a compressed head is unpacked at most, so that a small file cannot fill the memory."""

UNPACKED_MIN: Final = 64 * 1024
"""Bytes to which every compressed head is unpacked, however short it is."""

UNPACKED_RATIO: Final = 16
"""Bytes that a byte of a compressed head is unpacked to at most, between the two limits above. So thousands
of small files that unpack to much take no longer than others."""

PACKED_CHUNK: Final = 1024
"""Bytes that are unpacked at a time: the rest of them is copied at the end of each gzip member."""

MISSING_NUMBERS: Final = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA"}
    | {"NULL", "NaN", "n/a", "nan", "null"}
)
"""Texts that DataPreProcessing reads as a missing value in a numeric column: pyarrow's default list."""

TRUE: Final = frozenset({"true", "yes", "t", "y", "1", "1.0"})
"""Texts, in lower case, that DataPreProcessing reads as true in a boolean column."""

FALSE: Final = frozenset({"false", "no", "f", "n", "0", "0.0"})
"""Texts, in lower case, that DataPreProcessing reads as false in a boolean column."""

MAX_NAMED: Final = 10
"""Classes or columns that a problem's text names."""

NAME_LIMIT: Final = 80
"""Bytes of a column's name, or of a value, that a problem shows."""

TEXT_LIMIT: Final = 300
"""Bytes of a problem's text."""

# One or more digits can be matched in one way only: what fails at its end is tried once, however long it is.
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Problem:
    """Why a file cannot be trained on.

    `kind` is for programs, `text` for people. `row` counts from 1 below the header; None if the problem is
    not in one row. `text` is cut to TEXT_LIMIT bytes and `column` to NAME_LIMIT: they may come from the file.
    """

    kind: str
    text: str
    row: int | None = None
    column: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", cut(self.text, TEXT_LIMIT))
        if self.column is not None:
            object.__setattr__(self, "column", cut(self.column, NAME_LIMIT))


@dataclass(frozen=True)
class Fine:
    """The head shows no problem.

    `rows` is the number of the file's rows: counted if the head is the whole file, otherwise estimated, and
    None if the head does not tell it (Parquet).
    """

    rows: int | None


def head_bytes(files: int) -> int:
    """Bytes to read of each file, for a number of files: thousands of files take less than a minute."""
    return max(MIN_HEAD_BYTES, min(HEAD_BYTES, ALL_HEADS_BYTES // max(files, 1)))


def inspect(head: bytes, size: int, name: str, config: ModelConfig, *, tail: bytes = b"") -> Problem | Fine:
    """The problem of a file of `size` bytes, as far as its first bytes show it; Fine if they show none.

    `name` is its key, whose ending tells the format. `tail` are the last eight bytes of a Parquet file. Never
    raises: an error in here is a problem of this file. The time is linear in the length of `head`.
    """
    try:
        return _inspect(head, size, name, config, tail)
    except Exception as error:  # whatever the bytes are, they must not stop the model
        return Problem("uninspectable", f"the file cannot be inspected: {type(error).__name__}: {error}")


def _inspect(head: bytes, size: int, name: str, config: ModelConfig, tail: bytes) -> Problem | Fine:
    if size == 0:
        return Problem("empty", "the file is empty")
    if name.endswith(".parquet"):
        return _parquet(head, size, tail)
    whole = len(head) >= size
    long = len(head) >= HEAD_BYTES
    share = 1.0
    text_bytes = head
    if name.endswith(".gz"):
        unpacked = _unpack(head, whole=whole)
        if isinstance(unpacked, Problem):
            return unpacked
        text_bytes, whole, used = unpacked
        long = long or len(text_bytes) >= HEAD_BYTES
        share = len(text_bytes) / max(used, 1)
    text = _decode(text_bytes, whole=whole)
    if isinstance(text, Problem):
        return text
    found = _table(text, config, whole=whole, long=long)
    if whole or isinstance(found, Problem) or found.rows is None:
        return found
    return Fine(round(found.rows * size * share / max(len(text_bytes), 1)))


def _parquet(head: bytes, size: int, tail: bytes) -> Problem | Fine:
    """Checks the magic bytes at both ends and the footer's length (Apache Parquet, "File Format")."""
    if size < 12 or head[:4] != b"PAR1":
        return Problem("binary", "the file is not Parquet: it does not begin with PAR1")
    if tail[-4:] != b"PAR1":
        return Problem("truncated", "the Parquet file is truncated: it does not end with PAR1")
    if int.from_bytes(tail[-8:-4], "little") + 12 > size:
        return Problem("truncated", "the Parquet file is truncated: its footer is longer than the file")
    return Fine(None)


def _unpack(head: bytes, *, whole: bool) -> tuple[bytes, bool, int] | Problem:
    """The unpacked head, whether it is the whole file, and the number of packed bytes that it came from."""
    limit = min(UNPACKED_LIMIT, max(UNPACKED_MIN, UNPACKED_RATIO * len(head)))
    out, used = bytearray(), 0
    unpacker = None  # a .gz file may hold several gzip files in a row, each with its own
    while used < len(head) and len(out) < limit:
        unpacker = unpacker or zlib.decompressobj(wbits=31)
        chunk = head[used : used + PACKED_CHUNK]
        try:
            out += unpacker.decompress(chunk, limit - len(out))
        except zlib.error:
            return Problem("binary", "the file ends in .gz, but is not gzip or is damaged")
        used += len(chunk) - len(unpacker.unused_data) - len(unpacker.unconsumed_tail)
        if unpacker.eof:
            unpacker = None
    done = used == len(head)
    if whole and done and unpacker and len(out) < limit:
        return Problem("truncated", "the gzip file is truncated: its end is missing")
    return bytes(out), whole and done and unpacker is None, used


def _decode(data: bytes, *, whole: bool) -> str | Problem:
    if b"\x00" in data:
        return Problem("binary", f"the file is not text: byte {data.index(0)} is zero")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data, final=whole)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Problem(
            "encoding",
            f"the file is not UTF-8: line {line} has the byte 0x{data[error.start]:02x}; save it as UTF-8",
            row=line - 1 or None,
        )


def _table(text: str, config: ModelConfig, *, whole: bool, long: bool) -> Problem | Fine:
    """The problem of a CSV file's text, or the number of its rows.

    `whole` is false if the text is only the file's head. `long` says that a header would fit into the head.
    """
    lines = _lines(text, whole=whole)
    try:
        header = next(lines, None)
        if header is None:
            return _no_header(whole=whole, long=long, length=len(text))
        columns = _columns(header, config)
        return columns if isinstance(columns, Problem) else _rows(lines, columns, config, whole=whole)
    except csv.Error as error:
        return Problem("format", f"the file is not CSV: {error}")


def _no_header(*, whole: bool, long: bool, length: int) -> Problem | Fine:
    if whole:
        return Problem("empty", "the file has no header")
    if long:
        where = f"the first {length} characters"
        return Problem("format", f"the file is not CSV: {where} have no line break after a header")
    return Fine(None)  # many files are inspected, so the head is short


def _lines(text: str, *, whole: bool) -> Iterator[list[str]]:
    """The lines of a CSV text as lists of values, without empty lines and a last line that may be cut.

    Raises csv.Error, also for a value over the module's limit of 131,072 characters.
    """
    # A head may end within quotes, which a strict reader refuses.
    before: list[str] = []
    for line in csv.reader(io.StringIO(text, newline=""), strict=whole):
        if before:
            yield before
        before = line
    if before and whole:
        yield before


@dataclass(frozen=True)
class _Columns:
    """Where the columns that training needs are in a row of `count` values, and what the target may be.

    `numeric` and `boolean` are names with their positions. `words` and `numbers` are the classes as texts and
    as numbers; `booleans` are further texts, in lower case, if the classes are true and false.
    """

    count: int
    numeric: tuple[tuple[str, int], ...]
    boolean: tuple[tuple[str, int], ...]
    target: int
    words: frozenset[str]
    numbers: frozenset[float]
    booleans: frozenset[str]


def _columns(header: list[str], config: ModelConfig) -> _Columns | Problem:
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        if places.setdefault(name, place) != place:
            said = f"the column {cut(name, NAME_LIMIT) or '(without a name)'} is in the header twice"
            return Problem("duplicate_column", said, column=name)
    if missing := [name for name in (config.target, *config.features.names) if name not in places]:
        return _missing(missing, header)
    classes = frozenset(config.classes)
    return _Columns(
        count=len(header),
        numeric=tuple((name, places[name]) for name in config.features.numeric),
        boolean=tuple((name, places[name]) for name in config.features.boolean),
        target=places[config.target],
        words=classes,
        numbers=frozenset(number for name in classes if (number := _number(name)) is not None),
        booleans=TRUE | FALSE if classes == {"true", "false"} else frozenset(),
    )


def _missing(missing: list[str], header: list[str]) -> Problem:
    if len(header) == 1:
        for delimiter, word in _DELIMITERS.items():
            if delimiter in header[0]:
                return Problem("delimiter", f"the columns are separated by {word}; expected commas")
    text = f"no column {_listed(missing)}; the header has {_listed(header)}"
    return Problem("missing_column", text, column=missing[0])


def _rows(
    lines: Iterator[list[str]], columns: _Columns, config: ModelConfig, *, whole: bool
) -> Problem | Fine:
    """The first problem in a row, or the number of rows; None if not even one row ends within the head."""
    number = 0
    for number, row in enumerate(lines, 1):
        if problem := _row(row, number, columns, config):
            return problem
    if whole and number == 0:
        return Problem("no_rows", "the file has a header and no rows")
    if whole and number == 1:
        return Problem("one_row", "the file has one row only")
    return Fine(number or None)


def _row(row: list[str], number: int, columns: _Columns, config: ModelConfig) -> Problem | None:
    if len(row) != columns.count:
        text = f"row {number} has {len(row)} values, the header {columns.count}"
        return Problem("format", text, row=number)
    for name, place in columns.numeric:
        if not _is_number(row[place]):
            text = f"row {number}: {cut(name, NAME_LIMIT)} is {_said(row[place])}, expected a number"
            return Problem("not_a_number", text, number, name)
    for name, place in columns.boolean:
        if not _is_boolean(row[place]):
            text = f"row {number}: {cut(name, NAME_LIMIT)} is {_said(row[place])}, expected true or false"
            return Problem("not_a_boolean", text, number, name)
    return _target(row[columns.target], number, columns, config)


def _target(text: str, number: int, columns: _Columns, config: ModelConfig) -> Problem | None:
    word = text.strip()
    missing = word in MISSING_NUMBERS
    if config.task == "regression":
        kind, fits = "not_a_number", _is_number(word) and not missing
    else:
        kind, fits = "unknown_class", _is_class(word, columns)
    if fits:
        return None
    expected = "a number" if config.task == "regression" else _one_of(config.classes)
    name = cut(config.target, NAME_LIMIT)
    what = f"{name} is {'missing' if missing else _said(word)}, expected {expected}"
    return Problem(kind, f"row {number}: {what}", number, config.target)


def _said(text: str) -> str:
    """A value as a problem shows it: in quotes, what is not printable escaped, and short."""
    return cut(repr(text[:60]), NAME_LIMIT)


def _listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(cut(name, 20) for name in names[:MAX_NAMED]) + more


def _one_of(classes: tuple[str, ...]) -> str:
    names = [name[:40] for name in classes]
    if len(names) == 2:
        return " or ".join(names)
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"one of {', '.join(names[:MAX_NAMED])}{more}"


def _is_class(word: str, columns: _Columns) -> bool:
    """Whether a text without spaces around it is one of the classes: the same text, or the same number.

    If the classes are true and false, any text of a boolean is one of them.
    """
    if word in columns.words or word.lower() in columns.booleans:
        return True
    value = _number(word)
    return value is not None and value in columns.numbers


def _is_boolean(text: str) -> bool:
    word = text.strip()
    return word in MISSING_NUMBERS or word.lower() in TRUE or word.lower() in FALSE


def _is_number(text: str) -> bool:
    word = text.strip()
    value = _number(word)
    return word in MISSING_NUMBERS or (value is not None and math.isfinite(value))


def _number(word: str) -> float | None:
    return float(word) if _NUMBER.fullmatch(word) else None
