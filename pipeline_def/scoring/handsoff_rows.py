"""rows.csv, as requests that a model is asked: parts of bounded size, and each as the body of a request.

Python 3.8; the standard library.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

CSV = "text/csv"
"""Lines of values."""

JSON = "application/json"
"""A JSON text."""

LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl", "application/x-ndjson")
"""Content types of one JSON text in each line."""

TEXTS = (JSON, CSV)
"""The content types whose bodies the containers hand over as text; of all others they hand over bytes."""

MAX_ROWS = 1000
"""Rows of one request."""

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of the rows of one request, before they are JSON. Endpoints take at most 6 MB."""


class NoNumber(Exception):
    """A cell that is no number where one is needed: its line of the request and its column, from 0.

    `by_image` says that it is the image's own input_fn that needs one.
    """

    def __init__(self, line: int, column: int, *, empty: bool = False, by_image: bool = False) -> None:
        super().__init__()
        self.line, self.column, self.empty, self.by_image = line, column, empty, by_image


class NoKind(Exception):
    """A content type in which rows cannot be written."""


class Written(list):  # type: ignore[type-arg] # list[str] is no base class in Python 3.8
    """The lines that a csv.writer writes."""

    def write(self, line: str) -> None:
        """Take a line."""
        self.append(line)


def read(path: str) -> Iterator[list[str]]:
    """The lines of rows.csv, with the header.

    NUL is left out of cells: Python before 3.11 does not read it. An empty line is a missing value in the
    only column.
    """
    with open(path, encoding="utf-8", newline="") as file:
        for line in csv.reader(text.replace("\0", "") for text in file):
            yield line or [""]


def requests(path: str, places: list[int]) -> Iterator[list[list[str]]]:
    """The rows of rows.csv, in parts that a request may hold; of each row the cells at `places`.

    The last request takes a row of the one before rather than be of one row, which the input_fn of
    scikit-learn's container reads as a column.
    """
    waiting: list[list[str]] = []
    part: list[list[str]] = []
    size = 0
    lines = read(path)
    next(lines, None)
    for whole in lines:
        line = [whole[place] for place in places]
        length = sum(len(cell.encode()) + 1 for cell in line)
        if len(part) == MAX_ROWS or (part and size + length > MAX_BYTES):
            if waiting:
                yield waiting
            waiting, part, size = part, [], 0
        part.append(line)
        size += length
    if len(part) == 1 and len(waiting) > 2:
        part.insert(0, waiting.pop())
    if waiting:
        yield waiting
    if part:
        yield part


def request(rows: list[list[str]], task: dict[str, Any]) -> Any:
    """The body of a request with these rows: text where the containers hand over text, else bytes.

    Raises NoNumber, and NoKind for a content type that is neither CSV nor JSON.
    """
    kind, columns = task["content_type"].split(";")[0].strip().lower(), task["columns"]
    if kind == CSV:
        text = csv_text([columns, *rows] if task["header"] else rows)
    else:
        numbers = [name in task["numbers"] for name in columns]
        values = [
            [_value(cell, numbers[column], line, column) for column, cell in enumerate(row)]
            for line, row in enumerate(rows)
        ]
        found = [dict(zip(columns, row)) for row in values] if task["header"] else values
        if kind == JSON:
            text = json.dumps(found)
        elif kind in LINES:
            text = "\n".join(json.dumps(item) for item in found)
        else:
            raise NoKind(f"inference.content_type {kind} cannot be written; use {CSV}, {JSON} or {LINES[0]}")
    return text if task["content_type"] in TEXTS else text.encode()


def csv_text(rows: Iterable[list[str]]) -> str:
    """The rows as CSV, without an end of the last line, as XGBoost's own input_fn needs it.

    A cell with a carriage return is in quotes, which csv.writer does for the characters of its own line ends.
    """
    written = Written()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return "\n".join(line[:-2] for line in written)


def _value(cell: str, number: bool, line: int, column: int) -> Any:
    """A cell of rows.csv in JSON: null where it is empty, a number in a column of numbers, else the text."""
    if cell == "":
        return None
    if not number:
        return cell
    try:
        found = float(cell)
    except ValueError:
        raise NoNumber(line, column) from None
    return int(found) if found.is_integer() and abs(found) < 2**53 else found
