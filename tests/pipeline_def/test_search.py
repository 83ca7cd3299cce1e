"""A search tries settings by cross-validation of training rows, within its time, and says what it tried."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import get_scorer_names

import search
import train
from job import DataProblem, parse_config
from retraining.config.tasks import DECISIVE, LOWER_IS_BETTER, METRICS, NEITHER_IS_BETTER, NO_INTERVAL
from tests.pipeline_def.helpers import PRICES, SMALL, Run, land_small

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ASKED: dict[str, Any] = {
    "parameters": {"C": {"low": 0.001, "high": 10.0, "log": True}, "fit_intercept": [True, False]},
    "candidates": 6,
    "folds": 3,
    "max_time": "600s",
}


def config(**changes: Any) -> dict[str, Any]:
    """The model.json of `small` with a search."""
    return {**SMALL, "training": {"estimator": "logistic_regression", "search": {**ASKED, **changes}}}


def sample(n: int = 120) -> tuple[pd.DataFrame, pd.Series]:
    """Rows of which x says most about the class."""
    random = np.random.default_rng(0)
    target = pd.Series((np.arange(n) % 2).astype("int16"))
    return pd.DataFrame({"x": target + random.normal(size=n), "c": ["a", "b", "c"] * (n // 3)}), target


def found_by(values: dict[str, Any], clusters: Any = None) -> dict[str, Any]:
    features, target = sample()
    asked = parse_config(values)
    assert asked.search is not None
    clusters = np.arange(len(target)) if clusters is None else clusters
    return search.search(asked, asked.search, features, target, None, clusters, train.fitted)


def test_each_metric_that_can_be_searched_by_has_a_scorer_and_its_direction() -> None:
    known = {name for task in METRICS.values() for name in task} - NO_INTERVAL - NEITHER_IS_BETTER
    assert search.SCORERS.keys() == known
    assert {*search.SCORERS.values()} <= {*get_scorer_names()}
    assert {
        name for name, scorer in search.SCORERS.items() if scorer.startswith("neg_")
    } == known & LOWER_IS_BETTER


@pytest.mark.parametrize("task", sorted(METRICS))
def test_search_without_a_metric_compares_by_the_decisive_one(task: Any) -> None:
    classes = {"regression": [], "binary_classification": ["0", "1"]}.get(task, ["a", "b", "c"])
    asked = parse_config({**config(), "task": task, "classes": classes}).search
    assert asked is not None
    assert asked.metric == DECISIVE[task]


@pytest.mark.slow
def test_search_tries_the_configs_settings_first_and_chooses_the_best_mean() -> None:
    found = found_by(config())
    assert (len(found["tried"]), found["ended"], found["metric"], found["folds"]) == (6, "all", "roc_auc", 3)
    assert found["tried"][0]["hyperparameters"] == {}
    assert all({*item["hyperparameters"]} == {"C", "fit_intercept"} for item in found["tried"][1:])
    assert all(0.001 <= item["hyperparameters"]["C"] <= 10 for item in found["tried"][1:])
    means = [item["mean"] for item in found["tried"]]
    assert found["chosen"] == means.index(max(means))
    assert found["hyperparameters"] == found["tried"][found["chosen"]]["hyperparameters"]
    json.dumps(found, allow_nan=False)


@pytest.mark.slow
def test_search_draws_beside_the_configs_hyperparameters_and_in_place_of_them() -> None:
    values = config(parameters={"C": [0.5]}, candidates=2)
    values["training"]["hyperparameters"] = {"C": 2.0, "tol": 0.01}
    assert [item["hyperparameters"] for item in found_by(values)["tried"]] == [
        {"C": 2.0, "tol": 0.01},
        {"C": 0.5, "tol": 0.01},
    ]


@pytest.mark.slow
def test_search_of_the_same_rows_is_the_same() -> None:
    first, second = found_by(config()), found_by(config())
    for found in (first, second):
        for item in (found, *found["tried"]):
            del item["seconds"]
    assert first == second


@pytest.mark.slow
def test_search_of_a_loss_chooses_the_lowest() -> None:
    found = found_by(config(metric="log_loss"))
    means = [item["mean"] for item in found["tried"]]
    assert found["chosen"] == means.index(min(means))
    assert min(means) > 0


def test_search_stops_when_the_next_candidate_would_not_fit_into_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each candidate takes 10 seconds: begun at 0, 10 and 20, three fit into 30."""
    clock = iter(range(0, 10_000, 10))
    ticks = {"now": 0}

    def monotonic() -> int:
        return ticks["now"]

    def measured(*_: Any) -> list[float]:
        ticks["now"] += 10
        return [next(clock) / 1000]

    monkeypatch.setattr(time, "monotonic", monotonic)
    monkeypatch.setattr(search, "measured", measured)
    found = found_by(config(candidates=100, max_time="30s"))
    assert (len(found["tried"]), found["ended"], found["chosen"]) == (3, "max_time", 2)
    assert found_by(config(candidates=100, max_time="10s"))["tried"][0]["mean"] is not None


@pytest.mark.slow
def test_list_with_fewer_settings_than_candidates_is_tried_whole() -> None:
    found = found_by(config(parameters={"fit_intercept": [True, False]}, candidates=50))
    assert [item["hyperparameters"] for item in found["tried"]] == [
        {},
        {"fit_intercept": True},
        {"fit_intercept": False},
    ]


@pytest.mark.slow
def test_settings_that_cannot_be_fitted_are_undefined_and_not_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = found_by(config(parameters={"l1_ratio": [0.5]}, candidates=2))
    assert [item["mean"] is None for item in found["tried"]] == [False, True]
    assert found["chosen"] == 0
    assert "not measured: ValueError in train.py, line " in capsys.readouterr().out
    found_by({**config(parameters={"l1_ratio": [0.5]}, candidates=2), "show_values": True})
    assert "not measured: Solver lbfgs supports only" in capsys.readouterr().out


def test_search_fits_each_fold_with_the_weights_of_its_rows() -> None:
    features, target = sample()
    weights = pd.Series(np.arange(len(target)) + 0.5)
    asked = parse_config(config(candidates=1))
    assert asked.search is not None
    seen = []

    def fit(_: Any, rows: pd.DataFrame, classes: pd.Series, given: pd.Series | None) -> Any:
        seen.append(given is not None and given.tolist() == weights[rows.index].tolist())
        return train.fitted(asked, rows, classes, given)

    search.search(asked, asked.search, features, target, weights, np.arange(len(target)), fit)
    assert seen == [True, True, True]


def test_search_measures_models_of_dates() -> None:
    _, target = sample()
    values = {**config(candidates=1), "features": {"date": ["d"]}}
    asked = parse_config(values)
    assert asked.search is not None
    features = pd.DataFrame({"d": 20_000.0 + np.where(target == 1, 180, 0)})  # April, else October
    found = search.search(asked, asked.search, features, target, None, np.arange(120), train.fitted)
    assert found["tried"][0]["mean"] == 1.0


def test_folds_keep_clusters_whole_and_have_each_class() -> None:
    _, target = sample()
    clusters = np.arange(len(target)) // 10
    folds = search.divided(parse_config(config()), 4, target, clusters)
    assert len(folds) == 4
    for train_rows, test_rows in folds:
        assert not {*clusters[train_rows]} & {*clusters[test_rows]}
        assert {*target.iloc[test_rows]} == {0, 1}
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(120))


def test_folds_are_at_most_as_many_as_clusters() -> None:
    prices = parse_config({**PRICES, "training": {"estimator": "ridge"}})
    assert len(search.divided(prices, 5, pd.Series(np.arange(12.0)), np.arange(12) % 3)) == 3


def test_folds_are_at_most_as_many_as_rows_of_the_most_frequent_class() -> None:
    folds = search.divided(parse_config(config()), 5, pd.Series([0, 0, 0, 1, 1, 1]), np.arange(6))
    assert len(folds) == 3


@pytest.mark.parametrize(
    ("target", "clusters", "what"),
    [([0, 1, 0, 1], [7, 7, 7, 7], "groups"), ([0, 1], [1, 2], "rows"), ([0], [1], "rows")],
)
def test_too_few_rows_for_two_folds_are_told(target: list[int], clusters: list[int], what: str) -> None:
    with pytest.raises(DataProblem, match=f"too few {what} for it: land more, or remove training.search"):
        search.divided(parse_config(config()), 5, pd.Series(target), np.array(clusters))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ({"low": 1, "high": 4}, True),
        ({"low": 1, "high": 1000, "log": True}, True),
        ({"low": 0.5, "high": 4}, False),
        ({"low": 0.001, "high": 4.0, "log": True}, False),
    ],
)
def test_distribution_draws_between_its_ends(values: dict[str, Any], whole: bool) -> None:
    drawn = [search.distribution(values).rvs(random_state=seed) for seed in range(200)]
    assert all(values["low"] <= value <= values["high"] for value in drawn)
    assert all(float(value).is_integer() for value in drawn) is whole
    if values["high"] == 4 and whole:
        assert {*drawn} == {1, 2, 3, 4}


@pytest.mark.slow
def test_run_keeps_what_was_tried_in_artifact_and_evaluation(s3: S3Client, tmp_path: Path) -> None:
    features, target = sample()
    lines = [f"{x},{c},{y}" for x, c, y in zip(features["x"], features["c"], target, strict=True)]
    land_small(s3, "\n".join(["x,c,y", *lines[:90], ""]), "\n".join(["x,c,y", *lines[90:], ""]))
    run = Run(tmp_path / "run", s3, config(), "abcdefghijkl")
    assert run.preprocess() == 0
    run.train()
    tried = json.loads((run.model_dir / "code" / "search.json").read_text())
    found = run.evaluate()["handsoff"]
    assert found["search"] == tried
    assert len(tried["tried"]) == 6
    fitted = joblib.load(run.model_dir / "model.joblib")["estimator"].get_params()
    assert tried["chosen"] > 0
    assert {name: fitted[name] for name in tried["hyperparameters"]} == tried["hyperparameters"]
    (note,) = [note for note in found["data_notes"] if "settings were tried" in note]
    assert note.startswith("6 of 6 settings were tried over 3 folds; chosen: ")


@pytest.mark.slow
def test_run_without_a_search_has_none(s3: S3Client, run: Run) -> None:
    land_small(s3)
    assert run.preprocess() == 0
    run.train()
    assert run.evaluate()["handsoff"]["search"] is None
    assert not (run.model_dir / "code" / "search.json").exists()


def test_search_notes_say_what_was_chosen_and_what_was_configured() -> None:
    tried = [
        {"hyperparameters": {}, "mean": 0.8, "standard_deviation": 0.01},
        {"hyperparameters": {"C": 0.123456, "fit_intercept": True}, "mean": 0.85, "standard_deviation": 0.02},
    ]
    found = {
        "metric": "roc_auc",
        "folds": 5,
        "candidates": 30,
        "ended": "max_time",
        "chosen": 1,
        "tried": tried,
    }
    assert search.search_notes(found) == [
        "2 of 30 settings were tried over 5 folds, until max_time had passed; chosen: C 0.1235, fit_intercept"
        " True: roc_auc 0.8500 ± 0.0200; as configured: defaults: roc_auc 0.8000 ± 0.0100"
    ]
