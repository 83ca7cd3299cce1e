"""Identities of rows: 64-bit hashes of what their values mean, by which validation rows meet training rows.

The identity of a whole row depends on no setting of the config but the notation of numbers. So a row keeps it
when a column becomes a feature, or when data.ignore_case is set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import hashes
from cells import Spelling
from job import GROUP, IDENTITY, LOOKALIKE, ROW, Array, StepConfig
from notation import Notation
from texts import canonical, to_categories, to_text

HASH_KEY: Final = "handsoff-row-id1"
"""The key of the hashes of text, 16 signs of ASCII. Another key makes other identities."""

KIND: Final = {b"handsoff:identities": b"of values"}
"""What the metadata of a training_rows.parquet with these identities has. Earlier ones have no such key."""

SPELLING: Final = Spelling(ignore_case=True)
"""How texts are read for identities: one category in whatever case, and any word for a missing value."""

MAX_EXACT: Final = 2.0**53
"""The number below which different integers are different float64s. Larger numbers are compared as text."""

MAX_FEW: Final = 512
"""Different texts of a block up to which their hashes are kept."""

MAX_BYTES: Final = 64
"""Bytes of such texts, on average, with four for each text's place."""

MAX_KNOWN: Final = 1 << 14
"""Hashes of texts that are kept, about."""

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
"""An odd number, so that multiplying loses no bit (Knuth, The Art of Computer Programming, 6.4)."""

_OF_KIND: Final = {IDENTITY: np.uint64(1), GROUP: np.uint64(2)}
"""What is added to hashes of these columns. Otherwise an identity that is the group would be no group."""

_NUMBER: Final = r"^[+-]?[0-9]+(?:\.[0-9]+)?(?:E[+-]?[0-9]+)?$"
"""The canonical text of a number, or of digits with leading zeros: in a numeric column they are numbers."""

_BOOLEANS: Final = ("false", "true")
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
    found: dict[str, Array] = {}
    parsed = {*config.features.names, config.target}
    spare = np.empty((2, block.num_rows), dtype=np.uint64)  # memory that is new takes longer than hashing
    same = True  # while each column counts for both hashes, which are then made once
    for name in sorted(block.schema.names):
        hashed = _of_column(name, block, converted, usual, key, config, spare)
        if same and (name == config.target or name not in parsed):
            same = False
            if ROW in found:
                found[LOOKALIKE] = found[ROW].copy()
        _add(found, ROW, hashed)
        if name == config.target:
            hashed = _of_target(converted[name].to_numpy(), spare)
        if name in parsed and not same:
            _add(found, LOOKALIKE, hashed)
    for column, names, otherwise in (
        (IDENTITY, config.data.identity, ROW),
        (GROUP, config.data.group, config.row_column),
    ):
        if names:
            values = {name: canonical(block.column(name), key, name, config.data) for name in names}
            found[column] = _or_else(values, column, found[otherwise])
    return {name: pa.array(ids) for name, ids in found.items()}


def _of_column(
    name: str,
    block: pa.RecordBatch,
    converted: Mapping[str, pa.Array],
    usual: Mapping[str, pa.Array],
    key: str,
    config: StepConfig,
    spare: Array,
) -> Array:
    """The hash of each value of a column, as `of_rows` takes it. It may be in `spare` (2 x n)."""
    numbers = None if name in config.features.date else _numbers(converted.get(name))
    if numbers is not None and exact(numbers):
        return _of_numbers(numbers, spare)
    if name in usual:
        spelled = partial(to_categories, spelling=SPELLING)
        return _of_distinct(usual[name], spelled, known=_KNOWN, out=spare[0])
    spelled = partial(canonical, key=key, name=name, dialect=config.data, spelling=SPELLING)
    known = _KNOWN if Notation.of(config.data).usual else None
    return _of_distinct(block.column(name), spelled, known=known, out=spare[0])


def _of_target(values: Array, spare: Array) -> Array:
    """The hash of each row's target, a float64 or the index of a class, in `spare` (2 x n)."""
    if values.dtype.kind == "f":
        return _of_numbers(values, spare)
    classes = _of_numbers(np.arange(values.max(initial=0) + 1.0))
    return classes.take(values, out=spare[0], mode="clip")


def _add(found: dict[str, Array], column: str, hashed: Array) -> None:
    """Make a hash of `found[column]` and `hashed`, in place."""
    if column not in found:
        found[column] = hashed.copy()
    else:
        found[column] *= _MULTIPLIER
        found[column] += hashed


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
    return together([_hashes(columns[name]) for name in sorted(columns)])


def together(columns: Sequence[Array]) -> Array:
    """One hash of the hashes of each row, at least one array of n."""
    first, *others = columns
    found = first.copy()
    for hashed in others:
        found *= _MULTIPLIER
        found += hashed
    return found


def text_ids(block: pa.RecordBatch) -> Array:
    """A 64-bit hash of the text in all columns of each raw row, in the order of their names.

    It is the identity of rows in a training_rows.parquet without `KIND`.
    """
    names = sorted(block.schema.names)
    joined = pc.binary_join_element_wise(*(to_text(block.column(name)) for name in names), "\x1f")
    return _of_plain_texts(joined)


def key_ids(columns: Mapping[str, pa.Array]) -> Array:
    """A hash of each of n keys, uint64. Each column is text; unlike in rows, `1` is not `true`."""
    return together([_of_distinct(values, hashed=_of_plain_texts) for values in columns.values()])


def _numbers(values: pa.Array | None) -> Array | None:
    """A column of float64 with NaN where a value is missing; None for another column."""
    if values is None or not pa.types.is_float64(values.type):
        return None
    return np.asarray(values.to_numpy(zero_copy_only=False))


def exact(numbers: Array) -> bool:
    """Whether float64 keeps all integers of the column apart."""
    ends = np.fmax.reduce(numbers, initial=0.0), np.fmin.reduce(numbers, initial=0.0)
    return bool(ends[0] < MAX_EXACT and ends[1] > -MAX_EXACT)


def _hashes(values: pa.Array) -> Array:
    """A hash of each value: of a float64, or of a text as `texts.to_categories` writes it."""
    if pa.types.is_floating(values.type):
        return _of_numbers(values.to_numpy(zero_copy_only=False))
    return _of_distinct(values)


def _of_texts(texts: pa.Array) -> Array:
    """A hash of each text; of one that is a number below MAX_EXACT, the hash of the number."""
    booleans = pc.cast(pc.index_in(texts, value_set=pa.array(_BOOLEANS)), pa.string())
    texts = pc.coalesce(booleans, texts)
    found = _of_plain_texts(texts)
    places = np.flatnonzero(pc.match_substring_regex(texts, _NUMBER).to_numpy(zero_copy_only=False))
    numbers = pc.cast(texts.take(pa.array(places)), pa.float64()).to_numpy()
    small = np.abs(numbers) < MAX_EXACT
    found[places[small]] = _of_numbers(numbers[small])
    return found


def _of_plain_texts(texts: pa.Array) -> Array:
    """A hash of each text, whatever it means."""
    return hashes.of_texts(texts, HASH_KEY)


def _of_numbers(numbers: Array, spare: Array | None = None) -> Array:
    """A hash of each float64; 0 and -0 have the same, and so has each NaN. It is made in `spare` (2 x n)."""
    bits, shifted = np.empty((2, len(numbers)), dtype=np.uint64) if spare is None else spare
    values = np.add(numbers, 0.0, out=bits.view(np.float64))
    if np.isnan(values.max(initial=0.0)):
        values[np.isnan(values)] = np.nan
    return hashes.mixed(bits, shifted)


def _of_distinct(
    values: pa.Array,
    spelled: Callable[[pa.Array], pa.Array] = lambda texts: texts,
    hashed: Callable[[pa.Array], Array] = _of_texts,
    *,
    known: dict[str, int] | None = None,
    out: Array | None = None,
) -> Array:
    """A hash of each value by its text as `spelled` writes it. Each distinct value is looked at once.

    `known` are the hashes of texts that such columns had before. The hashes are put into `out`, if given.
    """
    if values.null_count == len(values):  # of thousands of columns, most are empty
        return np.repeat(_MISSING, len(values))
    try:
        encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    except (pa.ArrowNotImplementedError, AttributeError):  # lists, structures, views, extensions
        return _of_distinct(spelled(values), hashed=hashed)

    def anew(distinct: pa.Array) -> Array:
        texts = spelled(distinct)
        found = np.repeat(_MISSING, len(texts))
        found[texts.is_valid().to_numpy(zero_copy_only=False)] = hashed(texts.drop_null())
        return found

    found = anew(encoded.dictionary) if known is None else _remembered(encoded.dictionary, anew, known)
    indices = encoded.indices
    filled = pc.fill_null(indices, len(found)) if indices.null_count else indices
    places = filled.to_numpy()
    return np.append(found, _MISSING).take(places, out=out, mode="clip")


def _remembered(texts: pa.Array, anew: Callable[[pa.Array], Array], known: dict[str, int]) -> Array:
    """The hash of each of the different texts; those of few short texts are kept in `known`.

    Categories repeat from block to block and from file to file.
    """
    short = pa.types.is_string(texts.type) and texts.nbytes <= MAX_BYTES * len(texts)
    if not short or texts.null_count or len(texts) > MAX_FEW:
        return anew(texts)
    words = texts.to_pylist()
    found = {word: known.get(word) for word in words}  # a copy, as other threads change `known`
    if new := [word for word, hashed in found.items() if hashed is None]:
        fresh = dict(zip(new, anew(pa.array(new, pa.string())).tolist(), strict=True))
        found |= fresh
        if len(known) > MAX_KNOWN:
            known.clear()
        known.update(fresh)
    return np.fromiter((found[word] for word in words), np.uint64, len(words))


_MISSING: Final = _of_numbers(np.array([np.nan]))
"""The hash of a missing value (1)."""

_KNOWN: Final[dict[str, int]] = {}
"""The hashes of texts of columns whose numbers are written as 1234.5, by the text as it landed."""
