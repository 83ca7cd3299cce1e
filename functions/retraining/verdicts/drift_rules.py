"""The result of a rule on drift: of features and target, and between which rows."""

from __future__ import annotations

import math
from typing import Final

from retraining.config.rules import DataRule, Rule
from retraining.verdicts.beyond_chance import beyond_chance
from retraining.verdicts.evaluation import Evaluation, Shift
from retraining.verdicts.rule_results import concluded, skipped
from retraining.verdicts.verdict import Finding, Kind, RuleResult
from retraining.verdicts.wording import ANY_FEATURE, TARGET, data_label, describe, why_not_compared

NOT_MEASURED: Final = "not measured; the next execution measures it"
"""Why an evaluation of an earlier version has no such drift."""


def parts(rule: Rule, evaluation: Evaluation) -> tuple[Rule, ...]:
    """The rule; one that names no `against` as a rule about each drift that the evaluation has.

    An evaluation of an earlier version has only that of features against the champion, and rules of earlier
    versions ask about it alone. So what a rule without `against` does not name never rejects.
    """
    if not isinstance(rule, DataRule) or rule.data != "drift" or rule.against is not None:
        return (rule,)
    milder: dict[str, object] = {"on_fail": "hold"} if rule.on_fail == "reject" else {}
    asked: list[dict[str, object]] = [{"against": "champion"}]
    both = rule.of is None and rule.column is None
    if milder and both and evaluation.drift is not None and evaluation.drift.target is not None:
        asked = [{"against": "champion", "of": "features"}, {"against": "champion", "of": "target", **milder}]
    if evaluation.validation_drift is not None:
        asked.append({"against": "train", **milder})
    if evaluation.time_drift is not None:
        asked.append({"against": "earlier", **milder})
    return tuple(rule.model_copy(update=update) for update in asked)


def check(rule: DataRule, evaluation: Evaluation, why_no_champion: str | None) -> RuleResult:
    """The result of a rule that names `against`.

    Drift from the champion is skipped if there is a reason not to ask about a champion. All other drift is
    within the candidate's own rows.
    """
    if rule.against == "train":
        return _result(rule, "data", evaluation.validation_drift, NOT_MEASURED)
    if rule.against == "earlier":
        return _result(rule, "data", evaluation.time_drift, _why_no_time(evaluation))
    if why_no_champion:
        return skipped(rule, "drift", data_label(rule), why_no_champion)
    why = "the champion's training data is not known"
    if evaluation.champion_problem or not evaluation.comparison:
        why = why_not_compared(evaluation)
    return _result(rule, "drift", evaluation.drift, why)


def _result(rule: DataRule, kind: Kind, shift: Shift | None, why_not: str) -> RuleResult:
    """The result of the rule. Its name says where the target is asked about beside the features."""
    result = concluded(rule, kind, [_finding(rule, shift, why_not)])
    if rule.of is not None or rule.column is not None or shift is None or shift.target is None:
        return result
    label = data_label(rule).replace(ANY_FEATURE, f"{ANY_FEATURE} or {TARGET}")
    return result.model_copy(update={"rule": describe(rule, label)})


def _why_no_time(evaluation: Evaluation) -> str:
    """Why there is no drift by time."""
    if evaluation.validation_drift is None:
        return NOT_MEASURED
    return "the training rows have no two dates in data.date"


def _finding(rule: DataRule, shift: Shift | None, why_not: str) -> Finding:
    """The largest drift that the rule asks about, beyond what chance makes of it, against `max`.

    `why_not` says why there is no drift. The target of an evaluation of an earlier version is asked about
    only by a rule that names it.
    """
    if shift is None:
        return Finding.of("max", "unknown", f"{data_label(rule)}: {why_not}", limit=rule.max)
    measured = {name: (item.psi, item.by_chance) for name, item in shift.columns.items()}
    if rule.column is not None:
        return beyond_chance(rule, {rule.column: measured.get(rule.column, (math.nan, math.nan))})
    if rule.of == "target":
        measured = {}
        if shift.target is None:
            return Finding.of("max", "unknown", f"{data_label(rule)}: {NOT_MEASURED}", limit=rule.max)
    if rule.of != "features" and shift.target is not None:
        measured[TARGET] = (shift.target.psi, shift.target.by_chance)
    return beyond_chance(rule, measured)
