"""Rules on so few rows that they decide nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.pipeline_def.helpers import passengers
from tests.verdicts_attacked.lab import Lab, model, titanic


@pytest.mark.slow
def test_limit_on_a_slice_of_one_row_is_held(lab: Lab) -> None:
    config = titanic(
        {"metric": "accuracy", "min": 0.6},
        {"metric": "accuracy", "slice": {"embarked": "Q", "pclass": "1"}, "min": 0.7},
    )
    train, validation = passengers("train"), passengers("validation")
    rare = [(rows["embarked"] == "Q") & (rows["pclass"] == "1") for rows in (train, validation)]
    one = train[rare[0]][:1]
    run = lab.run(
        config, {"train": train.drop(one.index), "validation": pd.concat([validation[~rare[1]], one])}
    )
    verdict = lab.verdict(config, run)
    assert verdict.rules[1].findings[0].n == 1
    assert (verdict.rules[1].outcome, verdict.decision) == ("unknown", "HOLD")


@pytest.mark.slow
def test_comparison_on_three_rows_is_held(lab: Lab) -> None:
    generator = np.random.default_rng(5)
    rows = pd.DataFrame(
        {"x": generator.normal(size=900), "s": np.where(np.arange(900) % 300 == 0, "rare", "usual")}
    )
    rows["y"] = rows["x"] * 3 + generator.normal(size=900)
    config = model(
        {"metric": "mae", "max": 2},
        {"metric": "mae", "slice": {"s": "rare"}, "versus_champion": {"max_loss": 1.0}},
        task="regression",
        features={"numeric": ["x"], "categorical": ["s"]},
    )
    run = lab.run(config, {"train": rows, "validation": rows.assign(x=rows["x"] + 0.001)})
    verdict = lab.verdict(config, run, run)
    assert (verdict.rules[1].outcome, verdict.decision) == ("unknown", "HOLD")


@pytest.mark.slow
def test_recall_of_a_slice_with_one_positive_row_is_held(lab: Lab) -> None:
    generator = np.random.default_rng(8)
    x = generator.normal(size=2000)
    label = (x + generator.normal(size=2000) > 0).astype(int)
    rare = np.arange(2000) < 60
    label[rare] = 0
    label[int(np.argmax(np.where(rare, x, -9)))] = 1
    validation = pd.DataFrame({"x": x, "s": np.where(rare, "rare", "usual"), "y": label})
    usual = validation.assign(x=x + 0.001, y=(x > 0).astype(int))
    config = model(
        {"metric": "roc_auc", "min": 0.6},
        {"metric": "recall", "slice": {"s": "rare"}, "min": 0.9, "min_samples": 50},
        features={"numeric": ["x"], "categorical": ["s"]},
    )
    verdict = lab.verdict(config, lab.run(config, {"train": usual, "validation": validation}))
    assert (verdict.rules[1].outcome, verdict.decision) == ("unknown", "HOLD")
