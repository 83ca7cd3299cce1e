"""Honest models of scikit-learn's data and of the sample are approved by rules that fit them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from retraining.verdicts.consistency import contradictions
from retraining.verdicts.evaluation import parse_evaluation
from tests.pipeline_def.helpers import ROOT, passengers
from tests.verdicts_attacked.lab import Lab, model

PROVEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "iris": (load_iris, {"metric": "accuracy", "min": 0.9}),
    "wine": (load_wine, {"metric": "accuracy", "min": 0.9}),
    "breast_cancer": (load_breast_cancer, {"metric": "roc_auc", "min": 0.95}),
    "digits": (load_digits, {"metric": "f1_macro", "min": 0.9}),
    "diabetes": (load_diabetes, {"metric": "mae", "max": 50}),
}
"""Each data set with the limit that its config asks for."""


def split(load: Any) -> tuple[dict[str, Any], list[str], list[str]]:
    """Files of which every third row is for validation, the features, and the classes; digits: 900 rows."""
    frame = load(as_frame=True).frame[:900]
    frame.columns = [str(name).replace(" ", "_") for name in frame.columns]
    files = {"train": frame[frame.index % 3 != 2], "validation": frame[frame.index % 3 == 2]}
    labels = [] if load is load_diabetes else [str(label) for label in sorted(frame["target"].unique())]
    return files, [*frame.columns[:-1]], labels


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVEN)
def test_first_and_second_model_of_scikit_learns_data_are_approved(lab: Lab, name: str) -> None:
    load, limit = PROVEN[name]
    files, features, classes = split(load)
    if name == "digits":  # pixels that are 0 in all rows say nothing
        features = [column for column in features if files["train"][column].nunique() > 1]
    task = "regression" if not classes else "binary_classification"
    task = "multiclass_classification" if len(classes) > 2 else task
    margin = {"metric": limit["metric"], "versus_champion": {"max_loss": 5 if not classes else 0.05}}
    config = model(
        limit,
        margin,
        {"data": "drift", "max": 0.5, "on_fail": "hold"},
        task=task,
        target="target",
        features={"numeric": features},
    )
    config["classes"] = classes
    first = lab.run(config, files)
    assert lab.verdict(config, first).decision == "APPROVE"
    again = {**files, "train": files["train"].iloc[::-1]}
    assert lab.verdict(config, lab.run(config, again), first).decision == "APPROVE"


def steps(scale: float, level: float, noise: float, n: int, seed: int) -> pd.DataFrame:
    """A target of five values by x, in these units, from this level on and with this noise."""
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 5, n)
    values = np.array([0.1, 0.3, 0.7, 1.1, 2.3])[x] + noise * generator.normal(size=n)
    return pd.DataFrame({"row": generator.integers(0, 1 << 60, n), "x": x, "y": level + scale * values})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "scale", "level", "noise"),
    [
        pytest.param("random_forest", 1.0, 0.0, 0.0, id="exact"),
        pytest.param("hist_gradient_boosting", 1.0, 0.0, 1e-8, id="nearly exact"),
        pytest.param("random_forest", 1e9, 0.0, 1e-5, id="large"),
        pytest.param("ridge", 1e-9, 0.0, 0.0, id="small"),
        pytest.param("random_forest", 1.0, 1e6, 0.0, id="far from 0"),
    ],
)
def test_evaluation_of_a_perfect_model_adds_up(
    lab: Lab, estimator: str, scale: float, level: float, noise: float
) -> None:
    limit = {"metric": "r2", "min": 0.5}
    config = model(limit, task="regression", training={"estimator": estimator}, data={"identity": ["row"]})
    sizes = {"train": 300, "validation": 120}
    runs = [
        lab.run(config, {name: steps(scale, level, noise, n, 10 * seed + n) for name, n in sizes.items()})
        for seed in (1, 2)
    ]
    for evaluation in (lab.evaluation(runs[0]), lab.evaluation(runs[1], runs[0])):
        assert contradictions(parse_evaluation(json.dumps(evaluation), source="evaluation.json")) == []


@pytest.mark.slow
def test_titanic_is_approved_by_the_config_of_the_sample(lab: Lab) -> None:
    config = yaml.safe_load((ROOT / "handsoff.yaml").read_text(encoding="utf-8"))["models"]["titanic"]
    files = {"train": passengers("train"), "validation": passengers("validation")}
    assert lab.verdict(config, lab.run(config, files)).decision == "APPROVE"
