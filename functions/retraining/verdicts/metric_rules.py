"""The result of a rule on a metric: its limits, its number of rows, and its comparison with the champion."""

from __future__ import annotations

import math

from retraining.config.rules import MetricRule
from retraining.config.tasks import METRICS
from retraining.verdicts import comparing, limits, looks
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.rows import Rows, rows, too_few
from retraining.verdicts.rule_results import concluded, skipped
from retraining.verdicts.verdict import Finding, Kind, RuleResult
from retraining.verdicts.wording import counted, metric_label, why_not_compared


def check(rule: MetricRule, evaluation: Evaluation, why_no_champion: str | None, look: int = 1) -> RuleResult:
    """The result of the rule.

    `why_no_champion` is the reason to leave out the comparison with the champion. A rule that asks nothing
    else is skipped. `look` is the how-many-th candidate this is on its validation rows (looks.py).
    """
    kind: Kind = "metric" if rule.versus_champion is None else "versus_champion"
    asked = rule
    if why_no_champion and kind == "versus_champion":
        if rule.min is None and rule.max is None:
            return skipped(rule, kind, metric_label(rule), why_no_champion)
        asked = rule.model_copy(update={"versus_champion": None})
    sure = looks.sure(rule, look)
    return concluded(rule, kind, looks.said(rule, look, findings(asked, evaluation, sure=sure)))


def findings(
    rule: MetricRule, evaluation: Evaluation, other: str = "champion", *, sure: float | None = None
) -> list[Finding]:
    """The answer to each question of the rule. `other` names the model that it compares with.

    `sure` is the confidence of a gain over it; that of the rule if it is None.
    """
    about = rows(rule, evaluation, other)
    if few := too_few(rule, about, evaluation):
        return [_counting(about, few)]
    label, measured = metric_label(rule), about.metrics.get(rule.metric)
    lowest, highest = METRICS[evaluation.task].get(rule.metric, (math.inf, -math.inf))
    if measured is not None and not lowest <= measured.value <= highest:
        measured = None  # the metric cannot have this value, or the task has no such metric
    guessed = evaluation.baseline.metrics.get(rule.metric) if rule.slice is None else None
    found = limits.findings(rule, label, measured, about.n, guessed, _clustered(about))
    found += _versus(rule, label, about, evaluation, other, sure)
    return [_counting(about, item) for item in found]


def _clustered(about: Rows) -> str:
    """How many rows and clusters there are; empty where each row is a cluster."""
    if about.clusters >= about.n:
        return ""
    return f"{counted(about.n, 'row')} in {counted(about.clusters, 'cluster')}"


def _counting(about: Rows, finding: Finding) -> Finding:
    """The finding with its number of clusters, if they are fewer than its rows."""
    if finding.n is None or about.clusters >= finding.n:
        return finding
    return finding.model_copy(update={"clusters": about.clusters})


def _versus(
    rule: MetricRule, label: str, about: Rows, evaluation: Evaluation, other: str, sure: float | None
) -> list[Finding]:
    """What the comparison with the other model answers; nothing if the rule makes none."""
    versus = rule.versus_champion
    if versus is None:
        return []
    if about.paired is None:
        question = versus.asks[0] if versus.asks else "max_gain"
        return [Finding.of(question, "unknown", f"{label}: {why_not_compared(evaluation, other)}")]
    return comparing.findings(
        label, rule.metric, versus, about.paired, other=other, rows=about.text, sure=sure
    )
