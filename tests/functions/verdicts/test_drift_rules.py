"""Rules on drift at their edges: of features and target, and between which rows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from retraining.config.rules import DataRule
from retraining.config.schema import ModelConfig
from retraining.verdicts.evaluation import Evaluation, Moved, Shift, TimeDrift
from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules


def shift(target: float | None = 0.0, **columns: float) -> dict[str, Any]:
    return {
        "columns": {name: Moved(psi=value, by_chance=0.01) for name, value in columns.items()},
        "target": None if target is None else Moved(psi=target, by_chance=0.01),
    }


def measured(
    target: float | None = 0.0,
    validation: dict[str, Any] | None = None,
    time: dict[str, Any] | None = None,
    champion: str | None = CHAMPION,
) -> Evaluation:
    """An evaluation with a feature age that did not drift from the champion, and a target with this drift."""
    found = evaluation({"accuracy": 0.9}, champion=champion, drift={"age": 0.0} if champion else None)
    moved = found.drift and found.drift.model_copy(update={"target": shift(target)["target"]})
    return found.model_copy(
        update={
            "drift": moved,
            "validation_drift": Shift(**(validation or shift(age=0.0))),
            "time_drift": TimeDrift(**{**time, "from": "2026-03-22"}) if time else None,
        }
    )


ACCURATE = {"metric": "accuracy", "min": 0.5}


@pytest.mark.parametrize(
    ("rule", "found", "decision", "says"),
    [
        # the target
        ({}, measured(0.26), "APPROVE", "drift of the target: 0.26 − 0.01 by chance = 0.25, needs"),
        (
            {},
            measured(0.2601),
            "HOLD",
            "drift of the target: 0.2601 − 0.01 by chance = 0.2501, needs ≤ 0.25",
        ),
        ({"against": "champion"}, measured(0.2601), "REJECT", "drift of the target: 0.2601 − 0.01 by chance"),
        ({"of": "target"}, measured(0.26), "APPROVE", "drift of the target: 0.26 − 0.01 by chance"),
        ({"of": "target"}, measured(9.0), "REJECT", "drift of the target: 9 − 0.01 by chance = 8.99"),
        ({"of": "features"}, measured(9.0), "APPROVE", "drift of any feature (age): 0 − 0 by chance"),
        ({"column": "age"}, measured(9.0), "APPROVE", "drift of age: 0 − 0 by chance"),
        ({}, measured(math.nan), "HOLD", "drift of the target: not known → cannot be judged"),
        ({"of": "target"}, measured(None), "HOLD", "drift of the target: not measured; the next execution"),
        ({}, measured(None), "APPROVE", "drift of any feature (age)"),
        # the validation rows
        ({}, measured(0.0, shift(age=0.26)), "APPROVE", "any feature from train to validation (age): 0.26"),
        (
            {},
            measured(0.0, shift(age=0.27)),
            "HOLD",
            "drift of any feature from train to validation (age): 0.2",
        ),
        (
            {},
            measured(0.0, shift(0.5, age=0.0)),
            "HOLD",
            "drift of the target from train to validation: 0.5",
        ),
        ({"of": "target"}, measured(0.0, shift(0.5, age=0.0)), "HOLD", "target from train to validation"),
        ({"against": "train"}, measured(0.0, shift(age=0.27)), "REJECT", "train to validation (age): 0.27"),
        ({"against": "train"}, measured(0.0, shift(0.5)), "REJECT", "target from train to validation: 0.5"),
        ({"against": "train"}, measured(9.0, shift(age=0.1)), "APPROVE", "from train to validation (age)"),
        ({"against": "champion"}, measured(0.0, shift(age=9.0)), "APPROVE", "drift of any feature (age)"),
        ({"against": "train"}, evaluation({"accuracy": 0.9}), "HOLD", "not measured; the next execution"),
        # by time
        (
            {},
            measured(time=shift(age=0.27)),
            "HOLD",
            "from the earlier to the newest train rows (age): 0.27",
        ),
        ({"against": "earlier"}, measured(time=shift(age=0.27)), "REJECT", "newest train rows (age): 0.27"),
        ({"against": "earlier"}, measured(9.0, time=shift(age=0.26)), "APPROVE", "newest train rows (age)"),
        (
            {"against": "earlier", "of": "target"},
            measured(time=shift(0.3)),
            "REJECT",
            "newest train rows: 0.3",
        ),
        ({"against": "earlier"}, measured(), "HOLD", "the training rows have no two dates in data.date"),
        ({"against": "earlier"}, evaluation({"accuracy": 0.9}), "HOLD", "not measured; the next execution"),
        # no champion
        ({}, measured(champion=None), "APPROVE", "any feature from train to validation (age)"),
        ({}, measured(0.0, shift(age=9.0), champion=None), "HOLD", "from train to validation (age): 9"),
        ({"against": "champion"}, measured(champion=None), "APPROVE", "no champion to compare with"),
    ],
)
def test_drift_rule_at_its_edge(rule: dict[str, Any], found: Evaluation, decision: str, says: str) -> None:
    verdict = judge(found, rules(ACCURATE, {"data": "drift", "max": 0.25, **rule}), found.champion)
    assert verdict.decision == decision
    assert says in "; ".join(verdict.texts)


def test_drift_of_validation_rows_is_no_loss_against_the_champion() -> None:
    """A person cannot put the champion aside to get rid of it."""
    found = measured(0.0, shift(age=9.0))
    verdict = judge(found, rules(ACCURATE, {"data": "drift", "max": 0.25}), CHAMPION)
    assert [(item.kind, item.outcome, item.effect) for item in verdict.rules[1:4]] == [
        ("drift", "pass", "none"),  # features
        ("drift", "pass", "none"),  # target
        ("data", "fail", "hold"),
    ]
    assert verdict.lost_to_champion is None


@pytest.mark.parametrize("said", ["warn", "hold"])
def test_drift_that_a_rule_does_not_name_has_no_stronger_effect_than_the_rule(said: str) -> None:
    found = measured(9.0, shift(9.0, age=9.0), shift(9.0, age=9.0))
    verdict = judge(found, rules(ACCURATE, {"data": "drift", "max": 0.25, "on_fail": said}), CHAMPION)
    assert verdict.decision == {"warn": "APPROVE", "hold": "HOLD"}[said]
    assert [(item.outcome, item.effect) for item in verdict.rules[1:4]] == [("fail", said)] * 3


def test_drift_of_features_from_the_champion_is_rejected_by_a_rule_of_an_earlier_version() -> None:
    """All else that the rule asks about today is not what its author wrote: it holds."""
    found = measured(9.0, shift(9.0, age=9.0), shift(9.0, age=9.0))
    rule = {"data": "drift", "max": 0.25}
    verdict = judge(found, rules(ACCURATE, rule), CHAMPION)
    assert verdict.decision == "HOLD"
    assert [(item.rule, item.effect) for item in verdict.rules[1:5]] == [
        ("drift of any feature max 0.25", "none"),
        ("drift of the target max 0.25", "hold"),
        ("drift of any feature or the target from train to validation max 0.25", "hold"),
        ("drift of any feature or the target from the earlier to the newest train rows max 0.25", "hold"),
    ]
    moved = evaluation({"accuracy": 0.9}, champion=CHAMPION, drift={"age": 9.0})
    assert judge(moved, rules(ACCURATE, rule), CHAMPION).decision == "REJECT"


def test_drift_rule_on_an_evaluation_of_an_earlier_version_asks_about_features_alone() -> None:
    found = evaluation({"accuracy": 0.9}, champion=CHAMPION, drift={"age": 0.1})
    verdict = judge(found, rules({"data": "drift", "max": 0.25}), CHAMPION)
    assert verdict.decision == "APPROVE"
    assert [item.rule for item in verdict.rules[:-1]] == ["drift of any feature max 0.25"]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"data": "rows", "min": 1, "against": "train"}, "rows takes neither against nor of"),
        ({"data": "missing_share", "max": 0.1, "of": "target"}, "missing_share takes neither against nor of"),
        ({"data": "drift", "max": 0.1, "split": "validation"}, "write against: train for that of the valid"),
        ({"data": "drift", "max": 0.1, "of": "target", "column": "age"}, "with of: target the rule takes no"),
        ({"data": "drift", "max": 0.1, "against": "past"}, "'champion', 'train' or 'earlier'"),
    ],
)
def test_rule_that_asks_for_no_drift_there_is_refused(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DataRule.model_validate(rule)


def test_drift_by_time_needs_a_column_of_dates() -> None:
    config = {
        "task": "regression",
        "target": "y",
        "features": {"numeric": ["x"]},
        "training": {"estimator": "ridge"},
        "approval": {
            "rules": [{"metric": "mae", "max": 1}, {"data": "drift", "max": 0.1, "against": "earlier"}]
        },
    }
    with pytest.raises(ValueError, match=r"name the column with them in data\.date"):
        ModelConfig.model_validate(config)
    assert ModelConfig.model_validate({**config, "data": {"date": "day"}}).data.date == "day"
