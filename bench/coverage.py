"""Measures how often the intervals of evaluation.json contain the true value, on known populations.

    python bench/coverage.py [--draws 1000] [--sizes 30 100 300 1000] [--only binary]

It draws validation sets and scores two models on each, with ModelEvaluation's code. It counts
how often the two-sided 95 % interval of the candidate's metric contains the true value, how often the true
value lies above the metric's lower and below its upper one-sided 95 % bound, and how often the true
difference candidate − champion lies above the lower and below the upper one-sided 95 % bound. Each share
should be 95 %; with 1,000 draws, two standard errors are 1.4. The calibration error has neither interval nor
bounds: probabilities.py says why. The calibration slope is not compared. A share more than 2 below has a <
(too narrow), one more than 2 above a > (too wide). A number in brackets counts draws that are left
out, because the metric is undefined, or because a rule would hold the candidate: fewer than ten clusters of a
class, or of a predicted class for precision.

A size is a number of clusters: of single rows, of groups of four rows, or of rows that are each there three
times. Rows of one group share half of the variance of everything that is random about them. True values are
measured on TRUTH_CLUSTERS.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import special

import binary
import multiclass
import regression
import uncertainty
from clusters import count
from job import Array
from retraining.config.rules import CLASS_ROWS
from retraining.config.tasks import NO_CLASS_COUNTS
from scored import Scored

TRUTH_CLUSTERS: Final = 1_000_000
"""Clusters on which true values are measured; a quarter of it of groups of four."""

GROUP: Final = 4
"""Rows of a group."""

Sample = Callable[[np.random.Generator, int, str], tuple[Scored, Scored]]
"""Draws so many clusters of a kind, and scores their rows by the candidate and by the champion."""

FOURS: Final = ", groups of four"
"""What a title says of groups of rows that are alike."""

THRICE: Final = ", each row three times"
"""What a title says of copied rows."""

KINDS: Final = {"": 1, FOURS: GROUP, THRICE: 3}
"""How rows depend on each other, and the rows of a cluster."""


class Population(NamedTuple):
    """A distribution of rows, scored by two models with correlated predictions."""

    name: str
    task: str
    metrics: Sequence[str]
    sample: Sample


class Rows:
    """Random numbers of clusters: single rows, groups of four that are alike, or each row three times."""

    def __init__(self, generator: np.random.Generator, clusters: int, kind: str) -> None:
        self.generator, self.clusters, self.kind = generator, clusters, kind
        self.ids = np.repeat(np.arange(clusters, dtype=np.uint64), KINDS[kind]) if kind else None

    def normal(self, columns: int | None = None) -> Array:
        """Standard normal numbers, rows x columns. Those of a group correlate at 0.5."""
        shape = (self.clusters,) if columns is None else (self.clusters, columns)
        shared = self.generator.standard_normal(shape)
        if self.kind != FOURS:
            return np.repeat(shared, KINDS[self.kind], axis=0)
        own = self.generator.standard_normal((shape[0] * GROUP, *shape[1:]))
        return np.asarray(np.sqrt(0.5) * (np.repeat(shared, GROUP, axis=0) + own))

    def uniform(self) -> Array:
        """Numbers between 0 and 1, with the same dependence."""
        return np.asarray(special.ndtr(self.normal()))


def classes_of_two(intercept: float, slope: float, noise: float, sharpness: float) -> Sample:
    """A logistic target. Each model sees the signal with noise of its own, and is slightly miscalibrated."""

    def sample(generator: np.random.Generator, clusters: int, kind: str) -> tuple[Scored, Scored]:
        rows = Rows(generator, clusters, kind)
        signal = rows.normal()
        target = (rows.uniform() < special.expit(intercept + slope * signal)).astype(np.int64)
        ours, theirs = (
            special.expit(sharpness * (intercept + slope * (signal + noise * more * rows.normal())))
            for more in (1.0, 1.3)
        )
        return binary.score(target, ours, rows.ids), binary.score(target, theirs, rows.ids)

    return sample


def three_classes(generator: np.random.Generator, clusters: int, kind: str) -> tuple[Scored, Scored]:
    """Classes of 60, 30 and 10 % around three centres."""
    rows = Rows(generator, clusters, kind)
    target = np.searchsorted([0.6, 0.9], rows.uniform())
    logits = 2.2 * np.eye(3)[target] + rows.normal(3) + np.log([0.6, 0.3, 0.1])
    scored = []
    for noise in (0.5, 0.7):
        exponents = np.exp(1.3 * (logits + noise * rows.normal(3)))
        probability = exponents / exponents.sum(axis=1, keepdims=True)
        scored.append(multiclass.score(target, probability, rows.ids))
    return scored[0], scored[1]


def amounts(generator: np.random.Generator, clusters: int, kind: str) -> tuple[Scored, Scored]:
    """Positive amounts whose errors grow with the amount, as prices' do: a few rows dominate the RMSE."""
    rows = Rows(generator, clusters, kind)
    signal = rows.normal()
    target = 50 + np.exp(3 + 0.5 * signal + 0.06 * rows.normal())
    ours, theirs = (50 + np.exp(3 + 0.5 * signal + noise * rows.normal()) for noise in (0.15, 0.18))
    return regression.score(target, ours, rows.ids), regression.score(target, theirs, rows.ids)


def measurements(generator: np.random.Generator, clusters: int, kind: str) -> tuple[Scored, Scored]:
    """A target with normal noise of constant variance."""
    rows = Rows(generator, clusters, kind)
    signal = rows.normal()
    target = 10 + 2 * signal + 0.7 * rows.normal()
    ours, theirs = (10 + 2 * signal + noise * rows.normal() for noise in (0.5, 0.6))
    return regression.score(target, ours, rows.ids), regression.score(target, theirs, rows.ids)


def heavy_tails(generator: np.random.Generator, clusters: int, kind: str) -> tuple[Scored, Scored]:
    """Residuals with Student's t of 3 degrees of freedom: the variance of their squares is infinite."""
    rows = Rows(generator, clusters, kind)
    signal, residual = rows.normal(), special.stdtrit(3, rows.uniform())
    target = 100 + 2 * signal + residual
    ours, theirs = (100 + 2 * signal + noise * rows.normal() for noise in (0.5, 0.6))
    return regression.score(target, ours, rows.ids), regression.score(target, theirs, rows.ids)


POPULATIONS: Final = (
    Population(
        "binary, 40 % positive, AUC 0.85", "binary", binary.METRICS, classes_of_two(-0.5, 2.2, 0.3, 1)
    ),
    Population("binary, 12 % positive, AUC 0.98", "binary", binary.METRICS, classes_of_two(-6, 8, 0.1, 1.2)),
    Population("three classes, 60/30/10 %", "multiclass", multiclass.METRICS, three_classes),
    Population("measurements, normal noise", "regression", regression.METRICS, measurements),
    Population("amounts, skewed", "regression", regression.METRICS, amounts),
    Population("residuals with heavy tails", "regression", regression.METRICS, heavy_tails),
)


def cover(population: Population, kind: str, n: int, draws: int) -> dict[str, tuple[float, ...]]:
    """By metric: coverage in % of interval, of both bounds of the value, and of both of the difference.

    The last number counts the draws in which the metric is undefined or has too few rows for a rule.
    """
    generator = np.random.default_rng(1)
    truth = TRUTH_CLUSTERS // KINDS[kind] if kind == FOURS else TRUTH_CLUSTERS
    plain = "" if kind == THRICE else kind  # the same distribution of rows
    true = [item.values() for item in population.sample(np.random.default_rng(2), truth, plain)]
    held: dict[str, list[tuple[float, ...]]] = {name: [] for name in population.metrics}
    for _ in range(draws):
        ours, theirs = population.sample(generator, n, kind)
        found = uncertainty.measured(ours)
        gaps = uncertainty.differences(ours, theirs)
        for name, outcomes in held.items():
            if not judged(name, ours, theirs):
                continue
            value, gap = true[0][name], true[0][name] - true[1][name]
            ends = [found[name]["interval"], found[name]["bounds"].get("0.95", [np.nan] * 2)]
            held_by = [*inside(value, ends[0], both=True), *inside(value, ends[1], both=False)]
            held_by += inside(gap, gaps[name]["bounds"], both=False)
            if np.isfinite(held_by).any():
                outcomes.append(tuple(held_by))
    nothing = [(np.nan,) * 5]
    shares = {name: np.mean(outcomes or nothing, axis=0) * 100 for name, outcomes in held.items()}
    return {name: (*map(float, share), float(draws - len(held[name]))) for name, share in shares.items()}


def judged(metric: str, *scored: Scored) -> bool:
    """Whether a rule on the metric has enough clusters of each class to be judged."""
    if metric in NO_CLASS_COUNTS or not (labels := scored[0].labels):
        return True
    columns = [labels.target]
    if metric == "precision":
        columns += [item.labels.predicted for item in scored if item.labels]
    return all(
        count(scored[0].clusters, column == name) >= CLASS_ROWS
        for column in columns
        for name in range(labels.classes)
    )


def inside(value: float, ends: Sequence[float], *, both: bool) -> list[float]:
    """Whether the value is between both ends, or above the lower and below the upper; NaN if undefined."""
    low, high = ends
    if not np.isfinite([low, high]).all():
        return [np.nan] if both else [np.nan, np.nan]
    return [float(low <= value <= high)] if both else [float(low <= value), float(value <= high)]


def shown(percent: float) -> str:
    if np.isnan(percent):
        return f"{'none':>6} "
    return f"{percent:6.1f}{'<' if percent < 93 else '>' if percent > 97 else ' '}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[30, 100, 300, 1000])
    parser.add_argument("--only", default="", help="words of a population's name: binary, groups, heavy")
    given = parser.parse_args()
    print(f"{given.draws} draws; interval, lower and upper bound of the value, and of the difference")
    for population, kind in product(POPULATIONS, KINDS):
        title = population.name + kind
        if given.only not in f"{population.task} {title}":
            continue
        started = time.perf_counter()
        found: dict[int, Any] = {n: cover(population, kind, n, given.draws) for n in given.sizes}
        print(f"\n{title} ({time.perf_counter() - started:.0f} s)")
        print(f"{'':28}" + "".join(f"{f'n = {n}':^40}" for n in given.sizes))
        for name in population.metrics:
            cells = "".join(
                "".join(shown(value) for value in found[n][name][:5])
                + f"{f'({found[n][name][5]:.0f})' if found[n][name][5] else '':5}"
                for n in given.sizes
            )
            print(f"{name:28}{cells}", flush=True)


if __name__ == "__main__":
    main()
