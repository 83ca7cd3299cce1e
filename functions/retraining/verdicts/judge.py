"""How a candidate is decided: the rules and an evaluation make a verdict. Pure.

APPROVE needs a candidate that is better than guessing, at least one rule that passes and that guessing does
not pass as well, and no rule that rejects or holds. A rule that fails rejects, holds or warns, as its
`on_fail` says. A warning, or a comparison that is skipped because there is no champion, does not keep the
candidate from approval. Anything that cannot be known holds the candidate for a person: a missing number,
NaN, too few rows, an interval that contains the limit. It never approves and never rejects.
docs/reference/rules.md has the formulas, docs/explanation/approval.md says how often they err.
"""

from __future__ import annotations

from collections.abc import Sequence

from retraining.config.rules import Approval, DataRule, Rule, rules_sha256
from retraining.config.schema import ModelConfig
from retraining.verdicts import anchor as versus_anchor
from retraining.verdicts import (
    consistency,
    data_rules,
    drift_rules,
    guessing,
    leaks,
    looks,
    metric_rules,
    slices,
)
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.unfamiliar import sees_unknown
from retraining.verdicts.verdict import (
    COMPARING,
    Code,
    Decision,
    Effect,
    Outcome,
    Reason,
    RuleResult,
    Verdict,
)
from retraining.verdicts.wording import why_not_compared


def judge(
    evaluation: Evaluation,
    approval: Approval,
    champion: str | None,
    *,
    anchor: str | None = None,
    look: int = 1,
    without_champion: str | None = None,
    doubts: Sequence[Reason] = (),
) -> Verdict:
    """The verdict on the candidate of `evaluation` by the rules of `approval`.

    `champion` is the ARN of the group's champion now, `anchor` that of the model's anchor; None if there is
    none. `look` is the how-many-th candidate this is on its validation rows. `without_champion` is a person's
    reason to put the champion aside: rules that compare with it are skipped. `doubts` are reasons to hold the
    candidate that are not in its evaluation.
    """
    aside = f"the champion was put aside: {without_champion}" if without_champion else None
    why_no_champion = aside
    if champion is None and evaluation.champion is None:
        why_no_champion = aside or f"no champion to compare with (first_model: {approval.first_model})"
    asked = [part for rule in approval.rules for part in drift_rules.parts(rule, evaluation)]
    parts = [part for rule in asked for part in versus_anchor.parts(rule)]
    results = [_check(rule, evaluation, why_no_champion, anchor, look) for rule in parts]
    warnings = [found for rule in approval.rules if (found := guessing.asks_nothing(rule, evaluation))]
    holds = [*doubts, *consistency.doubts(evaluation), *_no_rule_met(parts, results, evaluation)]
    holds += _whatever_the_rules(evaluation, approval, champion, with_champion=not without_champion)
    if not without_champion:
        (holds if approval.worse_slice == "hold" else warnings).extend(slices.reasons(evaluation))
    if approval.asks_anchor:
        holds += versus_anchor.doubts(evaluation, anchor)
    results.append(guessing.check(evaluation))
    decision, reasons = _decide(results, holds, warnings)
    first = [Reason(code="champion_put_aside", text=aside)] if aside else []
    return Verdict(
        decision=decision,
        reasons=_each_text_once([*first, *reasons, *_notes(evaluation)]),
        rules=tuple(results),
        champion=champion,
        rules_sha256=rules_sha256(approval),
        n=evaluation.candidate.n,
        first_model=approval.first_model if champion is None else None,
        without_champion=without_champion,
        anchor=anchor if approval.asks_anchor else None,
        look=look if looks.is_taken(approval, evaluation, champion, without_champion) else None,
    )


def _whatever_the_rules(
    evaluation: Evaluation, approval: Approval, champion: str | None, *, with_champion: bool
) -> list[Reason]:
    """The reasons to hold a candidate for rows seen in training, for its champion, or as the first model."""
    holds: list[Reason] = []
    if not any(isinstance(rule, DataRule) and rule.data == "lookalikes" for rule in approval.rules):
        holds += leaks.reasons(evaluation, with_champion=with_champion)
    if with_champion:
        holds += _about_the_champion(evaluation, champion)
    if champion is None and approval.first_model == "hold":
        text = "this is the group's first model, and first_model is hold"
        holds.append(Reason(code="first_model_hold", text=text))
    return holds


def _check(
    rule: Rule, evaluation: Evaluation, why_no_champion: str | None, anchor: str | None, look: int
) -> RuleResult:
    """The result of one rule."""
    if isinstance(rule, DataRule):
        return data_rules.check(rule, evaluation, why_no_champion)
    if rule.versus_anchor:
        return versus_anchor.check(rule, evaluation, anchor)
    return metric_rules.check(rule, evaluation, why_no_champion, look)


def _decide(
    results: Sequence[RuleResult], holds: Sequence[Reason], warnings: Sequence[Reason]
) -> tuple[Decision, list[Reason]]:
    """The decision and its reasons: one rejection rejects; otherwise one hold holds; otherwise it approves.

    Warnings come last.
    """
    by_effect: dict[Effect, list[Reason]] = {
        effect: [_reason(result) for result in results if result.effect == effect]
        for effect in ("reject", "hold", "warn", "none")
    }
    holds, warnings = _with_effect(holds, "hold"), _with_effect(warnings, "warn")
    warned = [*by_effect["warn"], *warnings]
    if by_effect["reject"]:
        return "REJECT", [*by_effect["reject"], *by_effect["hold"], *holds, *warned]
    if by_effect["hold"] or holds:
        return "HOLD", [*by_effect["hold"], *holds, *warned]
    return "APPROVE", [*by_effect["none"], *warned]


def _with_effect(reasons: Sequence[Reason], effect: Effect) -> list[Reason]:
    return [reason.model_copy(update={"effect": effect}) for reason in reasons]


# ---- reasons ---------------------------------------------------------------------------------------------


def _no_rule_met(
    rules: Sequence[Rule], results: Sequence[RuleResult], evaluation: Evaluation
) -> list[Reason]:
    """The reason to hold if no rule passed: without one, nothing is approved by rule.

    A limit that guessing meets as well as the candidate does not count.
    """
    passed = [rule for rule, result in zip(rules, results, strict=True) if result.outcome == "pass"]
    if any(result.effect in ("hold", "reject") for result in results):
        return []
    empty = [rule for rule, result in zip(rules, results, strict=True) if _empty(rule, result, evaluation)]
    if len(passed) > len(empty):
        return []
    text = "no rule was met, so nothing can be approved by rule"
    if empty:
        text = "no rule was met that guessing does not meet as well, so nothing can be approved by rule"
    return [Reason(code="no_rule_met", text=text)]


def _empty(rule: Rule, result: RuleResult, evaluation: Evaluation) -> bool:
    """Whether the rule passed by a limit alone that guessing meets as well as the candidate."""
    compared = any(finding.question in COMPARING for finding in result.findings)
    return result.outcome == "pass" and not compared and guessing.as_good(rule, evaluation)


def _notes(evaluation: Evaluation) -> list[Reason]:
    """What was noted about the data. It decides nothing."""
    return [Reason(code="data_note", text=f"note: {text}") for text in evaluation.data_notes]


def _about_the_champion(evaluation: Evaluation, champion: str | None) -> list[Reason]:
    """The reasons to hold if the comparison was made with another champion, or could not be made."""
    reasons = []
    if evaluation.champion != champion:
        reasons.append(changed_champion(evaluation.champion, champion))
    if evaluation.champion_problem:
        reasons.append(Reason(code="champion_not_comparable", text=why_not_compared(evaluation)))
    if evaluation.comparison and (text := sees_unknown(evaluation.comparison, "champion")):
        reasons.append(Reason(code="champion_sees_unknown", text=text))
    return reasons


def _reason(result: RuleResult) -> Reason:
    """The result of a rule as a reason."""
    codes: dict[Outcome, Code] = {
        "pass": "rule_passed",
        "skipped": "rule_skipped",
        "fail": "rule_warned" if result.effect == "warn" else "rule_failed",
        "undecided": "rule_undecided",
        "unknown": "rule_unknown",
    }
    if result.kind == "guessing":
        codes["fail"] = "not_better_than_guessing"
        codes["undecided"] = "not_shown_better_than_guessing"
        codes["unknown"] = "guessing_unknown"
    return Reason(code=codes[result.outcome], text=result.text)


def _each_text_once(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """The reasons in the same order; of reasons with the same text the first."""
    found: dict[str, Reason] = {}
    for reason in reasons:
        found.setdefault(reason.text, reason)
    return tuple(found.values())


def of_another_config(evaluation: Evaluation, config: ModelConfig) -> Reason | None:
    """Why the rules do not apply to this evaluation: it is of another task, or has other classes."""
    then, now = ", ".join(evaluation.classes) or "none", ", ".join(config.classes) or "none"
    if evaluation.task != config.task:
        text = f"the task changed: the evaluation is of {evaluation.task}, the config says {config.task}"
        return Reason(code="another_task", text=text)
    if then != now:
        text = f"the classes changed: the evaluation is of {then}, the config says {now}"
        return Reason(code="another_classes", text=text)
    return None


def changed_champion(compared: str | None, now: str | None) -> Reason:
    """The reason to hold a candidate that was compared with another champion than the present one."""
    text = (
        f"the champion changed: the candidate was compared with {compared or 'none'}, "
        f"the champion is now {now or 'none'}"
    )
    return Reason(code="champion_changed", text=text)


def held_after_all(verdict: Verdict, champion: str | None) -> Verdict:
    """The verdict as a HOLD, because the champion has changed since: `champion` is the present one."""
    return verdict.held(changed_champion(verdict.champion, champion))
