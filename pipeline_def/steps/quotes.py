"""Quotes of a CSV text: whether each quoted value ends where a value may end.

Arrow reads on after a closing quote and takes line breaks within quotes as part of the value. Two quotes that
do not end would then make one value of all rows between them.
"""

from __future__ import annotations

import re
from typing import Final

MAX_VALUE: Final = 131_072
"""Characters of a value at most: the limit of the csv module, with which start_retraining reads files."""

MAX_VALUE_BYTES: Final = 4 * MAX_VALUE
"""Bytes that a value of MAX_VALUE characters has at most in UTF-8, as long as its quotes are not doubled."""


class QuoteCheck:
    """Reads a UTF-8 text in which quotes within quotes are doubled, chunk by chunk.

    `wrong` says that a value begins with a quote and that its closing quote is missing, or is not followed by
    a delimiter, a line break or the end. A value of more than twice MAX_VALUE_BYTES counts as one without a
    closing quote. A quote elsewhere in a value is part of it.
    """

    def __init__(self, delimiter: str) -> None:
        sign = rb"[%s\r\n]" % re.escape(delimiter.encode())
        value = rb'"[^"]*+(?:""[^"]*+)*+'
        self._right = re.compile(
            rb'[^"]*+(?:(?:(?<=%s)%s"(?=%s)|(?<!%s)")[^"]*+)*+' % (sign, value, sign, sign)
        )
        self._value = re.compile(value)
        self._waiting = b"\n"
        self.wrong = False

    def add(self, chunk: bytes) -> None:
        """Read the next chunk of the text."""
        if self.wrong or not chunk:
            return
        if len(self._waiting) == 1 and b'"' not in chunk:
            self._waiting = chunk[-1:]
            return
        text = self._waiting + chunk
        end = self._right.match(text, 1).end()  # type: ignore[union-attr]
        if end < len(text):
            value = self._value.match(text, end)
            closed = value is not None and value.end() < len(text) - 1
            self.wrong = closed or len(text) - end > 2 * MAX_VALUE_BYTES
        self._waiting = text[end - 1 :]

    def end(self) -> None:
        """Say that no chunk follows."""
        self.add(b"\n")
        self.wrong = self.wrong or len(self._waiting) > 1
