"""Typed columns: what the text or the number in a cell means to training.

tests/wall/ holds these rules to those by which start_retraining inspects a file that landed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import identity
from cells import (
    BOOLEAN_WORDS,
    LIMITS,
    MISSING_WORDS,
    NUMBER,
    TRUE_WORDS,
    as_boolean,
    as_date,
)
from dates import MICROSECONDS_OF_A_DAY
from job import DATE, WEIGHT, DataProblem, StepConfig, listed
from notation import Notation
from texts import encoded_categories, exact_numbers, is_encoded, looked_at, plain, readable, to_text
from typed_columns import largest

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

YEAR_1: Final = -62_135_596_800
"""The begin of the year 1, in seconds since 1970."""

YEAR_10000: Final = 253_402_300_800
"""The begin of the year 10000, in seconds since 1970."""

A_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "days": 1 / 86_400}
"""A second in the units of Parquet's dates and times."""

A_WEIGHT: Final = "a number from 0"
"""What a weight may be, for people."""

USUAL: Final = Notation()
"""Numbers as they are commonly written."""

_MISSING: Final = tuple(sorted(MISSING_WORDS))

BOOLEANS_OF_PARQUET: Final = {"true": "1", "false": "0"}
"""The classes that the values of a boolean Parquet column stand for, where no class has their names."""


def convert(block: pa.RecordBatch, config: StepConfig, key: str, first_row: int) -> pa.Table:
    """Features, target and identities of a block's rows.

    Numbers become float64 with null for a missing value. Categories become their canonical text, or null; a
    few different texts are a dictionary. Booleans become 1.0, 0.0 or null. Dates become days (dates.py). The
    target becomes a float64, or the int16 index of its class.

    `key` names the file. `first_row` is the number of the block's first row; rows count from 1 below the
    header. Raises DataProblem naming file, row, column and what was expected.
    """
    notation = Notation.of(config.data)
    read = (config.target, *(name for name in config.features.names if name not in config.features.date))
    given = {name: looked_at(block.column(name), key, name) for name in read}
    usual = {
        name: notation.usual_texts(values) if pa.types.is_string(values.type) else values
        for name, values in given.items()
    }
    columns = features(block, config, key, first_row, given, usual)
    target = config.target
    with readable(key, target):
        if config.classes:
            columns[target] = to_classes(usual[target], config.classes, key, target, first_row)
        else:
            columns[target] = to_target_numbers(given[target], key, target, first_row, notation)
    if config.data.date is not None:
        columns[DATE] = to_dates(block.column(config.data.date), key, config.data.date, first_row)
    if config.data.weight is not None:
        weight = config.data.weight
        with readable(key, weight):
            columns[WEIGHT] = to_weights(block.column(weight), key, weight, first_row, notation)
    return pa.table({**columns, **identity.of_rows(block, columns, usual, key, config)})


def features(
    block: pa.RecordBatch,
    config: StepConfig,
    key: str,
    first_row: int,
    given: Mapping[str, pa.Array],
    usual: Mapping[str, pa.Array],
) -> dict[str, pa.Array]:
    """The features of a block's rows, by name, as `convert` describes them.

    `given` are the values as they landed, and `usual` the same with texts in the usual notation.
    """
    notation = Notation.of(config.data)
    columns: dict[str, pa.Array] = {}
    for name in config.features.numeric:
        with readable(key, name):
            numbers = to_numbers(given[name], key, name, first_row, notation)
        check_range(numbers, config.estimator, key, name, first_row)
        columns[name] = numbers
    for name in config.features.categorical:
        with readable(key, name):
            columns[name] = encoded_categories(usual[name], config.data.spelling)
    for name in config.features.boolean:
        with readable(key, name):
            columns[name] = to_booleans(usual[name], key, name, first_row)
    for name in config.features.date:
        columns[name] = to_days(to_dates(block.column(name), key, name, first_row))
    return columns


def to_numbers(values: pa.Array, key: str, name: str, first_row: int, notation: Notation = USUAL) -> pa.Array:
    """The column as float64, null where missing. Raises DataProblem for any other text, and for infinity."""
    values = plain(values, key, name)
    if notation.usual and (usual := _usual_floats(values)) is not None:
        return usual
    if pa.types.is_string(values.type):
        text = pc.utf8_trim_whitespace(values)
        text = pc.if_else(pc.is_in(text, pa.array(_MISSING, pa.string())), pa.scalar(None, text.type), text)
        if not notation.usual and not pc.all(notation.are_numbers(text), min_count=0).as_py():
            raise _not_a_number(text, notation, key, name, first_row)
        try:
            numbers = pc.cast(notation.usual_texts(text), pa.float64())
        except pa.ArrowInvalid:
            raise _not_a_number(text, notation, key, name, first_row) from None
    else:
        if pa.types.is_decimal(values.type) or pa.types.is_float32(values.type):
            values = exact_numbers(values)
        try:
            numbers = pc.cast(values, pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            kind = str(values.type).partition("<")[0]  # without the names in it, which may be those of people
            raise DataProblem(f"{key}: column {name} has the type {kind}, expected numbers") from None
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise _first_wrong(numbers, np.isfinite, key, name, first_row, "a finite number")
    return numbers


def _usual_floats(values: pa.Array) -> pa.Array | None:
    """Finite float64s, or the texts of such numbers without spaces, as float64; null for an empty text.

    None for any other column, also for one with a word that stands for a missing value.
    """
    if pa.types.is_string(values.type) and not values.offset and not values.null_count:
        known = pc.not_equal(values, "")
        _, offsets, texts = values.buffers()
        values = pa.Array.from_buffers(pa.string(), len(values), [known.buffers()[1], offsets, texts])
        try:
            values = pc.cast(values, pa.float64())
        except pa.ArrowInvalid:
            return None
    if not pa.types.is_float64(values.type):
        return None
    return values if math.isfinite(largest(values)) else None


def check_range(numbers: pa.Array, estimator: str, key: str, name: str, first_row: int) -> None:
    """Raises DataProblem for a number with which the estimator cannot compute."""
    if estimator not in RANGES:
        return
    limit, told = RANGES[estimator]
    ends = pc.min_max(numbers)
    if max(-(ends["min"].as_py() or 0.0), ends["max"].as_py() or 0.0) > limit:
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


def to_weights(values: pa.Array, key: str, name: str, first_row: int, notation: Notation = USUAL) -> pa.Array:
    """The weights of rows as float64. Raises DataProblem for one that is missing, negative or no number."""
    numbers = to_numbers(values, key, name, first_row, notation)
    if numbers.null_count:
        row = pc.index(pc.is_null(numbers), True).as_py()
        raise DataProblem(f"{key}, row {first_row + row}: column {name} has no value, expected {A_WEIGHT}")
    if (pc.min(numbers).as_py() or 0.0) < 0:
        raise _first_wrong(numbers, lambda value: value >= 0, key, name, first_row, A_WEIGHT)
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


def to_dates(values: pa.Array, key: str, name: str, first_row: int) -> pa.Array:
    """The column as timestamps of microseconds in UTC, null where missing.

    Raises DataProblem for a value that is no date and no time with a date, or is not of the years 1 to 9999.
    """
    values = looked_at(values, key, name)
    kind = pa.timestamp("us")
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        _refuse_far_dates(values, key, name, first_row)
        with readable(key, name):
            return pc.cast(
                pc.cast(values, pa.timestamp("us", getattr(values.type, "tz", None)), safe=False), kind
            )
    try:
        return _looked_up(values, as_date, kind)
    except LookupError:
        texts = to_text(values)
        expected = "a date such as 2026-01-31, or a time such as 2026-01-31 14:05:00"
        raise _first_wrong(texts, lambda text: _fits(as_date, text), key, name, first_row, expected) from None


def _refuse_far_dates(values: pa.Array, key: str, name: str, first_row: int) -> None:
    """Raise DataProblem for the first date of Parquet's outside the years 1 to 9999, as in a wrong unit."""
    if pa.types.is_date32(values.type):
        unit, count = "days", pc.cast(pc.cast(values, pa.int32()), pa.int64())
    else:
        unit, count = getattr(values.type, "unit", "ms"), pc.cast(values, pa.int64())
    if unit == "ns":  # 64 bits end in 2262
        return
    first, end = (round(second * A_SECOND[unit]) for second in (YEAR_1, YEAR_10000))
    found = pc.min_max(count)
    if (found["min"].as_py() or 0) < first or (found["max"].as_py() or 0) >= end:
        expected = f"a date of the years 1 to 9999, in {unit} since 1970 as the file says"
        raise _first_wrong(count, lambda value: first <= value < end, key, name, first_row, expected)


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


def to_days(dates: pa.Array) -> pa.Array:
    """Timestamps of microseconds as the days since 1970-01-01, float64, null where missing."""
    return pc.divide(pc.cast(pc.cast(dates, pa.int64()), pa.float64(), safe=False), MICROSECONDS_OF_A_DAY)


def one_of(classes: Sequence[str]) -> str:
    """The classes for a message: `0 or 1`, or `one of a, b, c`. It is short, however many there are."""
    if len(classes) == 2:
        return f"{listed(classes[:1])} or {listed(classes[1:])}"
    return f"one of {listed(classes)}"


def _looked_up(values: pa.Array, meaning: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    """The meaning of each value's text, looked up once for each distinct text."""
    encoded = values if is_encoded(values) else to_text(_usual_numbers(values)).dictionary_encode()
    meanings = pa.array([meaning(text) for text in encoded.dictionary.to_pylist()], kind)
    return meanings.take(encoded.indices)


def _usual_numbers(values: pa.Array) -> pa.Array:
    """The numbers of a Parquet file as they are commonly written: 1.00 is 1, and NaN is missing."""
    if pa.types.is_decimal(values.type):
        values = exact_numbers(values)
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
