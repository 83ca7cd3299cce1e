"""How results become a decision: what rejects, what holds, and the part of the champion."""

from __future__ import annotations

import pytest
import yaml

from retraining.config.schema import ModelConfig
from retraining.verdicts.judge import held_after_all, judge, of_another_config
from retraining.verdicts.verdict import Reason
from tests.functions.fakes import ROOT
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules

ODD = Reason(code="evaluation_of_another_execution", text="odd")


def test_judge_without_rules_holds() -> None:
    assert judge(evaluation({"accuracy": 1.0}), rules(), None).decision == "HOLD"


def test_judge_rejects_before_it_holds_and_mentions_warnings() -> None:
    approval = rules(
        {"metric": "accuracy", "min": 0.78},
        {"metric": "roc_auc", "max": 0.97, "on_fail": "hold"},
        {"metric": "f1", "min": 0.7, "on_fail": "warn"},
    )
    verdict = judge(evaluation({"accuracy": 0.5, "roc_auc": 0.99, "f1": 0.6}), approval, None)
    assert verdict.decision == "REJECT"
    assert verdict.texts == (
        "accuracy: 0.5, needs ≥ 0.78 → fail",
        "roc_auc: 0.99 (guessing 0.5), needs ≤ 0.97 → fail",
        "f1: 0.6, needs ≥ 0.7 → fail",
    )
    warned = judge(evaluation({"accuracy": 0.8, "roc_auc": 0.9, "f1": 0.6}), approval, None)
    assert warned.decision == "APPROVE"
    assert "f1: 0.6, needs ≥ 0.7 → fail" in warned.texts


def test_judge_with_a_doubt_holds() -> None:
    verdict = judge(
        evaluation({"accuracy": 0.9}), rules({"metric": "accuracy", "min": 0.5}), None, doubts=[ODD]
    )
    assert (verdict.decision, verdict.texts) == ("HOLD", ("odd",))


def test_judge_holds_a_first_model_if_configured() -> None:
    approval = rules({"metric": "accuracy", "min": 0.78}, first_model="hold")
    assert judge(evaluation({"accuracy": 0.9}), approval, None).decision == "HOLD"
    assert judge(evaluation({"accuracy": 0.7}), approval, None).decision == "REJECT"
    assert judge(evaluation({"accuracy": 0.9}, champion=CHAMPION), approval, CHAMPION).decision == "APPROVE"


def test_judge_without_a_champion_skips_comparisons() -> None:
    approval = rules(
        {"metric": "accuracy", "min": 0.78}, {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    )
    verdict = judge(evaluation({"accuracy": 0.8, "roc_auc": 0.85}), approval, None)
    assert verdict.decision == "APPROVE"
    assert [result.outcome for result in verdict.rules] == ["pass", "skipped", "pass"]
    assert verdict.first_model == "rules_only"
    assert "no champion to compare with (first_model: rules_only)" in verdict.texts[1]


def test_judge_without_a_champion_holds_if_all_rules_compare() -> None:
    approval = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert judge(evaluation({"roc_auc": 0.1}), approval, None).decision == "HOLD"


def test_judge_champion_without_scores_holds_and_gives_the_cause() -> None:
    rule = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}}
    verdict = judge(evaluation({"roc_auc": 0.9}, problem="made by scikit-learn 1.2"), rules(rule), CHAMPION)
    assert verdict.decision == "HOLD"
    assert "made by scikit-learn 1.2" in verdict.texts[0]


def test_judge_champion_without_scores_holds_if_no_rule_compares() -> None:
    found = evaluation({"accuracy": 0.9}, problem="its file is gone")
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.5}), CHAMPION)
    assert (verdict.decision, verdict.texts) == (
        "HOLD",
        ("the champion cannot be compared with: its file is gone",),
    )


@pytest.mark.parametrize(("then", "now"), [(None, CHAMPION), (CHAMPION, None), (CHAMPION, CHAMPION + "2")])
def test_judge_champion_that_changed_holds(then: str | None, now: str | None) -> None:
    found = evaluation({"accuracy": 0.9}, champion=then)
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.78}), now)
    assert verdict.decision == "HOLD"
    assert any("the champion changed" in reason for reason in verdict.texts)


def test_judge_skips_and_records_a_champion_that_is_put_aside() -> None:
    asked = rules(
        {"metric": "accuracy", "min": 0.78},
        {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}},
        {"data": "drift", "max": 0.1},
        first_model="hold",
    )
    found = evaluation({"accuracy": 0.9}, problem="made by scikit-learn 1.2")
    assert judge(found, asked, CHAMPION).decision == "HOLD"
    verdict = judge(found, asked, CHAMPION, without_champion="ana: trained before the merger")
    assert verdict.decision == "APPROVE"
    assert (verdict.champion, verdict.without_champion) == (CHAMPION, "ana: trained before the merger")
    assert [result.outcome for result in verdict.rules] == ["pass", "skipped", "skipped", "pass"]
    assert "the champion was put aside: ana: trained before the merger → skipped" in verdict.rules[1].text
    worse = evaluation({"accuracy": 0.7}, problem="made by scikit-learn 1.2")
    assert judge(worse, asked, CHAMPION, without_champion="ana").decision == "REJECT"
    only = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert judge(found, only, CHAMPION, without_champion="ana").decision == "HOLD"


def test_held_after_all_names_both_champions() -> None:
    verdict = judge(evaluation({"accuracy": 0.9}), rules({"metric": "accuracy", "min": 0.78}), None)
    held = held_after_all(verdict, CHAMPION)
    assert held.decision == "HOLD"
    assert held.texts[0] == (
        f"the champion changed: the candidate was compared with none, the champion is now {CHAMPION}"
    )


def test_of_another_config_names_the_classes_that_changed() -> None:
    titanic = yaml.safe_load((ROOT / "handsoff.yaml").read_text())["models"]["titanic"]
    found = evaluation().model_copy(update={"classes": ("0", "1")})
    assert of_another_config(found, ModelConfig.model_validate(titanic)) is None
    other = ModelConfig.model_validate({**titanic, "classes": ["1", "0"]})
    said = "the classes changed: the evaluation is of 0, 1, the config says 1, 0"
    assert of_another_config(found, other) == Reason(code="another_classes", text=said)


@pytest.mark.parametrize(("accuracy", "decision"), [(0.8, "APPROVE"), (0.5, "REJECT")])
def test_judge_says_what_was_noted_about_the_data_last_and_decides_nothing_by_it(
    accuracy: float, decision: str
) -> None:
    note = "left out as no data: 1 object: curated/titanic/train/.part.crc (hidden)"
    found = evaluation({"accuracy": accuracy}).model_copy(update={"data_notes": (note,)})
    verdict = judge(found, rules({"metric": "accuracy", "min": 0.78}), None)
    assert verdict.decision == decision
    assert verdict.texts[-1] == f"note: {note}"
    assert verdict.reasons[-1].code == "data_note"
    assert [reason.code for reason in verdict.reasons].count("data_note") == 1
