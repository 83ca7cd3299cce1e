"""Inspects the head of one file: its folders, its format, its text, its rows."""

from __future__ import annotations

from collections.abc import Mapping

from retraining.config.schema import ModelConfig
from retraining.starts.inspection import formats, rows
from retraining.starts.inspection.header import too_wide
from retraining.starts.inspection.heads import MAX_HEAD_BYTES, Short
from retraining.starts.inspection.partitions import partitions
from retraining.starts.inspection.problems import Fine, Problem
from retraining.starts.inspection.text import decode


def inspect(
    head: bytes, size: int, key: str, config: ModelConfig, *, tail: bytes = b"", asked: int = 0
) -> Problem | Fine | Short:
    """The problem of a file of `size` bytes, as far as its first bytes show it; Fine if they show none, and
    Short if there are too few of them.

    `key` names the folders that the file is in; its ending says nothing. `tail` are the last bytes of a
    Parquet file. `asked` is how many bytes were asked for, if there are not so many: what they are unpacked
    to is bounded by it. Never raises: an error in here is a problem of this file. The time is linear in
    `asked`.
    """
    try:
        return _inspect(head, size, key, config, tail, max(asked, len(head)))
    except Exception as error:  # whatever the bytes are, they must not stop the model
        # The words of an error may hold a value of the file.
        said = f"the file cannot be inspected: {type(error).__name__}"
        return Problem("uninspectable", said, found=str(error))


def _inspect(
    head: bytes, size: int, key: str, config: ModelConfig, tail: bytes, asked: int
) -> Problem | Fine | Short:
    if size == 0:
        return Fine(0)
    folders = partitions(key)
    if isinstance(folders, Problem):
        return folders
    if formats.is_parquet(head, tail):
        return rows.in_folders(folders, config) or formats.parquet(size, tail)
    if problem := formats.refused(head):
        return problem
    whole = len(head) >= size
    if not head.startswith(formats.GZIP):
        return _text(head, config, folders, whole=whole, bytes_in_all=size)
    unpacked = formats.unpack(head, asked, whole=whole)
    if isinstance(unpacked, Problem):
        return unpacked
    if problem := formats.inside_gzip(unpacked.data):
        return problem
    in_all = round(size * len(unpacked.data) / max(unpacked.used, 1))
    at_limit = asked >= MAX_HEAD_BYTES
    return _text(unpacked.data, config, folders, whole=unpacked.whole, bytes_in_all=in_all, at_limit=at_limit)


def _text(
    data: bytes,
    config: ModelConfig,
    folders: Mapping[str, str],
    *,
    whole: bool,
    bytes_in_all: int,
    at_limit: bool = False,
) -> Problem | Fine | Short:
    """The problem of CSV text, or the number of its rows, estimated if `data` is not the whole text.

    `at_limit` says that no more of the file is read, however little text that was.
    """
    text = decode(data, config.data.encoding, whole=whole)
    if isinstance(text, Problem):
        return text
    found = rows.table(text, config, folders, whole=whole)
    if isinstance(found, Short) and (at_limit or len(data) >= MAX_HEAD_BYTES):
        return too_wide(f"header and first row do not end in its first {MAX_HEAD_BYTES:,} bytes")
    if whole or not isinstance(found, Fine) or found.rows is None:
        return found
    return Fine(round(found.rows * bytes_in_all / max(len(data), 1)))
