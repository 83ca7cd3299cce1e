"""Pure: rules and an evaluation make a verdict, with reasons that can be checked by hand.

APPROVE needs every rule to hold. A rule that does not hold rejects, holds or warns, as its `on_fail`
says. Whatever cannot be known (a missing number, NaN, too few rows, no rule that could be asked) is
never an approval and never a rejection: it holds the candidate for a person.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Mapping
from statistics import NormalDist
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from retraining.config import Approval, Metric, Rule, VersusChampion
from retraining.evaluation import Comparison, Evaluation, Measured

Decision = Literal["APPROVE", "REJECT", "HOLD"]
Outcome = Literal["pass", "fail", "unknown", "skipped"]

LOWER_IS_BETTER: Final[frozenset[Metric]] = frozenset({"log_loss", "brier"})


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class RuleResult(_Frozen):
    """One rule's outcome. `effect` is what it means for the candidate; `text` has the numbers."""

    rule: str
    outcome: Outcome
    effect: Literal["none", "warn", "hold", "reject"]
    text: str


class Verdict(_Frozen):
    """The decision, why, and what it rests on. `n` is the number of validation rows."""

    decision: Decision
    reasons: tuple[str, ...]
    rules: tuple[RuleResult, ...]
    champion: str | None
    rules_sha256: str = Field(alias="rulesSha256")
    n: int


def rules_sha256(approval: Approval) -> str:
    """The identity of a set of rules: SHA-256 of its canonical JSON."""
    text = json.dumps(approval.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def judge(evaluation: Evaluation, approval: Approval, champion: str | None) -> Verdict:
    """What `evaluation` deserves under `approval`, `champion` being the ARN of the group's champion now."""
    results = [_check(rule, evaluation, approval) for rule in approval.rules]
    holds: list[str] = []
    if all(result.effect in ("none", "warn") and result.outcome != "pass" for result in results):
        holds.append("no rule was met, so nothing can be approved by rule")
    if evaluation.champion != champion:
        holds.append(
            f"the champion changed: the candidate was compared with {evaluation.champion or 'none'}, "
            f"the champion is now {champion or 'none'}"
        )
    if champion is None and approval.first_model == "hold":
        holds.append("this is the group's first model, and first_model is hold")

    by_effect = {
        effect: [result.text for result in results if result.effect == effect]
        for effect in ("reject", "hold", "warn")
    }
    decision: Decision
    if by_effect["reject"]:
        decision, reasons = "REJECT", [*by_effect["reject"], *by_effect["hold"], *holds]
    elif by_effect["hold"] or holds:
        decision, reasons = "HOLD", [*by_effect["hold"], *holds]
    else:
        decision, reasons = "APPROVE", [result.text for result in results if result.effect == "none"]
    return Verdict(
        decision=decision,
        reasons=tuple([*reasons, *by_effect["warn"]]),
        rules=tuple(results),
        champion=champion,
        rules_sha256=rules_sha256(approval),
        n=evaluation.candidate.n,
    )


def _check(rule: Rule, evaluation: Evaluation, approval: Approval) -> RuleResult:
    name = describe(rule)
    if (
        rule.versus_champion is not None
        and evaluation.champion is None
        and approval.first_model == "rules_only"
    ):
        if rule.min is None and rule.max is None:
            return RuleResult(
                rule=name,
                outcome="skipped",
                effect="none",
                text=f"{rule.metric}: no champion to compare with (first_model: rules_only) → skipped",
            )
        rule = rule.model_copy(update={"versus_champion": None})

    findings = list(_findings(rule, evaluation))
    outcomes = [outcome for outcome, _ in findings]
    outcome: Outcome = "fail" if "fail" in outcomes else "unknown" if "unknown" in outcomes else "pass"
    if outcome == "pass":
        effect: Literal["none", "warn", "hold", "reject"] = "none"
    elif outcome == "unknown":
        effect = "hold"
    else:
        effect = rule.on_fail
    return RuleResult(rule=name, outcome=outcome, effect=effect, text="; ".join(text for _, text in findings))


def describe(rule: Rule) -> str:
    """A rule as one line, without its outcome."""
    parts = [f"min {rule.min:g}"] if rule.min is not None else []
    parts += [f"max {rule.max:g}"] if rule.max is not None else []
    if versus := rule.versus_champion:
        parts.append(
            f"max_loss {versus.max_loss:g}"
            if versus.max_loss is not None
            else f"min_gain {versus.min_gain:g}"
        )
        parts.append(f"confidence {versus.confidence:g}")
    return f"{_where(rule)} {', '.join(parts)}"


def _where(rule: Rule) -> str:
    if rule.slice is None:
        return rule.metric
    return (
        f"{rule.metric} where {' and '.join(f'{column} = {value}' for column, value in rule.slice.items())}"
    )


def _findings(rule: Rule, evaluation: Evaluation) -> list[tuple[Outcome, str]]:
    """Each question that the rule asks, answered: its outcome and the inequality in numbers."""
    n, metrics = _rows(rule, evaluation)
    label = _where(rule)
    if n < rule.rows_needed:
        return [("unknown", f"{label}: {n} rows, needs ≥ {rule.rows_needed} → cannot be judged")]
    findings: list[tuple[Outcome, str]] = []
    measured = metrics.get(rule.metric)
    value = measured.value if measured else math.nan
    for sign, bound, holds in (("≥", rule.min, operator.ge), ("≤", rule.max, operator.le)):
        if bound is None:
            continue
        if not math.isfinite(value):
            findings.append(("unknown", f"{label}: undefined on {n} rows → cannot be judged"))
            continue
        outcome: Outcome = "pass" if holds(value, bound) else "fail"
        findings.append((outcome, f"{label}: {_number(value, bound)}, needs {sign} {bound:g} → {outcome}"))
    if rule.versus_champion is not None:
        findings.append(_versus(rule.metric, rule.versus_champion, evaluation))
    return findings


def _rows(rule: Rule, evaluation: Evaluation) -> tuple[int, Mapping[str, Measured]]:
    """The number of rows that the rule is about, and the candidate's metrics on them."""
    if rule.slice is not None:
        for found in evaluation.slices:
            if found.where == rule.slice:
                return found.n, found.metrics
        return 0, {}
    if rule.versus_champion is not None and evaluation.comparison is not None:
        return min(evaluation.comparison.n, evaluation.candidate.n), evaluation.candidate.metrics
    return evaluation.candidate.n, evaluation.candidate.metrics


def _versus(metric: Metric, versus: VersusChampion, evaluation: Evaluation) -> tuple[Outcome, str]:
    """The one-sided bound of the paired gain, `gain − z(confidence) · standard error`, against what is asked.

    Gain is candidate minus champion where higher is better, champion minus candidate where lower is.
    """
    comparison: Comparison | None = evaluation.comparison
    if comparison is None:
        why = evaluation.champion_problem or "there is no comparison with the champion"
        return "unknown", f"{metric}: {why} → cannot be judged"
    difference = comparison.differences.get(metric)
    candidate, reference = comparison.candidate.get(metric), comparison.champion.get(metric)
    numbers = (
        [difference.value, difference.standard_error, candidate.value, reference.value]
        if difference and candidate and reference
        else [math.nan]
    )
    if not all(math.isfinite(number) for number in numbers) or numbers[1] < 0:
        return "unknown", f"{metric}: the difference to the champion is undefined → cannot be judged"
    value, error, of_candidate, of_champion = numbers
    gain = -value if metric in LOWER_IS_BETTER else value
    bound = gain - NormalDist().inv_cdf(versus.confidence) * error
    needed = versus.min_gain if versus.min_gain is not None else -(versus.max_loss or 0.0)
    outcome: Outcome = "pass" if bound >= needed else "fail"
    first, second = (of_champion, of_candidate) if metric in LOWER_IS_BETTER else (of_candidate, of_champion)
    names = ("champion", "candidate") if metric in LOWER_IS_BETTER else ("candidate", "champion")
    return outcome, (
        f"{metric}: {names[0]} {first:.4g} − {names[1]} {second:.4g} = {gain:+.4g}, "
        f"lower {versus.confidence:.6g} bound {_number(bound, needed, '+')}, needs ≥ {needed:+.6g} "
        f"on {comparison.n} rows → {outcome}"
    )


def _number(value: float, limit: float, sign: str = "") -> str:
    """`value` with as many digits as it takes to see on which side of `limit` it lies."""
    for digits in range(4, 17):
        text = format(value, f"{sign}.{digits}g")
        if (float(text) >= limit) == (value >= limit) and (float(text) <= limit) == (value <= limit):
            return text
    return format(value, f"{sign}.17g")
