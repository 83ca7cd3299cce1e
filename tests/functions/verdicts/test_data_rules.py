"""Rules on the data: rows, missing shares and drift, each at its edge."""

from __future__ import annotations

import math
from typing import Any

import pytest

from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules


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
        ({"data": "drift", "max": 0.3}, "APPROVE"),
        ({"data": "drift", "max": 0.2999, "on_fail": "hold"}, "HOLD"),
        ({"data": "drift", "column": "fare", "max": 0.1}, "APPROVE"),
        ({"data": "drift", "column": "sex", "max": 9.0}, "HOLD"),  # NaN
        ({"data": "drift", "column": "nowhere", "max": 9.0}, "HOLD"),
    ],
)
def test_data_rule_at_its_edge(rule: dict[str, Any], decision: str) -> None:
    drift = {"age": 0.3, "fare": 0.01} | ({"sex": math.nan} if rule.get("column") == "sex" else {})
    found = evaluation({"accuracy": 0.9}, champion=CHAMPION, drift=drift)
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
