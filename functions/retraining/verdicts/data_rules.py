"""The result of a rule on the data: rows, missing and unknown shares, rows seen in training, and drift."""

from __future__ import annotations

import math
from collections.abc import Mapping

from retraining.config.rules import DataRule
from retraining.verdicts import leak_rules
from retraining.verdicts.evaluation import Drift, Evaluation
from retraining.verdicts.rule_results import concluded, limit_findings, skipped
from retraining.verdicts.verdict import Finding, Outcome, RuleResult
from retraining.verdicts.wording import data_label, number, typeset, why_not_compared


def check(rule: DataRule, evaluation: Evaluation, why_no_champion: str | None) -> RuleResult:
    """The result of the rule; a rule on drift is skipped if there is a reason not to ask about a champion."""
    if rule.data == "drift":
        if why_no_champion:
            return skipped(rule, "drift", data_label(rule), why_no_champion)
        return concluded(rule, "drift", [_drift_finding(rule, evaluation)])
    if rule.data == "unknown_share":
        return concluded(rule, "data", [_unknown_finding(rule, evaluation)])
    if rule.data == "leaked_share":
        return concluded(rule, "data", leak_rules.share_findings(rule, evaluation))
    if rule.data == "lookalikes":
        champion = why_no_champion is None
        return concluded(rule, "data", leak_rules.lookalike_findings(rule, evaluation, champion=champion))
    if rule.data == "rows":
        return concluded(rule, "data", _rows_findings(rule, evaluation))
    return concluded(rule, "data", _missing_share_findings(rule, evaluation))


def _rows_findings(rule: DataRule, evaluation: Evaluation) -> list[Finding]:
    """The number of rows. Only validation rows that the candidate was measured on count."""
    rows = counted = evaluation.data.train.rows
    if rule.split == "validation":
        rows, counted = evaluation.data.validation.rows, evaluation.candidate.n
    return _first_that_fails(limit_findings(rule, data_label(rule), counted, rows, "not known"))


def _missing_share_findings(rule: DataRule, evaluation: Evaluation) -> list[Finding]:
    """The missing share of the rule's column, or of the feature that misses most."""
    data = evaluation.data.train if rule.split == "train" else evaluation.data.validation
    worst, value = _worst(data.missing_share, rule.column)
    label = _named(rule, worst) if value else data_label(rule)
    return _first_that_fails(limit_findings(rule, label, value, data.rows, "not known"))


def _first_that_fails(findings: list[Finding]) -> list[Finding]:
    """The first finding that does not pass; the first one if all pass."""
    failed = [finding for finding in findings if finding.outcome != "pass"]
    return (failed or findings)[:1]


def _drift_finding(rule: DataRule, evaluation: Evaluation) -> Finding:
    """The drift of the rule's column, or of the feature that drifted most, against `max`."""
    if evaluation.drift is not None:
        return _drifted(rule, evaluation.drift)
    why = "the champion's training data is not known"
    if evaluation.champion_problem or not evaluation.comparison:
        why = why_not_compared(evaluation)
    return Finding.of("max", "unknown", f"{data_label(rule)}: {why}", limit=rule.max)


def _drifted(rule: DataRule, drift: Drift) -> Finding:
    """The population stability index minus what chance alone makes of it, against `max`."""
    return _beyond_chance(rule, {name: (item.psi, item.by_chance) for name, item in drift.columns.items()})


def _unknown_finding(rule: DataRule, evaluation: Evaluation) -> Finding:
    """The unknown share of the rule's column, or of the worst feature, beyond what train explains.

    A model without categorical features has none.
    """
    if evaluation.unknown is None:
        numbers = f"{data_label(rule)}: not measured; the next execution measures it"
        return Finding.of("max", "unknown", numbers, limit=rule.max)
    found = {name: (item.share, item.by_chance) for name, item in evaluation.unknown.items()}
    if not found and rule.column is None:
        numbers = f"{data_label(rule)}: there is no categorical feature"
        return Finding.of("max", "pass", numbers, observed=0.0, limit=rule.max)
    return _beyond_chance(rule, found)


def _beyond_chance(rule: DataRule, measured: Mapping[str, tuple[float, float]]) -> Finding:
    """What was measured of the rule's column, or of the worst feature, minus what chance makes of it."""
    worst, value = _worst({name: found - chance for name, (found, chance) in measured.items()}, rule.column)
    label = _named(rule, worst)
    if not math.isfinite(value):
        return Finding.of("max", "unknown", f"{label}: not known", limit=rule.max)
    limit, (found, chance) = rule.max or 0.0, measured[worst]
    outcome: Outcome = "pass" if value <= limit else "fail"
    numbers = (
        f"{label}: {typeset(f'{found:.4g}')} − {chance:.4g} by chance = {number(value, limit)}, "
        f"needs ≤ {limit:g}"
    )
    return Finding.of("max", outcome, numbers, observed=value, limit=limit)


def _worst(values: Mapping[str, float], column: str | None) -> tuple[str, float]:
    """The name and the value of `column`, or of the largest value if it is None; NaN if there is none.

    A value that is not finite comes before all others: it may be the worst.
    """
    if column is not None:
        values = {column: values[column]} if column in values else {}
    return max(values.items(), key=lambda item: (not math.isfinite(item[1]), item[1]), default=("", math.nan))


def _named(rule: DataRule, feature: str) -> str:
    """What the rule asks about, with the feature that was found the worst of all."""
    label = data_label(rule)
    return f"{label} ({feature})" if feature and rule.column is None else label
