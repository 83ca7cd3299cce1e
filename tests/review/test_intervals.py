"""The drawing of an interval beside its limit, and the words for outcomes on the page."""

from __future__ import annotations

import pytest

from retraining.html.intervals import drawing
from retraining.html.rules import rule_shown
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Finding, Outcome, Question, RuleResult
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules


def finding(
    question: Question, outcome: Outcome, bounds: tuple[float, float], limit: float, estimate: float
) -> Finding:
    return Finding.of(question, outcome, "numbers", limit=limit, estimate=estimate, bounds=bounds)


def test_drawing_of_a_comparison_places_interval_limit_and_zero() -> None:
    found = drawing(finding("max_loss", "undecided", (-0.04, 0.02), -0.03, -0.01))
    assert found is not None
    # from −0.04 to 0.02 on 22 to 218: 196 units for 0.06
    assert (found.low, found.estimate, found.high) == (22.0, 120.0, 218.0)
    assert (found.limit, found.zero, found.zero_label) == (54.7, 152.7, True)
    assert (found.allowed, found.allowed_width) == (54.7, 185.3)
    assert (found.limit_label, found.tone) == ("−0.0300", "open")
    assert found.text == (
        "The interval from −0.0400 to +0.0200 contains the limit of what the rule allows, at least −0.0300."
    )


@pytest.mark.parametrize(
    ("question", "outcome", "bounds", "limit", "tone", "text"),
    [
        (
            "max_loss",
            "pass",
            (-0.02, 0.02),
            -0.03,
            "good",
            "lies within what the rule allows, at least −0.0300",
        ),
        (
            "max_loss",
            "fail",
            (-0.08, -0.04),
            -0.03,
            "bad",
            "lies outside what the rule allows, at least −0.0300",
        ),
        (
            "min",
            "undecided",
            (0.75, 0.84),
            0.78,
            "open",
            "contains the limit of what the rule allows, at least 0.7",
        ),
        ("max", "fail", (3.5, 4.5), 3.0, "bad", "lies outside what the rule allows, at most 3"),
    ],
)
def test_drawing_says_in_words_what_it_shows(
    question: Question, outcome: Outcome, bounds: tuple[float, float], limit: float, tone: str, text: str
) -> None:
    found = drawing(finding(question, outcome, bounds, limit, sum(bounds) / 2))
    assert found is not None
    assert found.tone == tone
    assert text in found.text


def test_drawing_of_an_upper_limit_shades_what_is_below_it() -> None:
    found = drawing(finding("max", "pass", (1.0, 2.0), 3.0, 1.5))
    assert found is not None
    assert (found.allowed, found.allowed_width, found.limit, found.zero) == (0, 218.0, 218.0, None)


def test_drawing_of_a_single_point_stays_on_the_paper() -> None:
    found = drawing(finding("max_loss", "pass", (0.0, 0.0), 0.0, 0.0))
    assert found is not None
    assert found.low == found.high == found.limit == 22.0
    assert found.zero_label is False


def test_finding_without_an_interval_has_no_drawing() -> None:
    assert drawing(Finding.of("min", "pass", "accuracy: 0.8, needs ≥ 0.78", observed=0.8, limit=0.78)) is None


@pytest.mark.parametrize(
    ("versus", "outcome", "effect", "word"),
    [
        ((0.0, 0.001), "pass", "", "Met"),
        ((0.0, 0.03), "undecided", "so a person decides", "Undecided"),
        ((-0.2, 0.001), "fail", "so it is rejected", "Worse"),
        ((float("nan"), 0.03), "unknown", "so a person decides", "Cannot be judged"),
    ],
)
def test_each_outcome_of_a_comparison_has_its_word(
    versus: tuple[float, float], outcome: str, effect: str, word: str
) -> None:
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    result = judge(evaluation(versus=versus), asked, CHAMPION).rules[0]
    shown = rule_shown(result)
    assert (result.outcome, shown.outcome.text, shown.effect) == (outcome, word, effect)
    assert len(shown.drawings) == (0 if outcome == "unknown" else 1)


def test_suspicious_leap_has_its_word() -> None:
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03, "max_gain": 0.1}})
    shown = rule_shown(judge(evaluation(versus=(0.12, 0.01)), asked, CHAMPION).rules[0])
    assert (shown.outcome.text, shown.effect) == ("Suspicious leap", "so a person decides")


def test_failed_comparison_of_an_earlier_version_is_not_called_worse() -> None:
    """It failed if it was not shown to be met."""
    stored = RuleResult.model_validate(
        {
            "rule": "roc_auc max_loss 0.03, confidence 0.95",
            "kind": "versus_champion",
            "outcome": "fail",
            "effect": "hold",
            "numbers": "roc_auc: …",
            "text": "roc_auc: … → fail",
            "findings": [
                {
                    "question": "max_loss",
                    "outcome": "fail",
                    "n": 262,
                    "observed": -0.04,
                    "limit": -0.03,
                    "text": "t",
                }
            ],
        }
    )
    assert (rule_shown(stored).outcome.text, rule_shown(stored).drawings) == ("Not met", ())
    assert (stored.word, stored.lost) == ("fail", True)
