"""Splits the text of a CSV file into lines of values: which delimiter, and which way of writing quotes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from retraining.config.data import Data
from retraining.starts.inspection.problems import Problem

DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may separate values (`data.delimiter`), and its name."""

BACKSLASH: Final = '\\"'
"""A quote after a backslash. A file without it reads the same in both ways."""

_SEP: Final = re.compile(r"""(["']?)sep=([,;\t|])\1(?:\r\n|\r|\n)""", re.IGNORECASE)


class NotCsv(Exception):
    """The text is not CSV. The message is the line where that shows; it may hold values."""


def sep_line(text: str) -> tuple[str, str] | None:
    """The delimiter that a first line such as `sep=;` names, as Excel reads it, and the text behind that
    line; None without such a line."""
    found = _SEP.match(text)
    return (found[2], text[found.end() :]) if found else None


def doubled(text: str, delimiter: str, data: Data, *, whole: bool) -> str | Problem:
    """The text with quotes in quoted values written as two quotes, however the file writes them.

    If `data.quotes` does not say how, the reading counts in which each row has as many values as the first
    one. If both do so and differ, the problem says so.
    """
    if data.quotes == "doubled" or (data.quotes is None and BACKSLASH not in text):
        return text
    other = _from_backslash(text, delimiter)
    if data.quotes == "backslash" or other == text:
        return other
    count = len(data.header) or None
    fits, other_fits = _fits(text, delimiter, count, whole=whole), _fits(other, delimiter, count, whole=whole)
    if fits and other_fits and not _same(text, other, delimiter, whole=whole):
        return Problem(
            "quotes",
            "the quotes in it can be read in two ways: set data.quotes in handsoff.yaml to backslash, "
            "as Spark writes them, or to doubled",
        )
    return other if other_fits and not fits else text


def _from_backslash(text: str, delimiter: str) -> str:
    r"""The text with `\"` in quoted values as `""` and `\\` as a backslash. Elsewhere a backslash is itself.

    Each value is matched from its begin. A quoted value ends with the first quote that no backslash precedes.
    """
    end = rf"[{re.escape(delimiter)}\r\n]"
    quoted = rf'"(?P<inside>(?:[^"\\]|\\.)*+)(?P<end>"(?={end}|\Z)|\\?\Z)'
    value = re.compile(rf"{quoted}|[^{re.escape(delimiter)}\r\n]+|{end}", re.DOTALL)

    def written(found: re.Match[str]) -> str:
        inside = found["inside"]
        if inside is None or "\\" not in inside:
            return found[0]
        plain = re.sub(r'\\(["\\])', lambda sign: '""' if sign[1] == '"' else "\\", inside)
        return f'"{plain}{found["end"]}'

    return value.sub(written, text)


def _fits(text: str, delimiter: str, count: int | None, *, whole: bool) -> bool:
    """Whether each line has `count` values; None stands for those of the first line."""
    try:
        for line in read(text, delimiter, whole=whole):
            count = count or len(line)
            if len(line) != count:
                return False
    except NotCsv:
        return False
    return True


def _same(text: str, other: str, delimiter: str, *, whole: bool) -> bool:
    pairs = zip_longest(read(text, delimiter, whole=whole), read(other, delimiter, whole=whole))
    return all(one == two for one, two in pairs)


def read(text: str, delimiter: str, *, whole: bool) -> Iterator[list[str]]:
    """The lines of a CSV text as lists of values, without empty lines and a last line that may be cut.

    Raises NotCsv, also for a value over the module's limit of 131,072 characters.
    """
    source = _Source(text)
    before: list[str] = []
    try:
        for line in csv.reader(source, strict=True, delimiter=delimiter):
            if before:
                yield before
            before = line
    except csv.Error:
        if before:
            yield before
        if whole or not source.ended:
            raise NotCsv(source.line) from None
    else:
        if before and whole:
            yield before


class _Source:
    """The lines of a text; `line` is the last one that was read, and `ended` says that no other follows. A
    head may end within quotes."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self._length = len(text)
        self._given = 0
        self.line = ""

    @property
    def ended(self) -> bool:
        return self._given == self._length

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._given += len(line)
            self.line = line
            yield line
