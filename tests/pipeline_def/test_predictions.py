"""A model is asked about some rows at a time, and answers what it would answer about all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import artifact
import train
from dates import with_parts
from job import StepConfig, parse_config

CLASSES = {
    "binary_classification": ["0", "1"],
    "multiclass_classification": ["0", "1", "2"],
    "regression": [],
}


def config(task: str, estimator: str) -> StepConfig:
    kinds = {"numeric": ["x"], "categorical": ["c", "d"], "boolean": ["b"], "date": ["at"]}
    return parse_config(
        {
            "name": "small",
            "task": task,
            "target": "y",
            "classes": CLASSES[task],
            "features": kinds,
            "training": {"estimator": estimator},
        }
    )


def rows(n: int, texts: str) -> pd.DataFrame:
    """Some values are missing of each kind."""
    draw = np.random.default_rng(n)
    cells = np.array([*texts, np.nan], dtype=object)
    return pd.DataFrame(
        {
            "x": np.where(draw.random(n) < 0.2, np.nan, draw.normal(size=n)),
            "c": cells[draw.integers(0, len(cells), n)],
            "d": cells[draw.integers(0, len(cells), n)],
            "b": draw.choice([0.0, 1.0, np.nan], n),
            "at": np.where(draw.random(n) < 0.2, np.nan, draw.integers(0, 20_000, n)),
        }
    )


class Counting:
    """A pipeline that remembers how many rows it was asked about, and hands on the question."""

    def __init__(self, inner: Any, asked: list[int]) -> None:
        self.inner, self.asked = inner, asked

    def __getattr__(self, name: str) -> Any:
        def answer(given: Any) -> Any:
            self.asked.append(len(given))
            return getattr(self.inner, name)(given)

        return answer if name.startswith("predict") else getattr(self.inner, name)


@pytest.mark.slow
@pytest.mark.parametrize("task", list(CLASSES))
@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "random_forest", "linear"])
def test_batches_are_answered_as_all_rows(task: str, estimator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = "ridge" if task == "regression" else "logistic_regression"
    values = config(task, linear if estimator == "linear" else estimator)
    features = rows(200, "pqr")
    target = pd.Series(np.arange(200.0) % max(len(values.classes), 2))
    model = artifact.Model(train.fit(values, features, target), values)
    new = rows(50, "pqrs")  # s is unknown
    new.loc[7:20, "c"] = np.nan  # in a whole batch, no row has a value
    new.index = pd.RangeIndex(1000, 1050)
    whole = with_parts(new, ["at"])
    if task == "regression":
        expected = model.pipeline.predict(whole)
    else:
        expected = model.pipeline.predict_proba(whole)
        expected = expected[:, 1] if task == "binary_classification" else expected
    monkeypatch.setattr(artifact, "BATCH", 7)
    found = model.predict(new)
    assert found.shape == expected.shape
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_no_pipeline_is_asked_about_more_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    values = config("regression", "random_forest")
    pipeline = train.fit(values, rows(60, "pq"), pd.Series(np.arange(60.0)))
    asked: list[int] = []
    monkeypatch.setattr(artifact, "BATCH", 16)
    artifact.Model(Counting(pipeline, asked), values).predict(rows(50, "pq"))
    assert asked == [16, 16, 16, 2]


@pytest.mark.parametrize(("task", "shape"), [("regression", (0,)), ("multiclass_classification", (0, 3))])
def test_no_rows_have_no_predictions(task: str, shape: tuple[int, ...]) -> None:
    values = config(task, "hist_gradient_boosting")
    target = pd.Series(np.arange(60.0) % max(len(values.classes), 2))
    model = artifact.Model(train.fit(values, rows(60, "pq"), target), values)
    assert model.predict(rows(50, "pq")[:0]).shape == shape
