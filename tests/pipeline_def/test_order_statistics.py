"""Values at places of a sorted column, held against numpy.sort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import order_statistics
from order_statistics import even, places_of, quantiles, select

Floats = np.ndarray[Any, Any]
G = np.random.default_rng(7)
MANY = 30_000

COLUMNS: dict[str, Floats] = {
    "normal": G.normal(size=MANY),
    "of few decimals": np.round(G.normal(size=MANY), 3),
    "skewed": np.exp(G.normal(size=MANY) * 20),
    "mostly zero": np.where(G.random(MANY) < 0.9, 0.0, G.normal(size=MANY)),
    "zero at first": np.concatenate([np.zeros(MANY // 2), G.normal(size=MANY // 2)]),
    "sorted": np.arange(MANY, dtype=float),
    "one far away": np.append(G.normal(size=MANY), 1e300),
    "ends of float64": np.concatenate([G.normal(size=MANY), [1.7e308, -1.7e308]]),
    "next to each other": 1 + G.integers(0, 1000, MANY) * 2.0**-52,
    "denormal": G.integers(0, 50_000, MANY) * 5e-324,
    "300 integers": G.integers(0, 300, MANY).astype(float),
    "256 integers": np.arange(256.0).repeat(3),
    "two huge": np.array([1.7e308, -1.7e308] * 30),
    "signed zeros": np.array([0.0, -0.0, 1.0] * 100),
    "equal": np.full(MANY, 2.5),
    "one": np.array([3.0]),
    "none": np.empty(0),
}


def by_sorting(values: Floats) -> tuple[list[float], list[int]]:
    """All different values if there are at most 256, otherwise those at 256 even places."""
    ordered = np.sort(values)
    points = np.unique(ordered)
    if len(points) > 256:
        points = np.unique(ordered[np.arange(256) * (len(ordered) - 1) // 255])
    return points.tolist(), np.searchsorted(ordered, points, side="right").tolist()


@pytest.mark.parametrize("divided", [False, True], ids=["", "bins are divided, values not counted"])
@pytest.mark.parametrize("name", COLUMNS)
def test_places_are_those_of_the_sorted_column(
    name: str, divided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if divided:
        monkeypatch.setattr(order_statistics, "MAX_OF_BIN", 3)
        monkeypatch.setattr(order_statistics, "BINS", 512)
        monkeypatch.setattr(order_statistics, "MAX_COUNTED", 256)
    values = COLUMNS[name]
    blocks = np.array_split(values, 4)
    found = places_of(lambda: iter(blocks), steps=256, shares=(0.05, 0.95))
    points, below = even(found, 256)
    assert (points.tolist(), below.tolist()) == by_sorting(values)
    assert found.rows == len(values)
    with np.errstate(over="ignore", invalid="ignore"):
        for share in (0.05, 0.95) if len(values) else ():
            np.testing.assert_array_equal(found.quantile(share), np.quantile(values, share))


def test_select_sorts_few_of_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The column is never as a whole in memory: only the values of the bins of 2 places are sorted."""
    lengths: list[int] = []
    sort = np.sort

    def counted(values: Floats) -> Floats:
        lengths.append(len(values))
        return np.asarray(sort(values))

    monkeypatch.setattr(np, "sort", counted)
    blocks = np.array_split(COLUMNS["normal"], 4)
    values, below = select(lambda: iter(blocks), np.array([10_000, 20_000]))
    assert below.tolist() == [10_001, 20_001]
    assert (values < np.array([0.0, 1.0])).all()
    assert max(lengths) < 30


def test_select_keeps_whole_numbers_that_float64_cannot_tell_apart() -> None:
    """Microseconds of the year 9000, one after the other."""
    dates = 221_845_392_000_000_000 + np.arange(1_000)
    blocks = np.array_split(dates[::-1], 3)
    values, below = select(lambda: iter(blocks), np.array([0, 501, 999]))
    assert values.dtype == np.int64
    assert (values - dates[0]).tolist() == [0, 501, 999]
    assert below.tolist() == [1, 502, 1000]


def test_quantiles_are_those_of_numpy() -> None:
    values = COLUMNS["of few decimals"]
    found = quantiles(lambda: iter(np.array_split(values, 5)), (0.05, 0.95))
    assert found.tolist() == np.quantile(values, (0.05, 0.95)).tolist()
