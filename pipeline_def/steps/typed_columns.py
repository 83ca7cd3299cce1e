"""Columns of a CSV file that Arrow's parser gives their type, and what it must not decide.

Such a block means the same as one of texts: a number is a text that Arrow casts to a finite float64, without
a word for a missing value. What a column of dictionaries means is looked up once for each of its texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from identity import MAX_EXACT
from job import StepConfig
from notation import Notation
from quotes import MAX_VALUE
from texts import ENCODED

NUMBER: Final = pa.float64()
"""The type of a column of numbers."""


def numbers(config: StepConfig, partition: Mapping[str, str]) -> frozenset[str] | None:
    """The columns that only count as numbers: features, and the target of regression.

    None if numbers are written in another way than 1234.5. The text counts in columns that say which row it
    is, and in those that the file's path has, too.
    """
    data = config.data
    if not Notation.of(data).usual:
        return None
    target = () if config.classes else (config.target,)
    about_rows = (name for names in data.about_rows.values() for name in names)
    return frozenset((*config.features.numeric, *target)).difference(about_rows, partition)


def fits(values: pa.Array) -> bool:
    """Whether all numbers are finite and integers exact (of others, identity.py reads the text), and no text
    is too long."""
    if values.type == ENCODED:
        return longest(values.dictionary) <= MAX_VALUE
    return largest(values) < MAX_EXACT


def largest(numbers: pa.DoubleArray) -> float:
    """The largest absolute value of a float64 column, or more: what stands where a value is missing counts,
    too. NaN if one is NaN."""
    if numbers.null_count == len(numbers):
        return 0.0
    _, buffer = numbers.buffers()
    return float(np.abs(np.frombuffer(buffer, "f8", len(numbers), 8 * numbers.offset)).max())


def longest(texts: pa.StringArray) -> int:
    """The bytes of the longest of these texts."""
    if not len(texts):
        return 0
    offsets = np.frombuffer(texts.buffers()[1], "<i4", count=len(texts) + 1, offset=4 * texts.offset)
    return int(np.diff(offsets).max())
