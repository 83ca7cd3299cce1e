"""Whether the candidate is better than guessing. Every candidate must be, whatever the rules say.

Guessing predicts the class shares of the training rows, or their mean. The metric is the task's DECISIVE one.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from retraining.config.rules import CLASS_ROWS, COMPARED_ROWS
from retraining.config.tasks import DECISIVE
from retraining.verdicts.bounds import gain, lower_bound
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.verdict import Effect, Finding, Outcome, RuleResult
from retraining.verdicts.wording import number, typeset

CONFIDENCE: Final = 0.99
"""The confidence at which a candidate must be better than guessing."""


def check(evaluation: Evaluation) -> RuleResult:
    """Reject a candidate that is no better than guessing; hold one that is not shown to be better.

    Better is shown by the one-sided lower bound of the gain at CONFIDENCE. A candidate is held, too, if
    there are too few rows or a number is undefined.
    """
    metric, n = DECISIVE[evaluation.task], evaluation.candidate.n
    if few := _too_few(evaluation):
        return _result(n, "unknown", "hold", f"{metric}: {few} to tell from guessing", "")
    found = _compared(evaluation)
    if found is None:
        numbers = f"{metric}: undefined on {n} rows"
        return _result(n, "unknown", "hold", numbers, "cannot be told from guessing")
    numbers = (
        f"{metric}: candidate {typeset(f'{found.ours:.4g}')}, guessing ({evaluation.baseline.predicts}) "
        f"{typeset(f'{found.theirs:.4g}')}, lower {100 * CONFIDENCE:g} % bound of the gain "
        f"{number(found.bound, 0.0, '+')}, needs > 0"
    )
    if found.gain <= 0:
        return _result(n, "fail", "reject", numbers, "no better than guessing", found.bound)
    if found.bound <= 0:
        return _result(n, "fail", "hold", numbers, "not shown to be better than guessing", found.bound)
    return _result(n, "pass", "none", numbers, "pass", found.bound)


def _too_few(evaluation: Evaluation) -> str:
    """That there are too few rows, or too few of the rarest class; empty if there are enough."""
    n, smallest = evaluation.candidate.n, evaluation.candidate.smallest_class
    if n < COMPARED_ROWS:
        leaked = f" ({evaluation.leaked} more it was trained on)" if evaluation.leaked else ""
        return f"{n} rows{leaked}, needs ≥ {COMPARED_ROWS}"
    if smallest is not None and smallest < CLASS_ROWS:
        return f"{smallest} rows of the rarest class, needs ≥ {CLASS_ROWS}"
    return ""


class _Compared(NamedTuple):
    """Candidate and guessing in the decisive metric: the gain, and its lower bound."""

    ours: float
    theirs: float
    gain: float
    bound: float


def _compared(evaluation: Evaluation) -> _Compared | None:
    """The numbers of the comparison; None if one is missing or undefined."""
    metric = DECISIVE[evaluation.task]
    ours, theirs = evaluation.candidate.metrics.get(metric), evaluation.baseline.metrics.get(metric)
    difference = evaluation.baseline.differences.get(metric)
    if difference is None or ours is None or theirs is None or evaluation.candidate.unusable:
        return None
    gained, error = gain(metric, difference), difference.standard_error
    if not math.isfinite(ours.value + theirs.value + gained + error) or error < 0:
        return None
    bound = lower_bound(gained, error, CONFIDENCE, difference.freedom)
    return _Compared(ours.value, theirs.value, gained, bound)


def _result(
    n: int, outcome: Outcome, effect: Effect, numbers: str, conclusion: str, bound: float | None = None
) -> RuleResult:
    finding = Finding.of("better_than_guessing", outcome, numbers, conclusion, n=n, observed=bound, limit=0.0)
    return RuleResult(
        rule="better than guessing",
        kind="guessing",
        outcome=outcome,
        effect=effect,
        numbers=numbers,
        text=finding.text,
        findings=(finding,),
    )
