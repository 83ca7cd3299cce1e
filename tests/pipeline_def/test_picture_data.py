"""What pictures of the data name: only features beyond chance, no values of few rows, and the right rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pictures_data
from picture import Picture
from pictures_data import most_missing
from tests.pipeline_def.helpers import SMALL
from tests.pipeline_def.showing import shown


def made(n: int, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=n)
    c = draw.choice(["a", "b"], n).astype(object)
    return pd.DataFrame({"x": x, "c": c, "y": (draw.uniform(size=n) > 0.5).astype(int)})


def drawn(rows: pd.DataFrame, before: pd.DataFrame, folder: Path) -> list[Picture]:
    half = np.full(len(rows), 0.5)
    return list(pictures_data.drift(shown(SMALL, rows, half, folder, half, before)))


def test_without_drift_no_feature_is_named_in_the_title_and_none_is_drawn_alone(tmp_path: Path) -> None:
    found = drawn(made(1_000), made(1_000, 1), tmp_path)
    assert [each.id for each in found] == ["drift"]
    assert found[0].title == "No feature moved noticeably beyond chance since the champion's training"
    assert "so without a picture of their own: " in found[0].note
    assert 'class="fb"' not in found[0].svg
    assert 'class="fc"' in found[0].svg


def test_only_features_beyond_chance_have_a_picture_of_their_own(tmp_path: Path) -> None:
    found = drawn(made(1_000), made(1_000, 1).assign(x=lambda rows: rows["x"] + 2), tmp_path)
    assert [each.id for each in found] == ["drift", "drift:x"]
    assert found[0].title.startswith("x moved most since the champion's training: index ")


@pytest.mark.parametrize("n", [4, 10, 19, 49])
def test_values_of_few_rows_of_the_champion_name_no_bin(n: int, tmp_path: Path) -> None:
    before = made(n, 1).assign(x=np.arange(n) + 4_711.25)
    found = drawn(made(1_000), before, tmp_path)
    text = json.dumps([each.as_json() for each in found])
    for value in before["x"]:
        assert f"{value:.4g}" not in text
        assert f"{value:,.0f}" not in text
    assert "drift:x" in text


@pytest.mark.parametrize(
    ("shares", "title"),
    [
        ({"training": {"x": 0.0}, "validation": {"x": 0.9}, "champion's training": {}},
         "x is missing most often: in 90.0 % of validation rows; 0.0 % of training rows"),
        ({"training": {"x": 0.2, "z": 0.1}, "validation": {"x": 0.1}, "champion's training": {"x": 0.15}},
         "x is missing most often: in 20.0 % of training rows; 10.0 % of validation rows, 15.0 % of "
         "champion's training rows"),
        ({"training": {"x": 0.0}, "validation": {"x": 0.0}, "champion's training": {"x": 0.5}},
         "x is missing most often: in 50.0 % of champion's training rows; 0.0 % of training rows, 0.0 % of "
         "validation rows"),
    ],
    ids=["in validation", "in training", "in the champion's"],
)  # fmt: skip
def test_title_of_missing_values_tells_the_rows_that_miss_most(
    shares: dict[str, dict[str, float]], title: str
) -> None:
    assert most_missing(shares) == title
