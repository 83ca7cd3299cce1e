"""Honest models of scikit-learn's data and of the sample are approved by rules that fit them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from tests.pipeline_def.helpers import ROOT
from tests.verdicts_attacked.lab import Lab, model, passengers

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


def test_titanic_is_approved_by_the_config_of_the_sample(lab: Lab) -> None:
    config = yaml.safe_load((ROOT / "handsoff.yaml").read_text(encoding="utf-8"))["models"]["titanic"]
    files = {"train": passengers("train"), "validation": passengers("validation")}
    assert lab.verdict(config, lab.run(config, files)).decision == "APPROVE"
