"""Identities of rows: 64-bit hashes of what their values mean, by which validation rows meet training rows.

An identity depends on no setting of the config but the notation of numbers. So a row keeps its identity when
a column becomes a feature, or when data.ignore_case is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cells import Spelling
from job import Array

HASH_KEY: Final = "handsoff-row-id1"
"""The key of the hashes of text, 16 bytes, as pandas demands. Another key makes other identities."""

KIND: Final = {b"handsoff:identities": b"of values"}
"""What the metadata of a training_rows.parquet with these identities has. Earlier ones have no such key."""

SPELLING: Final = Spelling(ignore_case=True)
"""How texts are read for identities: one category in whatever case, and any word for a missing value."""

MAX_EXACT: Final = 2.0**53
"""The number below which different integers are different float64s. Larger numbers are compared as text."""

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
"""An odd number, so that multiplying loses no bit (Knuth, The Art of Computer Programming, 6.4)."""

_NUMBER: Final = r"^[+-]?[0-9]+(?:\.[0-9]+)?(?:E[+-]?[0-9]+)?$"
"""The canonical text of a number, or of digits with leading zeros: in a numeric column they are numbers."""

_BOOLEANS: Final = pa.array(["false", "true"])
"""What Parquet files have where CSV files may have 0 and 1."""


def row_ids(columns: Mapping[str, pa.Array]) -> Array:
    """The identity of each of n rows, uint64. The order of columns does not matter.

    Each column is float64, or text as `convert.to_categories` writes it by SPELLING; a missing value is null.
    A number is the same in both, false is 0 and true is 1.
    """
    parts = [_hashes(columns[name]) for name in sorted(columns)]
    found = parts[0]
    for part in parts[1:]:
        found = found * _MULTIPLIER + part
    return found


def exact(numbers: pa.Array) -> bool:
    """Whether float64 keeps all integers of the column apart."""
    return bool((pc.max(pc.abs(numbers)).as_py() or 0.0) < MAX_EXACT)


def _hashes(values: pa.Array) -> Array:
    """A hash of each value. Each distinct text is looked at once."""
    if pa.types.is_floating(values.type):
        return _of_numbers(values.to_numpy(zero_copy_only=False))
    encoded = values.dictionary_encode()
    hashes = np.append(_of_texts(encoded.dictionary), _of_numbers(np.array([np.nan])))
    return np.asarray(hashes[pc.fill_null(encoded.indices, len(hashes) - 1).to_numpy()])


def _of_texts(texts: pa.Array) -> Array:
    """A hash of each text; of one that is a number below MAX_EXACT, the hash of the number."""
    booleans = pc.cast(pc.index_in(texts, value_set=_BOOLEANS), pa.string())
    texts = pc.coalesce(booleans, texts)
    found = pd.util.hash_array(
        texts.to_numpy(zero_copy_only=False), hash_key=HASH_KEY, categorize=False
    ).astype("uint64")
    places = np.flatnonzero(pc.match_substring_regex(texts, _NUMBER).to_numpy(zero_copy_only=False))
    numbers = pc.cast(texts.take(pa.array(places)), pa.float64()).to_numpy()
    small = np.abs(numbers) < MAX_EXACT
    found[places[small]] = _of_numbers(numbers[small])
    return found


def _of_numbers(numbers: Array) -> Array:
    """A hash of each float64; 0 and -0 have the same, and so has each NaN."""
    return np.asarray(pd.util.hash_array(np.where(np.isnan(numbers), np.nan, numbers + 0.0)), dtype="uint64")
