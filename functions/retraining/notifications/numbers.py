"""Pure: the three numbers of a candidate that matter, as one line each.

They are its main metric with the interval, the difference to the champion with its bounds, and what decided:
the rule, or the slice on which the candidate is worst where nothing stood against it.
"""

from __future__ import annotations

import math
from typing import Final

from retraining.config.tasks import LOWER_IS_BETTER, NEITHER_IS_BETTER
from retraining.text import shorten
from retraining.verdicts.evaluation import Evaluation, Measured
from retraining.verdicts.slices import where
from retraining.verdicts.verdict import Decision, Effect, Verdict
from retraining.verdicts.wording import typeset

_DID: Final[dict[Effect, str]] = {"reject": "rejected", "hold": "held"}
"""What the rules did with the candidate, by the effect of what stood against it."""

LINE_LIMIT: Final = 300
"""Characters of a line."""

_STOPS: Final[dict[Decision, Effect]] = {"REJECT": "reject", "HOLD": "hold"}
"""The effect of a rule or a reason that led to the decision."""


def of_candidate(evaluation: Evaluation, verdict: Verdict | None, metric: str) -> tuple[str, str, str]:
    """The three lines. `metric` is the main one, by its name in evaluation.json."""
    lines = (_own(evaluation, metric), _difference(evaluation, metric), _decided(evaluation, verdict, metric))
    own, difference, decided = (shorten(line, LINE_LIMIT) for line in lines)
    return own, difference, decided


def _own(evaluation: Evaluation, metric: str) -> str:
    candidate = evaluation.candidate
    return f"{metric} {_measured(candidate.metrics.get(metric), metric)} on {_rows(candidate.n)}"


def _difference(evaluation: Evaluation, metric: str) -> str:
    compared = evaluation.comparison
    if evaluation.champion is None:
        return "no difference to a champion: there is none"
    version = f"champion, version {evaluation.champion.rsplit('/', 1)[-1]}"
    if compared is None:
        return f"no difference to the {version}: {evaluation.champion_problem or 'it was not compared'}"
    found = compared.differences.get(metric)
    if found is None or not math.isfinite(found.value):
        return f"{metric}: the difference to the {version} is not known, on {_rows(compared.n)}"
    bounds = _between(found.bounds, "bounds", sign="+")
    return f"{metric} {_number(found.value, '+')}{bounds} against the {version}, on {_rows(compared.n)}"


def _decided(evaluation: Evaluation, verdict: Verdict | None, metric: str) -> str:
    """What stood against the candidate, else its worst slice, else that all rules hold.

    The line names the rules, as a person may have decided otherwise. A rule comes before other reasons, as it
    has a number.
    """
    effect = _STOPS.get(verdict.decision) if verdict else None
    if verdict and effect:
        against = [rule.text for rule in verdict.rules if rule.effect == effect]
        against += [reason.text for reason in verdict.reasons if reason.effect == effect]
        if against:
            return f"the rules {_DID[effect]} it: {against[0]}"
    worst = _worst_searched(evaluation) or _worst_of_rules(evaluation, metric)
    if worst:
        return f"worst slice: {worst}"
    passed = sum(rule.outcome == "pass" for rule in verdict.rules) if verdict else 0
    return f"{passed} of {len(verdict.rules)} rules pass, none fails" if verdict else "no rule judged it"


def _worst_searched(evaluation: Evaluation) -> str:
    """The slice with the highest loss over the champion's, of those that the evaluation searched."""
    found = (evaluation.comparison and evaluation.comparison.found_slices) or ()
    known = [item for item in found if math.isfinite(item.difference)]
    if not known:
        return ""
    worst = max(known, key=lambda item: item.difference)
    loss = worst.loss.replace("_", " ")
    return (
        f"{where(worst)}, mean {loss} {_number(worst.difference, '+')} against the champion on "
        f"{_rows(worst.n)} (lower is better; p {worst.p_holm:.2g} after Holm's correction)"
    )


def _worst_of_rules(evaluation: Evaluation, metric: str) -> str:
    """The slice of a rule with the worst value of the metric, where the metric has a direction."""
    if metric in NEITHER_IS_BETTER:
        return ""
    known = [
        (found.value, scores)
        for scores in evaluation.slices
        if (found := scores.metrics.get(metric)) and math.isfinite(found.value)
    ]
    if not known:
        return ""
    choose = max if metric in LOWER_IS_BETTER else min
    _, worst = choose(known, key=lambda pair: pair[0])
    named = " and ".join(f"{column} = {value}" for column, value in worst.where.items())
    return f"{named}, {metric} {_measured(worst.metrics[metric], metric)} on {_rows(worst.n)}"


def _measured(found: Measured | None, metric: str) -> str:
    if found is None or not math.isfinite(found.value):
        return "is not known"
    lower = " (lower is better)" if metric in LOWER_IS_BETTER else ""
    return f"{_number(found.value)}{_between(found.interval, 'interval')}{lower}"


def _between(ends: tuple[float, float], what: str, sign: str = "") -> str:
    if not all(map(math.isfinite, ends)):
        return ""
    return f" (95 % {what} {' to '.join(_number(end, sign) for end in ends)})"


def _number(value: float, sign: str = "") -> str:
    return typeset(f"{value:{sign}.4g}")


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
