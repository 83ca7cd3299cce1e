"""The rules to start with of docs/explanation/approval.md approve an honest model of each task."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.pipeline_def.helpers import ROOT
from tests.verdicts_attacked.lab import Lab

PAGE = (ROOT / "docs" / "explanation" / "approval.md").read_text(encoding="utf-8")
STARTERS: dict[str, dict[str, Any]] = next(
    yaml.safe_load(block)["models"] for block in re.findall(r"^```yaml\n(models:.*?)^```$", PAGE, re.M | re.S)
)


def rows(config: dict[str, Any], n: int, seed: int) -> pd.DataFrame:
    """Rows of which the target follows from both features, with noise."""
    generator = np.random.default_rng(seed)
    age, calls = generator.normal(size=n), generator.normal(size=n)
    signal = age + calls / 2 + generator.normal(0, 0.6, n)
    if config["task"] != "regression":
        edges = [0.0] if len(config["classes"]) == 2 else [-0.5, 0.5]
        signal = np.array(config["classes"])[np.searchsorted(edges, signal)]
    return pd.DataFrame({"age": age, "calls": calls, config["target"]: signal})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["churn", "species", "prices"])
def test_starter_rules_approve_an_honest_model_and_its_retraining(lab: Lab, name: str) -> None:
    linear = "ridge" if name == "prices" else "logistic_regression"
    config = {**STARTERS[name], "training": {"estimator": linear}}
    validation = rows(config, 1200, 1)
    first = lab.run(config, {"train": rows(config, 2000, 2), "validation": validation})
    alone = lab.verdict(config, first)
    assert alone.decision == "APPROVE", alone.texts[0]
    again = lab.run(config, {"train": rows(config, 2000, 4), "validation": validation})
    verdict = lab.verdict(config, again, first)
    assert verdict.decision == "APPROVE", verdict.texts[0]


def test_starter_rules_are_there_for_each_task() -> None:
    assert [config["task"] for config in STARTERS.values()] == [
        "binary_classification",
        "multiclass_classification",
        "regression",
    ]
