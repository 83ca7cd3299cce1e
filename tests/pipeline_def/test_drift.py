"""The stability index of two data profiles: by hand, and with values outside the champion's bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import data_profile
import drift
from job import parse_config
from tests.pipeline_def.helpers import SMALL


def numbers(values: Sequence[float] | np.ndarray[Any, Any], missing: int = 0) -> dict[str, Any]:
    """The profile of a numeric column, as data_profile.py makes it."""
    known = np.sort(np.asarray(values, dtype=float))
    points = np.unique(known)
    exact = len(points) <= 256
    if not exact:
        points = np.unique(known[np.arange(256) * (len(known) - 1) // 255])
    below = np.searchsorted(known, points, side="right")
    return {
        "kind": "numeric",
        "missing": missing,
        "exact": exact,
        "points": points.tolist(),
        "below": below.tolist(),
    }


def categories(counts: dict[str, int], missing: int = 0, other: int = 0) -> dict[str, Any]:
    return {"kind": "categorical", "missing": missing, "counts": counts, "other": other}


def of(champion: dict[str, Any], candidate: dict[str, Any]) -> float:
    return drift.drift({"columns": {"x": champion}}, {"columns": {"x": candidate}})["x"]["psi"]


def test_psi_smooths_shares_by_half_a_row() -> None:
    """8 and 2 of 10 against 2 and 8: (8.5/11 − 2.5/11) ln(8.5/2.5), twice."""
    found = drift.psi(np.array([8.0, 2.0]), np.array([2.0, 8.0]))
    assert found == pytest.approx(2 * 6 / 11 * np.log(3.4))


def test_bins_of_categories_by_hand() -> None:
    """Bins a, b, all others, missing: 60, 30, 10, 0 rows against 60, 20, 15 (c and d), 5."""
    champion = categories({"a": 60, "b": 30}, other=10)
    candidate = categories({"a": 60, "b": 20, "c": 10, "d": 3}, other=2, missing=5)
    expected, actual = drift.bins(champion, candidate)
    assert expected.tolist() == [60, 30, 10, 0]
    assert actual.tolist() == [60, 20, 15, 5]
    # 10/102 ln(30.5/20.5) + 5/102 ln(15.5/10.5) + 5/102 ln(5.5/0.5)
    assert of(champion, candidate) == pytest.approx(0.038951 + 0.019091 + 0.117544, abs=1e-5)


def test_bins_of_deciles_by_hand() -> None:
    """100 values: ten in each decile, none below or above."""
    champion = numbers(np.arange(100))
    expected, actual = drift.bins(champion, numbers([-5, 0, 9, 10, 99, 100, 101], missing=4))
    assert expected.tolist() == [0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 0, 0]
    assert actual.tolist() == [1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4]


def test_bins_merges_deciles_that_coincide() -> None:
    expected, actual = drift.bins(numbers([0] * 70 + [1] * 30), numbers([0] * 10 + [1] * 90))
    assert expected.tolist() == [0, 70, 30, 0, 0]
    assert actual.tolist() == [0, 10, 90, 0, 0]


@pytest.mark.parametrize("value", [4.0, 6.0])
def test_drift_constant_that_changed_is_large(value: float) -> None:
    assert of(numbers([5.0] * 100), numbers([value] * 100)) > 5
    assert of(numbers([5.0] * 100), numbers([5.0] * 100)) == 0.0


def test_drift_column_that_became_empty_is_large() -> None:
    nothing = numbers([], missing=100)
    assert of(numbers(np.arange(100)), nothing) > 3
    assert of(nothing, numbers(np.arange(100))) > 3
    assert of(nothing, nothing) == 0.0


def test_drift_is_small_for_the_same_distribution_and_large_for_a_shifted_one() -> None:
    generator = np.random.default_rng(1)
    champion = numbers(generator.normal(size=20_000))
    assert not champion["exact"]
    assert of(champion, numbers(generator.normal(size=20_000))) < 0.003
    # two normal distributions half a deviation apart: d² = 0.25, a little less by deciles
    assert of(champion, numbers(generator.normal(0.5, 1, 20_000))) == pytest.approx(0.25, abs=0.03)


def test_up_to_keeps_half_of_the_rows_at_one_value() -> None:
    """Few rows are between two points of a coarse profile, however many are at the next point."""
    generator = np.random.default_rng(2)
    values = np.r_[np.zeros(10_000), generator.exponential(size=10_000)]
    below_zero = np.r_[np.full(200, -1.0), values]
    found = drift.up_to(numbers(below_zero), -0.01)
    assert 200 <= found <= 280


def test_drift_feature_new_or_of_another_kind_is_undefined() -> None:
    champion = {"columns": {"x": numbers([1, 2]), "c": categories({"a": 2}), "gone": numbers([1])}}
    candidate = {"columns": {"x": numbers([1, 2]), "c": numbers([1]), "new": numbers([1])}}
    found = drift.drift(champion, candidate)
    assert found.keys() == {"x", "c", "new"}
    assert found["x"]["psi"] == 0.0
    assert all(math.isnan(value) for name in ("c", "new") for value in found[name].values())


def test_by_chance_by_hand() -> None:
    """Three bins that are not empty, 100 rows against 50: 2 (1/100 + 1/50)."""
    found = drift.by_chance(np.array([60.0, 40.0, 0.0, 0.0]), np.array([20.0, 20.0, 10.0, 0.0]))
    assert found == pytest.approx(0.06)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "kinds"), [(100, 10), (300, 50), (1047, 254)])
def test_by_chance_is_the_mean_psi_of_equal_distributions(n: int, kinds: int) -> None:
    """With rare categories and without, the index minus chance is about 0."""
    generator = np.random.default_rng(3)
    beyond = []
    for _ in range(200):
        profiles = []
        for _ in range(2):
            names, rows = np.unique(generator.integers(0, kinds, n), return_counts=True)
            profiles.append(
                categories({str(name): int(count) for name, count in zip(names, rows, strict=True)})
            )
        found = drift.drift({"columns": {"x": profiles[0]}}, {"columns": {"x": profiles[1]}})["x"]
        beyond.append(found["psi"] - found["by_chance"])
    assert abs(float(np.mean(beyond))) < 0.02
    assert float(np.quantile(beyond, 0.99)) < 0.25


@pytest.mark.slow
@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.lists(st.integers(0, 20), max_size=60))
def test_bins_keeps_every_row_and_psi_is_never_negative(ours: list[int], theirs: list[int]) -> None:
    champion, candidate = numbers(np.array(ours), missing=1), numbers(np.array(theirs), missing=2)
    expected, actual = drift.bins(champion, candidate)
    assert (expected.sum(), actual.sum()) == (len(ours) + 1, len(theirs) + 2)
    assert of(champion, candidate) >= 0


def test_drift_reads_the_profiles_of_data_profile(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"x": [1.0, 2.0, None], "c": ["a", "b", None], "b": [1.0, 0.0, None], "y": [0, 1, 1]}
    )
    frame.to_parquet(tmp_path / "x.parquet")
    features = {"numeric": ["x"], "categorical": ["c"], "boolean": ["b"]}
    profile = data_profile.profile(tmp_path / "x.parquet", parse_config({**SMALL, "features": features}))
    assert profile["columns"]["x"] == numbers([1, 2], missing=1)
    assert {name: item["psi"] for name, item in drift.drift(profile, profile).items()} == {
        "x": 0.0,
        "c": 0.0,
        "b": 0.0,
    }
