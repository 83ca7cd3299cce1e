"""Measures how often the search for worse slices errs, and how often it finds a slice that was destroyed.

    python bench/slice_search.py [--draws 1000] [--retrains 100]

Two models score the same drawn rows; their probabilities, or predictions, differ by noise that is alike for
both. Twelve features have slices that overlap: categories of unequal frequency, numbers, booleans. A false
alarm is any slice that is called worse at 5 % (Holm). `as good` are models with the same errors. `as good in
the mean` is hard on a t test: the candidate's errors are all alike and the champion's are skewed. The power
is the share of draws in which the slice that the candidate predicts wrongly is called worse. Slices of fewer
than 30 rows are not tested.

The second table is about retrains that are as good by nature: the steps train champion and candidate on rows
of one population, of which no estimator knows the form. The candidate has fresh rows, or the champion's and a
tenth more.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import special

from found_slices import worse_slices
from job import Array, Features, StepConfig
from train import fit

FEATURES: Final = Features(
    numeric=tuple(f"number {k}" for k in range(5)),
    categorical=tuple(f"category {k}" for k in range(5)),
    boolean=("boolean 0", "boolean 1"),
)
"""Twelve features."""

SHARES: Final = (0.4, 0.3, 0.2, 0.07, 0.03)
"""The shares of the categories of each categorical feature."""

SIZES: Final = (262, 1000, 5000)
"""Numbers of validation rows; 262 is the sample data's."""

Models = Callable[[np.random.Generator, pd.DataFrame], tuple[Array, Array]]
"""Adds the target to rows, and predicts it by the candidate and by the champion."""


def config(task: Any) -> StepConfig:
    classes = ("0", "1") if task == "binary_classification" else ()
    return StepConfig("m", task, "y", classes, FEATURES, "hist_gradient_boosting")


def drawn(generator: np.random.Generator, n: int) -> pd.DataFrame:
    """So many rows of the features, without a target."""
    columns: dict[str, Array] = {name: generator.normal(size=n) for name in FEATURES.numeric}
    names = np.array(list("abcde"), dtype=object)
    columns |= {name: generator.choice(names, n, p=SHARES) for name in FEATURES.categorical}
    columns |= {name: (generator.random(n) < 0.5) * 1.0 for name in FEATURES.boolean}
    return pd.DataFrame(columns | {"handsoff:row": np.arange(n, dtype=np.uint64)})


def classes_as_good(generator: np.random.Generator, rows: pd.DataFrame) -> tuple[Array, Array]:
    odds = 2 * rows["number 0"].to_numpy() + (rows["category 0"] == "a").to_numpy()
    rows["y"] = (generator.random(len(rows)) < special.expit(odds)).astype(np.int64)
    ours, theirs = (special.expit(odds + generator.normal(0, 0.5, len(rows))) for _ in range(2))
    return ours, theirs


def numbers_as_good(generator: np.random.Generator, rows: pd.DataFrame) -> tuple[Array, Array]:
    """The target's noise has the heavy tails of Student's t with 3 degrees of freedom."""
    signal = 2 * rows["number 0"].to_numpy()
    rows["y"] = signal + generator.standard_t(3, len(rows))
    ours, theirs = (signal + generator.normal(0, 0.5, len(rows)) for _ in range(2))
    return ours, theirs


def numbers_as_good_in_the_mean(generator: np.random.Generator, rows: pd.DataFrame) -> tuple[Array, Array]:
    """The candidate is wrong by 0.9 to 1.1, the champion by an exponential number with the mean 1."""
    rows["y"] = np.zeros(len(rows))
    return generator.uniform(0.9, 1.1, len(rows)), generator.exponential(size=len(rows))


def one_category_turned(generator: np.random.Generator, rows: pd.DataFrame) -> tuple[Array, Array]:
    """The probabilities of category d, 7 % of the rows, are those of the other class."""
    ours, theirs = classes_as_good(generator, rows)
    return np.where(rows["category 1"] == "d", 1 - ours, ours), theirs


def one_category_missed(generator: np.random.Generator, rows: pd.DataFrame) -> tuple[Array, Array]:
    """The predictions of category d, 7 % of the rows, are too low by 1.5, the noise's deviation being 1.7."""
    ours, theirs = numbers_as_good(generator, rows)
    return np.where(rows["category 1"] == "d", ours - 1.5, ours), theirs


CASES: Final[dict[str, tuple[str, Models]]] = {
    "false alarms: classes, as good": ("binary_classification", classes_as_good),
    "false alarms: numbers with heavy tails, as good": ("regression", numbers_as_good),
    "false alarms: numbers, as good in the mean": ("regression", numbers_as_good_in_the_mean),
    "power: one category turned round": ("binary_classification", one_category_turned),
    "power: one category predicted too low": ("regression", one_category_missed),
}
"""What is measured: the task, and the models."""


def share(name: str, n: int, draws: int) -> float:
    """The share of draws with a false alarm, or in which the destroyed slice is found."""
    (task, models), generator, hits = CASES[name], np.random.default_rng(1), 0
    for _ in range(draws):
        rows = drawn(generator, n)
        found = worse_slices(config(task), rows, *models(generator, rows))["found_slices"]
        called = {(item["column"], item["value"]) for item in found if item["p_holm"] < 0.05}
        hits += bool(called) if name.startswith("false") else ("category 1", "d") in called
    return hits / draws


RETRAINED: Final = {"logistic regression": "logistic_regression", "boosted trees": "hist_gradient_boosting"}
"""Estimators of the second table."""

TRAINED: Final = 5000
"""Training rows of the champion."""

VALIDATED: Final = (1000, 5000, 20_000)
"""Numbers of validation rows of the second table; fewer rows are the first ones of the largest set."""


def labelled(generator: np.random.Generator, n: int) -> pd.DataFrame:
    """So many rows of a population with a square and an interaction, which no line through them follows."""
    rows = drawn(generator, n)
    first, second, third = (rows[f"number {k}"] for k in range(3))
    odds = 0.8 * first + 0.6 * (second**2 - 1) - 0.4 * third + 0.8 * third * (rows["category 0"] == "a")
    odds += 0.5 * (rows["category 1"] == "b") - 0.5 * rows["boolean 0"]
    rows["y"] = (generator.random(n) < special.expit(odds.to_numpy())).astype(np.int64)
    return rows


def retrains(estimator: str, more: bool, draws: int) -> list[float]:
    """The share of retrains that are called worse on a slice, by VALIDATED."""
    asked = replace(config("binary_classification"), estimator=estimator)
    generator, hits = np.random.default_rng(1), np.zeros(len(VALIDATED))
    for _ in range(draws):
        before = labelled(generator, TRAINED)
        fresh = labelled(generator, TRAINED // 10 if more else TRAINED)
        validation = labelled(generator, VALIDATED[-1])
        theirs, ours = (
            fit(asked, rows[list(FEATURES.names)], rows["y"]).predict_proba(validation)[:, 1]
            for rows in (before, pd.concat([before, fresh]) if more else fresh)
        )
        for place, n in enumerate(VALIDATED):
            found = worse_slices(asked, validation[:n], ours[:n], theirs[:n])["found_slices"]
            hits[place] += any(item["p_holm"] < 0.05 for item in found)
    return [float(share) for share in hits / draws]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--retrains", type=int, default=100)
    given = parser.parse_args()
    print(f"{f'{given.draws} draws':55}" + "".join(f"{f'n = {n:,}':>11}" for n in SIZES))
    for name in CASES:
        shares = "".join(f"{100 * share(name, n, given.draws):10.1f}%" for n in SIZES)
        print(f"{name:55}{shares}", flush=True)
    print("\n" + f"{f'{given.retrains} retrains':55}" + "".join(f"{f'n = {n:,}':>11}" for n in VALIDATED))
    for (name, estimator), more in product(RETRAINED.items(), (False, True)):
        rows = "the same rows plus a tenth" if more else "honest retrain on fresh rows"
        shares = "".join(f"{100 * share:10.1f}%" for share in retrains(estimator, more, given.retrains))
        print(f"{f'{rows}: {name}':55}{shares}", flush=True)


if __name__ == "__main__":
    main()
