"""The candidate beside the model's anchor: a package that stays while champions come and go.

A chain of champions, each a little worse within the margin of `versus_champion`, has no end. `versus_anchor`
bounds it: the anchor is the first approved package until a person moves it.
"""

from __future__ import annotations

from typing import Final

from retraining.config.rules import MetricRule, Rule, VersusChampion
from retraining.verdicts import metric_rules
from retraining.verdicts.evaluation import Anchored, Evaluation
from retraining.verdicts.rule_results import concluded, skipped
from retraining.verdicts.unfamiliar import sees_unknown
from retraining.verdicts.verdict import Finding, Reason, RuleResult, Verdict
from retraining.verdicts.wording import metric_label

NEXT: Final = "the next execution that handsoff starts compares with the anchor of that time"
"""What follows where a candidate was not compared with the anchor of today."""


def parts(rule: Rule) -> tuple[Rule, ...]:
    """The rule, and its comparison with the anchor as a rule of its own if it asks more than that."""
    if not isinstance(rule, MetricRule) or rule.versus_anchor is None:
        return (rule,)
    if (rule.min, rule.max, rule.versus_champion) == (None,) * 3:
        return (rule,)
    alone = {"min": None, "max": None, "confidence": None, "versus_champion": None}
    return rule.model_copy(update={"versus_anchor": None}), rule.model_copy(update=alone)


def check(rule: MetricRule, evaluation: Evaluation, anchor: str | None) -> RuleResult:
    """The result of a rule that asks for the anchor alone. `anchor` is its ARN now, None if there is none.

    It is compared as a champion is. Without an anchor there is nothing to lose, and the rule is skipped.
    """
    found = evaluation.anchor
    if anchor is None and found is None:
        why = "no anchor to compare with: the first approved package becomes the anchor"
        return skipped(rule, "versus_anchor", metric_label(rule), why)
    if found is None:
        numbers = f"{metric_label(rule)}: this execution did not compare with the anchor, {anchor}; {NEXT}"
        return concluded(rule, "versus_anchor", [Finding.of("max_loss", "unknown", numbers)])
    beside = evaluation.model_copy(
        update={
            "champion": found.package,
            "champion_problem": _problem(found, evaluation.model),
            "comparison": found.comparison,
        }
    )
    return concluded(rule, "versus_anchor", metric_rules.findings(_as_champion(rule), beside, "anchor"))


def _as_champion(rule: MetricRule) -> MetricRule:
    """The same rule about a champion: what compares the two knows no other."""
    versus = rule.versus_anchor
    asked = VersusChampion.model_validate(versus.model_dump()) if versus else None
    return rule.model_copy(update={"versus_champion": asked, "versus_anchor": None})


def _problem(found: Anchored, model: str) -> str | None:
    """Why the anchor could not be scored, and the way out."""
    return f"{found.problem}. {way_out(model)}" if found.problem else None


def doubts(evaluation: Evaluation, anchor: str | None) -> list[Reason]:
    """The reasons to hold a candidate whose rules ask for the anchor, beside what these say."""
    found, reasons = evaluation.anchor, []
    if found is not None and found.package != anchor:
        reasons.append(_changed(found.package, anchor))
    if found is not None and found.comparison and (text := sees_unknown(found.comparison, "anchor")):
        reasons.append(Reason(code="anchor_sees_unknown", text=f"{text}. {way_out(evaluation.model)}"))
    return reasons


def _changed(compared: str | None, now: str | None) -> Reason:
    text = (
        f"the anchor changed: the candidate was compared with {compared or 'none'}, "
        f"the anchor is now {now or 'none'}; {NEXT}"
    )
    return Reason(code="anchor_changed", text=text)


def held_after_all(verdict: Verdict, anchor: str | None, model: str) -> Verdict:
    """The verdict as a HOLD: `anchor` is where the anchor has moved since; None if it is not approved now."""
    reason = _changed(verdict.anchor, anchor)
    if anchor is None and verdict.anchor is not None:
        reason = _no_measure(verdict.anchor, "is not approved any more", model)
    return verdict.held(reason)


def gone(anchor: str, status: str | None, model: str) -> Reason:
    """The reason to hold a candidate whose anchor's package has this status; None if it is deleted."""
    return _no_measure(anchor, "was deleted" if status is None else f"is {status}", model)


def _no_measure(anchor: str, became: str, model: str) -> Reason:
    text = f"the anchor, {anchor}, {became}: it is no measure any more. {way_out(model)}"
    return Reason(code="anchor_gone", text=text)


def way_out(model: str) -> str:
    """How a person gives the model another anchor."""
    return (
        f'Move the anchor to an approved package: handsoff anchor {model} {model}/VERSION --reason "…". '
        "If none is approved, a person must approve one first"
    )
