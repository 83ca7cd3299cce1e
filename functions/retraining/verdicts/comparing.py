"""The candidate compared with another model on the same rows: the paired gain against a rule's margins."""

from __future__ import annotations

import math
from typing import NamedTuple

from retraining.config.rules import VersusChampion
from retraining.config.tasks import LOWER_IS_BETTER
from retraining.verdicts.bounds import answer, bounds, gain, relative_error
from retraining.verdicts.evaluation import Paired
from retraining.verdicts.verdict import LEAP, Finding, Outcome
from retraining.verdicts.wording import number, percent, typeset


class _Gain(NamedTuple):
    """Both models in one metric: their values, the gain, its one-sided bounds and its standard error."""

    ours: float
    theirs: float
    gain: float
    low: float
    high: float
    error: float


def findings(
    label: str,
    metric: str,
    asked: VersusChampion,
    paired: Paired,
    *,
    other: str = "champion",
    rows: str,
    sure: float | None = None,
) -> list[Finding]:
    """The answer to each margin that is asked for. `other` names the other model, `rows` the rows.

    `sure` is the confidence of a gain, which takes the lower bound; that of the rule if it is None.
    """
    found = []
    if asked.asks is not None:
        lower = sure or asked.confidence
        found.append(_bounded(label, metric, asked, paired, other=other, rows=rows, sure=lower))
    if asked.max_gain is not None:
        found.append(_leap(label, metric, asked, paired, other=other, rows=rows))
    return found


def _bounded(
    label: str, metric: str, asked: VersusChampion, paired: Paired, *, other: str, rows: str, sure: float
) -> Finding:
    """The one-sided bounds of the paired gain against `max_loss` or `min_gain`."""
    question, margin = asked.asks or ("max_loss", 0.0)
    share = margin if question == "min_gain" else 0.0 - margin  # -margin of 0 is −0
    found = _measured(metric, asked, paired, share, sure)
    if found is None or not math.isfinite(found.low + found.high):
        numbers = f"{label}: the difference to the {other} is undefined"
        return Finding.of(question, "unknown", numbers, n=paired.n)
    needed = share * abs(found.theirs) if asked.relative else share
    outcome = answer(found.low, found.high, needed)
    if question == "min_gain" and found.high <= 0:
        outcome = "fail"  # with min_gain 0, two models that are the same are no gain
    bound = f"lower {percent(sure)} bound {number(found.low, needed, '+')}"
    if outcome != "pass":
        other_confidence = "" if sure == asked.confidence else f"{percent(asked.confidence)} bound "
        bound += f", upper {other_confidence}{number(found.high, needed, '+')}"
    numbers = (
        f"{label}: {_values(metric, found, other)} = {typeset(f'{found.gain:+.4g}')}, {bound}, "
        f"needs ≥ {typeset(f'{needed:+.4g}')}{_share(share, asked, other)} on {rows}"
    )
    return Finding.of(
        question,
        outcome,
        numbers,
        n=paired.n,
        observed=found.low,
        limit=needed,
        estimate=found.gain,
        bounds=(found.low, found.high),
        standard_error=found.error,
    )


def _leap(
    label: str, metric: str, asked: VersusChampion, paired: Paired, *, other: str, rows: str
) -> Finding:
    """The measured gain against `max_gain`: the estimate, as the question is what was measured."""
    share = asked.max_gain or 0.0
    found = _measured(metric, asked, paired, None, asked.confidence)
    if found is None:
        numbers = f"{label}: the difference to the {other} is undefined"
        return Finding.of("max_gain", "unknown", numbers, n=paired.n)
    limit = share * abs(found.theirs) if asked.relative else share
    outcome: Outcome = "pass" if found.gain <= limit else "fail"
    numbers = (
        f"{label}: {_values(metric, found, other)} = {number(found.gain, limit, '+')}, "
        f"needs ≤ {typeset(f'{limit:+.4g}')}{_share(share, asked, other)} on {rows}"
    )
    conclusion = None if outcome == "pass" else LEAP
    return Finding.of("max_gain", outcome, numbers, conclusion, n=paired.n, observed=found.gain, limit=limit)


def _measured(
    metric: str, asked: VersusChampion, paired: Paired, share: float | None, sure: float
) -> _Gain | None:
    """The numbers of the comparison; None if one is missing or undefined.

    `share` is the margin of a bound, negative for one that may be lost. Without it there are no bounds.
    `sure` is the confidence of the lower one.
    """
    ours, theirs = paired.candidate.get(metric), paired.champion.get(metric)
    difference = paired.differences.get(metric)
    if difference is None or ours is None or theirs is None or not math.isfinite(ours.value + theirs.value):
        return None
    gained = gain(metric, difference)
    if not math.isfinite(gained):
        return None
    if share is None:
        return _Gain(ours.value, theirs.value, gained, math.nan, math.nan, math.nan)
    error = difference.standard_error
    if asked.relative:
        error = relative_error(metric, share, ours, theirs, difference)
    if not math.isfinite(error) or error < 0:
        return None
    (low, _), (_, high) = (
        bounds(gained, error, confidence, difference.freedom) for confidence in (sure, asked.confidence)
    )
    return _Gain(ours.value, theirs.value, gained, low, high, error)


def _values(metric: str, found: _Gain, other: str) -> str:
    """Both values in the order in which their difference is the gain."""
    names = (("candidate", found.ours), (other, found.theirs))
    (first, a), (second, b) = names[::-1] if metric in LOWER_IS_BETTER else names
    return f"{first} {typeset(f'{a:.4g}')} − {second} {typeset(f'{b:.4g}')}"


def _share(share: float, asked: VersusChampion, other: str) -> str:
    """That the margin is a share of the other model's value."""
    return f" ({100 * abs(share):g} % of the {other}'s)" if asked.relative else ""
