"""What `min` and `max` of a rule say of a measured metric: of its estimate, or of its bounds."""

from __future__ import annotations

import math

from retraining.config.rules import MetricRule
from retraining.verdicts.bounds import answer
from retraining.verdicts.evaluation import Measured
from retraining.verdicts.rule_results import limit_findings
from retraining.verdicts.verdict import Finding, Question
from retraining.verdicts.wording import number, percent, typeset


def findings(
    rule: MetricRule, label: str, measured: Measured | None, n: int, guessed: Measured | None, rows: str = ""
) -> list[Finding]:
    """A finding for each limit that is set. `measured` is None, or NaN, where the metric is undefined.

    `guessed` is what guessing reaches on the same rows; None where it is not known.
    `rows` says how many rows and clusters there are; empty where each row is a cluster.
    """
    value = measured.value if measured else math.nan
    undefined = f"undefined on {n} rows"
    if measured is None or not math.isfinite(value):
        return limit_findings(rule, label, math.nan, n, undefined)
    if rule.confidence is None:
        aside = _aside(_interval(measured), _guessing(guessed), rows)
        return limit_findings(rule, label, value, n, undefined, aside=aside)
    aside = _aside(_guessing(guessed), rows)
    asked: tuple[tuple[Question, float | None], ...] = (("min", rule.min), ("max", rule.max))
    return [
        _bounded(label, question, limit, measured, rule.confidence, n, aside)
        for question, limit in asked
        if limit is not None
    ]


def _bounded(
    label: str, question: Question, limit: float, measured: Measured, confidence: float, n: int, aside: str
) -> Finding:
    """The one-sided bounds of the value against one limit."""
    low, high = measured.bounds.get(f"{confidence:g}", (math.nan, math.nan))
    if not low <= high or not math.isfinite(low + high):
        why = f"its {percent(confidence)} bounds are not known"
        numbers = f"{label}: {typeset(f'{measured.value:.4g}')}{aside}, {why}"
        return Finding.of(question, "unknown", numbers, n=n, limit=limit)
    outcome = answer(low, high, limit) if question == "min" else answer(-high, -low, -limit)
    sign, (first, deciding), (second, other) = "≥", ("lower", low), ("upper", high)
    if question == "max":
        sign, (first, deciding), (second, other) = "≤", ("upper", high), ("lower", low)
    said = f"{first} {percent(confidence)} bound {number(deciding, limit)}"
    if outcome != "pass":
        said += f", {second} {number(other, limit)}"
    numbers = (
        f"{label}: {typeset(f'{measured.value:.4g}')}{aside}, {said}, needs {sign} {typeset(f'{limit:g}')}"
    )
    return Finding.of(
        question,
        outcome,
        numbers,
        n=n,
        observed=deciding,
        limit=limit,
        estimate=measured.value,
        bounds=(low, high),
    )


def _aside(*parts: str) -> str:
    """What else is known about a value, in brackets."""
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def _interval(measured: Measured) -> str:
    """The two-sided 95 % interval of a metric; empty where it is not known."""
    low, high = measured.interval
    if not math.isfinite(low + high):
        return ""
    return f"95 % interval {typeset(f'{low:.4g}')} to {typeset(f'{high:.4g}')}"


def _guessing(guessed: Measured | None) -> str:
    """What guessing reaches; empty where it is not known."""
    if guessed is None or not math.isfinite(guessed.value):
        return ""
    return f"guessing {typeset(f'{guessed.value:.4g}')}"
