"""How many bytes are read of a file, and of a file whose header is longer than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 256 * 1024
"""Bytes read of each file, if there are few files."""

ALL_HEADS_BYTES: Final = 64 * 1024 * 1024
"""Bytes read of all files together, if there are many and their headers are short."""

MIN_TEXT_BYTES: Final = 64 * 1024
"""Bytes to which every compressed head is unpacked, however short it is."""

MIN_HEAD_BYTES: Final = 8 * 1024
"""Bytes read of each file at first, however many files there are."""

MAX_HEAD_BYTES: Final = 1024 * 1024
"""Bytes read of a file at most, and bytes to which a head is unpacked. Header and first row end in it."""

MAX_COLUMNS: Final = 20_000
"""Columns of a file at most. DataPreProcessing has the same limit."""

STEP: Final = 8
"""A head that ends before the first row does is read again, so many times as long."""


@dataclass(frozen=True)
class Short:
    """The head ends before the file's first row does: a longer one tells more."""


def head_bytes(files: int) -> int:
    """Bytes to read of each file, for a number of files: thousands of files take less than a minute."""
    return max(MIN_HEAD_BYTES, min(HEAD_BYTES, ALL_HEADS_BYTES // max(files, 1)))


def text_bytes(length: int) -> int:
    """Bytes of text in the first `length` bytes of a file at most: a compressed head is unpacked so far.

    So many compressed files take about as long as others: what takes time is their text.
    """
    return min(MAX_HEAD_BYTES, max(MIN_TEXT_BYTES, length))


def longer(length: int) -> int:
    """The bytes to read next of a file of which `length` bytes were too short."""
    return min(length * STEP, MAX_HEAD_BYTES)
