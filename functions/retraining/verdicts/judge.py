"""Pure: rules and an evaluation make a verdict, with reasons that can be checked by hand.

APPROVE needs every rule to hold, and the candidate to be better than guessing. A rule that does not hold
rejects, holds or warns, as its `on_fail` says. Whatever cannot be known (a missing number, NaN, too few
rows, no rule that could be asked) is never an approval and never a rejection: it holds the candidate for a
person. docs/reference/rules.md has the formulas,
docs/explanation/approval.md how often they err.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
import re
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from retraining.config.schema import (
    CLASS_ROWS,
    COMPARED_ROWS,
    Approval,
    DataRule,
    MetricRule,
    ModelConfig,
    Rule,
    VersusChampion,
)
from retraining.config.tasks import DECISIVE, LOWER_IS_BETTER, METRICS, NO_CLASS_COUNTS
from retraining.verdicts.evaluation import Comparison, Difference, Drift, Evaluation, Measured, Paired, Scores

Decision = Literal["APPROVE", "REJECT", "HOLD"]
Outcome = Literal["pass", "fail", "unknown", "skipped"]
Effect = Literal["none", "warn", "hold", "reject"]

BETTER_THAN_GUESSING: Final = 0.99
"""The confidence at which every candidate must beat guessing, whatever the rules say."""


CHANGED: Final = "the champion changed"
NOT_COMPARED: Final = "the champion cannot be compared with"
"""How the reasons begin for which a person may put the champion aside."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Finding(_Frozen):
    """One question answered: `observed` was held against `limit`; both in units of what is asked about.

    Of a comparison `observed` is the one-sided bound of the gain. None is what is not known.
    """

    question: str
    outcome: Outcome
    n: int | None = None
    observed: float | None = None
    limit: float | None = None
    text: str


class RuleResult(_Frozen):
    """One rule's outcome. `effect` is what it means for the candidate; `text` has the numbers."""

    rule: str
    outcome: Outcome
    effect: Effect
    text: str
    findings: tuple[Finding, ...] = ()


class Verdict(_Frozen):
    """The decision, why, and what it rests on.

    `n` is the number of validation rows. `first_model` is what the config says of a first model, where this
    was one. `without_champion` says who put the champion aside, and why.
    """

    decision: Decision
    reasons: tuple[str, ...]
    rules: tuple[RuleResult, ...]
    champion: str | None
    rules_sha256: str = Field(alias="rulesSha256")
    n: int
    first_model: str | None = Field(None, alias="firstModel")
    without_champion: str | None = Field(None, alias="withoutChampion")


def rules_sha256(approval: Approval) -> str:
    """The identity of a set of rules: SHA-256 of its canonical JSON."""
    dumped = [rule.model_dump(mode="json") for rule in approval.rules]
    rules = {"first_model": approval.first_model, "rules": dumped}
    text = json.dumps(rules, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def judge(
    evaluation: Evaluation,
    approval: Approval,
    champion: str | None,
    *,
    without_champion: str | None = None,
    doubts: Sequence[str] = (),
) -> Verdict:
    """What `evaluation` deserves under `approval`, `champion` being the ARN of the group's champion now.

    `without_champion` is a person's reason to put the champion aside: what compares with it is not asked.
    `doubts` are reasons to hold the candidate that no evaluation tells.
    """
    why_not = without_champion and f"the champion was put aside: {without_champion}"
    if champion is None and evaluation.champion is None and approval.first_model == "rules_only":
        why_not = why_not or "no champion to compare with (first_model: rules_only)"
    asked = [_check(rule, evaluation, why_not) for rule in approval.rules]
    results = [*asked, _better_than_guessing(evaluation)]
    holds = list(doubts)
    if not any(result.outcome == "pass" or result.effect in ("hold", "reject") for result in asked):
        holds.append("no rule was met, so nothing can be approved by rule")
    if not without_champion:
        if evaluation.champion != champion:
            holds.append(changed_champion(evaluation.champion, champion))
        if evaluation.champion_problem:
            holds.append(_why_not_compared(evaluation))
    if champion is None and approval.first_model == "hold":
        holds.append("this is the group's first model, and first_model is hold")
    by_effect: dict[Effect, list[str]] = {
        effect: [result.text for result in results if result.effect == effect]
        for effect in ("reject", "hold", "warn", "none")
    }
    decision: Decision
    if by_effect["reject"]:
        decision, reasons = "REJECT", [*by_effect["reject"], *by_effect["hold"], *holds]
    elif by_effect["hold"] or holds:
        decision, reasons = "HOLD", [*by_effect["hold"], *holds]
    else:
        decision, reasons = "APPROVE", by_effect["none"]
    aside = [f"the champion was put aside: {without_champion}"] if without_champion else []
    return Verdict(
        decision=decision,
        reasons=tuple(dict.fromkeys([*aside, *reasons, *by_effect["warn"]])),
        rules=tuple(results),
        champion=champion,
        rules_sha256=rules_sha256(approval),
        n=evaluation.candidate.n,
        first_model=approval.first_model if champion is None else None,
        without_champion=without_champion,
    )


def of_another_config(evaluation: Evaluation, config: ModelConfig) -> str | None:
    """Why these rules are not about this evaluation: its metrics are of another task, or other classes."""
    for what, then, now in (
        ("task", evaluation.task, config.task),
        ("classes", ", ".join(evaluation.classes), ", ".join(config.classes)),
    ):
        if then != now:
            return (
                f"the {what} changed: the evaluation is of {then or 'none'}, the config says {now or 'none'}"
            )
    return None


def changed_champion(compared: str | None, now: str | None) -> str:
    """Why a candidate that was compared with another champion than there is now is held."""
    return (
        f"{CHANGED}: the candidate was compared with {compared or 'none'}, "
        f"the champion is now {now or 'none'}"
    )


def held_after_all(verdict: Verdict, champion: str | None) -> Verdict:
    """An approval whose champion is another one by the time it is to be written."""
    reason = changed_champion(verdict.champion, champion)
    return verdict.model_copy(update={"decision": "HOLD", "reasons": (reason, *verdict.reasons)})


def describe(rule: Rule) -> str:
    """A rule as one line, without its outcome."""
    parts = [f"min {rule.min:g}"] if rule.min is not None else []
    parts += [f"max {rule.max:g}"] if rule.max is not None else []
    if isinstance(rule, DataRule):
        return f"{_data_label(rule)} {', '.join(parts)}"
    if versus := rule.versus_champion:
        question, share = _asked(versus)
        parts.append(f"{question} {f'{100 * share:g} %' if versus.relative else f'{share:g}'}")
        parts.append(f"confidence {versus.confidence:g}")
    return f"{_metric_label(rule)} {', '.join(parts)}"


# ---- one rule --------------------------------------------------------------------------------------------


def _check(rule: Rule, evaluation: Evaluation, why_no_champion: str | None) -> RuleResult:
    """The rule asked; what compares with a champion is left out if there is a reason for that."""
    if isinstance(rule, DataRule):
        needs_champion, rest = rule.data == "drift", None
        label = _data_label(rule)
    else:
        needs_champion = rule.versus_champion is not None
        rest = rule.model_copy(update={"versus_champion": None})
        label = _metric_label(rule)
    name = describe(rule)
    if needs_champion and why_no_champion:
        if rest is None or (rest.min is None and rest.max is None):
            text = f"{label}: {why_no_champion} → skipped"
            return RuleResult(rule=name, outcome="skipped", effect="none", text=text)
        rule = rest
    findings = (
        [_data_finding(rule, evaluation)]
        if isinstance(rule, DataRule)
        else _metric_findings(rule, evaluation)
    )
    return _result(name, findings, rule.on_fail)


def _result(name: str, findings: Sequence[Finding], on_fail: Effect) -> RuleResult:
    outcomes = [finding.outcome for finding in findings]
    outcome: Outcome = "fail" if "fail" in outcomes else "unknown" if "unknown" in outcomes else "pass"
    effects: dict[Outcome, Effect] = {"pass": "none", "unknown": "hold", "fail": on_fail}
    # A part that fails and only warns does not hide another that cannot be known.
    effect = "hold" if "unknown" in outcomes and effects[outcome] == "warn" else effects[outcome]
    text = "; ".join(finding.text for finding in findings)
    return RuleResult(rule=name, outcome=outcome, effect=effect, text=text, findings=tuple(findings))


def _metric_label(rule: MetricRule) -> str:
    if rule.slice is None:
        return rule.metric
    return (
        f"{rule.metric} where {' and '.join(f'{column} = {value}' for column, value in rule.slice.items())}"
    )


def _data_label(rule: DataRule) -> str:
    if rule.data == "rows":
        return f"{rule.split} rows"
    if rule.data == "drift":
        return f"drift of {rule.column or 'any feature'}"
    return f"missing share of {rule.column or 'any feature'} in {rule.split}"


# ---- metrics ---------------------------------------------------------------------------------------------


def _metric_findings(rule: MetricRule, evaluation: Evaluation) -> list[Finding]:
    """Each question that the rule asks, answered."""
    n, smallest, metrics, paired = _rows(rule, evaluation)
    label = _metric_label(rule)
    if n < rule.rows_needed:
        why = _why_so_few(rule, n, evaluation)
        text = f"{label}: {why}, needs ≥ {rule.rows_needed} → cannot be judged"
        return [Finding(question="min_samples", outcome="unknown", n=n, limit=rule.rows_needed, text=text)]
    by_class = rule.versus_champion is not None and rule.metric not in NO_CLASS_COUNTS
    if by_class and smallest is not None and smallest < CLASS_ROWS:
        text = f"{label}: {smallest} rows of the rarest class, needs ≥ {CLASS_ROWS} → cannot be judged"
        return [Finding(question="min_samples", outcome="unknown", n=n, limit=CLASS_ROWS, text=text)]
    measured = metrics.get(rule.metric)
    value = measured.value if measured else math.nan
    lowest, highest = METRICS[evaluation.task].get(rule.metric, (math.inf, -math.inf))
    if not lowest <= value <= highest:
        value = math.nan  # no such value exists, or none of this metric in this task
    findings = _within(rule, label, value, n, f"undefined on {n} rows")
    if rule.versus_champion is not None:
        findings.append(_versus(label, rule.metric, rule.versus_champion, paired, evaluation))
    return findings


def _rows(
    rule: MetricRule, evaluation: Evaluation
) -> tuple[int, int | None, Mapping[str, Measured], Paired | None]:
    """How many rows the rule is about, and of their rarest class; the candidate's metrics on them, and its
    comparison. A comparison is on no more rows than the candidate was measured on."""
    compared: Comparison | None = evaluation.comparison if rule.versus_champion is not None else None
    found: Scores | None = evaluation.candidate
    paired: Paired | None = compared
    if rule.slice is not None:
        found = next((item for item in evaluation.slices if item.where == rule.slice), None)
        of_slices = compared.slices if compared else ()
        paired = next((item for item in of_slices if item.where == rule.slice), None)
    if found is None:
        return 0, None, {}, None
    metrics = {} if found.unusable else found.metrics
    if paired is None:
        return found.n, found.smallest_class, metrics, None
    smallest = [item.smallest_class for item in (found, paired) if item.smallest_class is not None]
    return min(found.n, paired.n), min(smallest, default=None), metrics, paired


def _why_so_few(rule: MetricRule, n: int, evaluation: Evaluation) -> str:
    """The rows that there are, and what became of the others."""
    if rule.slice is not None and all(item.where != rule.slice for item in evaluation.slices):
        return "the evaluation has no such slice (slices are measured for the rules that were published then)"
    compared = evaluation.comparison
    if rule.slice is None and compared is not None and rule.versus_champion and compared.excluded:
        return f"{n} rows ({compared.excluded} more the champion was trained on)"
    if rule.slice is None and evaluation.leaked:
        return f"{n} rows ({evaluation.leaked} more the candidate was trained on)"
    return f"{n} rows"


def _within(rule: Rule, label: str, value: float, n: int, if_undefined: str) -> list[Finding]:
    findings = []
    bounds = (("min", "≥", rule.min, operator.ge), ("max", "≤", rule.max, operator.le))
    for question, sign, limit, holds in bounds:
        if limit is None:
            continue
        if not math.isfinite(value):
            text = f"{label}: {if_undefined} → cannot be judged"
            findings.append(Finding(question=question, outcome="unknown", n=n, limit=limit, text=text))
            continue
        outcome: Outcome = "pass" if holds(value, limit) else "fail"
        text = f"{label}: {_number(value, limit)}, needs {sign} {_minus(f'{limit:g}')} → {outcome}"
        findings.append(
            Finding(question=question, outcome=outcome, n=n, observed=value, limit=limit, text=text)
        )
    return findings


def _asked(versus: VersusChampion) -> tuple[Literal["max_loss", "min_gain"], float]:
    if versus.min_gain is not None:
        return "min_gain", versus.min_gain
    return "max_loss", versus.max_loss or 0.0


def _versus(
    label: str, metric: str, versus: VersusChampion, paired: Paired | None, evaluation: Evaluation
) -> Finding:
    """The one-sided bound of the paired gain against what is asked.

    Gain is candidate minus champion where higher is better, champion minus candidate where lower is. The
    bound is gain − t(confidence) · standard error.
    """
    question, margin = _asked(versus)
    if paired is None:
        text = f"{label}: {_why_not_compared(evaluation)} → cannot be judged"
        return Finding(question=question, outcome="unknown", text=text)
    difference = paired.differences.get(metric)
    ours, theirs = paired.candidate.get(metric), paired.champion.get(metric)
    undefined = Finding(
        question=question,
        outcome="unknown",
        n=paired.n,
        text=f"{label}: the difference to the champion is undefined → cannot be judged",
    )
    if difference is None or ours is None or theirs is None or not math.isfinite(ours.value + theirs.value):
        return undefined
    sign = 1.0 if question == "min_gain" else -1.0
    needed = sign * margin * (abs(theirs.value) if versus.relative else 1.0)
    error = _relative_error(metric, sign * margin, ours, theirs, difference) if versus.relative else (
        difference.standard_error
    )  # fmt: skip
    gain = _gain(metric, difference)
    if not math.isfinite(gain + error) or error < 0:
        return undefined
    bound = gain - quantile(versus.confidence, difference.freedom) * error
    # A gain is more than none: two models that are the same are no gain.
    outcome: Outcome = "pass" if bound >= needed and (gain > 0 or question == "max_loss") else "fail"
    names = (("candidate", ours.value), ("champion", theirs.value))
    (first, a), (second, b) = names[::-1] if metric in LOWER_IS_BETTER else names
    share = f" ({100 * margin:g} % of the champion's)" if versus.relative else ""
    text = (
        f"{label}: {first} {_minus(f'{a:.4g}')} − {second} {_minus(f'{b:.4g}')} = {_minus(f'{gain:+.4g}')}, "
        f"lower {100 * versus.confidence:.6g} % bound {_number(bound, needed, '+')}, "
        f"needs ≥ {_minus(f'{needed:+.4g}')}{share} on {paired.n} rows → {outcome}"
    )
    return Finding(question=question, outcome=outcome, n=paired.n, observed=bound, limit=needed, text=text)


def quantile(confidence: float, freedom: float) -> float:
    """Student's t at this confidence, the normal quantile where `freedom` is NaN.

    From the normal one by Abramowitz and Stegun's expansion (26.7.5); at 9 degrees and 99 % it is 2.820
    instead of 2.821.
    """
    z = NormalDist().inv_cdf(confidence)
    if math.isnan(freedom):
        return z
    v = max(freedom, 1.0)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def _why_not_compared(evaluation: Evaluation) -> str:
    if evaluation.champion_problem:
        return f"{NOT_COMPARED}: {evaluation.champion_problem}"
    return "there is no comparison with the champion"


def _gain(metric: str, difference: Difference) -> float:
    return -difference.value if metric in LOWER_IS_BETTER else difference.value


def _relative_error(
    metric: str, margin: float, ours: Measured, theirs: Measured, difference: Difference
) -> float:
    """The standard error of candidate − k · champion, where k · champion is what the candidate must reach.

    `margin` is the share of |champion| to be gained, negative for one that may be lost. From the variances
    of both estimates and of their difference, which know the covariance: Var(a − k·c) =
    (1 − k) · Var(a) + (k² − k) · Var(c) + k · Var(a − c). NaN where it is not known.
    """
    better = -1.0 if metric in LOWER_IS_BETTER else 1.0
    k = 1 + better * margin * math.copysign(1.0, theirs.value) * (theirs.value != 0)
    variance = (
        (1 - k) * ours.standard_deviation * ours.standard_deviation  # ** would raise where this is infinite
        + (k * k - k) * theirs.standard_deviation * theirs.standard_deviation
        + k * difference.standard_error * difference.standard_error
    )
    return math.sqrt(variance) if variance >= 0 else math.nan


def _better_than_guessing(evaluation: Evaluation) -> RuleResult:
    """A candidate that is no better than the training rows' class shares, or their mean, is rejected.

    One that is better, but not shown to be so at BETTER_THAN_GUESSING, is held.
    """
    metric, baseline, n = DECISIVE[evaluation.task], evaluation.baseline, evaluation.candidate.n
    difference, ours = baseline.differences.get(metric), evaluation.candidate.metrics.get(metric)
    theirs = baseline.metrics.get(metric)
    question = "better_than_guessing"

    def result(outcome: Outcome, effect: Effect, said: str, bound: float | None = None) -> RuleResult:
        finding = Finding(question=question, outcome=outcome, n=n, observed=bound, limit=0.0, text=said)
        return RuleResult(
            rule="better than guessing", outcome=outcome, effect=effect, text=said, findings=(finding,)
        )

    smallest = evaluation.candidate.smallest_class
    if n >= COMPARED_ROWS and smallest is not None and smallest < CLASS_ROWS:
        few = f"{metric}: {smallest} rows of the rarest class, needs ≥ {CLASS_ROWS} to tell from guessing"
        return result("unknown", "hold", few)
    if n < COMPARED_ROWS:
        leaked = f" ({evaluation.leaked} more it was trained on)" if evaluation.leaked else ""
        few = f"{metric}: {n} rows{leaked}, needs ≥ {COMPARED_ROWS} to tell from guessing"
        return result("unknown", "hold", few)
    if difference is None or ours is None or theirs is None or evaluation.candidate.unusable:
        difference = Difference(value=math.nan, standard_error=math.nan)
        ours = theirs = Measured(value=math.nan)
    gain, error = _gain(metric, difference), difference.standard_error
    if not math.isfinite(ours.value + theirs.value + gain + error) or error < 0:
        return result("unknown", "hold", f"{metric}: undefined on {n} rows → cannot be told from guessing")
    bound = gain - quantile(BETTER_THAN_GUESSING, difference.freedom) * error
    numbers = (
        f"{metric}: candidate {_minus(f'{ours.value:.4g}')}, guessing ({baseline.predicts}) "
        f"{_minus(f'{theirs.value:.4g}')}, lower {100 * BETTER_THAN_GUESSING:g} % bound of the gain "
        f"{_number(bound, 0.0, '+')}, needs > 0"
    )
    if gain <= 0:
        return result("fail", "reject", f"{numbers} → no better than guessing", bound)
    if bound <= 0:
        return result("fail", "hold", f"{numbers} → not shown to be better than guessing", bound)
    return result("pass", "none", f"{numbers} → pass", bound)


# ---- data ------------------------------------------------------------------------------------------------


def _data_finding(rule: DataRule, evaluation: Evaluation) -> Finding:
    """The question of a data rule, answered; of all features the worst one."""
    data = evaluation.data.train if rule.split == "train" else evaluation.data.validation
    label = _data_label(rule)
    values: Mapping[str, float] = data.missing_share
    if rule.data == "rows":
        # of the validation rows those that anything is measured on
        values = {"": float(data.rows if rule.split == "train" else evaluation.candidate.n)}
    elif rule.data == "drift":
        if evaluation.drift is None:
            why = "the champion's training data is not known"
            if evaluation.champion_problem or not evaluation.comparison:
                why = _why_not_compared(evaluation)
            return Finding(
                question="max", outcome="unknown", limit=rule.max, text=f"{label}: {why} → cannot be judged"
            )
        return _drift_finding(rule, label, evaluation.drift)
    if rule.column is not None:
        values = {rule.column: values[rule.column]} if rule.column in values else {}
    # What is not a number comes first: it cannot be told whether that one is the worst.
    worst, value = max(
        values.items(), key=lambda item: (not math.isfinite(item[1]), item[1]), default=("", math.nan)
    )
    named = f"{label} ({worst})" if worst and rule.column is None and value else label
    findings = _within(rule, named, value, data.rows, "not known")
    failed = [finding for finding in findings if finding.outcome != "pass"]
    return (failed or findings)[0]


def _drift_finding(rule: DataRule, label: str, drift: Drift) -> Finding:
    """The population stability index beyond what chance makes of it, against the most that is allowed."""
    moved = drift.columns
    if rule.column is not None:
        moved = {rule.column: moved[rule.column]} if rule.column in moved else {}
    beyond = {name: item.psi - item.by_chance for name, item in moved.items()}
    worst, value = max(
        beyond.items(), key=lambda item: (not math.isfinite(item[1]), item[1]), default=("", math.nan)
    )
    named = f"{label} ({worst})" if worst and rule.column is None else label
    if not math.isfinite(value):
        text = f"{named}: not known → cannot be judged"
        return Finding(question="max", outcome="unknown", limit=rule.max, text=text)
    limit, found = rule.max or 0.0, moved[worst]
    outcome: Outcome = "pass" if value <= limit else "fail"
    text = (
        f"{named}: {_minus(f'{found.psi:.4g}')} − {found.by_chance:.4g} by chance = {_number(value, limit)}, "
        f"needs ≤ {limit:g} → {outcome}"
    )
    return Finding(question="max", outcome=outcome, observed=value, limit=limit, text=text)


def _minus(text: str) -> str:
    return "0" if re.fullmatch(r"-0(\.0*)?", text) else text.replace("-", "−")


def _number(value: float, limit: float, sign: str = "") -> str:
    """`value` with as many digits as it takes to see on which side of `limit` it lies."""
    for digits in range(4, 17):
        text = format(value, f"{sign}.{digits}g")
        if (float(text) >= limit) == (value >= limit) and (float(text) <= limit) == (value <= limit):
            break
    return _minus(text)
