"""How the findings of one rule become its result."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Final

from retraining.config.rules import Rule
from retraining.verdicts.verdict import Effect, Finding, Kind, Outcome, Question, RuleResult
from retraining.verdicts.wording import describe, number, typeset

_DECISIVE: Final[tuple[Outcome, ...]] = ("fail", "unknown", "undecided", "pass")
"""Of several outcomes the first one here is that of the rule."""

_STRENGTH: Final[tuple[Effect, ...]] = ("none", "warn", "hold", "reject")
"""Effects, the strongest last."""


def skipped(rule: Rule, kind: Kind, label: str, why: str) -> RuleResult:
    """The result of a rule that is not asked."""
    numbers = f"{label}: {why}"
    return RuleResult(
        rule=describe(rule),
        kind=kind,
        outcome="skipped",
        effect="none",
        numbers=numbers,
        text=f"{numbers} → skipped",
    )


def concluded(rule: Rule, kind: Kind, findings: Sequence[Finding]) -> RuleResult:
    """The result of a rule with these findings, at least one. The strongest effect of a finding decides.

    A failure has the effect that the rule's `on_fail` names; a suspicious leap never rejects. A finding that
    is undecided or unknown holds the candidate, also beside a failure that only warns.
    """
    outcomes = [finding.outcome for finding in findings]
    outcome = next(item for item in _DECISIVE if item in outcomes)
    *others, last = findings
    return RuleResult(
        rule=describe(rule),
        kind=kind,
        outcome=outcome,
        effect=max((_effect(rule, finding) for finding in findings), key=_STRENGTH.index),
        numbers="; ".join([*(finding.text for finding in others), last.numbers]),
        text="; ".join(finding.text for finding in findings),
        findings=tuple(findings),
    )


def _effect(rule: Rule, finding: Finding) -> Effect:
    """What one finding does to the candidate."""
    if finding.outcome != "fail":
        return "none" if finding.outcome == "pass" else "hold"
    return "hold" if finding.question == "max_gain" and rule.on_fail == "reject" else rule.on_fail


def limit_findings(
    rule: Rule, label: str, value: float, n: int, if_undefined: str, *, aside: str = ""
) -> list[Finding]:
    """`value`, measured on `n` rows, against the rule's `min` and `max`: a finding for each that is set.

    `if_undefined` says why there is no number, if `value` is not finite. `aside` stands behind the value.
    """
    limits: tuple[tuple[Question, str, float | None, Callable[[float, float], bool]], ...] = (
        ("min", "≥", rule.min, operator.ge),
        ("max", "≤", rule.max, operator.le),
    )
    findings = []
    for question, sign, limit, holds in limits:
        if limit is None:
            continue
        if not math.isfinite(value):
            findings.append(Finding.of(question, "unknown", f"{label}: {if_undefined}", n=n, limit=limit))
            continue
        outcome: Outcome = "pass" if holds(value, limit) else "fail"
        numbers = f"{label}: {number(value, limit)}{aside}, needs {sign} {typeset(f'{limit:g}')}"
        findings.append(Finding.of(question, outcome, numbers, n=n, observed=value, limit=limit))
    return findings
