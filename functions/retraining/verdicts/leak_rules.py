"""The results of rules on validation rows that were seen in training: those left out, and lookalikes."""

from __future__ import annotations

from retraining.config.rules import DataRule
from retraining.verdicts.evaluation import Evaluation, Lookalikes
from retraining.verdicts.rule_results import limit_findings
from retraining.verdicts.verdict import Finding
from retraining.verdicts.wording import data_label


def share_findings(rule: DataRule, evaluation: Evaluation) -> list[Finding]:
    """The share of the validation rows that are, or whose groups are, among the candidate's training rows."""
    left_out = evaluation.leaked + evaluation.same_group
    rows = evaluation.candidate.n + left_out
    label = f"{data_label(rule)} ({left_out} of {rows} rows)"
    return limit_findings(rule, label, left_out / rows if rows else 0.0, rows, "not known")


def lookalike_findings(rule: DataRule, evaluation: Evaluation, *, champion: bool) -> list[Finding]:
    """The look-alike test with the candidate's training rows, of validation's own rows and, if `champion`,
    with the champion's training rows.

    Of the champion nothing is asked if its training rows cannot be compared in this way.
    """
    if evaluation.lookalikes is None:
        why = "no validation row is left" if evaluation.candidate.n == 0 else "not measured"
        text = f"{data_label(rule)}: {why}"
        return [Finding.of("max", "unknown", text, limit=rule.max)]
    found = _findings(rule, evaluation.lookalikes, "the candidate")
    if evaluation.copies:
        found += _copies(rule, evaluation.copies)
    if champion and evaluation.comparison and evaluation.comparison.lookalikes:
        found += _findings(rule, evaluation.comparison.lookalikes, "the champion")
    return found


def _findings(rule: DataRule, found: Lookalikes, model: str) -> list[Finding]:
    label = (
        f"{data_label(rule)}: {found.share:.1%} of {found.n} validation rows look like a row that {model} "
        f"was trained on, {found.train_share:.1%} of its training rows look like another one; z"
    )
    return limit_findings(rule, label, found.z, found.n, "not known")


def _copies(rule: DataRule, found: Lookalikes) -> list[Finding]:
    label = (
        f"{data_label(rule)}: {found.share:.1%} of {found.n} validation rows look like another one of them, "
        f"{found.train_share:.1%} are expected from train; z"
    )
    return limit_findings(rule, label, found.z, found.n, "not known")
