"""Hashes of texts and numbers, held against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import hashes

KEY = "handsoff-row-id1"


def by_pandas(texts: pa.Array) -> list[int]:
    values = texts.to_numpy(zero_copy_only=False)
    found: list[int] = pd.util.hash_array(values, hash_key=KEY, categorize=False).tolist()
    return found


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["x" * length for length in range(40)],
        ["\x00" * length for length in range(20)],
        ["é中\U0001f600"[: number % 4] * (number % 30) for number in range(1_000)],
        [f"{number}-{number * 7919}" for number in range(20_000)],
        ["a" * length for length in (1023, 1024, 1025, 70_000, 3)],
    ],
    ids=["none", "empty", "lengths", "zeros", "unicode", "many", "long"],
)
def test_hashes_of_texts_are_those_of_pandas(texts: list[str]) -> None:
    given = pa.array(texts, pa.string())
    assert hashes.of_texts(given, KEY).tolist() == by_pandas(given)
    assert hashes.of_texts(given.slice(1), KEY).tolist() == by_pandas(given)[1:]


def test_hashes_of_numbers_are_those_of_pandas() -> None:
    numbers = np.array([0.0, -1.5, 1e300, 5e-324, np.nan])
    assert hashes.mixed(numbers.copy().view("uint64")).tolist() == pd.util.hash_array(numbers).tolist()
