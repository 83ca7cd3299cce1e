"""Measures how often the intervals of evaluation.json contain the true value, on known populations.

    python bench/coverage.py [--draws 1000] [--sizes 100 300 1000] [--only binary]

It draws validation sets and scores two models on each, with ModelEvaluation's code and resamples. It counts
how often the two-sided 95 % interval of the candidate's metric contains the true value, and how often the
true difference candidate − champion lies above the lower and below the upper one-sided 95 % bound. Each share
should be 95 %; with 1,000 draws, two standard errors are 1.4. The calibration error has neither interval nor
bounds: probabilities.py says why. True values are measured on 1,000,000 rows. A share more than 2 below is
marked < (too narrow), one more than 2 above is marked > (too wide). It takes three to four minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

import binary
import multiclass
import regression
import resampling
import uncertainty
from job import Array
from scored import Scored

TRUTH_ROWS: Final = 1_000_000
"""Rows on which true values are measured."""

Sample = Callable[[np.random.Generator, int], tuple[Scored, Scored]]
"""Draws so many rows, and scores them by the candidate and by the champion."""


class Population(NamedTuple):
    """A distribution of rows, scored by two models with correlated predictions."""

    name: str
    task: str
    metrics: Sequence[str]
    sample: Sample


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def classes_of_two(intercept: float, slope: float, noise: float, sharpness: float) -> Sample:
    """A logistic target. Each model sees the signal with noise of its own, and is slightly miscalibrated."""

    def sample(generator: np.random.Generator, n: int) -> tuple[Scored, Scored]:
        signal = generator.normal(size=n)
        target = (generator.random(n) < sigmoid(intercept + slope * signal)).astype(np.int64)
        ours, theirs = (
            sigmoid(sharpness * (intercept + slope * (signal + generator.normal(0, noise * more, n))))
            for more in (1.0, 1.3)
        )
        return binary.score(target, ours), binary.score(target, theirs)

    return sample


def three_classes(generator: np.random.Generator, n: int) -> tuple[Scored, Scored]:
    """Classes of 60, 30 and 10 % around three centres."""
    target = generator.choice(3, n, p=[0.6, 0.3, 0.1])
    logits = 2.2 * np.eye(3)[target] + generator.normal(size=(n, 3)) + np.log([0.6, 0.3, 0.1])
    scored = []
    for noise in (0.5, 0.7):
        exponents = np.exp(1.3 * (logits + generator.normal(0, noise, (n, 3))))
        scored.append(multiclass.score(target, exponents / exponents.sum(axis=1, keepdims=True)))
    return scored[0], scored[1]


def amounts(generator: np.random.Generator, n: int) -> tuple[Scored, Scored]:
    """Positive amounts whose errors grow with the amount, as prices' do: a few rows dominate the RMSE."""
    signal = generator.normal(size=n)
    target = 50 + np.exp(3 + 0.5 * signal + generator.normal(0, 0.06, n))
    ours, theirs = (50 + np.exp(3 + 0.5 * signal + generator.normal(0, noise, n)) for noise in (0.15, 0.18))
    return regression.score(target, ours), regression.score(target, theirs)


def measurements(generator: np.random.Generator, n: int) -> tuple[Scored, Scored]:
    """A target with normal noise of constant variance."""
    signal = generator.normal(size=n)
    target = 10 + 2 * signal + generator.normal(0, 0.7, n)
    ours, theirs = (10 + 2 * signal + generator.normal(0, noise, n) for noise in (0.5, 0.6))
    return regression.score(target, ours), regression.score(target, theirs)


POPULATIONS: Final = (
    Population(
        "binary, 40 % positive, AUC 0.85", "binary", binary.METRICS, classes_of_two(-0.5, 2.2, 0.3, 1)
    ),
    Population("binary, 12 % positive, AUC 0.98", "binary", binary.METRICS, classes_of_two(-6, 8, 0.1, 1.2)),
    Population("three classes, 60/30/10 %", "multiclass", multiclass.METRICS, three_classes),
    Population("measurements, normal noise", "regression", regression.METRICS, measurements),
    Population("amounts, skewed", "regression", regression.METRICS, amounts),
)


@cache
def weights(n: int) -> list[Array]:
    """The resamples of `n` rows, drawn once: they are the same for every draw."""
    return list(DRAWN(n))


DRAWN: Final = resampling.resample_weights
"""The project's own function, which `weights` replaces."""


def cover(population: Population, n: int, draws: int) -> dict[str, tuple[float, ...]]:
    """By metric: coverage in % of interval, lower and upper bound; and the number of undefined draws."""
    generator = np.random.default_rng(1)
    true = [item.values() for item in population.sample(np.random.default_rng(2), TRUTH_ROWS)]
    held: dict[str, list[tuple[float, bool, bool]]] = {name: [] for name in population.metrics}
    for _ in range(draws):
        ours, theirs = population.sample(generator, n)
        mine, others = resampling.bootstrap(ours, theirs)
        found = uncertainty.with_intervals(ours, mine)
        gaps = uncertainty.differences(ours, theirs, mine, others)
        for name, outcomes in held.items():
            low, high = found[name]["interval"]
            lower, upper = gaps[name]["bounds"]
            if np.isfinite([lower, upper]).all():
                gap = true[0][name] - true[1][name]
                inside = low <= true[0][name] <= high if np.isfinite([low, high]).all() else np.nan
                outcomes.append((inside, lower <= gap, gap <= upper))
    nothing = [(np.nan, np.nan, np.nan)]
    shares = {name: np.mean(outcomes or nothing, axis=0) * 100 for name, outcomes in held.items()}
    return {name: (*map(float, share), float(draws - len(held[name]))) for name, share in shares.items()}


def shown(percent: float) -> str:
    if np.isnan(percent):
        return f"{'none':>6} "
    return f"{percent:6.1f}{'<' if percent < 93 else '>' if percent > 97 else ' '}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--only", default="", help="a task: binary, multiclass, regression")
    given = parser.parse_args()
    resampling.resample_weights = weights  # type: ignore[assignment]
    print(f"{given.draws} draws; interval, lower bound, upper bound (target 95 ± 2)")
    for population in POPULATIONS:
        if given.only not in population.task:
            continue
        started = time.perf_counter()
        found: dict[int, Any] = {n: cover(population, n, given.draws) for n in given.sizes}
        print(f"\n{population.name} ({time.perf_counter() - started:.0f} s)")
        print(f"{'':28}" + "".join(f"{f'n = {n}':^26}" for n in given.sizes))
        for name in population.metrics:
            cells = "".join(
                "".join(shown(value) for value in found[n][name][:3])
                + f"{f'({found[n][name][3]:.0f})' if found[n][name][3] else '':5}"
                for n in given.sizes
            )
            print(f"{name:28}{cells}", flush=True)


if __name__ == "__main__":
    main()
