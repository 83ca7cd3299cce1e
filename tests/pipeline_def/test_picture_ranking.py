"""What curves say of models that rank alike, or of which that is not known; and of rare classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pictures_ranking
from job import Array
from pictures_ranking import precision_curve, precision_recall, roc, roc_curve, sample
from scoring import OneHot
from tests.pipeline_def.helpers import PENGUINS, SMALL
from tests.pipeline_def.showing import shown


def made(n: int, positives: int) -> tuple[pd.DataFrame, Array]:
    y = (np.arange(n) < positives).astype(int)
    rows = pd.DataFrame({"x": y.astype(float), "c": np.full(n, "a", dtype=object), "y": y})
    return rows, np.random.default_rng(0).uniform(size=n)


def test_champion_without_areas_is_not_called_alike(tmp_path: Path) -> None:
    rows, score = made(200, 100)
    labels = np.eye(2)[(score > 0.5).astype(int)].view(OneHot)[:, 1]
    whole = shown(SMALL, rows, score, tmp_path, labels)
    for picture in (roc(whole), precision_recall(whole)):
        assert picture.title.endswith("; the champion has none to compare with")


def test_few_rows_are_not_called_alike(tmp_path: Path) -> None:
    rows, score = made(4, 2)
    whole = shown(SMALL, rows, np.array([0.9, 0.8, 0.1, 0.2]), tmp_path, score)
    assert roc(whole).title.startswith("Whether the candidate ranks better cannot be told: area 1, champion ")


def test_no_clear_difference_is_not_called_alike(tmp_path: Path) -> None:
    rows, score = made(200, 100)
    found = roc(shown(SMALL, rows, score, tmp_path, score[::-1]))
    assert found.title.startswith("No clear difference in how candidate and champion rank: area 0.")


@pytest.mark.parametrize("positives", [1, 3, 5])
def test_rare_class_of_many_rows_is_drawn_with_all_its_rows(
    positives: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures_ranking, "MAX_ROWS", 100)
    rows, score = made(4_000, positives)
    whole = shown(SMALL, rows, score, tmp_path)
    assert f"Drawn from {50 + positives} of 4,000 rows" in roc(whole).note
    assert precision_recall(whole).rows[-1][1].startswith("0.0")


def test_sample_stands_for_all_rows_of_each_class() -> None:
    target = np.repeat([0, 1, 2], [900, 90, 10])
    places, weight = sample(target, 150)
    assert [weight[target[places] == each].sum() for each in (0, 1, 2)] == [900, 90, 10]
    assert [(target[places] == each).sum() for each in (0, 1, 2)] == [50, 50, 10]


def test_weighted_curves_are_those_of_the_rows_that_they_stand_for() -> None:
    positive, score = np.array([True, False, True, False]), np.array([0.9, 0.6, 0.4, 0.1])
    for curve in (roc_curve, precision_curve):
        weighted = curve(positive, score, np.array([1.0, 3.0, 1.0, 2.0]))
        whole = curve(np.repeat(positive, [1, 3, 1, 2]), np.repeat(score, [1, 3, 1, 2]), np.ones(7))
        assert weighted.tolist() == pytest.approx(whole.tolist(), nan_ok=True)


def test_roc_starts_where_nothing_is_taken(tmp_path: Path) -> None:
    rows, _ = made(200, 100)
    found = roc(shown(SMALL, rows, rows["y"].to_numpy() * 0.8 + 0.1, tmp_path))
    assert 'd="M44,302 L44,52' in found.svg


def test_title_of_more_classes_has_numbers(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    target = draw.integers(0, 3, 90)
    rows = pd.DataFrame({"x": target.astype(float), "c": np.full(90, "a", dtype=object), "y": target})
    score = draw.dirichlet(np.ones(3), 90)
    title = precision_recall(shown(PENGUINS, rows, score, tmp_path, score)).title
    assert title.startswith("Mean precision over classes and shares found: candidate 0.")
    assert ", champion 0." in title
