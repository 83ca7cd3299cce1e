"""Whether metrics agree with each other, with their intervals, and with SageMaker's part. Pure.

docs/reference/rules.md has the formulas of the metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from retraining.config.tasks import METRICS, Task
from retraining.verdicts.bounds import quantile
from retraining.verdicts.consistency.sentences import alike, at_most, counted, same, within
from retraining.verdicts.evaluation import Difference, Measured

SAGEMAKER: Final[Mapping[str, str]] = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "true_positive_rate": "recall",
    "f1": "f1",
    "auc": "roc_auc",
    "au_prc": "average_precision",
    "weighted_recall": "accuracy",
    "weighted_f1": "f1_weighted",
    "mae": "mae",
    "rmse": "rmse",
    "r2": "r2",
}
"""Names in SageMaker's model-quality format, and the metric here that is the same."""

SHARES: Final = ("accuracy", "precision", "recall")
"""Metrics of two classes that are shares of rows: of all, of those predicted positive, of the positive."""

SAME_AS_INTERVAL: Final = "0.975"
"""The confidence of the one-sided bounds that are the two-sided 95 % interval."""

RELIABLE_FREEDOM: Final = 5.0
"""Degrees of freedom from which `quantile` is exact enough to check a bound with it."""

BOUND_TOLERANCE: Final = 0.005
"""The relative error that `quantile` may have at RELIABLE_FREEDOM."""

Metrics = Mapping[str, Measured]


def of_rows(path: str, task: Task, n: int, metrics: Metrics, *, independent: bool = False) -> Iterator[str]:
    """What is wrong with the metrics of one model on `n` rows. `independent`: none depends on another."""
    for name, item in metrics.items():
        lowest, highest = METRICS[task].get(name, (-math.inf, math.inf))
        yield from within(f"{path}.{name}.value", item.value, lowest, highest)
        yield from _doubt(f"{path}.{name}", item)
    values = {name: item.value for name, item in metrics.items()}
    if "accuracy" in values and not math.isnan(metrics["accuracy"].standard_deviation):
        yield from counted(f"{path}.accuracy.value", values["accuracy"], n, "the number of rows")
    for name in SHARES if task == "binary_classification" and independent else ():
        if name in metrics:
            yield from _of_a_share(f"{path}.{name}", metrics[name], n)
    yield from at_most(f"{path}.mae.value", values.get("mae"), values.get("rmse"), "rmse")
    precision, recall = values.get("precision", math.nan), values.get("recall", math.nan)
    if precision + recall > 0 and "f1" in values:
        f1 = 2 * precision * recall / (precision + recall)
        yield from same(f"{path}.f1.value", values["f1"], f1, "the harmonic mean of precision and recall")


def _of_a_share(path: str, item: Measured, n: int) -> Iterator[str]:
    """That value and standard deviation are not those of a whole number of hits in at most `n` rows."""
    value, deviation = item.value, item.standard_deviation
    if not 0 < value < 1 or math.isnan(deviation):
        return
    rows = value * (1 - value) / (deviation * deviation) if deviation else math.inf
    whole = math.isclose(rows, round(rows), rel_tol=1e-6) if rows <= n + 0.5 else False
    if not whole or not math.isclose(value * rows, round(value * rows), rel_tol=1e-6):
        yield (
            f"{path}.value is {value:.7g} and its standard_deviation {deviation:.7g}, which no number of "
            f"hits in up to {n} rows gives"
        )


def _doubt(path: str, item: Measured) -> Iterator[str]:
    """What is wrong with a metric's standard deviation, interval and bounds."""
    if item.standard_deviation < 0:
        yield f"{path}.standard_deviation is {item.standard_deviation:g}, but none is below 0"
    yield from _holds(f"{path}.interval", item.value, item.interval)
    levels = sorted(item.bounds, key=float)
    for level in levels:
        yield from _holds(f"{path}.bounds.{level}", item.value, item.bounds[level])
    for place, end in enumerate(item.bounds.get(SAME_AS_INTERVAL, ())):
        what = f"that of bounds.{SAME_AS_INTERVAL}"
        yield from same(f"{path}.interval[{place}]", item.interval[place], end, what, abs(item.value))
    for narrow, wide in pairwise(levels):
        (low, high), (lower, higher) = item.bounds[narrow], item.bounds[wide]
        if (lower > low and not alike(lower, low)) or (higher < high and not alike(higher, high)):
            yield f"{path}.bounds.{wide} is narrower than that of {narrow}"


def _holds(path: str, value: float, interval: tuple[float, float]) -> Iterator[str]:
    """That an interval does not hold its value, or ends before it begins. Undefined ends hold everything."""
    low, high = interval
    yield from at_most(f"{path}[0]", low, value, "the value")
    yield from at_most("the value", value, high, f"{path}[1]")
    yield from at_most(f"{path}[0]", low, high, f"{path}[1]")


def of_pair(
    path: str, names: tuple[str, str], pair: tuple[Metrics, Metrics], differences: Mapping[str, Difference]
) -> Iterator[str]:
    """What is wrong with the `differences` of two models on the same rows, the candidate first.

    `names` are the paths of both models' metrics.
    """
    ours, theirs = pair
    for metric, difference in differences.items():
        at, a, b = f"{path}.{metric}", ours.get(metric), theirs.get(metric)
        if a is not None and b is not None and not math.isnan(difference.value):
            gap, what = a.value - b.value, f"{names[0]}.{metric} − {names[1]}.{metric}"
            yield from same(f"{at}.value", difference.value, gap, what, max(abs(a.value), abs(b.value)))
        yield from _doubt_of_difference(at, difference)
    yield from _same_targets(names, pair)


def _doubt_of_difference(path: str, difference: Difference) -> Iterator[str]:
    """What is wrong with a difference's standard error, degrees of freedom and bounds."""
    error, freedom = difference.standard_error, difference.freedom
    if error < 0:
        yield f"{path}.standard_error is {error:g}, but none is below 0"
    if freedom < 0:
        yield f"{path}.freedom is {freedom:g}, but none is below 0"
    yield from _holds(f"{path}.bounds", difference.value, difference.bounds)
    if math.isnan(freedom) or freedom >= RELIABLE_FREEDOM:
        half = quantile(0.95, freedom) * error
        for place, bound, expected in (
            (0, difference.bounds[0], difference.value - half),
            (1, difference.bounds[1], difference.value + half),
        ):
            if abs(bound - expected) > BOUND_TOLERANCE * half and not alike(bound, expected):
                yield (
                    f"{path}.bounds[{place}] is {bound:.7g}, but value, standard_error and freedom give "
                    f"{expected:.7g}"
                )


def _same_targets(names: tuple[str, str], pair: tuple[Metrics, Metrics]) -> Iterator[str]:
    """That r2 and rmse of two models give two variances of the target of the same rows.

    The variance that the worse model gives, and the better one's rmse, give the better one's 1 − r2. Where
    that is near 0 it is the rounding of an r2 near 1, and its digits do not count.
    """
    unexplained, rmse = [1 - _value(each, "r2") for each in pair], [_value(each, "rmse") for each in pair]
    better, worse = sorted((0, 1), key=lambda place: unexplained[place])
    ratio = rmse[better] / rmse[worse] if rmse[worse] else 1.0
    expected = ratio * ratio * unexplained[worse]
    if math.isfinite(expected + unexplained[better]) and not alike(unexplained[better], expected):
        yield f"r2 and rmse of {names[0]} are not of the same targets as those of {names[1]}"


def _value(metrics: Metrics, name: str) -> float:
    """The value of a metric; NaN where there is none."""
    return metrics[name].value if name in metrics else math.nan


def of_sagemaker(path: str, quality: Mapping[str, object], metrics: Metrics) -> Iterator[str]:
    """What differs between SageMaker's part and the candidate's metrics."""
    for theirs, name in SAGEMAKER.items():
        item = quality.get(theirs)
        if not isinstance(item, Mapping) or name not in metrics:
            continue
        ours = {"value": metrics[name].value, "standard_deviation": metrics[name].standard_deviation}
        for key, value in ours.items():
            if key in item:
                there = f"candidate.metrics.{name}.{key}"
                yield from same(f"{path}.{theirs}.{key}", number(item[key]), value, there)


def number(value: object) -> float:
    """A number of SageMaker's part; NaN for its text "NaN", and for what is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
