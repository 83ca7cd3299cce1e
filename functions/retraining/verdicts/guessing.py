"""Whether the candidate is better than guessing, and whether a rule asks for more than guessing reaches.

Every candidate must be better than guessing, whatever the rules say.

Guessing predicts the class shares of the training rows, or their mean; the metric is the `decisive` one.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from retraining.config.rules import CLASS_ROWS, COMPARED_ROWS, MetricRule, Rule
from retraining.config.tasks import (
    DECISIVE,
    DECISIVE_OF_LABELS,
    LOWER_IS_BETTER,
    NEED_PROBABILITIES,
    NEITHER_IS_BETTER,
)
from retraining.verdicts.bounds import bounds, gain
from retraining.verdicts.evaluation import Evaluation, Scores
from retraining.verdicts.rows import independent, left_out, said
from retraining.verdicts.verdict import Effect, Finding, Outcome, Reason, RuleResult
from retraining.verdicts.wording import counted, describe, number, typeset

CONFIDENCE: Final = 0.99
"""The confidence at which a candidate must be better than guessing."""


def decisive(evaluation: Evaluation) -> str:
    """The metric in which the candidate must be better than guessing: the task's DECISIVE one.

    A model that returns labels alone has no metric that needs probabilities; DECISIVE_OF_LABELS takes its
    place. Where another metric is undefined (one class occurs, or a prediction is unusable), none does.
    """
    measured = evaluation.candidate.metrics
    needing = [measured[name].value for name in NEED_PROBABILITIES if name in measured]
    labels = measured.get(DECISIVE_OF_LABELS)
    if labels is None or not math.isfinite(labels.value) or not needing or any(map(math.isfinite, needing)):
        return DECISIVE[evaluation.task]
    return DECISIVE_OF_LABELS


def check(evaluation: Evaluation) -> RuleResult:
    """Reject a candidate that is no better than guessing; hold one that is not shown to be better.

    Better is shown by the one-sided lower bound of the gain at CONFIDENCE. A candidate is held, too, if
    there are too few rows or a number is undefined.
    """
    metric, measured = decisive(evaluation), evaluation.candidate
    n, clusters = measured.n, independent(measured)
    if few := _too_few(evaluation):
        return _result(measured, "unknown", "hold", f"{metric}: {few} to tell from guessing", "")
    found = _compared(evaluation)
    if found is None:
        numbers = f"{metric}: undefined on {n} rows"
        return _result(measured, "unknown", "hold", numbers, "cannot be told from guessing")
    numbers = (
        f"{metric}: candidate {typeset(f'{found.ours:.4g}')}, guessing ({evaluation.baseline.predicts}) "
        f"{typeset(f'{found.theirs:.4g}')}, lower {100 * CONFIDENCE:g} % bound of the gain "
        f"{number(found.bound, 0.0, '+')}, needs > 0"
    )
    numbers += f" on {said(n, clusters, '')}" if clusters < n else ""
    if found.gain <= 0:
        return _result(measured, "fail", "reject", numbers, "no better than guessing", found.bound)
    if found.bound <= 0:
        return _result(
            measured, "undecided", "hold", numbers, "not shown to be better than guessing", found.bound
        )
    return _result(measured, "pass", "none", numbers, "pass", found.bound)


def limit_met(rule: Rule, evaluation: Evaluation) -> float | None:
    """What guessing reaches, if it meets the rule's limit against bad models; None if it does not.

    It is also None where that is not known, on a slice, and for a rule without such a limit.
    """
    if not isinstance(rule, MetricRule) or rule.slice is not None or rule.metric in NEITHER_IS_BETTER:
        return None
    guessed = evaluation.baseline.metrics.get(rule.metric)
    if guessed is None or not math.isfinite(guessed.value):
        return None
    if rule.metric in LOWER_IS_BETTER:
        met = rule.max is not None and guessed.value <= rule.max
    else:
        met = rule.min is not None and guessed.value >= rule.min
    return guessed.value if met else None


def as_good(rule: Rule, evaluation: Evaluation) -> bool:
    """Whether guessing meets the rule's limit, and the candidate is no better than guessing in its metric."""
    reached = limit_met(rule, evaluation)
    if reached is None or not isinstance(rule, MetricRule):
        return False
    ours = evaluation.candidate.metrics.get(rule.metric)
    if ours is None or not math.isfinite(ours.value):
        return True
    return ours.value >= reached if rule.metric in LOWER_IS_BETTER else ours.value <= reached


def asks_nothing(rule: Rule, evaluation: Evaluation) -> Reason | None:
    """The warning that guessing meets the rule's limit, too; None if it does not."""
    reached = limit_met(rule, evaluation)
    if reached is None:
        return None
    text = (
        f"{describe(rule)}: guessing ({evaluation.baseline.predicts}) reaches {typeset(f'{reached:.4g}')} "
        "and meets this limit, too, so it asks nothing"
    )
    return Reason(code="asks_nothing", text=text)


def _too_few(evaluation: Evaluation) -> str:
    """That there are too few rows, or too few of the rarest class; empty if there are enough."""
    measured = evaluation.candidate
    clusters, smallest = independent(measured), measured.smallest_class
    if clusters < COMPARED_ROWS:
        rows = said(measured.n, clusters, left_out(evaluation))
        return f"{rows}, needs ≥ {COMPARED_ROWS}"
    if smallest is not None and smallest < CLASS_ROWS:
        unit = "cluster" if clusters < measured.n else "row"
        return f"{counted(smallest, unit)} of the rarest class, needs ≥ {CLASS_ROWS}"
    return ""


class _Compared(NamedTuple):
    """Candidate and guessing in the decisive metric: the gain, and its lower bound."""

    ours: float
    theirs: float
    gain: float
    bound: float


def _compared(evaluation: Evaluation) -> _Compared | None:
    """The numbers of the comparison; None if one is missing or undefined."""
    metric = decisive(evaluation)
    ours, theirs = evaluation.candidate.metrics.get(metric), evaluation.baseline.metrics.get(metric)
    difference = evaluation.baseline.differences.get(metric)
    if difference is None or ours is None or theirs is None or evaluation.candidate.unusable:
        return None
    gained, error = gain(metric, difference), difference.standard_error
    if not math.isfinite(ours.value + theirs.value + gained + error) or error < 0:
        return None
    bound, _ = bounds(gained, error, CONFIDENCE, difference.freedom)
    if not math.isfinite(bound):
        return None
    return _Compared(ours.value, theirs.value, gained, bound)


def _result(
    measured: Scores,
    outcome: Outcome,
    effect: Effect,
    numbers: str,
    conclusion: str,
    bound: float | None = None,
) -> RuleResult:
    n, clusters = measured.n, independent(measured)
    finding = Finding.of("better_than_guessing", outcome, numbers, conclusion, n=n, observed=bound, limit=0.0)
    if clusters < n:
        finding = finding.model_copy(update={"clusters": clusters})
    return RuleResult(
        rule="better than guessing",
        kind="guessing",
        outcome=outcome,
        effect=effect,
        numbers=numbers,
        text=finding.text,
        findings=(finding,),
    )
