"""Typed columns: what the text or the number in a cell means to training.

tests/wall/ holds these rules to those by which start_retraining inspects a file that landed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from inference import BOOLEAN_WORDS, MISSING_WORDS, NUMBER, TRUE_WORDS, as_boolean
from job import ROW, Array, DataProblem, StepConfig, listed

HASH_KEY: Final = "handsoff-row-id1"
"""The key of row identities, 16 bytes, as pandas demands. Another key makes other identities."""

VALUE_LIMIT: Final = 60
"""Characters of a wrong value that a message shows."""

BOOLEANS_OF_PARQUET: Final = {"true": "1", "false": "0"}
"""The classes that the values of a boolean Parquet column stand for, where no class has their names."""


def convert(block: pa.RecordBatch, config: StepConfig, key: str, first_row: int) -> pa.Table:
    """Features, target and identities of a block's rows.

    Numbers become float64 with null for a missing value. Categories become text with null for the empty
    string. Booleans become 1.0, 0.0 or null. The target becomes a float64, or the int16 index of its class.

    `key` names the file. `first_row` is the number of the block's first row; rows count from 1 below the
    header. Raises DataProblem naming file, row, column, value and what was expected.
    """
    columns: dict[str, pa.Array] = {}
    for name in config.features.numeric:
        columns[name] = to_numbers(block.column(name), key, name, first_row)
    for name in config.features.categorical:
        columns[name] = to_categories(block.column(name))
    for name in config.features.boolean:
        columns[name] = to_booleans(block.column(name), key, name, first_row)
    target = block.column(config.target)
    if config.classes:
        columns[config.target] = to_classes(target, config.classes, key, config.target, first_row)
    else:
        columns[config.target] = to_target_numbers(target, key, config.target, first_row)
    columns[ROW] = pa.array(row_ids(block))
    return pa.table(columns)


def to_numbers(values: pa.Array, key: str, name: str, first_row: int) -> pa.Array:
    """The column as float64, null where missing. Raises DataProblem for any other text, and for infinity."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        text = pc.utf8_trim_whitespace(values)
        text = pc.if_else(
            pc.is_in(text, pa.array(sorted(MISSING_WORDS), text.type)), pa.scalar(None, text.type), text
        )
        try:
            numbers = pc.cast(text, pa.float64())
        except pa.ArrowInvalid:
            raise DataProblem(_first_wrong(text, _is_number, key, name, first_row, "a number")) from None
    else:
        try:
            numbers = pc.cast(values, pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataProblem(f"{key}: column {name} has the type {values.type}, expected numbers") from None
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise DataProblem(_first_wrong(numbers, np.isfinite, key, name, first_row, "a finite number"))
    return numbers


def to_target_numbers(values: pa.Array, key: str, name: str, first_row: int) -> pa.Array:
    """The target of regression as float64. Raises DataProblem for a missing value and as `to_numbers`."""
    numbers = to_numbers(values, key, name, first_row)
    if numbers.null_count:
        row = pc.index(pc.is_null(numbers), True).as_py()
        raise _no_target(key, first_row + row, name, "a number")
    return numbers


def to_booleans(values: pa.Array, key: str, name: str, first_row: int) -> pa.Array:
    """The column as 1.0, 0.0 or null. Raises DataProblem for a value that is not a boolean."""
    try:
        return _looked_up(values, as_boolean, pa.float64())
    except LookupError:
        texts = to_text(_plain(values))
        raise DataProblem(_first_wrong(texts, _is_boolean, key, name, first_row, "true or false")) from None


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
            for row, text in enumerate(to_text(_plain(values)).to_pylist())
            if not _fits(index, text)
        )
    if text.strip() in MISSING_WORDS:
        raise _no_target(key, first_row + row, name, one_of(classes))
    raise DataProblem(_wrong(key, first_row + row, name, text, one_of(classes)))


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
    texts = to_text(_plain(values))
    distinct = pc.unique(texts)
    meanings = pa.array([meaning(text) for text in distinct.to_pylist()], kind)
    return meanings.take(pc.index_in(texts, value_set=distinct))


def _plain(values: pa.Array) -> pa.Array:
    """The numbers of a Parquet file as they are commonly written: 1.00 is 1, and NaN is missing."""
    if pa.types.is_decimal(values.type):
        values = pc.cast(values, pa.float64())
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
) -> str:
    """The message about the first value that does not fit."""
    row, value = next(
        (row, value) for row, value in enumerate(values.to_pylist()) if value is not None and not fits(value)
    )
    return _wrong(key, first_row + row, name, value, expected)


def _wrong(key: str, row: int, name: str, value: str | float, expected: str) -> str:
    """The message about one cell. It shows text in quotes, and at most VALUE_LIMIT characters."""
    if isinstance(value, float):
        shown = f"{value:g}"
    elif NUMBER.fullmatch(value.strip()):
        shown = value.strip()[:VALUE_LIMIT]
    else:
        shown = repr(value[:VALUE_LIMIT])
    return f"{key}, row {row}: column {name} is {shown}, expected {expected}"


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


def to_categories(values: pa.Array) -> pa.Array:
    """The column as text, null where it is empty or missing. inference.py writes numbers in the same way."""
    values = _plain(values)
    if pa.types.is_floating(values.type):
        distinct = pc.unique(values)
        read = [None if text is None else float(text) for text in pc.cast(distinct, pa.string()).to_pylist()]
        texts = pa.array([None if value is None else number_text(value) for value in read], pa.string())
        return texts.take(pc.index_in(values, value_set=distinct))
    text = to_text(values)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def number_text(value: float) -> str:
    """The text of a number: 3.0 is "3", as in inference.py."""
    return str(int(value)) if value.is_integer() else repr(value)


def to_text(values: pa.Array) -> pa.Array:
    """The column as Arrow writes it as text; a missing value is the empty string."""
    try:
        return pc.fill_null(pc.cast(values, pa.string()), "")
    except pa.ArrowNotImplementedError:  # lists, structures
        return pa.array(["" if value is None else str(value) for value in values.to_pylist()])


def row_ids(block: pa.RecordBatch) -> Array:
    """The 64-bit identity of each raw row: a hash of the text in all columns, in the order of their names."""
    names = sorted(block.schema.names)
    joined = pc.binary_join_element_wise(*(to_text(block.column(name)) for name in names), "\x1f")
    hashed = pd.util.hash_array(joined.to_numpy(zero_copy_only=False), hash_key=HASH_KEY, categorize=False)
    return np.asarray(hashed, dtype="uint64")
