"""Rules on the data: rows, missing shares and drift, each at its edge."""

from __future__ import annotations

import math
from typing import Any, Final

import pytest

from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules

UNKNOWN: Final = {"sex": (0.125, 0.025), "embarked": (0.01, 0.02)}
"""The unknown share of each feature, and the part of it that the training rows explain."""


@pytest.mark.parametrize(
    ("rule", "decision"),
    [
        ({"data": "rows", "min": 1047}, "APPROVE"),
        ({"data": "rows", "min": 1048}, "REJECT"),
        ({"data": "rows", "split": "validation", "max": 262}, "APPROVE"),
        ({"data": "rows", "split": "validation", "max": 261}, "REJECT"),
        ({"data": "missing_share", "max": 0.2}, "APPROVE"),
        ({"data": "missing_share", "max": 0.1999}, "REJECT"),
        ({"data": "missing_share", "column": "fare", "max": 0.0}, "APPROVE"),
        ({"data": "missing_share", "split": "validation", "max": 0.2}, "REJECT"),
        ({"data": "missing_share", "column": "nowhere", "max": 0.2}, "HOLD"),
        ({"data": "unknown_share", "max": 0.1}, "APPROVE"),
        ({"data": "unknown_share", "max": 0.0999}, "REJECT"),
        ({"data": "unknown_share", "column": "sex", "max": 0.0, "on_fail": "hold"}, "HOLD"),
        ({"data": "unknown_share", "column": "embarked", "max": 0.0}, "APPROVE"),
        ({"data": "unknown_share", "column": "nowhere", "max": 0.5}, "HOLD"),
        ({"data": "drift", "max": 0.3}, "APPROVE"),
        ({"data": "drift", "max": 0.2999, "on_fail": "hold"}, "HOLD"),
        ({"data": "drift", "column": "fare", "max": 0.1}, "APPROVE"),
        ({"data": "drift", "column": "sex", "max": 9.0}, "HOLD"),  # NaN
        ({"data": "drift", "column": "nowhere", "max": 9.0}, "HOLD"),
    ],
)
def test_data_rule_at_its_edge(rule: dict[str, Any], decision: str) -> None:
    drift = {"age": 0.3, "fare": 0.01} | ({"sex": math.nan} if rule.get("column") == "sex" else {})
    found = evaluation({"accuracy": 0.9}, champion=CHAMPION, drift=drift, unknown=UNKNOWN)
    assert judge(found, rules(rule), CHAMPION).decision == decision


def test_text_names_the_worst_feature() -> None:
    found = evaluation(champion=CHAMPION, drift={"age": 0.3, "fare": 0.01})
    asked = rules({"data": "drift", "max": 0.2}, {"data": "missing_share", "max": 0.1})
    assert [result.text for result in judge(found, asked, CHAMPION).rules[:2]] == [
        "drift of any feature (age): 0.3 − 0 by chance = 0.3, needs ≤ 0.2 → fail",
        "missing share of any feature in train (age): 0.2, needs ≤ 0.1 → fail",
    ]


def test_feature_with_unknown_drift_is_the_worst() -> None:
    found = evaluation(champion=CHAMPION, drift={"age": 0.3, "fare": math.nan})
    (asked, _) = judge(found, rules({"data": "drift", "max": 0.5}), CHAMPION).rules
    assert (asked.effect, asked.text) == (
        "hold",
        "drift of any feature (fare): not known → cannot be judged",
    )


def test_drift_is_skipped_without_a_champion_and_holds_if_it_is_unknown() -> None:
    asked = rules({"data": "drift", "max": 0.2}, {"metric": "accuracy", "min": 0.5})
    first = judge(evaluation({"accuracy": 0.9}), asked, None)
    assert (first.decision, first.rules[0].outcome) == ("APPROVE", "skipped")
    unknown = judge(evaluation({"accuracy": 0.9}, champion=CHAMPION), asked, CHAMPION)
    assert (unknown.decision, unknown.rules[0].outcome) == ("HOLD", "unknown")


def test_unknown_share_names_the_worst_feature_and_what_train_explains() -> None:
    found = evaluation({"accuracy": 0.9}, unknown=UNKNOWN)
    (asked, _) = judge(found, rules({"data": "unknown_share", "max": 0.05}), None).rules
    assert asked.text == (
        "unknown share of any feature (sex): 0.125 − 0.025 by chance = 0.1, needs ≤ 0.05 → fail"
    )


def test_unknown_share_of_a_model_without_categories_passes() -> None:
    found = evaluation({"accuracy": 0.9}, unknown={})
    verdict = judge(found, rules({"data": "unknown_share", "max": 0.0}), None)
    assert (verdict.decision, verdict.rules[0].text) == (
        "APPROVE",
        "unknown share of any feature: there is no categorical feature → pass",
    )


def test_unknown_share_that_was_not_measured_holds() -> None:
    """handsoff 0.1 did not measure it."""
    verdict = judge(evaluation({"accuracy": 0.9}), rules({"data": "unknown_share", "max": 0.5}), None)
    assert (verdict.decision, verdict.rules[0].text) == (
        "HOLD",
        "unknown share of any feature: not measured; the next execution measures it → cannot be judged",
    )


@pytest.mark.parametrize(
    ("share", "chance", "decision"),
    [(0.05, 0.0, "APPROVE"), (0.051, 0.0, "HOLD"), (0.73, 0.01, "HOLD"), (0.3, 0.26, "APPROVE")],
)
def test_champion_that_does_not_know_the_categories_holds(share: float, chance: float, decision: str) -> None:
    """It loses because it cannot read the rows; no rule asks about it. Each feature alone has less."""
    seen = {"sex": (0.9, 0.48), "embarked": (0.4702, 0.47), "pclass": (0.8, 0.0)}
    found = evaluation(
        versus=(0.2, 0.01), champion=CHAMPION, unknown_to_champion=seen, unfamiliar=(share, chance)
    )
    verdict = judge(found, rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.0}}), CHAMPION)
    assert verdict.decision == decision
    if share == 0.73:
        (reason,) = [reason for reason in verdict.reasons if reason.code == "champion_sees_unknown"]
        assert reason.text == (
            "in 73.0% of the compared rows (1.0% by chance) the candidate knows a category that the champion "
            "does not (sex 48.0%, embarked 47.0%), so the comparison does not show which model is better: "
            "look whether categories are written in another way than before; data.new_categories names "
            "features that have new categories in each batch"
        )
        assert verdict.held_by_champion


@pytest.mark.parametrize(("known", "decision"), [(0.05, "APPROVE"), (0.06, "HOLD"), (1.0, "HOLD")])
def test_evaluation_of_an_earlier_version_has_the_share_of_its_worst_feature(
    known: float, decision: str
) -> None:
    seen = {"sex": (1.0, known), "embarked": (1.0, 0.0)}
    found = evaluation(versus=(0.2, 0.01), champion=CHAMPION, unknown_to_champion=seen)
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.0}})
    assert judge(found, asked, CHAMPION).decision == decision


def test_champion_that_does_not_know_the_categories_is_no_reason_once_put_aside() -> None:
    found = evaluation(
        {"accuracy": 0.9}, versus=(0.2, 0.01), champion=CHAMPION, unknown_to_champion={"sex": (1.0, 1.0)}
    )
    asked = rules({"metric": "accuracy", "min": 0.5})
    assert judge(found, asked, CHAMPION, without_champion="by a person").decision == "APPROVE"
