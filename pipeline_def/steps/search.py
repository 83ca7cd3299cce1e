"""Searches for hyperparameters: settings drawn at random, each measured by cross-validation.

scikit-learn's own classes draw the settings, divide the training rows and score. Its RandomizedSearchCV has
no limit in time, and does not know what else of the pipeline follows from a setting; so the loop is here.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import loguniform, randint, uniform
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, KFold, ParameterSampler, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline

from dates import with_parts
from job import Array, DataProblem, Json, Search, StepConfig
from reasons import reason_of

SEED: Final = 0
"""The seed of settings and folds: the same rows are asked the same."""

SCORERS: Final[Mapping[str, str]] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "f1_macro": "f1_macro",
    "f1_weighted": "f1_weighted",
    "roc_auc": "roc_auc",
    "roc_auc_ovr": "roc_auc_ovr",
    "average_precision": "average_precision",
    "log_loss": "neg_log_loss",
    "brier": "neg_brier_score",
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "median_absolute_error": "neg_median_absolute_error",
    "mape": "neg_mean_absolute_percentage_error",
    "r2": "r2",
}
"""scikit-learn's scorer of each metric. A name that begins with neg_ is of a loss, with its sign changed."""

Fit = Callable[[StepConfig, pd.DataFrame, pd.Series, pd.Series | None], Pipeline]
"""Fits the pipeline of a config to rows, with their weights."""


def search(
    config: StepConfig,
    asked: Search,
    features: pd.DataFrame,
    target: pd.Series,
    weights: pd.Series | None,
    clusters: Array,
    fit: Fit,
) -> Json:
    """What was tried and chosen: search.json. `clusters` says which rows are in one fold.

    `tried` are the settings in their order, with the mean and the standard deviation of the metric over the
    folds; None where it is undefined. The first are those of the config. `chosen` is the number of the best,
    from 0, and `hyperparameters` its settings. `ended` is `all` or `max_time`.
    """
    started = time.monotonic()
    folds = divided(config, asked.folds, target, clusters)

    def measure(values: Mapping[str, Any]) -> list[float]:
        tuned = replace(config, hyperparameters=values)
        return measured(tuned, asked, features, target, weights, folds, fit)

    tried, ended = try_settings(config, asked, measure, started)
    chosen = best(tried, lower=SCORERS[asked.metric].startswith("neg_"))
    return {
        "metric": asked.metric,
        "folds": len(folds),
        "candidates": asked.candidates,
        "ended": ended,
        "seconds": round(time.monotonic() - started, 2),
        "chosen": chosen,
        "hyperparameters": tried[chosen]["hyperparameters"],
        "tried": tried,
    }


def try_settings(
    config: StepConfig, asked: Search, measure: Callable[[Mapping[str, Any]], list[float]], started: float
) -> tuple[list[Json], str]:
    """Measure settings one after the other: what was tried, and how it ended, `all` or `max_time`.

    `measure` gives the metric of settings in each fold. `started` is the time on time.monotonic from which
    `max_time` counts. The longest measurement so far must fit into the time left.
    """
    longest = 0.0
    tried: list[Json] = []
    for given in settings(asked):
        begun = time.monotonic()
        if tried and begun - started + longest > asked.max_seconds:
            return tried, "max_time"
        values = {**config.hyperparameters, **given}
        scores = measure(values)
        seconds = time.monotonic() - begun
        longest = max(longest, seconds)
        tried.append({"hyperparameters": values, **summary(scores), "seconds": round(seconds, 2)})
        print(f"search {len(tried)} of {asked.candidates}: {told(tried[-1], asked.metric)}", flush=True)
    return tried, "all"


def settings(asked: Search) -> Iterator[Json]:
    """The settings to try: none beyond the config's, then those that are drawn."""
    yield {}
    distributions = {name: distribution(values) for name, values in asked.parameters.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a list has fewer settings than are asked for
        for drawn in ParameterSampler(distributions, asked.candidates - 1, random_state=SEED):
            yield {
                name: value.item() if isinstance(value, np.generic) else value
                for name, value in drawn.items()
            }


def distribution(values: Any) -> Any:
    """A list of values as it is, a range as a distribution that is drawn from."""
    if not isinstance(values, Mapping):
        return list(values)
    low, high = values["low"], values["high"]
    whole = isinstance(low, int) and isinstance(high, int)
    if values.get("log"):
        return WholeNumbers(loguniform(low, high + 1)) if whole else loguniform(low, high)
    return randint(low, high + 1) if whole else uniform(low, high - low)


class WholeNumbers:
    """A distribution whose draws are rounded down."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def rvs(self, random_state: Any = None) -> int:
        """A draw."""
        return int(self._inner.rvs(random_state=random_state))


def divided(config: StepConfig, folds: int, target: pd.Series, clusters: Array) -> list[tuple[Array, Array]]:
    """The rows of train and of test, of each fold. Rows of one cluster are in one fold.

    Classes have about the same share in each. There are at most as many folds as clusters, or as rows of the
    most frequent class. Raises DataProblem if these are fewer than two.
    """
    count = len(np.unique(clusters))
    largest = int(target.value_counts().max()) if config.classes else count
    folds = min(folds, count, largest)
    if folds < 2:
        few = "groups" if count < 2 <= len(clusters) else "rows"
        raise DataProblem(
            "training.search compares settings by cross-validation, and the training rows have too few "
            f"{few} for it: land more, or remove training.search"
        )
    if config.classes:
        grouped: Any = StratifiedGroupKFold(folds, shuffle=True, random_state=SEED)
        single: Any = StratifiedKFold(folds, shuffle=True, random_state=SEED)
    else:
        grouped = GroupKFold(folds, shuffle=True, random_state=SEED)
        single = KFold(folds, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class has fewer rows than there are folds
        if count == len(clusters):
            return list(single.split(target, target))
        return list(grouped.split(target, target, clusters))


def measured(
    config: StepConfig,
    asked: Search,
    features: pd.DataFrame,
    target: pd.Series,
    weights: pd.Series | None,
    folds: list[tuple[Array, Array]],
    fit: Fit,
) -> list[float]:
    """The metric of each fold; NaN where the settings cannot be fitted, or the metric is undefined."""
    scorer, sign = get_scorer(SCORERS[asked.metric]), -1 if SCORERS[asked.metric].startswith("neg_") else 1
    found = []
    for train, test in folds:
        tested = with_parts(features.iloc[test], config.features.date)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # no convergence; a metric that is undefined is NaN
                fitted = fit(config, features.iloc[train], target.iloc[train], _some(weights, train))
                found.append(sign * float(scorer(fitted, tested, target.iloc[test])))
        except (ValueError, DataProblem) as error:
            told = error if config.show_values else reason_of(error)
            print(f"  not measured: {told}", flush=True)
            return [math.nan]
    return found


def _some(weights: pd.Series | None, rows: Array) -> pd.Series | None:
    return None if weights is None else weights.iloc[rows]


def summary(scores: list[float]) -> Json:
    """The mean and the standard deviation over the folds; None where one of them is undefined."""
    if not all(map(math.isfinite, scores)):
        return {"mean": None, "standard_deviation": None}
    return {"mean": float(np.mean(scores)), "standard_deviation": float(np.std(scores))}


def best(tried: list[Json], *, lower: bool) -> int:
    """The number of the best settings: the first of equal ones, and the config's if none has a mean."""
    means = [(-1 if lower else 1) * item["mean"] if item["mean"] is not None else -math.inf for item in tried]
    return int(np.argmax(means))


def told(item: Json, metric: str) -> str:
    """Settings and what they measured, in a few words."""
    values = ", ".join(f"{name} {value_text(value)}" for name, value in item["hyperparameters"].items())
    if item["mean"] is None:
        return f"{values or 'defaults'}: {metric} is undefined"
    return f"{values or 'defaults'}: {metric} {item['mean']:.4f} ± {item['standard_deviation']:.4f}"


def value_text(value: object) -> str:
    """A value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def search_notes(found: Json | None) -> list[str]:
    """What approvers should know of a search: how many settings were tried, and which were chosen."""
    if found is None:
        return []
    tried = found["tried"]
    text = f"{len(tried)} of {found['candidates']} settings were tried over {found['folds']} folds"
    if found["ended"] == "max_time":
        text += ", until max_time had passed"
    text += f"; chosen: {told(tried[found['chosen']], found['metric'])}"
    if found["chosen"]:
        text += f"; as configured: {told(tried[0], found['metric'])}"
    return [text]
