"""Which format a landed file has, by its bytes: neither its name nor its ending decides.

CSV as text, CSV packed by gzip, and Parquet are read. Other formats are refused by name. start_retraining has
the same table; tests/wall/ holds both to it.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from pathlib import Path
from typing import Final, Literal

from job import DataProblem

Format = Literal["csv", "gzip", "parquet"]
"""What a file's bytes are; `gzip` is CSV packed by gzip."""

GZIP: Final = b"\x1f\x8b"
"""The first bytes of a gzip file (RFC 1952)."""

PARQUET: Final = b"PAR1"
"""The first and the last bytes of a Parquet file (Apache Parquet, "File Format")."""

_BINARY_PARQUET: Final = re.compile(rb"PAR1.{0,28}?[\x00-\x08\x0e-\x19]", re.DOTALL)

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


def format_of(path: Path, key: str) -> Format:
    """The format of a file. `key` names it in errors.

    Raises DataProblem for another format, naming it, and for a gzip file that is damaged at its begin.
    """
    with path.open("rb") as file:
        head = file.read(SAMPLE)
        file.seek(-min(len(PARQUET), path.stat().st_size), os.SEEK_END)
        tail = file.read()
    if is_parquet(head, tail):
        return "parquet"
    if not head.startswith(GZIP):
        _refuse(head, key)
        return "csv"
    try:
        with gzip.open(path) as packed:
            head = packed.read(SAMPLE)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged_gzip(key, error) from error
    if head.startswith(GZIP):
        raise DataProblem(f"{key} is packed by gzip twice: pack it once")
    if is_parquet(head):
        raise DataProblem(f"{key} is Parquet packed by gzip, which is not read: land the Parquet file itself")
    _refuse(head, key, " packed by gzip")
    return "gzip"


def damaged_gzip(key: str, error: Exception) -> DataProblem:
    """The problem of a file that gzip cannot unpack."""
    return DataProblem(f"{key} is a damaged or truncated gzip file: pack and land it again", error)


def is_parquet(head: bytes, tail: bytes = b"") -> bool:
    """Whether a file is Parquet, though its end may be missing. A CSV file's header may begin so, too: a byte
    that no text has must follow, or the file must end so."""
    return head.startswith(PARQUET) and (tail.endswith(PARQUET) or _BINARY_PARQUET.match(head) is not None)


def _refuse(head: bytes, key: str, packed: str = "") -> None:
    if found := other_format(head):
        name, way_out = found
        raise DataProblem(f"{key} is {name}{packed}, which is not read: {way_out}")


def other_format(head: bytes) -> tuple[str, str] | None:
    """What a file is that is neither CSV nor gzip nor Parquet, and what to do; None for another text."""
    for magic, name, way_out in MAGIC:
        if head.startswith(magic):
            if name == "a zip archive" and any(part in head for part in _EXCEL):
                return "an Excel workbook (xlsx)", "save its sheet as CSV"
            return name, way_out
    sample = head[:SAMPLE]
    found = ((name, way_out) for pattern, name, way_out in PATTERNS if pattern.match(sample))
    return next(found, None)
