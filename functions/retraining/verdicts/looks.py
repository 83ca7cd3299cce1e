"""The confidence of a proven gain when many candidates are measured on the same validation rows. Pure.

Of twenty candidates that gain nothing, one seems to gain at 95 %. So the t-th look at the same validation
rows uses alpha/(t(t + 1)) in place of alpha = 1 − confidence. Over all looks, however many there are, these
add up to alpha (Bonferroni with unequal shares, Foster and Stine 2008).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from retraining.config.rules import Approval, MetricRule, VersusChampion
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.verdict import Finding
from retraining.verdicts.wording import percent

MIN_ALPHA: Final = 1e-12
"""The smallest alpha that is used: a confidence that rounds to 1 has no bound."""


def asks_gain(rule: object) -> bool:
    """Whether the rule asks for a proven gain over the champion."""
    versus = rule.versus_champion if isinstance(rule, MetricRule) else None
    return versus is not None and versus.min_gain is not None


def is_taken(
    approval: Approval, evaluation: Evaluation, champion: str | None, without_champion: str | None
) -> bool:
    """Whether a verdict by these rules looks at the validation rows for a gain over the champion."""
    compares = evaluation.comparison is not None and champion is not None and not without_champion
    return compares and any(asks_gain(rule) for rule in approval.rules)


def sure(rule: MetricRule, look: int) -> float | None:
    """The confidence of a proven gain at this look, counted from 1; None for a rule that asks for none.

    It takes the lower bound alone. That the candidate is worse is no gain that many looks could find.
    """
    if rule.versus_champion is None or not asks_gain(rule):
        return None
    return confidence(rule.versus_champion, look)


def confidence(versus: VersusChampion, look: int) -> float:
    """1 − alpha/(t(t + 1)) at look t, with alpha = 1 − confidence."""
    return 1 - max((1 - versus.confidence) / (look * (look + 1)), MIN_ALPHA)


def said(rule: MetricRule, look: int, findings: Iterable[Finding]) -> list[Finding]:
    """The findings of the rule; that of a proven gain also says which look this is, and its confidence."""
    versus = rule.versus_champion
    if versus is None or not asks_gain(rule):
        return list(findings)
    text = (
        f"look {look} at these validation rows, so at {percent(confidence(versus, look))} "
        f"= 1 − {1 - versus.confidence:.4g}/({look} · {look + 1})"
    )
    return [_with(item, text) if item.question == "min_gain" and item.n else item for item in findings]


def _with(finding: Finding, text: str) -> Finding:
    """The finding with this text between its numbers and its conclusion."""
    numbers = f"{finding.numbers}, {text}"
    return finding.model_copy(
        update={"numbers": numbers, "text": numbers + finding.text.removeprefix(finding.numbers)}
    )
