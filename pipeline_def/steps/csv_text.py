"""The text of a CSV file as UTF-8 with doubled quotes, whatever its packing, encoding and way of quoting.

Text passes in chunks: the memory that is needed does not grow with the file.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from formats import damaged_gzip
from job import DataProblem

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES: Final = 8 << 20
"""Bytes of a CSV file that are read at a time. A row must be shorter."""

TEXT_BYTES: Final = 2 << 20
"""Bytes of a block of which all columns are read as text, about: they need several times their memory."""

CHUNK_BYTES: Final = 1 << 20
"""Bytes of a file that are unpacked or decoded at a time."""

WIDE_BOMS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks, and the encodings that they stand for. UTF-32's first one begins with UTF-16's."""

WIDE: Final = ("utf-16", "utf-32")
"""How the names of the encodings begin that write a letter of English with a zero byte."""

SAMPLE: Final = 512
"""First bytes in which a wide encoding shows itself."""

POSSESSIVE_GROUPS: Final = sys.version_info >= (3, 11, 5)
"""Whether Python's re finds the right place after a possessive group: python/cpython#106052."""


class LongRow(DataProblem):
    """A row is longer than a block. `where` names the file, and the row if it is known."""

    def __init__(self, where: str) -> None:
        limit = f"a row has more than {BLOCK_BYTES:,} bytes, which is too wide"
        super().__init__(f"{where}: {limit}; expected line breaks")


@dataclass(frozen=True)
class CsvText:
    """A file's text. `key` names it in errors, `packed` says whether gzip packed it.

    `encoding` is the name that Python gives it. `backslash` is the delimiter of a file in which a backslash
    precedes each quote within quotes; None if such a quote is doubled.
    """

    path: Path
    key: str
    packed: bool
    encoding: str
    backslash: str | None = None

    def chunks(self) -> Generator[bytes]:
        """The text in UTF-8 without a byte order mark. Raises DataProblem where it cannot be decoded."""
        text = _recoded(self) if self.encoding != "utf-8" else _without_mark(raw_chunks(self))
        return text if self.backslash is None else _doubled(text, self.backslash, self.key)

    def stream(self) -> io.BufferedReader:
        """The text as a binary file. Close it."""
        return io.BufferedReader(_Stream(self.chunks()), CHUNK_BYTES)

    def lines(self) -> Iterator[str]:
        """The lines of the text, each with its line break. A byte that is not UTF-8 is a lone surrogate.

        Raises DataProblem for a line of BLOCK_BYTES characters, before it is read.
        """
        with io.TextIOWrapper(self.stream(), "utf-8", errors="surrogateescape", newline="") as text:
            while line := text.readline(BLOCK_BYTES):
                if len(line) == BLOCK_BYTES:
                    raise LongRow(self.key)
                yield line


def encoding_of(head: bytes, encoding: str, key: str) -> str:
    """The exact encoding of a text that begins with these bytes, where `encoding` is the config's.

    Of UTF-16 and UTF-32 a mark tells the order of bytes, else a first zero byte does. Raises DataProblem if
    the bytes show another encoding.
    """
    found = _shown(head)
    ours = "UTF-8" if encoding == "utf-8" else f"{encoding}, as data.encoding says"
    way_out = "in handsoff.yaml, or save it as UTF-8"
    if found is None and encoding.startswith(WIDE) and head and 0 not in head[:SAMPLE]:
        raise DataProblem(
            f"{key} is not {ours}: its first {SAMPLE} bytes have no zero byte; correct data.encoding "
            f"{way_out}"
        )
    if found is not None and not encoding.startswith(found) and not found.startswith(encoding):
        raise DataProblem(f"{key} is not {ours}, but {found}: set data.encoding: {found} {way_out}")
    if encoding not in WIDE or head.startswith(tuple(WIDE_BOMS)):
        return encoding
    return f"{encoding}-{'be' if head[:1] == bytes(1) else 'le'}"


def _shown(head: bytes) -> str | None:
    """The encoding that a text's first bytes show by a mark or by their zeros; None if they show none."""
    for mark, name in WIDE_BOMS.items():
        if head.startswith(mark):
            return name
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    sample = head[:SAMPLE]
    for width in (4, 2):
        whole = len(sample) // width
        if whole < 4 or sample[: whole * width].count(0) != whole * (width - 1):
            continue
        for order, place in (("le", 0), ("be", width - 1)):
            if 0 not in sample[place : whole * width : width]:
                return f"utf-{8 * width}-{order}"
    return None


def raw_chunks(text: CsvText) -> Generator[bytes]:
    """The file's bytes, unpacked. Raises DataProblem if they are packed and damaged."""
    try:
        with gzip.open(text.path) if text.packed else text.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise damaged_gzip(text.key, error) from error


def _without_mark(chunks: Iterator[bytes]) -> Generator[bytes]:
    yield next(chunks, b"").removeprefix(codecs.BOM_UTF8)
    yield from chunks


def _recoded(text: CsvText) -> Generator[bytes]:
    """The text in UTF-8, from another encoding."""
    decoder, read, first = codecs.getincrementaldecoder(text.encoding)(), 0, True
    for chunk in _with_end(raw_chunks(text)):
        waiting = len(decoder.getstate()[0])
        try:
            decoded = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise undecodable(text, read - waiting + error.start + 1) from None
        read += len(chunk)
        if decoded:
            yield (decoded.removeprefix("\ufeff") if first else decoded).encode()
            first = False


def _with_end(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from chunks
    yield b""


def undecodable(text: CsvText, byte: int, row: int | None = None) -> DataProblem:
    """The problem of a byte, counted from 1 in the unpacked file, that the encoding does not have."""
    ours = "UTF-8" if text.encoding == "utf-8" else f"{text.encoding}, as data.encoding says"
    where = f"{text.key}, row {row}:" if row else f"{text.key}:"
    return DataProblem(
        f"{where} byte {byte} of the file is not {ours}; set data.encoding in handsoff.yaml "
        "(cp1252 for a file of Windows), or save it as UTF-8"
    )


def first_undecodable(text: CsvText) -> int | None:
    """The place of the first byte that is not UTF-8, counted from 1 in the unpacked file."""
    decoder, read = codecs.getincrementaldecoder("utf-8")(), 0
    for chunk in _with_end(raw_chunks(text)):
        waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            return read - waiting + error.start + 1
        read += len(chunk)
    return None


def compiled(pattern: bytes, flags: int = 0) -> re.Pattern[bytes]:
    """Compile a pattern in which the greedy form of each possessive group finds the same, in more memory."""
    return re.compile(pattern if POSSESSIVE_GROUPS else pattern.replace(b")*+", b")*"), flags)


def _doubled(chunks: Iterator[bytes], delimiter: str, key: str) -> Generator[bytes]:
    r"""The text with `\"` in quoted values as `""` and `\\` as a backslash. Elsewhere a backslash is itself.

    A value is quoted if it begins with a quote. It ends with the first quote that no backslash precedes, if a
    delimiter or a line break follows; else it is not quoted. What a chunk cuts waits for the next one.
    """
    ends = rb"[%s\r\n]" % re.escape(delimiter.encode())
    value = compiled(
        rb'(?:(?<=%s)|\A)"(?P<inside>[^"\\]*+(?:\\.[^"\\]*+)*+)(?P<end>"(?=%s|\Z)|\\?\Z)' % (ends, ends),
        re.DOTALL,
    )
    signs = (delimiter.encode(), b"\r", b"\n")
    waiting, cut = b"", -1

    def complete(found: re.Match[bytes]) -> bytes:
        nonlocal cut
        if found.end() < len(waiting):
            return _plain_quotes(found)
        cut = found.start()
        return found[0]

    for chunk in chunks:
        waiting, cut = waiting + chunk, -1
        if len(waiting) > BLOCK_BYTES + CHUNK_BYTES:
            raise LongRow(key)
        text = value.sub(complete, waiting)
        left = len(waiting) - (cut if cut >= 0 else max(map(waiting.rfind, signs)) + 1)
        yield text[: len(text) - left]
        waiting = waiting[len(waiting) - left :]
    yield value.sub(_plain_quotes, waiting)


def _plain_quotes(found: re.Match[bytes]) -> bytes:
    """A quoted value with doubled quotes in place of those after a backslash."""
    inside: bytes = found["inside"]
    if b"\\" not in inside:
        return found[0]
    plain = re.sub(rb'\\(["\\])', lambda sign: b'""' if sign[1] == b'"' else b"\\", inside)
    return b'"' + plain + found["end"]


class _Stream(io.RawIOBase):
    """Chunks as a raw binary file."""

    def __init__(self, chunks: Generator[bytes]) -> None:
        self._chunks, self._left = chunks, memoryview(b"")

    def close(self) -> None:
        self._chunks.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer)
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
