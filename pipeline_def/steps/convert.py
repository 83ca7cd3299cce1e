"""Typed columns: what the text or the number in a cell means to training.

tests/wall/ holds these rules to those by which start_retraining inspects a file that landed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import identity
from cells import (
    BOOLEAN_WORDS,
    LIMITS,
    MISSING_WORDS,
    NUMBER,
    PLAIN,
    TRUE_WORDS,
    Spelling,
    as_boolean,
    category,
)
from job import ROW, Array, DataProblem, Dialect, StepConfig, listed, one_line
from notation import Notation

VALUE_LIMIT: Final = 60
"""Characters of a wrong value that the log shows."""

RANGES: Final = {
    "random_forest": (LIMITS["random_forest"], "-3.4e38 and 3.4e38 (random_forest computes in 32 bits)"),
    "ridge": (LIMITS["ridge"], "-1e150 and 1e150 (ridge computes squares)"),
    "logistic_regression": (
        LIMITS["logistic_regression"],
        "-1e150 and 1e150 (logistic_regression computes squares)",
    ),
}
"""The largest number of a feature, by estimator, and how it is told. Larger ones overflow in scikit-learn."""

USUAL: Final = Notation()
"""Numbers as they are commonly written."""

PLAIN_NUMBER: Final = r"^(?:0|-?(?:[1-9][0-9]{0,30}(?:\.[0-9]{0,30}[1-9])?|0\.[0-9]{0,30}[1-9]))$"
"""Texts of numbers that are their own category, so that files with many numbers are read fast."""

_MISSING: Final = pa.array(sorted(MISSING_WORDS), pa.string())

BOOLEANS_OF_PARQUET: Final = {"true": "1", "false": "0"}
"""The classes that the values of a boolean Parquet column stand for, where no class has their names."""


def convert(block: pa.RecordBatch, config: StepConfig, key: str, first_row: int) -> pa.Table:
    """Features, target and identities of a block's rows.

    Numbers become float64 with null for a missing value. Categories become their canonical text, or null.
    Booleans become 1.0, 0.0 or null. The target becomes a float64, or the int16 index of its class.

    `key` names the file. `first_row` is the number of the block's first row; rows count from 1 below the
    header. Raises DataProblem naming file, row, column and what was expected.
    """
    notation = Notation.of(config.data)
    given = {name: plain(block.column(name), key, name) for name in (config.target, *config.features.names)}
    usual = {
        name: notation.usual_texts(values) if pa.types.is_string(values.type) else values
        for name, values in given.items()
    }
    columns: dict[str, pa.Array] = {}
    for name in config.features.numeric:
        with _readable(key, name):
            numbers = to_numbers(given[name], key, name, first_row, notation)
        check_range(numbers, config.estimator, key, name, first_row)
        columns[name] = numbers
    for name in config.features.categorical:
        with _readable(key, name):
            columns[name] = to_categories(usual[name], config.data.spelling)
    for name in config.features.boolean:
        with _readable(key, name):
            columns[name] = to_booleans(usual[name], key, name, first_row)
    target = config.target
    with _readable(key, target):
        if config.classes:
            columns[target] = to_classes(usual[target], config.classes, key, target, first_row)
        else:
            columns[target] = to_target_numbers(given[target], key, target, first_row, notation)
    columns[ROW] = pa.array(_identities(block, columns, usual, key, config.data))
    return pa.table(columns)


@contextmanager
def _readable(key: str, name: str) -> Iterator[None]:
    """Turn an error about values that neither Arrow nor Python can convert into a DataProblem."""
    try:
        yield
    except (pa.ArrowException, OverflowError) as error:
        raise DataProblem(
            f"{key}: column {name} has values that cannot be converted; write it as text or numbers",
            one_line(error),
        ) from error


def _identities(
    block: pa.RecordBatch,
    converted: Mapping[str, pa.Array],
    usual: Mapping[str, pa.Array],
    key: str,
    dialect: Dialect,
) -> Array:
    """The identity of each row by all its columns. `usual` has those of target and features."""
    values = {}
    for name in block.schema.names:
        numbers = converted.get(name)
        if numbers is not None and pa.types.is_float64(numbers.type) and identity.exact(numbers):
            values[name] = numbers
        elif name in usual:
            values[name] = to_categories(usual[name], identity.SPELLING)
        else:
            values[name] = canonical(block.column(name), key, name, dialect, identity.SPELLING)
    return identity.row_ids(values)


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


def _exact(values: pa.Array) -> pa.Array:
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
    """The column as the text of categories, by which two spellings of one value are the same."""
    values = plain(values, key, name)
    if pa.types.is_string(values.type):
        values = Notation.of(dialect).usual_texts(values)
    with _readable(key, name):
        return to_categories(values, spelling or dialect.spelling)


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


def to_numbers(values: pa.Array, key: str, name: str, first_row: int, notation: Notation = USUAL) -> pa.Array:
    """The column as float64, null where missing. Raises DataProblem for any other text, and for infinity."""
    values = plain(values, key, name)
    if pa.types.is_string(values.type):
        text = pc.utf8_trim_whitespace(values)
        text = pc.if_else(pc.is_in(text, _MISSING), pa.scalar(None, text.type), text)
        if not notation.usual and not pc.all(notation.are_numbers(text), min_count=0).as_py():
            raise _not_a_number(text, notation, key, name, first_row)
        try:
            numbers = pc.cast(notation.usual_texts(text), pa.float64())
        except pa.ArrowInvalid:
            raise _not_a_number(text, notation, key, name, first_row) from None
    else:
        if pa.types.is_decimal(values.type) or pa.types.is_float32(values.type):
            values = _exact(values)
        try:
            numbers = pc.cast(values, pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataProblem(f"{key}: column {name} has the type {values.type}, expected numbers") from None
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise _first_wrong(numbers, np.isfinite, key, name, first_row, "a finite number")
    return numbers


def check_range(numbers: pa.Array, estimator: str, key: str, name: str, first_row: int) -> None:
    """Raises DataProblem for a number with which the estimator cannot compute."""
    if estimator not in RANGES:
        return
    limit, told = RANGES[estimator]
    if (pc.max(pc.abs(numbers)).as_py() or 0.0) > limit:
        raise _first_wrong(
            numbers, lambda value: abs(value) <= limit, key, name, first_row, f"a number between {told}"
        )


def to_target_numbers(
    values: pa.Array, key: str, name: str, first_row: int, notation: Notation = USUAL
) -> pa.Array:
    """The target of regression as float64. Raises DataProblem for a missing value and as `to_numbers`."""
    numbers = to_numbers(values, key, name, first_row, notation)
    if numbers.null_count:
        row = pc.index(pc.is_null(numbers), True).as_py()
        raise _no_target(key, first_row + row, name, "a number")
    return numbers


def to_booleans(values: pa.Array, key: str, name: str, first_row: int) -> pa.Array:
    """The column as 1.0, 0.0 or null. Raises DataProblem for a value that is not a boolean."""
    try:
        return _looked_up(values, as_boolean, pa.float64())
    except LookupError:
        texts = to_text(_usual_numbers(values))
        raise _first_wrong(texts, _is_boolean, key, name, first_row, "true or false") from None


def to_classes(values: pa.Array, classes: Sequence[str], key: str, name: str, first_row: int) -> pa.Array:
    """The index of each row's class, int16. Raises DataProblem for a missing value or an unknown class.

    If the classes are 1 and 0, true and false in a Parquet column mean these.
    """
    numbers = BOOLEANS_OF_PARQUET if pa.types.is_boolean(values.type) else {}

    def index(text: str) -> int:
        return class_index(text if text in classes else numbers.get(text, text), classes)

    try:
        return _looked_up(values, index, pa.int16())
    except LookupError:
        row, text = next(
            (row, text)
            for row, text in enumerate(to_text(_usual_numbers(values)).to_pylist())
            if not _fits(index, text)
        )
    if text.strip() in MISSING_WORDS:
        raise _no_target(key, first_row + row, name, one_of(classes))
    raise _wrong(key, first_row + row, name, text, one_of(classes))


def class_index(text: str, classes: Sequence[str]) -> int:
    """The index of the class that has this text, spaces aside, or the same number.

    The classes true and false also take the words of booleans, because YAML reads `[no, yes]` as those two.
    Raises LookupError if there is no such class.
    """
    word = text.strip()
    if word in classes:
        return classes.index(word)
    if {*classes} == {"true", "false"} and word.lower() in BOOLEAN_WORDS:
        return classes.index(str(word.lower() in TRUE_WORDS).lower())
    if NUMBER.fullmatch(word):
        for index, name in enumerate(classes):
            if NUMBER.fullmatch(name) and float(name) == float(word):
                return index
    raise LookupError(text)


def one_of(classes: Sequence[str]) -> str:
    """The classes for a message: `0 or 1`, or `one of a, b, c`. It is short, however many there are."""
    if len(classes) == 2:
        return f"{listed(classes[:1])} or {listed(classes[1:])}"
    return f"one of {listed(classes)}"


def _looked_up(values: pa.Array, meaning: Callable[[str], float | None], kind: pa.DataType) -> pa.Array:
    """The meaning of each value's text, looked up once for each distinct text."""
    texts = to_text(_usual_numbers(values))
    distinct = pc.unique(texts)
    meanings = pa.array([meaning(text) for text in distinct.to_pylist()], kind)
    return meanings.take(pc.index_in(texts, value_set=distinct))


def _usual_numbers(values: pa.Array) -> pa.Array:
    """The numbers of a Parquet file as they are commonly written: 1.00 is 1, and NaN is missing."""
    if pa.types.is_decimal(values.type):
        values = _exact(values)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values


def _first_wrong(
    values: pa.Array,
    fits: Callable[..., bool | np.bool_],
    key: str,
    name: str,
    first_row: int,
    expected: str,
) -> DataProblem:
    """The problem of the first value that does not fit."""
    row, value = next(
        (row, value) for row, value in enumerate(values.to_pylist()) if value is not None and not fits(value)
    )
    return _wrong(key, first_row + row, name, value, expected)


def _not_a_number(texts: pa.Array, notation: Notation, key: str, name: str, first_row: int) -> DataProblem:
    """The problem of the first text that is not a number, with what to set if it is one to people."""
    fits = notation.fits if not notation.usual else _is_number
    problem = _first_wrong(texts, fits, key, name, first_row, "a number")
    return DataProblem(f"{problem}{notation.advice(str(problem.found))}", problem.found)


def _wrong(key: str, row: int, name: str, value: str | float, expected: str) -> DataProblem:
    """The problem of one cell."""
    found = value[:VALUE_LIMIT] if isinstance(value, str) else value
    return DataProblem(f"{key}, row {row}: column {name} has a wrong value, expected {expected}", found)


def _no_target(key: str, row: int, name: str, expected: str) -> DataProblem:
    return DataProblem(f"{key}, row {row}: the target column {name} has no value, expected {expected}")


def _is_number(text: str) -> bool:
    with suppress(pa.ArrowInvalid):
        pa.scalar(text).cast(pa.float64())
        return True
    return False


def _is_boolean(text: str) -> bool:
    return _fits(as_boolean, text)


def _fits(meaning: Callable[[str], object], text: str) -> bool:
    with suppress(LookupError):
        meaning(text)
        return True
    return False


def to_categories(values: pa.Array, spelling: Spelling = PLAIN) -> pa.Array:
    """The column as canonical text (`cells.category`), null where it is missing. Numbers are written plainly.

    Each distinct value is looked at once. Numbers, booleans and times of a Parquet file get the text that
    they have in a CSV file. `values` are as `plain` gives them.
    """
    if pa.types.is_nested(values.type):
        values = to_text(values)
    encoded = values.dictionary_encode()
    texts = to_text(encoded.dictionary)
    other = pc.invert(pc.match_substring_regex(texts, PLAIN_NUMBER))
    meanings = [category(text, spelling.plain) for text in texts.filter(other).to_pylist()]
    return pc.replace_with_mask(texts, other, pa.array(meanings, pa.string())).take(encoded.indices)


def to_text(values: pa.Array) -> pa.Array:
    """The column as Arrow writes it as text; a missing value is the empty string."""
    try:
        return pc.fill_null(pc.cast(values, pa.string()), "")
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structures, bytes that are no text
        if pa.types.is_timestamp(values.type) and values.type.tz:  # a zone that this machine does not know
            return to_text(pc.cast(values, pa.timestamp(values.type.unit, "UTC")))
        return pa.array(["" if value is None else str(value) for value in values.to_pylist()])


def text_ids(block: pa.RecordBatch) -> Array:
    """A 64-bit hash of the text in all columns of each raw row, in the order of their names.

    It is the identity of rows in a training_rows.parquet without `identity.KIND`.
    """
    names = sorted(block.schema.names)
    joined = pc.binary_join_element_wise(*(to_text(block.column(name)) for name in names), "\x1f")
    hashed = pd.util.hash_array(
        joined.to_numpy(zero_copy_only=False), hash_key=identity.HASH_KEY, categorize=False
    )
    return np.asarray(hashed, dtype="uint64")
