"""Data that is not what it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.pipeline_def.helpers import Run
from tests.verdicts_attacked.lab import Lab, model

STILL = {"data": "drift", "max": 0.25, "on_fail": "hold"}
SIZE = model({"metric": "roc_auc", "versus_champion": {"max_loss": 0.05}}, STILL)
GENERATOR = np.random.default_rng


def bodies(n: int, seed: int, unit: float = 1.0, shift: float = 0.0) -> pd.DataFrame:
    """Heights in centimetres, divided by 1 / `unit`, of which the higher ones are mostly positive."""
    generator = GENERATOR(seed)
    height = generator.normal(170, 10, n)
    label = (generator.random(n) < 1 / (1 + np.exp(-(height - 170 + shift) / 8))).astype(int)
    return pd.DataFrame({"x": height * unit, "y": label})


@pytest.fixture
def champion(lab: Lab) -> Run:
    return lab.run(SIZE, {"train": bodies(2000, 1), "validation": bodies(600, 2)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "validation", "says"),
    [
        (bodies(2000, 3, 0.01), bodies(600, 4, 0.01), "drift of any feature (x): "),
        (bodies(2000, 3), bodies(600, 4, 0.01), "drift of any feature from train to validation (x): "),
        (bodies(2000, 3, shift=-25), bodies(600, 4, shift=-25), "drift of the target: "),
        (bodies(2000, 3), bodies(600, 4, shift=-25), "drift of the target from train to validation: "),
    ],
    ids=["metres", "metres in validation", "rarer positives", "rarer positives in validation"],
)
def test_data_that_moved_is_held(
    lab: Lab, champion: Run, train: pd.DataFrame, validation: pd.DataFrame, says: str
) -> None:
    verdict = lab.verdict(SIZE, lab.run(SIZE, {"train": train, "validation": validation}), champion)
    assert verdict.decision == "HOLD"
    assert verdict.texts[0].startswith(says)
    assert verdict.texts[0].endswith("fail")


@pytest.mark.slow
def test_data_that_stayed_is_approved(lab: Lab, champion: Run) -> None:
    run = lab.run(SIZE, {"train": bodies(2000, 3), "validation": bodies(600, 4)})
    assert lab.verdict(SIZE, run, champion).decision == "APPROVE"


@pytest.mark.slow
def test_unit_that_changed_within_the_training_rows_is_held(lab: Lab) -> None:
    """The last of ten weeks is in metres."""
    config = model({"metric": "roc_auc", "min": 0.55}, STILL, data={"date": "day"})
    train = bodies(2000, 5).assign(day=[f"2026-01-{1 + row // 100:02}" for row in range(2000)])
    train.loc[train["day"] > "2026-01-16", "x"] *= 0.01
    validation = train.sample(600, random_state=1)
    fresh = validation.assign(x=validation["x"] * (1 + 1e-9))
    verdict = lab.verdict(config, lab.run(config, {"train": train, "validation": fresh}))
    assert verdict.decision == "HOLD"
    assert verdict.texts[0].startswith("drift of any feature from the earlier to the newest train rows (x): ")
