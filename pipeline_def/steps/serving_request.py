"""A request to the endpoint: from the body of a request to the features of its rows, as training had them.

The file stands alone with cells.py and dates.py: train.py puts them beside the model, with inference.py.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from email.message import Message
from typing import TYPE_CHECKING, Final, NamedTuple

import pandas as pd

from cells import (
    MISSING_WORDS,
    PLAIN,
    Spelling,
    as_boolean,
    as_date,
    category,
    is_number,
    number_category,
    usual_text,
)
from dates import days_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

JSON: Final = "application/json"
"""The content type of a list of records, and of an answer."""

CSV: Final = "text/csv"
"""The content type of lines of values, and of an answer."""

JSON_LINES: Final = "application/jsonlines"
"""The content type of a record in each line, and of an answer."""

LINES_OF_JSON: Final = (JSON_LINES, "application/x-jsonlines", "application/jsonl", "application/x-ndjson")
"""The content types of requests that have a JSON record in each line."""


class Refused(ValueError):
    """A request that cannot be served, with the HTTP status of the answer."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Model(NamedTuple):
    """The fitted pipeline, what it predicts, and its input columns by the kind of value that they hold.

    `classes` are empty for regression; of two, the second is the positive one. `columns` are those of the
    files that the model was trained on, in their order, or empty if the files differ. No number may be
    further from 0 than `limit`.
    """

    pipeline: Pipeline
    classes: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    boolean: tuple[str, ...]
    date: tuple[str, ...] = ()
    target: str = ""
    columns: tuple[str, ...] = ()
    spelling: Spelling = PLAIN
    delimiter: str = ","
    quotes: str | None = None
    limit: float = math.inf

    @property
    def features(self) -> tuple[str, ...]:
        """The input columns in the order of the config: numeric, categorical, boolean, date."""
        return (*self.numeric, *self.categorical, *self.boolean, *self.date)


class Lines(NamedTuple):
    """The text of a CSV request. Only the model knows whether its first line is a header."""

    text: str


def read_body(body: str | bytes, content_type: str) -> pd.DataFrame | Lines:
    """The rows of a body, by its content type. Raises Refused with status 400 or 415."""
    header = Message()
    header["Content-Type"] = content_type
    kind = header.get_content_type()
    if kind not in (CSV, JSON, *LINES_OF_JSON):
        expected = ", ".join((CSV, JSON, JSON_LINES))
        raise Refused(f"content type {content_type} is not served; send one of {expected}", 415)
    text = _text(body, header.get_content_charset("utf-8"))
    if not text.strip():
        raise Refused("the body is empty; expected at least one row")
    if kind == CSV:
        return Lines(text)
    return pd.DataFrame(_records(text, lines=kind != JSON), dtype=object)


def _text(body: str | bytes, charset: str) -> str:
    """The body as text. The server decodes some bodies itself; it replaces what is no UTF-8 by U+FFFD."""
    try:
        text = body if isinstance(body, str) else bytes(body).decode(charset)
    except (LookupError, ValueError):  # a UnicodeError, or a NUL in the charset
        raise Refused(f"the body cannot be read as {charset}; name its charset in the content type") from None
    if "\ufffd" in text:
        raise Refused("the body cannot be read as utf-8; name its charset in the content type")
    if "\x00" in text:
        raise Refused(f"the body is not text: character {text.index(chr(0)) + 1} is zero")
    return text.removeprefix("\ufeff")


def _records(text: str, *, lines: bool) -> list[dict[str, object]]:
    """The records of a JSON body: a list, {"instances": list}, a single record, or one in each line."""
    try:
        if lines:
            found: object = [json.loads(line) for line in text.split("\n") if line.strip()]
        else:
            found = json.loads(text)
    except RecursionError:
        raise Refused("the body is nested too deep; expected a list of records") from None
    except ValueError as error:
        where = (
            f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        )
        raise Refused(f"the body is no JSON ({where}); lines of JSON are sent as {JSON_LINES}") from None
    if isinstance(found, dict):
        found = found.get("instances", [found])
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Refused('expected a list of records, or {"instances": [record, …]}')
    if any(isinstance(value, dict | list) for row in found for value in row.values()):
        raise Refused("expected a list of records whose values are texts, numbers, true, false or null")
    return found


def with_absent_values(rows: pd.DataFrame, model: Model) -> pd.DataFrame:
    """The table with all features. A feature that no record names is missing everywhere.

    Raises Refused if no feature is named, or one in another case.
    """
    absent = [name for name in model.features if name not in rows]
    if len(rows) and (len(absent) == len(model.features) or _alike(absent, rows.columns)):
        raise _no_columns(absent, rows.columns)
    return rows.reindex(columns=[*rows.columns, *absent])


def _alike(absent: Iterable[str], names: Iterable[object]) -> bool:
    """Whether one of the names is that of an absent column, apart from case and spaces."""
    return not {_folded(name) for name in absent}.isdisjoint(map(_folded, names))


def _folded(name: object) -> str:
    return str(name).strip().casefold()


def _no_columns(absent: Sequence[str], names: Iterable[object]) -> Refused:
    hint = "; names must agree in case and spaces" if _alike(absent, names) else ""
    return Refused(f"the rows have no {', '.join(absent)}; they have {', '.join(map(str, names))}{hint}")


def read_lines(text: str, model: Model) -> tuple[pd.DataFrame, bool]:
    """The rows of a CSV text under the names of their columns, and whether the text has a header.

    The first line is a header if it has all features, or if half of its values are names of columns.
    """
    cells = _cells(text, model)
    first, known = cells[0], set(map(_folded, (*model.features, model.target, *model.columns)))
    named = sum(_folded(cell) in known for cell in first)
    absent = [name for name in model.features if name not in first]
    if absent and 2 * named < len(first):
        return pd.DataFrame(cells, columns=list(_order(cells, model)), dtype=object), False
    if absent:
        raise _no_columns(absent, first)
    cells = _without_unnamed(cells)
    first = cells[0]
    if len(set(first)) < len(first):
        raise Refused("the header has a column more than once; name each column once")
    return pd.DataFrame(cells[1:], columns=first, dtype=object), True


def _without_unnamed(cells: list[list[str]]) -> list[list[str]]:
    """The lines without the columns at their end that have no name, as training reads them.

    Raises Refused if one has a value.
    """
    names = len(cells[0])
    while not cells[0][names - 1].strip():
        names -= 1
    if wrong := next((row for row, line in enumerate(cells) if any(map(str.strip, line[names:]))), None):
        raise Refused(f"row {wrong}: a value stands in a column that the header has no name for; name it")
    return [line[:names] for line in cells]


def _cells(text: str, model: Model) -> list[list[str]]:
    """The values of each line. Empty lines are no rows. Quotes are read as in the files of training."""
    readings = [text]
    if model.quotes == "backslash":
        readings = [_doubled(text, model.delimiter)]
    elif model.quotes is None and '\\"' in text:
        readings = [text, _doubled(text, model.delimiter)]
    found: list[list[list[str]]] = []
    problem = ""
    for reading in readings:
        try:
            lines = csv.reader(io.StringIO(reading, newline=""), delimiter=model.delimiter, strict=True)
            cells = [line for line in lines if line]
        except csv.Error as error:
            problem = f"the body is no CSV: {error}"
            continue
        width = len(cells[0])
        if wrong := next((row for row, line in enumerate(cells, 1) if len(line) != width), None):
            problem = (
                f"line {wrong} has {len(cells[wrong - 1])} values, expected {width} as in the first line"
            )
        elif cells not in found:
            found.append(cells)
    if len(found) == 1:
        return found[0]
    raise Refused(
        "the quotes in the body can be read in two ways; write two quotes for one" if found else problem
    )


def _doubled(text: str, delimiter: str) -> str:
    """The text with two quotes in place of a backslash and a quote, within quotes.

    Each value is matched from its begin and read once, so a long text takes no more time for each character.
    """
    escaped = {'\\"': '""', "\\\\": "\\"}
    end = rf"[{re.escape(delimiter)}\r\n]"
    quoted = rf'"(?P<inside>(?:[^"\\]|\\.)*+)(?P<end>"(?={end}|\Z)|\\?\Z)'
    value = re.compile(rf"{quoted}|[^{re.escape(delimiter)}\r\n]+|{end}", re.DOTALL)

    def replaced(found: re.Match[str]) -> str:
        if found["inside"] is None:
            return found[0]
        inside = re.sub(r"\\.", lambda part: escaped.get(part[0], part[0]), found["inside"], flags=re.DOTALL)
        return f'"{inside}{found["end"]}'

    return value.sub(replaced, text)


def _order(cells: list[list[str]], model: Model) -> tuple[str, ...]:
    """The names of the columns of lines without a header.

    They have all columns of the training files, with or without the target, or exactly the features in the
    order of the config. Where two of these fit, only one may have a number in each numeric column.
    """
    without_target = tuple(name for name in model.columns if name != model.target)
    orders = [order for order in dict.fromkeys((model.columns, without_target, model.features)) if order]
    fitting = [order for order in orders if len(order) == len(cells[0])]
    if not fitting:
        counts = " or ".join(map(str, sorted({len(order) for order in orders})))
        raise Refused(
            f"lines without a header have {len(cells[0])} values, expected {counts}; or send a header"
        )
    if len(fitting) > 1:
        fitting = [order for order in fitting if _readable(cells, order, model)]
    if len(fitting) != 1 or not set(model.features) <= set(fitting[0]):
        raise Refused("the order of the columns is not clear without a header; send one with their names")
    return fitting[0]


def _readable(cells: list[list[str]], order: Sequence[str], model: Model) -> bool:
    """Whether every value is of its column's kind, if the columns are in this order."""
    try:
        features_of(pd.DataFrame(cells, columns=list(order), dtype=object), model)
    except Refused:
        return False
    return True


def features_of(rows: pd.DataFrame, model: Model) -> pd.DataFrame:
    """The features as the pipeline takes them. Raises Refused, which names row and column."""

    spelling = model.spelling

    def number(value: object, name: object) -> float:
        found = to_number(value, name, spelling)
        if abs(found) > model.limit:
            limit = f"{model.limit:.2g}"
            raise Refused(f"{name} has a wrong value, expected a number between -{limit} and {limit}")
        return found

    def boolean(value: object, name: object) -> float:
        return to_boolean(value, name, spelling)

    return pd.DataFrame(
        {name: _column(rows[name], number) for name in model.numeric}
        | {name: _categories(rows[name], spelling) for name in model.categorical}
        | {name: _column(rows[name], boolean) for name in model.boolean}
        | {name: _column(rows[name], to_days) for name in model.date},
        index=rows.index,
    )


def _column(column: pd.Series, meaning: Callable[[object, object], float]) -> pd.Series:
    """The numbers that a column means. Raises Refused, which names row and column."""
    found = []
    for row, value in enumerate(column, 1):
        try:
            found.append(meaning(value, column.name))
        except Refused as refused:
            raise Refused(f"row {row}: {refused}") from None
    return pd.Series(found, index=column.index, dtype="float64")


def to_number(value: object, name: object, spelling: Spelling = PLAIN) -> float:
    """The value as a float, NaN if missing. Raises Refused for another value, and for infinity."""
    found = math.inf
    if value is None:
        return math.nan
    if isinstance(value, str):
        word = value.strip()
        if word in MISSING_WORDS:
            return math.nan
        if is_number(word, spelling):
            found = float(usual_text(word, spelling))
    elif isinstance(value, int | float):
        found = _as_float(value)
    if math.isinf(found):
        raise Refused(f"{name} has a wrong value, expected a number")
    return found


def _as_float(value: float) -> float:
    """The number as a float; infinity if it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def to_boolean(value: object, name: object, spelling: Spelling = PLAIN) -> float:
    """The value as 1.0 or 0.0, NaN if missing. Raises Refused for another value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    try:
        text = usual_text(value.strip(), spelling) if isinstance(value, str) else str(value)
        found = as_boolean(text)
    except LookupError:
        raise Refused(f"{name} has a wrong value, expected true or false") from None
    return math.nan if found is None else found


def to_days(value: object, name: object) -> float:
    """The date as the days since 1970-01-01, NaN if missing. Raises Refused for another value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    try:
        return days_of(as_date(value if isinstance(value, str) else repr(value)))
    except LookupError:
        raise Refused(
            f"{name} has a wrong value, expected a date such as 2026-01-31, or a time such as "
            "2026-01-31 14:05:00"
        ) from None


def _categories(column: pd.Series, spelling: Spelling) -> pd.Series:
    """The canonical text of each value, found once for each distinct value."""
    known: dict[tuple[type, object], str | float] = {}
    found = []
    for value in column:
        key = (type(value), value)
        if key not in known:
            known[key] = to_category(value, spelling)
        found.append(known[key])
    return pd.Series(found, index=column.index, dtype=object)


def to_category(value: object, spelling: Spelling = PLAIN) -> str | float:
    """The category as training reads it from CSV (text) or Parquet (numbers, booleans); NaN if missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number_category(repr(value))
    found = category(str(value), spelling)
    return math.nan if found is None else found
