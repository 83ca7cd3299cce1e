"""How rules and numbers read in a verdict."""

from __future__ import annotations

from retraining.verdicts.judge import judge
from retraining.verdicts.wording import describe
from tests.functions.verdicts.evaluations import evaluation, rules


def test_describe_each_kind_of_rule() -> None:
    asked = rules(
        {"metric": "recall", "slice": {"sex": "female", "pclass": 1}, "min": 0.7, "max": 0.99},
        {"metric": "rmse", "versus_champion": {"min_gain": 0.05, "relative": True}},
        {"data": "missing_share", "split": "validation", "column": "age", "max": 0.3},
        {"data": "drift", "max": 0.25},
        {"data": "rows", "min": 500},
    )
    assert [describe(rule) for rule in asked.rules] == [
        "recall where sex = female and pclass = 1 min 0.7, max 0.99",
        "rmse min_gain 5 %, confidence 0.95",
        "missing share of age in validation max 0.3",
        "drift of any feature max 0.25",
        "train rows min 500",
    ]


def test_number_shows_on_which_side_of_the_limit_it_lies() -> None:
    verdict = judge(evaluation({"accuracy": 0.779999}), rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.texts == ("accuracy: 0.779999, needs ≥ 0.78 → fail",)
