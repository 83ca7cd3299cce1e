"""The result of a rule on the data: rows, missing and unknown shares, rows seen in training, and drift."""

from __future__ import annotations

from retraining.config.rules import DataRule
from retraining.verdicts import drift_rules, leak_rules
from retraining.verdicts.beyond_chance import beyond_chance, named, worst
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.rule_results import concluded, limit_findings
from retraining.verdicts.verdict import Finding, RuleResult
from retraining.verdicts.wording import data_label


def check(rule: DataRule, evaluation: Evaluation, why_no_champion: str | None) -> RuleResult:
    """The result of the rule. `why_no_champion` is a reason not to ask about the champion's rows."""
    if rule.data == "drift":
        return drift_rules.check(rule, evaluation, why_no_champion)
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
    name, value = worst(data.missing_share, rule.column)
    label = named(rule, name) if value else data_label(rule)
    return _first_that_fails(limit_findings(rule, label, value, data.rows, "not known"))


def _first_that_fails(findings: list[Finding]) -> list[Finding]:
    """The first finding that does not pass; the first one if all pass."""
    failed = [finding for finding in findings if finding.outcome != "pass"]
    return (failed or findings)[:1]


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
    return beyond_chance(rule, found)
