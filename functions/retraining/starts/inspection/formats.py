"""Which format a file has, by its bytes: neither its name nor its ending decides.

CSV as text, CSV packed by gzip, and Parquet are read. Other formats are refused by name.
"""

from __future__ import annotations

import re
import zlib
from typing import Final, NamedTuple

from retraining.starts.inspection.heads import text_bytes
from retraining.starts.inspection.problems import Fine, Problem

GZIP: Final = b"\x1f\x8b"
"""The first bytes of a gzip file (RFC 1952)."""

PARQUET: Final = b"PAR1"
"""The first and the last bytes of a Parquet file (Apache Parquet, "File Format")."""

_BINARY_PARQUET: Final = re.compile(rb"PAR1.{0,28}?[\x00-\x08\x0e-\x19]", re.DOTALL)

PARQUET_TAIL: Final = 8
"""Bytes at a Parquet file's end: the footer's length and PARQUET."""

SAMPLE: Final = 4096
"""Bytes in which a format shows itself."""

UNPACK_FIRST: Final = "unpack it before it lands, or pack it by gzip"
"""What to do with a file that is packed in another way."""

CONVERT: Final = "write the rows as CSV or Parquet"
"""What to do with a file of another format."""

MEMBERS: Final = "land the CSV or Parquet files that are in it"
"""What to do with an archive."""

DECRYPT: Final = "write it without encryption"
"""What to do with an encrypted file."""

DOWNLOAD: Final = "it may be the error page of a download; land the data itself"
"""What to do with a page."""

MAGIC: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"PK\x03\x04", "a zip archive", MEMBERS),
    (b"PK\x05\x06", "an empty zip archive", "land CSV or Parquet files"),
    (b"PK\x07\x08", "a zip archive", MEMBERS),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (xls)", "save its sheet as CSV"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", UNPACK_FIRST),
    (b"\xfd7zXZ\x00", "packed by xz", UNPACK_FIRST),
    (b"\x04\x22\x4d\x18", "packed by lz4", UNPACK_FIRST),
    (b"\x02\x21\x4c\x18", "packed by lz4", UNPACK_FIRST),
    (b"\xff\x06\x00\x00sNaPpY", "packed by snappy", UNPACK_FIRST),
    (b"\x89LZO\x00", "packed by lzop", UNPACK_FIRST),
    (b"LZIP\x01", "packed by lzip", UNPACK_FIRST),
    (b"\x1f\x9d", "packed by compress", UNPACK_FIRST),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", MEMBERS),
    (b"Rar!\x1a\x07", "a RAR archive", MEMBERS),
    (b"Obj\x01", "Avro", CONVERT),
    (b"ARROW1\x00", "an Arrow file (Feather)", CONVERT),
    (b"FEA1\x00", "a Feather file", CONVERT),
    (b"\xff\xff\xff\xff", "an Arrow stream", CONVERT),
    (b"SQLite format 3\x00", "a SQLite database", CONVERT),
    (b"\x89HDF\r\n\x1a\n", "HDF5", CONVERT),
    (b"\x80\x04\x95", "a Python pickle", CONVERT),
    (b"\x80\x05\x95", "a Python pickle", CONVERT),
    (b"SEQ\x06", "a Hadoop sequence file", CONVERT),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", CONVERT),
    (b"\xff\xd8\xff", "a picture (JPEG)", CONVERT),
)
"""First bytes, what such a file is, and what to do."""

PATTERNS: Final[tuple[tuple[re.Pattern[bytes], str, str], ...]] = (
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "packed by bzip2", UNPACK_FIRST),
    (re.compile(rb"[\x50-\x5f]\x2a\x4d\x18"), "packed by zstd or lz4", UNPACK_FIRST),  # a skipped frame
    (
        re.compile(rb"PARE.{0,12}?[\x00-\x08\x0e-\x19]", re.DOTALL),
        "Parquet with an encrypted footer",
        DECRYPT,
    ),
    (re.compile(rb"ORC.{0,250}?[\x00-\x08\x0e-\x19]", re.DOTALL), "ORC", CONVERT),
    (re.compile(rb"\x93NUMPY[\x01-\x03]\x00"), "a NumPy array", CONVERT),
    (re.compile(rb"%PDF-\d\.\d"), "a PDF document", CONVERT),
    (re.compile(rb".{257}ustar(?:\x00|  \x00)", re.DOTALL), "a tar archive", MEMBERS),
    (
        re.compile(
            rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|error|head|body)(?=[\s/>])"
            rb"(?![^<>]*>[ \t]*[,;|\t])",
            re.IGNORECASE,
        ),
        "HTML or XML",
        DOWNLOAD,
    ),
    (
        re.compile(
            rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\}\s*(?:[\r\n]|\Z))|\[\s*[\[\]{"])'
        ),
        "JSON",
        CONVERT,
    ),
)
"""The same for formats whose first bytes may be text: a column may be named PARENT_ID, ORCHARD or <head>. So
a byte that no text has must follow, or what no header says."""

_EXCEL: Final = (b"[Content_Types].xml", b"xl/")


class Unpacked(NamedTuple):
    """The first bytes of what is in a gzip file: whether they are all of it, and the number of packed bytes
    that they came from."""

    data: bytes
    whole: bool
    used: int


def refused(data: bytes, packed: str = "") -> Problem | None:
    """The problem of a file of another format, which its first bytes tell; None if they tell none.

    `packed` says that these bytes were packed in the file, and how.
    """
    found = _other(data)
    if found is None:
        return None
    name, way_out = found
    what = f"the file is {name}{packed}, which is not read"
    return Problem("unsupported_format", f"{what}: {way_out}")


def inside_gzip(data: bytes) -> Problem | None:
    """The problem of what is packed in a gzip file, if it is not text."""
    packed = " packed by gzip"
    if data.startswith(GZIP):
        return Problem("unsupported_format", "the file is packed by gzip twice: pack it once")
    if is_parquet(data):
        what = f"the file is Parquet{packed}, which is not read"
        return Problem("unsupported_format", f"{what}: land the Parquet file itself")
    return refused(data, packed)


def _other(data: bytes) -> tuple[str, str] | None:
    """What a file is that is neither CSV nor gzip nor Parquet, and what to do."""
    for magic, name, way_out in MAGIC:
        if data.startswith(magic):
            if name == "a zip archive" and any(part in data[:SAMPLE] for part in _EXCEL):
                return "an Excel workbook (xlsx)", "save its sheet as CSV"
            return name, way_out
    sample = data[:SAMPLE]
    found = ((name, way_out) for pattern, name, way_out in PATTERNS if pattern.match(sample))
    return next(found, None)


def is_parquet(head: bytes, tail: bytes = b"") -> bool:
    """Whether a file is Parquet, though its end may be missing. A CSV file's header may begin so, too: a byte
    that no text has must follow, or the file must end so."""
    return head.startswith(PARQUET) and (tail.endswith(PARQUET) or _BINARY_PARQUET.match(head) is not None)


def parquet(size: int, tail: bytes) -> Problem | Fine:
    """Checks the file's end, `tail`, and the footer's length (Apache Parquet, "File Format")."""
    if size < 12 or tail[-4:] != PARQUET:
        return Problem("truncated", "the Parquet file is truncated: it does not end with PAR1")
    if int.from_bytes(tail[-8:-4], "little") + 12 > size:
        return Problem("truncated", "the Parquet file is truncated: its footer is longer than the file")
    return Fine(None)


PACKED_CHUNK: Final = 1024
"""Bytes that are unpacked at a time: the rest of them is copied at the end of each gzip member."""


def unpack(head: bytes, asked: int, *, whole: bool) -> Unpacked | Problem:
    """Unpack the first bytes of a gzip file, which may hold several gzip members in a row.

    `asked` is how many bytes were asked for; a file may have fewer.
    """
    limit = text_bytes(asked)
    out, used = bytearray(), 0
    unpacker = None
    while used < len(head) and len(out) < limit:
        unpacker = unpacker or zlib.decompressobj(wbits=31)
        chunk = head[used : used + PACKED_CHUNK]
        try:
            out += unpacker.decompress(chunk, limit - len(out))
        except zlib.error:
            return Problem("damaged", f"the gzip file is damaged behind byte {used}: pack and land it again")
        used += len(chunk) - len(unpacker.unused_data) - len(unpacker.unconsumed_tail)
        if unpacker.eof:
            unpacker = None
            if head[used : used + 1] == b"\0" and not head[used:].strip(b"\0"):
                used = len(head)  # a file may end with zeros, as tapes do (gzip's manual, "Tapes")
    done = used == len(head)
    if whole and done and unpacker and len(out) < limit:
        return Problem("truncated", "the gzip file is truncated: its end is missing")
    return Unpacked(bytes(out), whole and done and unpacker is None, used)
