"""Candidates that are worse, or seem too good, where no number of all rows shows it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.pipeline_def.helpers import passengers
from tests.verdicts_attacked.lab import NOT_WORSE, Lab, codes, model, titanic


@pytest.mark.slow
def test_slice_that_no_rule_names_is_not_destroyed(lab: Lab) -> None:
    """Better overall; on the islands, 6 % of the rows, the labels of train were turned round."""
    generator = np.random.default_rng(3)

    def shop(n: int, *, flip: bool) -> pd.DataFrame:
        x, z = generator.normal(size=n), generator.normal(size=n)
        region = generator.choice(["north", "south", "islands"], n, p=[0.6, 0.34, 0.06])
        label = (generator.random(n) < 1 / (1 + np.exp(-(3 * x + 4 * x * z)))).astype(int)
        label = np.where(flip & (region == "islands"), 1 - label, label)
        return pd.DataFrame({"x": x, "z": z, "region": region, "y": label})

    config = model(
        {"metric": "accuracy", "min": 0.6},
        {"metric": "roc_auc", "versus_champion": {"min_gain": 0.0}},
        features={"numeric": ["x", "z"], "categorical": ["region"]},
    )
    honest, wrong, validation = shop(3000, flip=False), shop(3000, flip=True), shop(1500, flip=False)
    champion = lab.run(config, {"train": honest, "validation": validation})
    better = {**config, "training": {"estimator": "random_forest"}}
    candidate = lab.run(better, {"train": wrong, "validation": validation})
    verdict = lab.verdict(better, candidate, champion)
    assert (verdict.decision, "slice_worse" in codes(verdict)) == ("HOLD", True)
    assert any("region" in text and "islands" in text for text in verdict.texts)


@pytest.mark.slow
def test_feature_that_is_the_target_is_a_suspicious_leap(lab: Lab) -> None:
    """15 % of the hints are wrong, so that no metric is near 1."""
    generator = np.random.default_rng(0)

    def hinted(split: str) -> pd.DataFrame:
        rows = passengers(split)
        label = rows["survived"].astype(int)
        return rows.assign(hint=np.where(generator.random(len(rows)) < 0.15, 1 - label, label))

    files = {"train": hinted("train"), "validation": hinted("validation")}
    config = titanic(
        {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "max_gain": 0.05}, "on_fail": "hold"}
    )
    features = config["features"]
    leaking = {**config, "features": {**features, "numeric": [*features["numeric"], "hint"]}}
    champion, candidate = lab.run(config, files), lab.run(leaking, files)
    assert lab.verdict(leaking, candidate, champion).decision == "HOLD"


@pytest.mark.slow
@pytest.mark.parametrize(("turned", "decision"), [(0.6, "REJECT"), (0.45, "HOLD"), (0.0, "APPROVE")])
def test_labels_that_were_turned_round_lose_to_the_champion(lab: Lab, turned: float, decision: str) -> None:
    generator, train = np.random.default_rng(9), passengers("train")
    label = train["survived"].astype(int)
    noisy = train.assign(survived=np.where(generator.random(len(train)) < turned, 1 - label, label))
    config, validation = titanic(NOT_WORSE), passengers("validation")
    champion = lab.run(config, {"train": train, "validation": validation})
    candidate = lab.run(config, {"train": noisy, "validation": validation})
    assert lab.verdict(config, candidate, champion).decision == decision


@pytest.mark.slow
def test_accuracy_that_guessing_reaches_approves_nothing(lab: Lab) -> None:
    """One row of 200 is positive, and the model finds none."""
    generator = np.random.default_rng(6)

    def fraud(n: int) -> pd.DataFrame:
        label = (np.arange(n) % 200 == 0).astype(int)
        return pd.DataFrame({"x": generator.normal(size=n) + 1.5 * label, "y": label})

    config = model({"metric": "accuracy", "min": 0.9})
    run = lab.run(config, {"train": fraud(8000), "validation": fraud(6000)})
    evaluation = lab.evaluation(run)["handsoff"]
    assert evaluation["candidate"]["metrics"]["recall"]["value"] == 0.0
    assert evaluation["baseline"]["metrics"]["accuracy"]["value"] == 0.995
    verdict = lab.verdict(config, run)
    assert (verdict.decision, "no_rule_met" in codes(verdict)) == ("HOLD", True)
