"""Values at places of a sorted column, exactly, without sorting the column or holding it in memory.

A column is read in blocks, a few times. Its values are counted in BINS of equal width; only those of bins
that hold a wanted place are sorted (bucket select; Alabi et al., Fast k-selection algorithms for graphics
processing units, 2012). A bin with many values is divided anew. Few different values are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from job import Array

Blocks = Callable[[], Iterable[Array]]
"""Each call reads a column anew: arrays of float64, or of int64, without missing values."""

BINS: Final = 1 << 16
"""Bins of equal width between the lowest and the highest value."""

MAX_OF_BIN: Final = 1 << 15
"""Values of a bin that are sorted. A bin with more is divided."""

MAX_COUNTED: Final = 1 << 15
"""Different values of a column up to which they are counted."""

SAMPLE: Final = 4096
"""First values of a column that say whether counting its different values may do."""


@dataclass(frozen=True)
class Places:
    """Values of a column, each once and ascending, and in `below` the rows with no greater value (k).

    `rows` are all rows with a value. `exact` says that these are all different values.
    """

    values: Array
    below: Array
    rows: int
    exact: bool

    def at(self, places: Array) -> Array:
        """The values at these places, from 0, of the sorted column. They must have been asked for."""
        return np.asarray(self.values[np.searchsorted(self.below, places, side="right")])

    def quantile(self, share: float) -> float:
        """The quantile as numpy.quantile has it, between two rows. `places_of` must know the share."""
        place, ends = _ends(share, self.rows)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.quantile(self.at(ends), place - ends[0]))


def places_of(blocks: Blocks, *, steps: int, shares: Iterable[float] = ()) -> Places:
    """The column's values at `steps` even places from the lowest to the highest, and beside these `shares`.

    Of at most `steps` different values it has all. A quantile can be read at each of the shares.
    """
    rows = sum(len(block) for block in blocks())
    if (counted := count_values(blocks)) is not None:
        values, counts = counted
        return Places(values, np.cumsum(counts), rows, exact=True)
    even = np.arange(steps) * (rows - 1) // (steps - 1)
    places = np.unique(np.concatenate([even, *(_ends(share, rows)[1] for share in shares)]))
    values, below = select(blocks, places)
    first = np.append(True, values[1:] != values[:-1])
    return Places(values[first], below[first], rows, exact=False)


def even(found: Places, steps: int) -> tuple[Array, Array]:
    """Of a column its different values if there are at most `steps`, otherwise those at even places.

    Returns the values and for each the rows with no greater value.
    """
    if found.exact and len(found.values) <= steps:
        return found.values, found.below
    at = np.arange(steps) * (found.rows - 1) // (steps - 1)
    which = np.unique(np.searchsorted(found.below, at, side="right"))
    return found.values[which], found.below[which]


def _ends(share: float, rows: int) -> tuple[float, Array]:
    """Where the quantile is among the sorted rows, from 0, and the places of the two rows about it."""
    place = share * (rows - 1)
    return place, np.clip([np.floor(place), np.floor(place) + 1], 0, rows - 1).astype(np.int64)


def count_values(blocks: Blocks) -> tuple[Array, Array] | None:
    """The different values, ascending, and the rows of each; None if there are more than MAX_COUNTED."""
    values, counts = np.empty(0), np.empty(0, dtype=np.int64)
    sample = next(iter(blocks()), values)[:SAMPLE]
    if len(np.unique(sample)) > max(SAMPLE // 4, 256):
        return None
    for block in blocks():
        counted = pc.value_counts(pa.array(block))
        values = np.concatenate([values, counted.field("values").to_numpy()])
        counts = np.concatenate([counts, counted.field("counts").to_numpy()])
        order = np.argsort(values)
        values, counts = values[order], counts[order]
        starts = np.flatnonzero(np.append(values[:1] == values[:1], values[1:] != values[:-1]))
        values, counts = values[starts], np.add.reduceat(counts, starts) if len(starts) else counts
        if len(values) > MAX_COUNTED:
            return None
    return values, counts


def select(blocks: Blocks, places: Array) -> tuple[Array, Array]:
    """The values at `places` (k, ascending) of the sorted column, and the rows with no greater one."""
    low, high = _lowest_and_highest(blocks)
    if low == high:
        rows = sum(len(block) for block in blocks())
        return np.full(len(places), low), np.full(len(places), rows)
    bin_of = _bins(low, high)
    if bin_of is None:
        return _among(np.sort(np.concatenate([*blocks()])), places)
    counts = sum((np.bincount(bin_of(block), minlength=BINS) for block in blocks()), np.zeros(BINS, np.int64))
    before = np.cumsum(counts) - counts
    wanted = np.searchsorted(before + counts, places, side="right")
    sorted_bins = (counts <= MAX_OF_BIN) & (np.bincount(wanted, minlength=BINS) > 0)
    few = [block[sorted_bins[bin_of(block)]] for block in blocks()]
    few_sorted = np.sort(np.concatenate(few))
    start = np.cumsum(counts * sorted_bins) - counts * sorted_bins
    values, below = np.empty(len(places), few_sorted.dtype), np.empty(len(places), dtype=np.int64)
    light = sorted_bins[wanted]
    shift = (before - start)[wanted[light]]
    values[light], below[light] = _among(few_sorted, places[light] - shift)
    below[light] += shift
    for heavy in np.unique(wanted[~light]):
        here = wanted == heavy

        def inside(number: int = heavy) -> Iterable[Array]:
            return (block[bin_of(block) == number] for block in blocks())

        values[here], below[here] = select(inside, places[here] - before[heavy])
        below[here] += before[heavy]
    return values, below


def _among(found: Array, places: Array) -> tuple[Array, Array]:
    values = found[places]
    return values, np.searchsorted(found, values, side="right")


def quantiles(blocks: Blocks, shares: Sequence[float]) -> Array:
    """The quantiles of a column as numpy.quantile has them; it has at least one value."""
    rows = sum(len(block) for block in blocks())
    wanted = [_ends(share, rows) for share in shares]
    values, _ = select(blocks, np.concatenate([places for _, places in wanted]))
    both = values.reshape(len(wanted), 2)
    return np.array(
        [np.quantile(ends, place - places[0]) for ends, (place, places) in zip(both, wanted, strict=True)]
    )


def _lowest_and_highest(blocks: Blocks) -> tuple[np.number, np.number]:
    ends = [(block.min(), block.max()) for block in blocks() if len(block)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _bins(low: np.number, high: np.number) -> Callable[[Array], Array] | None:
    """A function that gives each value its bin, which never falls when values grow.

    None if the values are so near to zero that the width of a bin is no float64.
    """
    least = low / 2  # halves, as the difference of two float64 may be too large for one
    with np.errstate(over="ignore", divide="ignore"):
        scale = BINS / np.float64(high / 2 - least)
    if not np.isfinite(scale):
        return None

    def bin_of(block: Array) -> Array:
        places = block / 2
        places -= least
        places *= scale
        numbers = places.astype(np.intp)  # numpy counts and looks up by these without another copy
        return np.minimum(numbers, BINS - 1, out=numbers)

    return bin_of
