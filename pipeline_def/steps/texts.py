"""Values as text: columns of any type of Parquet or CSV as the canonical texts of categories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cells import MISSING_WORDS, PLAIN, Spelling, category
from job import DataProblem, Dialect, one_line
from notation import Notation

PLAIN_NUMBER: Final = r"^(?:0|-?(?:[1-9][0-9]{0,30}(?:\.[0-9]{0,30}[1-9])?|0\.[0-9]{0,30}[1-9]))$"
"""Texts of numbers that are their own category, so that files with many numbers are read fast."""

ENCODED: Final = pa.dictionary(pa.int32(), pa.string())
"""The type of a column of texts in a block of typed columns (typed_columns.py)."""

WORD: Final = r"^[!-~](?:[ -~]*[!-~])?$"
"""Printable ASCII without spaces around it."""

NO_WORD: Final = (
    r"^(?:[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}:[0-9]{2}:[0-9]{2})"
)
"""A number, and the begin of a date or a time."""

_DAY: Final = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)

PLAIN_TIME: Final = (
    r"^(?:[1-9][0-9]{3}-" + _DAY + r"(?: (?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:0[1-9]|[1-5][0-9])"
    r"(?:\.[0-9]{0,8}[1-9])?|(?:[01][0-9]|2[0-3]):[0-5][0-9]:00\.[0-9]{0,8}[1-9]"
    r"|(?:[01][0-9]|2[0-3]):(?:0[1-9]|[1-5][0-9]):00|(?:0[1-9]|1[0-9]|2[0-3]):00:00))?)$"
)
"""A date from the year 1000, or a time that is not midnight, as categories are written; not 29 February."""

MANY: Final = 256
"""Different texts of a column above which it pays to tell their categories by their form."""

MAX_ENCODED: Final = 4096
"""Different texts of a block's column that are written as a dictionary."""


@contextmanager
def readable(key: str, name: str) -> Iterator[None]:
    """Turn an error about values that neither Arrow nor Python can convert into a DataProblem."""
    try:
        yield
    except (pa.ArrowException, OverflowError) as error:
        raise DataProblem(
            f"{key}: column {name} has values that cannot be converted; write it as text or numbers",
            one_line(error),
        ) from error


def plain(values: pa.Array, key: str, name: str) -> pa.Array:
    """The column without what Parquet adds to a type: dictionaries, views, large or binary text, extensions.

    Raises DataProblem for bytes that are not UTF-8.
    """
    if isinstance(values, pa.ExtensionArray):
        return plain(values.storage, key, name)
    kind = values.type
    if pa.types.is_dictionary(kind):
        return plain(values.dictionary_decode(), key, name)
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(values), key, name)
    if pa.types.is_float16(kind):
        return _from_half(values)
    if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
        return pc.cast(values, pa.decimal128(kind.precision, kind.scale))
    if pa.types.is_timestamp(kind) and kind.tz:
        return pc.cast(values, pa.timestamp(kind.unit, "UTC"))  # text then has no name of a zone
    if pa.types.is_null(kind) or _is_text(kind):
        try:
            return pc.cast(values, pa.string())
        except pa.ArrowInvalid as error:
            raise DataProblem(f"{key}: column {name} holds bytes that are not UTF-8", error) from error
    return values


def is_encoded(values: pa.Array) -> bool:
    """Whether the column is a dictionary of its different texts, as the parser of CSV gives it."""
    return bool(values.type == ENCODED and not values.null_count and not values.dictionary.null_count)


def looked_at(values: pa.Array, key: str, name: str) -> pa.Array:
    """The column as `plain` gives it, or as it is where each of its different texts is looked at once."""
    return values if is_encoded(values) else plain(values, key, name)


def exact_numbers(values: pa.Array) -> pa.Array:
    """Decimals, or numbers of 32 bits, as float64: 0.1 is the number that 0.1 in a CSV file is.

    Arrow's own cast makes 0.47000000000000003 of the decimal 0.47.
    """
    return pc.cast(pc.cast(values, pa.string()), pa.float64())


def _from_half(values: pa.Array) -> pa.Array:
    """Numbers of 16 bits as float64, null where missing: 0.1 is the number that 0.1 in a CSV file is.

    From 2,048 on they are whole, and their shortest text would round them.
    """
    half = values.fill_null(np.nan).to_numpy(zero_copy_only=False)
    shortest = half.astype(str).astype(np.float64)
    return pa.array(np.where(np.abs(half) < 2048, shortest, half.astype(np.float64)), from_pandas=True)


def canonical(
    values: pa.Array, key: str, name: str, dialect: Dialect, spelling: Spelling | None = None
) -> pa.Array:
    """The column as the text of categories, by which two spellings of one value are the same.

    Bytes that are no text, such as a UUID's, are their hexadecimal digits: such a column is no feature.
    """
    try:
        values = looked_at(values, key, name)
    except DataProblem:
        values = pa.array([None if value is None else _digits(value) for value in values.to_pylist()])
    if pa.types.is_string(values.type):
        values = Notation.of(dialect).usual_texts(values)
    with readable(key, name):
        return to_categories(values, spelling or dialect.spelling)


def _digits(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of text or bytes, other than the usual one of text."""
    return bool(
        pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def to_categories(values: pa.Array, spelling: Spelling = PLAIN) -> pa.Array:
    """The column as canonical text (`cells.category`), null where it is missing. Numbers are written plainly.

    Each distinct value is looked at once. Numbers, booleans and times of a Parquet file get the text that
    they have in a CSV file. `values` are as `plain` gives them.
    """
    texts, places = _categories(values, spelling)
    return texts.take(places)


def encoded_categories(values: pa.Array, spelling: Spelling) -> pa.Array:
    """The same, as a dictionary (ENCODED) of up to MAX_ENCODED different texts; of more it is slower."""
    texts, places = _categories(values, spelling)
    return (texts.dictionary_encode() if len(texts) <= MAX_ENCODED else texts).take(places)


def _categories(values: pa.Array, spelling: Spelling) -> tuple[pa.Array, pa.Array]:
    """The canonical text of each distinct value, and by row the place of its text."""
    if pa.types.is_nested(values.type):
        values = to_text(values)
    encoded = values if is_encoded(values) else values.dictionary_encode()
    texts = to_text(encoded.dictionary)
    other = pc.invert(pc.match_substring_regex(texts, PLAIN_NUMBER))
    if pc.sum(other, min_count=0).as_py() > MANY:
        texts, other = _plain_words(texts, other, spelling)
    meanings = [category(text, spelling.plain) for text in texts.filter(other).to_pylist()]
    return pc.replace_with_mask(texts, other, pa.array(meanings, pa.string())), encoded.indices


def _plain_words(texts: pa.Array, other: pa.Array, spelling: Spelling) -> tuple[pa.Array, pa.Array]:
    """The categories of those of the `other` texts that tell them by their form, and which texts are left.

    A word is its own category, or its lower case; a time as `cells.time_category` writes it is, too.
    """
    word = pc.and_not(pc.match_substring_regex(texts, WORD), pc.match_substring_regex(texts, NO_WORD))
    plain = pc.and_(other, pc.or_(word, pc.match_substring_regex(texts, PLAIN_TIME)))
    lower = pc.ascii_lower(texts)
    folded = lower if spelling.ignore_case else texts
    folded = pc.if_else(pc.is_in(lower, pa.array(["true", "false"])), lower, folded)
    missing = pc.is_in(folded, pa.array(_missing_words(spelling), pa.string()))
    found = pc.if_else(missing, pa.scalar(None, pa.string()), folded)
    return pc.if_else(plain, found, texts), pc.and_not(other, plain)


@cache
def _missing_words(spelling: Spelling) -> list[str]:
    """The words of a missing category, in lower case if case is ignored."""
    words = [word for word in MISSING_WORDS if category(word, spelling.plain) is None]
    return [word.lower() if spelling.ignore_case else word for word in words]


def to_text(values: pa.Array) -> pa.Array:
    """The column as Arrow writes it as text; a missing value is the empty string."""
    try:
        return pc.fill_null(pc.cast(values, pa.string()), "")
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structures, bytes that are no text
        if pa.types.is_timestamp(values.type) and values.type.tz:  # a zone that this machine does not know
            return to_text(pc.cast(values, pa.timestamp(values.type.unit, "UTC")))
        return pa.array(["" if value is None else str(value) for value in values.to_pylist()])
