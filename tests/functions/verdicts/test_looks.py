"""The t-th look at the same validation rows uses alpha/(t(t + 1)); a proven gain says which look it was."""

from __future__ import annotations

import pytest

from retraining.config.rules import VersusChampion
from retraining.verdicts.judge import judge
from retraining.verdicts.looks import confidence
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules

GAIN = {"metric": "roc_auc", "versus_champion": {"min_gain": 0.0}}


@pytest.mark.parametrize(("look", "expected"), [(1, 0.975), (2, 0.9916667), (3, 0.9958333), (52, 0.9999819)])
def test_confidence_of_looks_spends_alpha_over_all_of_them(look: int, expected: float) -> None:
    used = confidence(VersusChampion(min_gain=0.0), look)
    assert used == pytest.approx(expected, abs=1e-7)


def test_confidences_of_ten_thousand_looks_leave_less_than_alpha_to_err() -> None:
    versus = VersusChampion(min_gain=0.0)
    assert 0.0499 < sum(1 - confidence(versus, look) for look in range(1, 10_001)) < 0.05


def test_confidence_of_a_hundred_million_looks_is_below_1() -> None:
    assert confidence(VersusChampion(min_gain=0.0), 100_000_000) < 1


@pytest.mark.parametrize(
    ("look", "decision"),
    [(1, "APPROVE"), (2, "HOLD")],  # bounds 0.022 − 1.96 · 0.01 = 0.0024, 0.022 − 2.394 · 0.01 = −0.0019
)
def test_the_same_gain_passes_at_the_first_look_only(look: int, decision: str) -> None:
    verdict = judge(evaluation(versus=(0.022, 0.01)), rules(GAIN), CHAMPION, look=look)
    assert (verdict.decision, verdict.look) == (decision, look)


def test_finding_says_which_look_and_which_confidence_it_used() -> None:
    verdict = judge(evaluation(versus=(0.05, 0.01)), rules(GAIN), CHAMPION, look=3)
    assert verdict.rules[0].text == (
        "roc_auc: candidate 0.9 − champion 0.85 = +0.05, lower 99.583 % bound +0.02362, needs ≥ +0 on 262 "
        "rows, look 3 at these validation rows, so at 99.583 % = 1 − 0.05/(3 · 4) → pass"
    )
    assert verdict.rules[0].rule == "roc_auc min_gain 0, confidence 0.95"


@pytest.mark.parametrize("look", [1, 2, 60, 10_000])
def test_candidate_that_is_worse_at_the_first_look_is_worse_at_every_look(look: int) -> None:
    """Upper bound −0.02 + 1.645 · 0.01 = −0.0036. At the confidence of look 60 it would be +0.022."""
    verdict = judge(evaluation(versus=(-0.02, 0.01)), rules(GAIN), CHAMPION, look=look)
    (finding,) = verdict.rules[0].findings
    assert (verdict.decision, finding.outcome) == ("REJECT", "fail")
    assert finding.bounds is not None
    assert finding.bounds[1] == pytest.approx(-0.003551, abs=1e-6)


def test_finding_says_the_confidence_of_each_bound_if_they_differ() -> None:
    verdict = judge(evaluation(versus=(0.01, 0.01)), rules(GAIN), CHAMPION, look=3)
    assert "lower 99.583 % bound −0.01638, upper 95 % bound +0.02645, needs ≥ +0" in verdict.rules[0].text


@pytest.mark.parametrize(
    "rule",
    [
        {"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}},
        {"metric": "accuracy", "min": 0.5},
    ],
)
def test_rules_that_ask_for_no_gain_take_no_look(rule: dict[str, object]) -> None:
    found = evaluation({"accuracy": 0.8}, versus=(0.0, 0.01))
    first, later = (judge(found, rules(rule), CHAMPION, look=look) for look in (1, 9))
    assert (first.look, later.look) == (None, None)
    assert first == later


def test_a_first_model_takes_no_look() -> None:
    assert judge(evaluation({"accuracy": 0.8}), rules(GAIN), None, look=1).look is None


def test_a_verdict_without_the_champion_takes_no_look() -> None:
    found = evaluation(versus=(0.05, 0.01))
    assert judge(found, rules(GAIN), CHAMPION, look=4, without_champion="gone").look is None
