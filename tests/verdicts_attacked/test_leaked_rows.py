"""Validation rows that were seen in training, and rows that are no new evidence."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from tests.pipeline_def.helpers import passengers
from tests.verdicts_attacked.lab import NOT_WORSE, Lab, codes, titanic

ACCURATE = {"metric": "accuracy", "min": 0.78}


@pytest.mark.slow
def test_honest_first_model_is_approved(lab: Lab) -> None:
    config = titanic(ACCURATE)
    run = lab.run(config, {"train": passengers("train"), "validation": passengers("validation")})
    assert lab.verdict(config, run).decision == "APPROVE"


@pytest.mark.slow
def test_validation_rows_in_train_leave_and_too_few_are_left(lab: Lab) -> None:
    config, validation = titanic(ACCURATE), passengers("validation")
    run = lab.run(config, {"train": pd.concat([passengers("train"), validation]), "validation": validation})
    verdict = lab.verdict(config, run)
    assert (verdict.decision, verdict.n) == ("HOLD", 0)


@pytest.mark.slow
def test_validation_rows_in_train_under_other_ids_are_lookalikes(lab: Lab) -> None:
    """No setting says that `id` is no part of a row. The look-alike test sees it all the same."""
    config = titanic(ACCURATE)
    train = passengers("train").assign(id=range(1047))
    validation = passengers("validation").assign(id=range(10_000, 10_262))
    again = validation.assign(id=range(20_000, 20_262))
    run = lab.run(config, {"train": pd.concat([train, again]), "validation": validation})
    evaluation = lab.evaluation(run)
    assert (evaluation["handsoff"]["leaked"], evaluation["handsoff"]["candidate"]["n"]) == (0, 262)
    assert evaluation["handsoff"]["lookalikes"]["share"] == 1.0
    verdict = lab.verdict(config, run)
    assert verdict.decision == "HOLD"
    assert "lookalike_rows" in codes(verdict)


@pytest.mark.slow
def test_copies_within_validation_under_other_ids_are_seen(lab: Lab) -> None:
    """Three times as many rows would narrow each interval. Their name makes the copies one row again."""
    train = passengers("train").assign(id=range(1047))
    copied = pd.concat([passengers("validation")] * 3).assign(id=range(10_000, 10_786))
    run = lab.run(titanic(ACCURATE), {"train": train, "validation": copied})
    verdict = lab.verdict(titanic(ACCURATE), run)
    assert (verdict.decision, "lookalike_rows" in codes(verdict)) == ("HOLD", True)
    named = titanic(ACCURATE, data={"identity": "name"})
    run = lab.run(named, {"train": train, "validation": copied})
    assert lab.evaluation(run)["handsoff"]["candidate"]["clusters"] < 263
    assert "lookalike_rows" not in codes(lab.verdict(named, run))


@pytest.mark.slow
def test_validation_rows_in_train_are_known_however_they_are_written(lab: Lab) -> None:
    validation = passengers("validation")
    decimals = validation.assign(
        fare=[f"{float(fare):.4f}" if fare else "" for fare in validation["fare"]],
        age=[f"{float(age):.6f}" if age else "" for age in validation["age"]],
    )
    typed = validation.assign(
        **{name: pd.to_numeric(validation[name]) for name in ("survived", "sibsp", "parch", "age", "fare")}
    )
    body = io.BytesIO()
    typed.to_parquet(body, index=False)
    for name, again in (("train/b.csv", decimals), ("train/b.parquet", body.getvalue())):
        run = lab.run(
            titanic(ACCURATE), {"train/a.csv": passengers("train"), name: again, "validation": validation}
        )
        assert run.report["validation_rows_also_in_train"] == 262


@pytest.mark.slow
def test_validation_file_under_three_names_is_no_more_evidence(lab: Lab) -> None:
    config = titanic({"metric": "brier", "versus_champion": {"max_loss": 0.02}, "on_fail": "hold"})
    files = {"train": passengers("train"), "validation/1.csv": passengers("validation")}
    forest = {**config, "training": {"estimator": "random_forest"}}
    champion = lab.run(forest, files)
    once = lab.run(config, files)
    again = {f"validation/{name}.csv": passengers("validation") for name in (2, 3)}
    thrice = lab.run(config, {**files, **again})
    decisions = [lab.verdict(config, run, champion).decision for run in (once, thrice)]
    assert decisions == ["HOLD", "HOLD"]


@pytest.mark.slow
def test_twelve_rows_landed_three_times_are_twelve_rows(lab: Lab) -> None:
    config, validation = titanic({"metric": "roc_auc", "min": 0.6}), passengers("validation")
    few = pd.concat([validation[validation["survived"] == label][:6] for label in ("0", "1")])
    files = {f"validation/{number}.csv": few for number in range(3)}
    verdict = lab.verdict(config, lab.run(config, {"train": passengers("train"), **files}))
    assert (verdict.decision, "guessing_unknown" in codes(verdict)) == ("HOLD", True)


@pytest.mark.slow
def test_comparison_says_how_many_rows_the_champion_has_seen(lab: Lab) -> None:
    """The candidate is poor on the third class. The champion has not seen 32 rows, all of the other ones."""
    config, validation = titanic(NOT_WORSE), passengers("validation")
    upper = validation[validation["pclass"] != "3"]
    unseen = pd.concat([upper[upper["survived"] == label][:16] for label in ("0", "1")])
    train = passengers("train")
    turned = (train["pclass"] == "3") & (np.arange(len(train)) % 5 < 2)
    worse = train.assign(
        survived=np.where(turned, np.where(train["survived"] == "1", "0", "1"), train["survived"])
    )
    seen = pd.concat([train, validation.drop(unseen.index)])
    champion = lab.run(config, {"train": seen, "validation": validation})
    candidate = lab.run(config, {"train": worse, "validation": validation})
    verdict = lab.verdict(config, candidate, champion)
    assert "on 32 rows (left out: 230 that the champion was trained on)" in verdict.rules[0].text


@pytest.mark.slow
def test_champion_that_leaked_is_seen_by_its_lookalikes(lab: Lab) -> None:
    config, validation = titanic(NOT_WORSE), passengers("validation").assign(id=range(262))
    train = passengers("train").assign(id=range(1000, 2047))
    leaked = pd.concat([train, validation.assign(id=range(5000, 5262))])
    champion = lab.run(config, {"train": leaked, "validation": validation})
    candidate = lab.run(config, {"train": train, "validation": validation})
    verdict = lab.verdict(config, candidate, champion)
    assert (verdict.decision, "champion_lookalike_rows" in codes(verdict)) == ("HOLD", True)
