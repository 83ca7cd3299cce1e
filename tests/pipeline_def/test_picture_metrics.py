"""What titles say of equal, better and worse candidates, by the decisive metric first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pictures_metrics import FEW_ROWS, _verdict, difference, gain, metrics
from tests.pipeline_def.helpers import PENGUINS, PRICES, SMALL
from tests.pipeline_def.showing import shown

GAINS = {"roc_auc": (0.03, 0.01, 0.05), "brier": (0.02, 0.01, 0.03), "f1": (-0.2, -0.3, -0.1)}


@pytest.mark.parametrize(
    ("words", "gains", "n", "title"),
    [
        ({"roc_auc": "better"}, {}, 1500,
         "The candidate is better in roc auc, by 0.0300 (0.0100 to 0.0500)"),
        ({"roc_auc": "worse"}, {"roc_auc": (-0.03, -0.05, -0.01)}, 1500,
         "The candidate is worse in roc auc, by 0.0300 (0.0100 to 0.0500)"),
        ({"roc_auc": "no clear difference", "brier": "better", "f1": "worse"},
         {"roc_auc": (0.01, -0.01, 0.03)}, 1500,
         "roc auc: no clear difference, gain +0.0100 (−0.0100 to +0.0300); brier leans to better; "
         "f1 leans to worse"),
        ({"roc_auc": FEW_ROWS, "f1": FEW_ROWS}, {}, 49,
         "Whether the candidate is better cannot be told on 49 rows: roc auc, gain +0.0300 (+0.0100 to "
         "+0.0500)"),
        ({"f1": "worse"}, {}, 1500,
         "Whether the candidate is better cannot be told: the difference in roc auc has no interval"),
    ],
    ids=["better", "worse", "others lean", "few rows", "no interval"],
)  # fmt: skip
def test_title_of_the_difference_leads_with_the_decisive_metric(
    words: dict[str, str], gains: dict[str, tuple[float, float, float]], n: int, title: str
) -> None:
    assert _verdict("roc_auc", words, GAINS | gains, n) == title


@pytest.mark.parametrize(
    ("name", "better_by"), [("roc_auc", (0.25, 0.125, 0.5)), ("rmse", (-0.25, -0.5, -0.125))]
)
def test_above_zero_the_candidate_is_better_by_every_metric(
    name: str, better_by: tuple[float, float, float]
) -> None:
    assert gain(name, {"value": 0.25, "bounds": [0.125, 0.5]}) == better_by


@pytest.mark.slow
def test_equal_candidates_are_called_better_or_worse_no_more_often_than_one_interval_errs(
    tmp_path: Path,
) -> None:
    draw = np.random.default_rng(0)
    called = 0
    for _ in range(40):
        rows = pd.DataFrame({"x": draw.normal(size=60), "c": np.full(60, "a", dtype=object)})
        rows["y"] = draw.integers(0, 2, 60)
        picture = difference(shown(SMALL, rows, draw.uniform(size=60), tmp_path, draw.uniform(size=60)))
        called += picture.title.startswith("The candidate is ")
    assert called <= 8


@pytest.mark.parametrize("n", [4, 49])
def test_few_rows_tell_nothing(n: int, tmp_path: Path) -> None:
    x = np.arange(float(n))
    rows = pd.DataFrame({"x": x, "c": np.full(n, "a", dtype=object), "y": (x >= n / 2).astype(int)})
    whole = shown(SMALL, rows, np.where(x >= n / 2, 0.9, 0.1), tmp_path, np.linspace(0.9, 0.1, n))
    assert "better cannot be told" in difference(whole).title
    assert {row[3] for row in difference(whole).rows} == {"too few rows to tell"}
    assert metrics(whole).title.endswith(f"on {n} validation rows; too few rows to tell")


def test_worse_rmse_lies_left_of_zero_and_names_no_metric_of_classes(tmp_path: Path) -> None:
    x = np.linspace(0, 10, 200)
    rows = pd.DataFrame({"x": x, "c": np.full(200, "a", dtype=object), "y": x})
    noise = np.random.default_rng(0).normal(size=200)
    picture = difference(shown(PRICES, rows, x + 2 + noise, tmp_path, x + noise))
    assert picture.title.startswith("The candidate is worse in rmse, by ")
    assert picture.rows[0][1].startswith("−")
    assert "calibration" not in picture.note


def test_of_more_classes_the_title_has_f1_too(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    target = draw.integers(0, 3, 90)
    rows = pd.DataFrame({"x": target.astype(float), "c": np.full(90, "a", dtype=object), "y": target})
    score = draw.dirichlet(np.ones(3), 90)
    title = metrics(shown(PENGUINS, rows, score, tmp_path, score)).title
    assert title.startswith("roc auc ovr: candidate 0.")
    assert "; f1 macro: candidate 0." in title
    assert title.endswith(" on 90 validation rows; no clear difference")
