"""The result of a rule on a metric: its limits, its number of rows, and its comparison with the champion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from retraining.config.rules import CLASS_ROWS, MetricRule, VersusChampion
from retraining.config.tasks import LOWER_IS_BETTER, METRICS, NO_CLASS_COUNTS
from retraining.verdicts import looks
from retraining.verdicts.bounds import gain, lower_bound, relative_error
from retraining.verdicts.evaluation import Comparison, Evaluation, Measured, Paired, Scores
from retraining.verdicts.rule_results import concluded, limit_findings, skipped
from retraining.verdicts.verdict import Finding, Kind, Outcome, RuleResult
from retraining.verdicts.wording import metric_label, number, percent, typeset, why_not_compared


def check(rule: MetricRule, evaluation: Evaluation, why_no_champion: str | None, look: int = 1) -> RuleResult:
    """The result of the rule.

    `why_no_champion` is the reason to leave out the comparison with the champion. A rule that asks nothing
    else is skipped. `look` is the how-many-th candidate this is on its validation rows (looks.py).
    """
    kind: Kind = "metric" if rule.versus_champion is None else "versus_champion"
    asked = looks.at(rule, look)
    if why_no_champion and kind == "versus_champion":
        if rule.min is None and rule.max is None:
            return skipped(rule, kind, metric_label(rule), why_no_champion)
        asked = rule.model_copy(update={"versus_champion": None})
    return concluded(rule, kind, looks.said(rule, look, findings(asked, evaluation)))


def findings(rule: MetricRule, evaluation: Evaluation, other: str = "champion") -> list[Finding]:
    """The answer to each question of the rule. `other` names the model that it compares with."""
    rows = _rows(rule, evaluation)
    if too_few := _too_few(rule, rows, evaluation, other):
        return [too_few]
    label, n = metric_label(rule), rows.n
    measured = rows.metrics.get(rule.metric)
    value = measured.value if measured else math.nan
    lowest, highest = METRICS[evaluation.task].get(rule.metric, (math.inf, -math.inf))
    if not lowest <= value <= highest:
        value = math.nan  # the metric cannot have this value, or the task has no such metric
    found = limit_findings(rule, label, value, n, f"undefined on {n} rows")
    if rule.versus_champion is not None:
        found.append(_versus(label, rule.metric, rule.versus_champion, rows.paired, evaluation, other))
    return found


# ---- rows ------------------------------------------------------------------------------------------------


class _Rows(NamedTuple):
    """The validation rows of a rule: how many, how many of their rarest class, and what was measured."""

    n: int
    smallest_class: int | None
    metrics: Mapping[str, Measured]
    paired: Paired | None


def _rows(rule: MetricRule, evaluation: Evaluation) -> _Rows:
    """The rows that the rule is about: all or a slice; for a comparison those that the champion shares."""
    compared: Comparison | None = evaluation.comparison if rule.versus_champion is not None else None
    found: Scores | None = evaluation.candidate
    paired: Paired | None = compared
    if rule.slice is not None:
        found = next((item for item in evaluation.slices if item.where == rule.slice), None)
        of_slices = compared.slices if compared else ()
        paired = next((item for item in of_slices if item.where == rule.slice), None)
    if found is None:
        return _Rows(0, None, {}, None)
    metrics = {} if found.unusable else found.metrics
    if paired is None:
        return _Rows(found.n, found.smallest_class, metrics, None)
    smallest = [item.smallest_class for item in (found, paired) if item.smallest_class is not None]
    return _Rows(min(found.n, paired.n), min(smallest, default=None), metrics, paired)


def _too_few(rule: MetricRule, rows: _Rows, evaluation: Evaluation, other: str) -> Finding | None:
    """That there are too few rows, or too few of the rarest class, for the rule to be judged."""
    label, smallest = metric_label(rule), rows.smallest_class
    if rows.n < rule.rows_needed:
        numbers = f"{label}: {_why_so_few(rule, rows.n, evaluation, other)}, needs ≥ {rule.rows_needed}"
        return Finding.of("min_samples", "unknown", numbers, n=rows.n, limit=rule.rows_needed)
    by_class = rule.versus_champion is not None and rule.metric not in NO_CLASS_COUNTS
    if by_class and smallest is not None and smallest < CLASS_ROWS:
        numbers = f"{label}: {smallest} rows of the rarest class, needs ≥ {CLASS_ROWS}"
        return Finding.of("min_samples", "unknown", numbers, n=rows.n, limit=CLASS_ROWS)
    return None


def _why_so_few(rule: MetricRule, n: int, evaluation: Evaluation, other: str) -> str:
    """How many rows there are, and how many were left out for which reason."""
    if rule.slice is not None and all(item.where != rule.slice for item in evaluation.slices):
        return "the evaluation has no such slice (slices are measured for the rules that were published then)"
    compared = evaluation.comparison
    if rule.slice is None and compared is not None and rule.versus_champion and compared.excluded:
        return f"{n} rows ({compared.excluded} more the {other} was trained on)"
    if rule.slice is None and evaluation.leaked:
        return f"{n} rows ({evaluation.leaked} more the candidate was trained on)"
    return f"{n} rows"


# ---- against the champion --------------------------------------------------------------------------------


class _Compared(NamedTuple):
    """Candidate and champion in one metric: the gain, its lower bound, and the bound that is needed."""

    ours: float
    theirs: float
    gain: float
    bound: float
    needed: float


def _versus(
    label: str,
    metric: str,
    versus: VersusChampion,
    paired: Paired | None,
    evaluation: Evaluation,
    other: str,
) -> Finding:
    """The one-sided lower bound of the paired gain against `max_loss` or `min_gain`."""
    question, _ = versus.asks
    if paired is None:
        return Finding.of(question, "unknown", f"{label}: {why_not_compared(evaluation, other)}")
    found = _compared(metric, versus, paired)
    if found is None:
        numbers = f"{label}: the difference to the {other} is undefined"
        return Finding.of(question, "unknown", numbers, n=paired.n)
    holds = found.bound >= found.needed
    if question == "min_gain":
        holds = holds and found.gain > 0  # with min_gain 0, two models that are the same are no gain
    outcome: Outcome = "pass" if holds else "fail"
    numbers = f"{label}: {_inequality(metric, versus, found, other)} on {paired.n} rows"
    return Finding.of(question, outcome, numbers, n=paired.n, observed=found.bound, limit=found.needed)


def _compared(metric: str, versus: VersusChampion, paired: Paired) -> _Compared | None:
    """The numbers of the comparison; None if one is missing or undefined."""
    ours, theirs = paired.candidate.get(metric), paired.champion.get(metric)
    difference = paired.differences.get(metric)
    if difference is None or ours is None or theirs is None or not math.isfinite(ours.value + theirs.value):
        return None
    question, margin = versus.asks
    margin = margin if question == "min_gain" else -margin
    needed, error = margin, difference.standard_error
    if versus.relative:
        needed = margin * abs(theirs.value)
        error = relative_error(metric, margin, ours, theirs, difference)
    gained = gain(metric, difference)
    if not math.isfinite(gained + error) or error < 0:
        return None
    bound = lower_bound(gained, error, versus.confidence, difference.freedom)
    return _Compared(ours.value, theirs.value, gained, bound, needed)


def _inequality(metric: str, versus: VersusChampion, found: _Compared, other: str) -> str:
    """The comparison as it is checked by hand: the difference, its bound, and what is needed."""
    _, margin = versus.asks
    names = (("candidate", found.ours), (other, found.theirs))
    (first, a), (second, b) = names[::-1] if metric in LOWER_IS_BETTER else names
    share = f" ({100 * margin:g} % of the {other}'s)" if versus.relative else ""
    return (
        f"{first} {typeset(f'{a:.4g}')} − {second} {typeset(f'{b:.4g}')} = {typeset(f'{found.gain:+.4g}')}, "
        f"lower {percent(versus.confidence)} bound {number(found.bound, found.needed, '+')}, "
        f"needs ≥ {typeset(f'{found.needed:+.4g}')}{share}"
    )
