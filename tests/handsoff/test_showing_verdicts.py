"""How a verdict is printed: each outcome has its word, and an interval its end that decides."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from handsoff.showing.verdicts import show_verdict
from retraining.verdicts.evaluation import Measured
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules


def cells(verdict: Verdict) -> list[str]:
    """The cells of the first rule's row."""
    console = Console(file=io.StringIO(), width=200)
    show_verdict(console, verdict)
    assert isinstance(console.file, io.StringIO)
    row = next(line for line in console.file.getvalue().splitlines() if verdict.rules[0].rule in line)
    return re.split(r" {2,}", row.strip())[1:]


@pytest.mark.parametrize(
    ("versus", "row"),
    [
        ((0.0, 0.01), ["gain ≥ −0.01645", "≥ −0.03", "262", "pass"]),
        ((0.0, 0.03), ["gain −0.04935 to 0.04935", "≥ −0.03", "262", "undecided → hold"]),
        ((-0.2, 0.01), ["gain ≤ −0.1836", "≥ −0.03", "262", "worse → reject"]),
        ((float("nan"), 0.01), ["262", "cannot be judged → hold"]),
    ],
)
def test_comparison_is_met_worse_undecided_or_cannot_be_judged(
    versus: tuple[float, float], row: list[str]
) -> None:
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert cells(judge(evaluation(versus=versus), asked, CHAMPION)) == row


def test_leap_shows_the_measured_gain() -> None:
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_gain": 0.1}})
    found = judge(evaluation(versus=(0.12, 0.01)), asked, CHAMPION)
    assert cells(found) == ["gain 0.12", "≤ 0.1", "262", "suspicious leap → hold"]


@pytest.mark.parametrize(
    "margin", [{"max_loss": 0}, {"max_loss": 0.0}, {"min_gain": 0}, {"max_loss": 0, "relative": True}]
)
def test_margin_of_zero_has_no_sign(margin: dict[str, float]) -> None:
    verdict = judge(
        evaluation(versus=(0.05, 0.01)), rules({"metric": "roc_auc", "versus_champion": margin}), CHAMPION
    )
    assert cells(verdict)[1] == "≥ 0"
    assert "−0," not in verdict.texts[0]
    assert "−0 " not in verdict.texts[0]


@pytest.mark.parametrize(
    ("question", "limit", "row"),
    [
        ("min", 0.7, ["≥ 0.75", "≥ 0.7", "262", "pass"]),
        ("min", 0.8, ["0.75 to 0.84", "≥ 0.8", "262", "undecided → hold"]),
        ("min", 0.9, ["≤ 0.84", "≥ 0.9", "262", "fail → reject"]),
        ("max", 0.9, ["≤ 0.84", "≤ 0.9", "262", "pass"]),
        ("max", 0.7, ["≥ 0.75", "≤ 0.7", "262", "fail → reject"]),
    ],
)
def test_limit_with_a_confidence_shows_the_end_that_decides(
    question: str, limit: float, row: list[str]
) -> None:
    measured = Measured(value=0.8, bounds={"0.95": (0.75, 0.84)})
    found = evaluation()
    candidate = found.candidate.model_copy(
        update={"metrics": {**found.candidate.metrics, "accuracy": measured}}
    )
    asked = rules({"metric": "accuracy", question: limit, "confidence": 0.95})
    assert cells(judge(found.model_copy(update={"candidate": candidate}), asked, None)) == row
