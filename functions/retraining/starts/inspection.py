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
from dataclasses import dataclass
from typing import Final

from retraining.config.schema import ModelConfig

HEAD_BYTES: Final = 256 * 1024
"""Bytes read of each file, if there are few files."""

ALL_HEADS_BYTES: Final = 64 * 1024 * 1024
"""Bytes read of all files together, if there are many."""

MIN_HEAD_BYTES: Final = 8 * 1024
"""Bytes read of each file, however many files there are."""

UNPACKED_LIMIT: Final = 4 * 1024 * 1024
"""Bytes to which a compressed head is unpacked at most, so that a small file cannot fill the memory."""

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
"""Classes that a problem's text names."""

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Problem:
    """Why a file cannot be trained on.

    `kind` is for programs, `text` for people. `row` counts from 1 below the header; None if the problem is
    not in one row.
    """

    kind: str
    text: str
    row: int | None = None
    column: str | None = None


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

    `name` is its key, whose ending tells the format. `tail` are the last eight bytes of a Parquet file.
    """
    if size == 0:
        return Problem("empty", "the file is empty")
    if name.endswith(".parquet"):
        return _parquet(head, size, tail)
    whole = len(head) >= size
    share = 1.0
    if name.endswith(".gz"):
        unpacked = _unpack(head, whole=whole)
        if isinstance(unpacked, Problem):
            return unpacked
        text_bytes, whole, used = unpacked
        share = len(text_bytes) / max(used, 1)
    else:
        text_bytes = head
    text = _decode(text_bytes, whole=whole)
    if isinstance(text, Problem):
        return text
    return _table(text, config, whole=whole, bytes_in_all=size * share, bytes_here=len(text_bytes))


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
    out, rest = b"", head
    while rest and len(out) < UNPACKED_LIMIT:  # a .gz file may hold several gzip files in a row
        unpacker = zlib.decompressobj(wbits=31)
        try:
            out += unpacker.decompress(rest, UNPACKED_LIMIT - len(out))
        except zlib.error:
            return Problem("binary", "the file ends in .gz, but is not gzip or is damaged")
        if not unpacker.eof:
            if whole and not unpacker.unconsumed_tail:
                return Problem("truncated", "the gzip file is truncated: its end is missing")
            rest = unpacker.unconsumed_tail
            break
        rest = unpacker.unused_data
    return out, whole and not rest, len(head) - len(rest)


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


def _table(
    text: str, config: ModelConfig, *, whole: bool, bytes_in_all: float, bytes_here: int
) -> Problem | Fine:
    """The problem of a CSV file's text; `whole` is false if the text is only its head."""
    lines = _lines(text, whole=whole)
    if isinstance(lines, Problem):
        return lines
    if not lines:
        return Problem("empty", "the file has no header")
    header, rows = lines[0], lines[1:]
    if problem := _header(header, config):
        return problem
    if whole and not rows:
        return Problem("no_rows", "the file has a header and no rows")
    if whole and len(rows) == 1:
        return Problem("one_row", "the file has one row only")
    for number, row in enumerate(rows, 1):
        if problem := _row(header, row, number, config):
            return problem
    if whole:
        return Fine(len(rows))
    return Fine(round(len(rows) * bytes_in_all / max(bytes_here, 1)))


def _lines(text: str, *, whole: bool) -> list[list[str]] | Problem:
    """The lines of a CSV text as lists of values, without empty lines and a last line that may be cut."""
    try:
        # A head may end within quotes, which a strict reader refuses.
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=whole))
    except csv.Error as error:
        return Problem("format", f"the file is not CSV: {error}")
    return [line for line in (lines if whole else lines[:-1]) if line]


def _header(header: list[str], config: ModelConfig) -> Problem | None:
    if twice := sorted({name for name in header if header.count(name) > 1}):
        return Problem("duplicate_column", f"the column {twice[0]} is in the header twice", column=twice[0])
    wanted = (config.target, *config.features.names)
    missing = [name for name in wanted if name not in header]
    if not missing:
        return None
    if len(header) == 1:
        for delimiter, word in _DELIMITERS.items():
            if delimiter in header[0]:
                return Problem("delimiter", f"the columns are separated by {word}; expected commas")
    return Problem(
        "missing_column",
        f"no column {', '.join(missing)}; the header has {', '.join(header)}",
        column=missing[0],
    )


def _row(header: list[str], row: list[str], number: int, config: ModelConfig) -> Problem | None:
    if len(row) != len(header):
        return Problem("format", f"row {number} has {len(row)} values, the header {len(header)}", row=number)
    values = dict(zip(header, row, strict=True))
    for column in config.features.numeric:
        if not _is_number(values[column]):
            return Problem(
                "not_a_number",
                f"row {number}: {column} is {values[column][:60]!r}, expected a number",
                number,
                column,
            )
    for column in config.features.boolean:
        if not _is_boolean(values[column]):
            return Problem(
                "not_a_boolean",
                f"row {number}: {column} is {values[column][:60]!r}, expected true or false",
                number,
                column,
            )
    return _target(values[config.target], number, config)


def _target(text: str, number: int, config: ModelConfig) -> Problem | None:
    said = repr(text.strip()[:60])
    missing = text.strip() in MISSING_NUMBERS
    if config.task == "regression":
        kind, expected, fits = "not_a_number", "a number", _is_number(text) and not missing
    else:
        kind, expected, fits = "unknown_class", _one_of(config.classes), _is_class(text, config.classes)
    if fits:
        return None
    what = f"{config.target} is {'missing' if missing else said}, expected {expected}"
    return Problem(kind, f"row {number}: {what}", number, config.target)


def _one_of(classes: tuple[str, ...]) -> str:
    names = [name[:40] for name in classes]
    if len(names) == 2:
        return " or ".join(names)
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"one of {', '.join(names[:MAX_NAMED])}{more}"


def _is_class(text: str, classes: tuple[str, ...]) -> bool:
    """Whether a text is one of the classes: the same text without spaces around it, or the same number.

    If the classes are true and false, any text of a boolean is one of them.
    """
    word = text.strip()
    if word in classes or ({*classes} == {"true", "false"} and word.lower() in TRUE | FALSE):
        return True
    value = _number(word)
    return value is not None and value in map(_number, classes)


def _is_boolean(text: str) -> bool:
    word = text.strip()
    return word in MISSING_NUMBERS or word.lower() in TRUE | FALSE


def _is_number(text: str) -> bool:
    word = text.strip()
    value = _number(word)
    return word in MISSING_NUMBERS or (value is not None and math.isfinite(value))


def _number(word: str) -> float | None:
    return float(word) if _NUMBER.fullmatch(word) else None
