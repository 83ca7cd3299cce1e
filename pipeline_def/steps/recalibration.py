"""The calibration slope of probabilities: whether they are too extreme, or not extreme enough."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import special

from clusters import deviation_of, dot
from job import Array
from scored import Alone, Interval

CLIP: Final = 1e-6
"""Distance from 0 and 1 that a probability keeps, because the logit of either is infinite."""

STEPS: Final = 50
"""Steps of Newton's method at most; it needs fewer than ten where the slope exists."""

CONVERGED: Final = 1e-9
"""The size of a step below which Newton's method has ended."""


def calibration_slope(target: Array, probability: Array, clusters: Array | None = None) -> Alone:
    """The slope of a logistic regression of n targets of 0 or 1 on the logits of probabilities (Cox 1958).

    1 is calibrated. Below 1, the probabilities are too extreme, as those of a model that fits chance are;
    above 1, not extreme enough. The deviation is the robust one (White 1982), the interval Student's. The
    slope is undefined if all probabilities are equal, and if they separate the classes.
    """
    value, parts = slope_and_parts(target, probability)
    deviation = deviation_of(parts, clusters)
    freedom = (len(target) if clusters is None else int(clusters.max()) + 1) - 1

    def ends(confidence: float) -> Interval:
        half = float(special.stdtrit(freedom, confidence)) * deviation
        return (value - half, value + half)

    return Alone(value, deviation, ends, "best at 1")


def slope_and_parts(target: Array, probability: Array) -> tuple[float, Array]:
    """The slope, and the influence of each row on it, divided by n: its score, times the inverse of the
    information matrix. NaN where the slope is undefined."""
    logits = np.clip(probability, CLIP, 1 - CLIP, dtype=float)
    special.logit(logits, out=logits)
    if not len(target) or target.min() == target.max() or np.ptp(logits) == 0:
        return undefined(len(target))
    middle, scale = logits.mean(), logits.std()
    logits -= middle
    logits /= scale
    constant, slope = 0.0, 0.0
    expected = np.empty(len(target))  # these two serve all steps
    spare = np.empty(len(target))
    for _ in range(STEPS):
        np.multiply(slope, logits, out=expected)
        expected += constant
        special.expit(expected, out=expected)
        residuals = np.subtract(target, expected, out=spare)
        gradient = [residuals.sum(), dot(residuals, logits)]
        weights = np.subtract(1, expected, out=spare)
        weights *= expected
        total, cross = weights.sum(), dot(weights, logits)
        weights *= logits
        information = np.array([[total, cross], [cross, dot(weights, logits)]])
        if np.linalg.cond(information) > 1 / np.finfo(float).eps:
            return undefined(len(target))
        step = np.linalg.solve(information, gradient)
        constant, slope = constant + step[0], slope + step[1]
        if np.abs(step).max() < CONVERGED:
            inverse = np.linalg.inv(information)[1] / scale
            logits *= inverse[1]
            logits += inverse[0]
            logits *= np.subtract(target, expected, out=spare)
            return float(slope / scale), logits
    return undefined(len(target))


def undefined(n: int) -> tuple[float, Array]:
    """The slope and the influences of n rows where no slope is defined."""
    return math.nan, np.full(n, math.nan)
