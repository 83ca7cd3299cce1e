"""Writes rows as a model with own training code is asked about them, with the columns of its channel.

A script of its own, for the Python of the model's image. It needs the standard library, and cells.py, which
says what a cell's text means. A problem with the rows ends it with exit code REFUSED and one line.

Arguments: the folder of the step scripts, handsoff.json of the artifact, the content type of standard input,
and the CSV file to write, which gets a header.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from cells import MISSING_WORDS, Spelling, as_boolean, category, is_number, usual_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

REFUSED = 64
"""The exit code for rows that do not fit (EX_USAGE)."""

JSON_LINES = "application/jsonlines"
"""The content type of rows that are a JSON record in each line."""


class Refused(ValueError):
    """Rows that do not fit the model. The message says which and why."""


def rows_of(body: bytes, content_type: str, contract: Mapping[str, Any]) -> Iterator[list[str]]:
    """The cells of each row, in the order of the contract's `columns`. Raises Refused.

    CSV has a header, or exactly these columns. Features are written as DataPreProcessing writes them.
    """
    columns, config = contract["columns"], contract["config"]
    meanings = [meaning_of(name, config) for name in columns]
    for number, row in enumerate(_rows(body, content_type, columns, config.get("data", {})), 1):
        try:
            yield [meaning(value) for meaning, value in zip(meanings, row)]  # noqa: B905 # Python 3.8
        except LookupError as error:
            raise Refused(f"row {number}: {error.args[0]}") from None


def meaning_of(name: str, config: Mapping[str, Any]) -> Callable[[Any], str]:
    """What a value of a column becomes; empty for a missing one. It raises LookupError for a wrong one."""
    data, features = config.get("data", {}), config["features"]
    known = {key: data[key] for key in Spelling._fields if key in data}
    spelling = Spelling(**{**known, "not_missing": tuple(known.get("not_missing", ()))})

    def number(value: Any) -> str:
        word = _text(value).strip()
        if word in MISSING_WORDS:
            return ""
        if not isinstance(value, str) and word not in ("true", "false"):
            return word
        if not is_number(word, spelling):
            raise LookupError(f"{name} has a wrong value, expected a number")
        return usual_text(word, spelling)

    def boolean(value: Any) -> str:
        try:
            found = as_boolean(_text(value))
        except LookupError:
            raise LookupError(f"{name} has a wrong value, expected true or false") from None
        return "" if found is None else str(found)

    def text(value: Any) -> str:
        return category(_text(value), spelling) or ""

    kinds = {"numeric": number, "boolean": boolean, "categorical": text}
    return next((kinds[kind] for kind in kinds if name in features.get(kind, ())), _text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _rows(
    body: bytes, content_type: str, columns: Sequence[str], data: Mapping[str, Any]
) -> Iterator[list[Any]]:
    """The values of each row, in the order of `columns`. Raises Refused."""
    kind, _, rest = content_type.partition(";")
    charset = rest.partition("charset=")[2].strip('" ') or "utf-8-sig"
    try:
        text = body.decode(charset)
    except (LookupError, UnicodeDecodeError):
        raise Refused(f"it cannot be read as {charset}: say --content-type 'text/csv; charset=…'") from None
    if kind.strip().lower() == "text/csv":
        yield from _cells(text, columns, str(data.get("delimiter", ",")), data.get("header") or [])
        return
    for number, record in enumerate(_records(text, lines=kind.strip() == JSON_LINES), 1):
        if missing := [name for name in columns if name not in record]:
            raise Refused(f"row {number} has no {', '.join(missing)}; the model takes {', '.join(columns)}")
        yield [record[name] for name in columns]


def _cells(text: str, columns: Sequence[str], delimiter: str, landed: Sequence[str]) -> Iterator[list[str]]:
    """The cells of each line, in the order of `columns`. `landed` are those of files without a header."""
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if line]
    if not lines:
        raise Refused("it has no rows")
    header = set(columns) <= set(lines[0])
    names = lines[0] if header else landed if len(lines[0]) == len(landed) else columns
    if len(lines[0]) != len(names):
        missing = [name for name in columns if name not in lines[0]]
        raise Refused(
            f"its first line does not name {', '.join(missing)}; the model takes {', '.join(columns)}"
        )
    places = [names.index(name) for name in columns]
    for number, line in enumerate(lines[header:], 1 + header):
        if len(line) != len(lines[0]):
            raise Refused(f"line {number} has {len(line)} values, expected {len(lines[0])}")
        yield [line[place] for place in places]


def _records(text: str, *, lines: bool) -> list[dict[str, Any]]:
    try:
        found = (
            [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
        )
    except ValueError as error:
        raise Refused(f"it is no JSON: {error}") from None
    found = found.get("instances", [found]) if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Refused('expected a list of records, or {"instances": [record, …]}')
    return found


def main() -> int:
    """Write the rows; the exit code."""
    contract = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    with open(sys.argv[4], "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(contract["columns"])
        try:
            writer.writerows(rows_of(sys.stdin.buffer.read(), sys.argv[3], contract))
        except Refused as refused:
            print(refused, file=sys.stderr)
            return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
