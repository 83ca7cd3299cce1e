"""Sentences about numbers of an evaluation that disagree. Each check yields one sentence, or nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

RELATIVE: Final = 1e-6
"""The relative difference up to which two computed numbers are the same: rounding, and no more."""

ABSOLUTE: Final = 1e-9
"""The difference up to which two numbers near 0 are the same."""


def alike(value: float, other: float, scale: float = 0.0) -> bool:
    """Whether two numbers are the same but for rounding, or are both undefined.

    `scale` is the size of the numbers that they were computed from.
    """
    if math.isnan(value) or math.isnan(other):
        return math.isnan(value) and math.isnan(other)
    return math.isclose(value, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE * max(1.0, scale))


def same(path: str, value: float, other: float, what: str, scale: float = 0.0) -> Iterator[str]:
    """That `value` is not `other`, which `what` names."""
    if not alike(value, other, scale):
        yield f"{path} is {written(value)}, but {what} is {written(other)}"


def at_most(path: str, value: float | None, highest: float | None, what: str) -> Iterator[str]:
    """That `value` is above `highest`, which `what` names. None and NaN are above nothing."""
    if value is None or highest is None:
        return
    if value > highest and not alike(value, highest):
        yield f"{path} is {written(value)}, but {what} is {written(highest)}"


def within(path: str, value: float, lowest: float, highest: float) -> Iterator[str]:
    """That `value` is outside the range of what it measures. NaN is outside nothing."""
    if value < lowest - ABSOLUTE or value > highest + ABSOLUTE:
        yield f"{path} is {written(value)}, but it lies between {lowest:g} and {highest:g}"


def counted(path: str, share: float, n: float, what: str) -> Iterator[str]:
    """That `share` of `n` rows is no whole number of rows. `what` names n. NaN is no share."""
    rows = share * n
    if math.isfinite(rows) and not math.isclose(rows, round(rows), rel_tol=RELATIVE, abs_tol=RELATIVE):
        yield f"{path} is {written(share)}, which is {rows:.6g} rows, but {what} is {written(n)}"


def written(value: float) -> str:
    """The number with at most seven digits; `undefined` for NaN."""
    return "undefined" if math.isnan(value) else f"{value:.7g}"
