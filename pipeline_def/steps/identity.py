"""Identities of rows: 64-bit hashes of what their values mean, by which validation rows meet training rows.

The identity of a whole row depends on no setting of the config but the notation of numbers. So a row keeps it
when a column becomes a feature, or when data.ignore_case is set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cells import Spelling
from job import GROUP, IDENTITY, LOOKALIKE, ROW, Array, StepConfig
from texts import canonical, to_categories, to_text

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

_OF_KIND: Final = {IDENTITY: np.uint64(1), GROUP: np.uint64(2)}
"""What is added to hashes of these columns. Otherwise an identity that is the group would be no group."""

_NUMBER: Final = r"^[+-]?[0-9]+(?:\.[0-9]+)?(?:E[+-]?[0-9]+)?$"
"""The canonical text of a number, or of digits with leading zeros: in a numeric column they are numbers."""

_BOOLEANS: Final = pa.array(["false", "true"])
"""What Parquet files have where CSV files may have 0 and 1."""


def of_rows(
    block: pa.RecordBatch,
    converted: Mapping[str, pa.Array],
    usual: Mapping[str, pa.Array],
    key: str,
    config: StepConfig,
) -> dict[str, pa.Array]:
    """The identities of n rows by their reserved columns, uint64 and never null.

    `converted` are target and features as the model sees them. `usual` are the same as they arrived, with
    numbers in the usual notation. `key` names the file.
    """
    hashes = {}
    for name in block.schema.names:
        numbers = None if name in config.features.date else converted.get(name)
        if numbers is not None and pa.types.is_float64(numbers.type) and exact(numbers):
            values = numbers
        elif name in usual:
            values = to_categories(usual[name], SPELLING)
        else:
            values = canonical(block.column(name), key, name, config.data, SPELLING)
        hashes[name] = _hashes(values)
    parsed = {name: hashes[name] for name in config.features.names}
    target = _of_numbers(converted[config.target].to_numpy().astype("float64"))
    found = {ROW: _by_name(hashes), LOOKALIKE: _by_name({**parsed, config.target: target})}
    for column, names, otherwise in (
        (IDENTITY, config.data.identity, ROW),
        (GROUP, config.data.group, config.row_column),
    ):
        if names:
            values = {name: canonical(block.column(name), key, name, config.data) for name in names}
            found[column] = _or_else(values, column, found[otherwise])
    return {name: pa.array(ids) for name, ids in found.items()}


def _or_else(columns: Mapping[str, pa.Array], kind: str, otherwise: Array) -> Array:
    """A hash of each row's values; `otherwise` where one is missing. Hashes of two kinds are never the same.

    So a row whose hash is that of `otherwise` is one that has no value.
    """
    missing = [values.is_null().to_numpy(zero_copy_only=False) for values in columns.values()]
    return np.where(np.any(missing, axis=0), otherwise, row_ids(columns) * _MULTIPLIER + _OF_KIND[kind])


def row_ids(columns: Mapping[str, pa.Array]) -> Array:
    """A hash of each of n rows, uint64. The order of columns does not matter.

    Each column is float64, or text as `texts.to_categories` writes it; a missing value is null. A number is
    the same in both, false is 0 and true is 1.
    """
    return _by_name({name: _hashes(values) for name, values in columns.items()})


def _by_name(hashes: Mapping[str, Array]) -> Array:
    return together([hashes[name] for name in sorted(hashes)])


def together(hashes: Sequence[Array]) -> Array:
    """One hash of the hashes of each row, at least one array of n."""
    first, *others = hashes
    for hashed in others:
        first = first * _MULTIPLIER + hashed
    return first


def text_ids(block: pa.RecordBatch) -> Array:
    """A 64-bit hash of the text in all columns of each raw row, in the order of their names.

    It is the identity of rows in a training_rows.parquet without `KIND`.
    """
    names = sorted(block.schema.names)
    joined = pc.binary_join_element_wise(*(to_text(block.column(name)) for name in names), "\x1f")
    hashed = pd.util.hash_array(joined.to_numpy(zero_copy_only=False), hash_key=HASH_KEY, categorize=False)
    return np.asarray(hashed, dtype="uint64")


def exact(numbers: pa.Array) -> bool:
    """Whether float64 keeps all integers of the column apart."""
    return bool((pc.max(pc.abs(numbers)).as_py() or 0.0) < MAX_EXACT)


def _hashes(values: pa.Array) -> Array:
    """A hash of each value. Each distinct text is looked at once."""
    if pa.types.is_floating(values.type):
        return _of_numbers(values.to_numpy(zero_copy_only=False))
    missing = _of_numbers(np.array([np.nan]))
    if values.null_count == len(values):  # of thousands of columns, most are empty
        return np.repeat(missing, len(values))
    encoded = values.dictionary_encode()
    hashes = np.append(_of_texts(encoded.dictionary), missing)
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
