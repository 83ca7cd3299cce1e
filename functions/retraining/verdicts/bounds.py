"""Gains of the candidate over another model, and the one-sided bounds that rules ask about.

A gain is positive if the candidate is better, whichever direction of the metric is better.
docs/reference/rules.md has the formulas and how often they err.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from retraining.config.tasks import LOWER_IS_BETTER
from retraining.verdicts.evaluation import Difference, Measured
from retraining.verdicts.verdict import Outcome


def gain(metric: str, difference: Difference) -> float:
    """How much better the candidate is, in units of the metric."""
    return -difference.value if metric in LOWER_IS_BETTER else difference.value


def bounds(gained: float, error: float, confidence: float, freedom: float) -> tuple[float, float]:
    """The one-sided lower and upper bound of a gain: gain ∓ t(confidence) · standard error."""
    half = quantile(confidence, freedom) * error
    return gained - half, gained + half


def answer(low: float, high: float, at_least: float) -> Outcome:
    """Whether a value is `at_least` this much, by its one-sided bounds.

    It is if the lower bound says so, it is not if the upper bound says so; else the interval contains the
    limit, and it is undecided.
    """
    if low >= at_least:
        return "pass"
    return "fail" if high < at_least else "undecided"


def quantile(confidence: float, freedom: float) -> float:
    """Student's t quantile at this confidence; the normal quantile if `freedom` is NaN.

    It is expanded from the normal quantile by Abramowitz and Stegun's series (26.7.5). At 9 degrees of
    freedom and 99 % it gives 2.820 instead of 2.821.
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


def relative_error(
    metric: str, margin: float, ours: Measured, theirs: Measured, difference: Difference
) -> float:
    """The standard error of candidate − k · champion, where k · champion is what the candidate must reach.

    `margin` is the share of |champion| that must be gained; it is negative for a share that may be lost.
    The variances of both estimates and of their difference give it, as they contain the covariance:
    Var(a − k·c) = (1 − k) · Var(a) + (k² − k) · Var(c) + k · Var(a − c). NaN if it is undefined.
    """
    better = -1.0 if metric in LOWER_IS_BETTER else 1.0
    k = 1 + better * margin * math.copysign(1.0, theirs.value) * (theirs.value != 0)
    variance = (
        (1 - k) * ours.standard_deviation * ours.standard_deviation  # ** raises OverflowError for huge values
        + (k * k - k) * theirs.standard_deviation * theirs.standard_deviation
        + k * difference.standard_error * difference.standard_error
    )
    return math.sqrt(variance) if variance >= 0 else math.nan
