"""Quotes of a CSV text: whether each quoted value ends where a value may end, and which lines are empty.

Arrow reads on after a closing quote and takes line breaks within quotes as part of the value. Two quotes that
do not end would then make one value of all rows between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from csv_text import CsvText, compiled
from job import DataProblem

MAX_VALUE: Final = 131_072
"""Characters of a value at most: the limit of the csv module, with which start_retraining reads files."""

MAX_VALUE_BYTES: Final = 4 * MAX_VALUE
"""Bytes that a value of MAX_VALUE characters has at most in UTF-8, as long as its quotes are not doubled."""


EMPTY_LINES: Final = (0x0A0A, 0x0D0D, 0x0D0A)
"""Two bytes that end two lines, as 16 bits with the first byte lowest: LF LF, CR CR, and LF CR."""


_QUOTED: Final = rb'"[^"]*+(?:""[^"]*+)*+'

TRIES: Final = 2
"""Line breaks that are tried as the end of the last row in a block, before all rows are gone through."""

WINDOW: Final = 32 * 1024
"""Bytes that hold a delimiter or a line break, or a value of MAX_VALUE characters may be around them."""


@dataclass(frozen=True)
class Signs:
    """What a text shows. Whether it has a quote, one after a backslash, two backslashes, and a quote that
    does not end; how many of its lines are empty; and whether a value without delimiter may be longer than
    MAX_VALUE.
    """

    quoted: bool
    escaped: bool
    two_backslashes: bool
    wrong_quote: bool
    blank_lines: int
    long_values: bool


def signs_of(text: CsvText, delimiter: str) -> Signs:
    """What all of the text shows. Raises DataProblem for a zero byte, which no text has."""
    quoted = escaped = two_backslashes = long_values = False
    last, quotes, read = b"", QuoteCheck(delimiter), 0
    ends = (delimiter.encode(), b"\n", b"\r")
    for chunk in text.chunks():
        if (zero := chunk.find(0)) >= 0:
            raise DataProblem(f"{text.key} is not text: byte {read + zero + 1:,} is zero; write it again")
        read += len(chunk)
        if last == b"\\" or b"\\" in chunk:
            joined = last + chunk
            escaped = escaped or b'\\"' in joined
            two_backslashes = two_backslashes or b"\\\\" in joined
        quoted = quoted or b'"' in chunk
        quotes.add(chunk)
        long_values = long_values or not all(
            any(chunk.find(sign, start, start + WINDOW) >= 0 for sign in ends)
            for start in range(0, len(chunk), WINDOW)
        )
        last = chunk[-1:] or last
    quotes.end()
    return Signs(quoted, escaped, two_backslashes, quotes.wrong, quotes.blank_lines, long_values)


def whole_rows(
    chunks: Iterable[bytes], delimiter: str, size: int, usual: int | None = None
) -> Iterator[memoryview]:
    """The text of the chunks in blocks of whole rows, of at most `size` bytes. Its quotes must be right.

    A block has at most `usual` bytes, unless a row has more. Raises ArrowInvalid where no row ends within
    `size` bytes.
    """
    usual = usual or size
    right, rows = _right(delimiter), _rows(delimiter)
    waiting: list[bytes] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(map(len, waiting)) < usual:
            continue
        text, start = b"".join(waiting), 0
        waiting.clear()
        while len(text) - start >= usual:
            end = _last_row_end(text, start, start + usual, right, rows)
            if end <= start:
                if len(text) - start < size:
                    break  # the row is longer than usual, and may end in the next chunks
                end = _last_row_end(text, start, start + size, right, rows)
            if end <= start:
                raise pa.ArrowInvalid("no row ends within a block")
            yield memoryview(text)[start:end]
            start = end
        waiting.append(text[start:])
        del text
    yield memoryview(b"".join(waiting))


def _last_row_end(
    text: bytes, start: int, stop: int, right: re.Pattern[bytes], rows: re.Pattern[bytes]
) -> int:
    """Where the last whole row ends that is between two places, of which the first is a row's begin; at most
    `start` if none does."""
    if text.find(b'"', start, stop) < 0:
        end = text.rfind(b"\n", start, stop)
        return (end if end >= 0 else text.rfind(b"\r", start, stop)) + 1
    block = b"\n" + text[start:stop]
    end = right.match(block, 1).end()  # type: ignore[union-attr]
    for _ in range(TRIES):
        if (row := max(block.rfind(b"\n", 1, end), block.rfind(b"\r", 1, end))) <= 0:
            return start
        end = right.match(block, 1, row + 1).end()  # type: ignore[union-attr]
        if end == row + 1:
            return start + row
    return start + rows.match(block, 1, end).end() - 1  # type: ignore[union-attr]


def _right(delimiter: str) -> re.Pattern[bytes]:
    """The longest text from the begin of a value on in which each quoted value ends where one may end."""
    sign = rb"[%s\r\n]" % re.escape(delimiter.encode())
    return compiled(rb'[^"]*+(?:(?:(?<=%s)%s"(?=%s)|(?<!%s)")[^"]*+)*+' % (sign, _QUOTED, sign, sign))


def _rows(delimiter: str) -> re.Pattern[bytes]:
    """The longest text from the begin of a row on that ends with a whole row. `_right` tells more quickly
    whether a text ends outside of quotes."""
    sign = rb"[%s\r\n]" % re.escape(delimiter.encode())
    value = rb'(?:(?<=%s)%s"(?=%s)|(?<!%s)")' % (sign, _QUOTED, sign, sign)
    return compiled(rb'(?:[^"\r\n]*+(?:%s[^"\r\n]*+)*+[\r\n])*+' % value)


class QuoteCheck:
    """Reads a UTF-8 text in which quotes within quotes are doubled, chunk by chunk.

    `wrong` says that a value begins with a quote and that its closing quote is missing, or is not followed by
    a delimiter, a line break or the end. A value of more than twice MAX_VALUE_BYTES counts as one without a
    closing quote. A quote elsewhere in a value is part of it. `blank_lines` counts the empty lines outside
    quotes, unless a quote is wrong.
    """

    def __init__(self, delimiter: str) -> None:
        sign = rb"[%s\r\n]" % re.escape(delimiter.encode())
        self._right = _right(delimiter)
        self._value = compiled(_QUOTED)
        self._whole_value = compiled(rb'"(?<=%s")%s"' % (sign, _QUOTED[1:]))
        self._waiting = b"\n"
        self.wrong = False
        self.blank_lines = 0

    def add(self, chunk: bytes) -> None:
        """Read the next chunk of the text."""
        if self.wrong or not chunk:
            return
        if len(self._waiting) == 1 and b'"' not in chunk:
            self.blank_lines += _empty_lines(self._waiting + chunk)
            self._waiting = chunk[-1:]
            return
        text = self._waiting + chunk
        end = self._right.match(text, 1).end()  # type: ignore[union-attr]
        if end < len(text):
            value = self._value.match(text, end)
            closed = value is not None and value.end() < len(text) - 1
            self.wrong = closed or len(text) - end > 2 * MAX_VALUE_BYTES
        settled = text[:end]
        if _empty_lines(settled):
            self.blank_lines += _empty_lines(self._whole_value.sub(b'""', settled))
        self._waiting = text[end - 1 :]

    def end(self) -> None:
        """Say that no chunk follows."""
        if self._waiting != b"\n":
            self.add(b"\n")
        self.wrong = self.wrong or len(self._waiting) > 1


def _empty_lines(text: bytes) -> int:
    """The line breaks, but for the first one, that follow another one. CR and LF are one line break."""
    kinds = EMPTY_LINES if b"\r" in text else EMPTY_LINES[:1]
    pairs = [
        np.frombuffer(text, "<u2", count=(len(text) - start) // 2, offset=start)
        for start in (0, 1)
        if len(text) - start > 1
    ]
    return sum(int(np.count_nonzero(each == kind)) for each in pairs for kind in kinds)
