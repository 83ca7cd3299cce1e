"""Decodes the first bytes of a CSV file."""

from __future__ import annotations

import codecs
from typing import Final

from retraining.starts.inspection.problems import Problem

WIDE_BOMS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks, and the encodings that they stand for. UTF-32's first one begins with UTF-16's."""

WIDE: Final = ("utf-16", "utf-32")
"""How the names of the encodings begin that write a letter of English with a zero byte."""

WIDE_UNITS: Final = {2: "utf-16", 4: "utf-32"}
"""Encodings by the bytes of a letter of English, of which one is not zero."""

SAMPLE: Final = 512
"""First bytes in which a wide encoding shows itself."""


def decode(data: bytes, encoding: str, *, whole: bool) -> str | Problem:
    """The text of these bytes without a byte order mark; the problem if they are not in this encoding.

    `whole` is false if the bytes are the beginning of a longer text: it may be cut within a character.
    """
    if problem := _other_width(data, encoding):
        return problem
    if not encoding.startswith(WIDE) and 0 in data:
        return _zero(data.index(0))
    try:
        text = codecs.getincrementaldecoder(_exact(data, encoding))().decode(data, final=whole)
    except UnicodeDecodeError as error:
        return _undecodable(data, encoding, error)
    if "\x00" in text:
        return _zero(len(text[: text.index("\x00")].encode(encoding)))
    return text.removeprefix("\ufeff")


def _zero(place: int) -> Problem:
    return Problem("binary", f"the file is not text: byte {place} is zero")


def _exact(data: bytes, encoding: str) -> str:
    """The encoding with its order of bytes, which a first zero byte tells if no mark does."""
    if encoding not in WIDE or data.startswith(tuple(WIDE_BOMS)):
        return encoding
    return f"{encoding}-{'be' if data[:1] == bytes(1) else 'le'}"


def _other_width(data: bytes, encoding: str) -> Problem | None:
    """The problem of a file whose first bytes say that it has another encoding than `data.encoding`."""
    found = _wide(data)
    if found is None and data.startswith(codecs.BOM_UTF8):
        found = "utf-8"
    expected = "UTF-8" if encoding == "utf-8" else f"{encoding}, as data.encoding says"
    way_out = "in handsoff.yaml, or save it as UTF-8"
    if found is None and encoding.startswith(WIDE) and data and 0 not in data[:SAMPLE]:
        said = f"the file is not {expected}: its first {SAMPLE} bytes have no zero byte"
        return Problem("encoding", f"{said}; correct data.encoding {way_out}")
    if found is None or encoding.startswith(found) or found.startswith(encoding):
        return None
    return Problem(
        "encoding", f"the file is not {expected}, but {found}: set data.encoding: {found} {way_out}"
    )


def _wide(data: bytes) -> str | None:
    """utf-16 or utf-32 if the bytes are text in it; None if they are not."""
    for mark, name in WIDE_BOMS.items():
        if data.startswith(mark):
            return name
    sample = data[:SAMPLE]
    for width, name in reversed(WIDE_UNITS.items()):
        for order, first in (("le", 0), ("be", width - 1)):
            letters = sample[first::width]
            whole = len(sample) - len(sample) % width
            zeros = sample[:whole].count(0)
            if whole >= 4 * width and zeros == whole - whole // width and 0 not in letters[: whole // width]:
                return f"{name}-{order}"
    return None


def _undecodable(data: bytes, encoding: str, error: UnicodeDecodeError) -> Problem:
    line = data[: error.start].count(b"\n") + 1
    place = f"line {line} has the byte 0x{data[error.start]:02x} at byte {error.start} of the file"
    expected = "UTF-8" if encoding == "utf-8" else f"{encoding}, as data.encoding says"
    way_out = "set data.encoding in handsoff.yaml (cp1252 for a file of Windows)"
    start = data.rfind(b"\n", 0, error.start) + 1
    return Problem(
        "encoding",
        f"the file is not {expected}: {place}; {way_out}, or save it as UTF-8",
        row=line - 1 or None,
        found=repr(data[start : error.end]),
    )
