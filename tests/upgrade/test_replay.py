"""`handsoff judge --evaluation` of files that steps of commit 4d22725 wrote, before 0.2.

The files are tests/samples/ as that commit's own steps write it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retraining.verdicts.consistency import contradictions
from retraining.verdicts.evaluation import parse_evaluation
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from tests.functions.verdicts.evaluations import rules

EVALUATIONS = Path(__file__).parent / "evaluations"
FILES = ("before-0.2.json", "before-0.2.multiclass.json", "before-0.2.regression.json")


def replayed(name: str, *asked: dict[str, Any]) -> Verdict:
    found = parse_evaluation((EVALUATIONS / name).read_bytes(), source=name)
    return judge(found, rules(*asked), found.champion)


@pytest.mark.parametrize("name", FILES)
def test_earlier_evaluation_adds_up(name: str) -> None:
    found = parse_evaluation((EVALUATIONS / name).read_bytes(), source=name)
    assert contradictions(found) == []


@pytest.mark.parametrize(
    ("name", "rule", "decision"),
    [
        ("before-0.2.json", {"metric": "accuracy", "min": 0.78}, "APPROVE"),
        ("before-0.2.json", {"metric": "accuracy", "min": 0.82}, "REJECT"),
        ("before-0.2.json", {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}, "APPROVE"),
        ("before-0.2.json", {"metric": "recall", "slice": {"sex": "female"}, "min": 0.75}, "APPROVE"),
        ("before-0.2.json", {"data": "drift", "max": 0.25}, "APPROVE"),
        ("before-0.2.json", {"data": "missing_share", "max": 0.3}, "APPROVE"),
        ("before-0.2.multiclass.json", {"metric": "f1_macro", "min": 0.9}, "APPROVE"),
        (
            "before-0.2.multiclass.json",
            {"metric": "roc_auc_ovr", "versus_champion": {"max_loss": 0.05}},
            "APPROVE",
        ),
        ("before-0.2.regression.json", {"metric": "mae", "max": 50}, "APPROVE"),
        ("before-0.2.regression.json", {"metric": "mae", "versus_champion": {"max_loss": 5}}, "APPROVE"),
        ("before-0.2.regression.json", {"metric": "r2", "min": 0.9}, "REJECT"),
    ],
)
def test_earlier_evaluation_is_judged_as_before(name: str, rule: dict[str, Any], decision: str) -> None:
    assert replayed(name, rule).decision == decision


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"metric": "accuracy", "min": 0.5, "confidence": 0.95}, "accuracy"),
        ({"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}}, "anchor"),
        (
            {"data": "drift", "max": 0.25, "of": "target"},
            "drift of the target: not measured; the next execution",
        ),
        (
            {"data": "drift", "max": 0.25, "against": "train"},
            "from train to validation: not measured; the next",
        ),
        ({"data": "lookalikes", "max": 4}, "lookalikes: not measured"),
    ],
)
def test_earlier_evaluation_without_what_a_rule_asks_says_so(rule: dict[str, Any], says: str) -> None:
    verdict = replayed("before-0.2.json", {"metric": "accuracy", "min": 0.78}, rule)
    assert says in verdict.rules[1].text
    assert (verdict.rules[1].outcome, verdict.decision) in [("unknown", "HOLD"), ("skipped", "APPROVE")]


def test_earlier_evaluations_are_of_each_task() -> None:
    tasks = [json.loads((EVALUATIONS / name).read_text())["handsoff"]["task"] for name in FILES]
    assert tasks == ["binary_classification", "multiclass_classification", "regression"]
