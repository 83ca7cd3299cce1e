"""The calibration slope of probabilities: whether they are too extreme, or not extreme enough."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import special

from job import Array
from scored import Slope

CLIP: Final = 1e-6
"""Distance from 0 and 1 that a probability keeps, because the logit of either is infinite."""

STEPS: Final = 50
"""Steps of Newton's method at most; it needs fewer than ten where the slope exists."""

CONVERGED: Final = 1e-9
"""The size of a step below which Newton's method has ended."""


def calibration_slope(target: Array, probability: Array) -> Slope:
    """The slope of a logistic regression of n targets of 0 or 1 on the logits of probabilities (Cox 1958).

    1 is calibrated. Below 1, the probabilities are too extreme, as those of a model that fits chance are;
    above 1, not extreme enough. The parts are the rows' scores, times the inverse of the information matrix
    (White 1982). The slope is undefined if all probabilities are equal, and if they separate the classes.
    """
    undefined = Slope(math.nan, np.full(len(target), math.nan))
    logits = special.logit(np.clip(probability, CLIP, 1 - CLIP))
    if len(np.unique(target)) < 2 or np.ptp(logits) == 0:
        return undefined
    middle, scale = logits.mean(), logits.std()
    inputs = np.column_stack([np.ones(len(target)), (logits - middle) / scale])
    weights = np.zeros(2)
    for _ in range(STEPS):
        expected = special.expit(inputs @ weights)
        information = inputs.T @ (inputs * (expected * (1 - expected))[:, None])
        scores = inputs * (target - expected)[:, None]
        if np.linalg.cond(information) > 1 / np.finfo(float).eps:
            return undefined
        step = np.linalg.solve(information, scores.sum(axis=0))
        weights = weights + step
        if np.abs(step).max() < CONVERGED:
            parts = np.linalg.solve(information, scores.T)[1] / scale
            return Slope(float(weights[1] / scale), parts)
    return undefined
