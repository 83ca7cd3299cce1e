"""How far a metric on some rows may be from the truth, and a difference of two models on the same rows.

Knows no task: binary.py, multiclass.py and regression.py say of each metric what it is (a share of rows, a
mean of losses, its root, an area, a function of the confusion matrix, or none of these) and here that decides
how its standard deviation, its two-sided 95 % interval and its paired difference are found. What is
undefined is NaN. bench/coverage.py shows how often the intervals hold the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from scipy import sparse, stats

SEED: Final = 0
RESAMPLES: Final = 1000
FEWEST_RESAMPLES: Final = 100
MOST_WEIGHTS: Final = 50_000_000
"""Resamples times rows: above it fewer resamples are drawn, so that a million rows take seconds."""
CHUNK: Final = 2_000_000
UNDEFINED_SHARE: Final = 0.05
"""A standard deviation is undefined where the metric is so in more than this share of the resamples."""
Z: Final = float(stats.norm.ppf(0.975))
Z_ONE_SIDED: Final = float(stats.norm.ppf(0.95))

Array = np.ndarray[Any, Any]
Json = dict[str, Any]
Interval = tuple[float, float]
UNKNOWN: Final[Interval] = (math.nan, math.nan)
Measure = Callable[[Array], Array]
"""A metric under each of many weightings of the same rows (weightings x rows)."""


@dataclass(frozen=True)
class Area:
    """An area under a ROC curve, or a mean of some.

    `parts` says by row how far the area moves with it: the row's placement, centred, over the number of rows
    of its class. `group` is the row's class and `pairs` counts (positives, negatives) of each curve.
    """

    value: float
    parts: Array
    group: Array
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Labels:
    """Actual and predicted class of each row, and the metrics that depend on nothing else.

    `measure` gets three arrays (weightings x classes): weight of the rows of a class that are right, of those
    that are of it, of those predicted to be.
    """

    target: Array
    predicted: Array
    classes: int
    measure: Callable[[Array, Array, Array], dict[str, Array]]


@dataclass(frozen=True)
class Resampled:
    """A metric of which only a bootstrap can tell: its value under each of many weightings of the rows.

    `interval` makes one of the value and the resampled ones; None where none would be honest.
    """

    measure: Measure
    interval: Callable[[float, Array], Interval] | None


@dataclass(frozen=True)
class Scored:
    """One model's predictions on n rows, by what each metric of them is.

    `shares` are (which rows count, which rows are right), `means` the losses by row and `roots` the squares
    of which a mean's root is taken.
    """

    n: int
    shares: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    means: Mapping[str, Array] = field(default_factory=dict)
    roots: Mapping[str, Array] = field(default_factory=dict)
    areas: Mapping[str, Area] = field(default_factory=dict)
    labels: Labels | None = None
    resampled: Mapping[str, Resampled] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """Every metric on the rows as they are."""
        with np.errstate(all="ignore"):
            found = label_values(self.labels) if self.labels else {}
            whole = np.ones((1, self.n))
            found |= {name: float(item.measure(whole)[0]) for name, item in self.resampled.items()}
            found |= {name: share(*rows)["value"] for name, rows in self.shares.items()}
            found |= {name: mean_and_error(losses)[0] for name, losses in self.means.items()}
            found |= {name: math.sqrt(mean_and_error(item)[0]) for name, item in self.roots.items()}
            found |= {name: item.value for name, item in self.areas.items()}
        return found


def divide(numerator: Array, denominator: Array) -> Array:
    """Elementwise; NaN where the denominator is zero."""
    undefined = np.full(np.shape(denominator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=denominator != 0))


# --- one number -------------------------------------------------------------------------------------------


def wilson(hits: int, n: int) -> Interval:
    """Wilson's (1927) score interval of a share: honest for 0 and n hits, too."""
    if not n:
        return UNKNOWN
    share, tail = hits / n, Z**2 / n
    middle, half = share + tail / 2, Z * math.sqrt(share * (1 - share) / n + tail / (4 * n))
    low, high = (middle - half) / (1 + tail), (middle + half) / (1 + tail)
    return (0.0 if hits == 0 else low, 1.0 if hits == n else high)


def share(counted: Array, right: Array) -> Json:
    """A share of rows, with the standard deviation of a binomial one."""
    n, hits = int(counted.sum()), int((counted & right).sum())
    value = hits / n if n else math.nan
    return result(value, math.sqrt(value * (1 - value) / n) if n else math.nan, wilson(hits, n))


def mean(losses: Array) -> Json:
    """A mean of losses, none negative: Student's interval, corrected for skewness."""
    value, deviation = mean_and_error(losses)
    return result(value, deviation, of_skewed_mean(losses))


def root_of_mean(squares: Array) -> Json:
    """A root of a mean, by the delta method: the standard deviation is the mean's over twice the root."""
    value, deviation = mean_and_error(squares)
    low, high = of_skewed_mean(squares)
    root = math.sqrt(value)
    return result(root, deviation / (2 * root) if root else deviation, (math.sqrt(low), math.sqrt(high)))


def mean_and_error(values: Array) -> tuple[float, float]:
    """The mean and its standard error; of less than two values that is undefined."""
    n = len(values)
    return (
        float(values.mean()) if n else math.nan,
        float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan,
    )


def of_skewed_mean(losses: Array) -> Interval:
    """The interval of a mean of losses, none of them negative.

    Losses lean to the right, so that Student's interval misses the truth above it far more often than below.
    Hall (1992) takes that out of Student's t with a cubic that can be solved: t + a t²/3 + a² t³/27 + a/6,
    where a is the skewness over √n.
    """
    n = len(losses)
    value, error = mean_and_error(losses)
    if not (math.isfinite(value) and math.isfinite(error)):
        return UNKNOWN
    if not error:
        return (value, value)
    skewness = float((((losses - value) / losses.std()) ** 3).mean()) / math.sqrt(n)
    quantile = float(stats.t.ppf(0.975, n - 1))
    ends = []
    for bound in (quantile, -quantile):
        t = bound
        if abs(skewness) > 1e-6:
            t = 3 / skewness * (float(np.cbrt(1 + skewness * (bound - skewness / 6))) - 1)
        ends.append(max(value - error * t, 0.0))
    return (ends[0], ends[1])


def on_logit(value: float, error: float, freedom: float) -> Interval:
    """Student's interval of a logit, back on the scale from 0 to 1; the value must lie inside."""
    if not (math.isfinite(error) and freedom > 0 and 0 < value < 1):
        return UNKNOWN
    half = float(stats.t.ppf(0.975, freedom)) * error / (value * (1 - value))
    middle = math.log(value / (1 - value))
    return (float(stats.logistic.cdf(middle - half)), float(stats.logistic.cdf(middle + half)))


def area(found: Area) -> Json:
    """An area with the standard deviation of DeLong, DeLong and Clarke-Pearson (1988).

    The interval is of the logit, which covers better near 1 than the area itself, with Satterthwaite's
    degrees of freedom, as Brunner and Munzel (2000) have them. Where all pairs are ranked right, or all
    wrong, DeLong's deviation is 0 and says nothing: there the interval is Newcombe's.
    """
    by_class, freedom = variances(found.parts, found.group)
    deviation = math.sqrt(by_class.sum())
    if found.value in (0.0, 1.0):
        return result(found.value, deviation, saturated(found))
    if not deviation:  # all scores tie
        return result(found.value, deviation, (found.value, found.value))
    return result(found.value, deviation, on_logit(found.value, deviation, satterthwaite(by_class, freedom)))


def variances(parts: Array, group: Array) -> tuple[Array, Array]:
    """What the rows of each class add to the variance of an area of these parts, and degrees of freedom.

    For two classes exactly as DeLong et al.: the variance of the placements of the positive rows over their
    number, and the same of the negative ones. Undefined for a class of one row.
    """
    _, group, sizes = np.unique(group, return_inverse=True, return_counts=True)
    scale = divide(sizes.astype(float), sizes - 1.0)
    return np.bincount(group, weights=parts**2, minlength=len(sizes)) * scale, sizes - 1.0


def satterthwaite(variances: Array, freedom: Array) -> float:
    """The degrees of freedom of a sum of these variances; NaN where they are all 0."""
    return float(divide(variances.sum() ** 2, (variances**2 / freedom).sum()))


def saturated(found: Area) -> Interval:
    """The interval of an area that is 1 or 0: Newcombe's (2006, method 5), a mean over the curves."""
    far = sum(newcombe(*pairs) for pairs in found.pairs) / len(found.pairs)
    return (far, 1.0) if found.value == 1 else (0.0, 1 - far)


def newcombe(positives: int, negatives: int) -> float:
    """The lower 95 % limit of an area of 1: t with 1 − t = z · the standard error that an area of t has."""
    pairs, spare = positives * negatives, (positives + negatives) / 2 - 1
    low, high = 0.0, 1.0
    for _ in range(60):
        t = (low + high) / 2
        variance = t * (1 - t) * (1 + spare * (1 - t) / (2 - t) + spare * t / (1 + t)) / pairs
        low, high = (low, t) if 1 - t < Z * math.sqrt(variance) else (t, high)
    return (low + high) / 2


def result(value: float, deviation: float, interval: Interval) -> Json:
    if not math.isfinite(value):
        value, deviation, interval = math.nan, math.nan, UNKNOWN
    return {"value": value, "standard_deviation": deviation, "interval": list(interval)}


# --- functions of the confusion matrix: draws of the matrix -----------------------------------------------


def cells(*columns: Array, classes: int, weights: Array | None = None) -> tuple[list[Array], Array]:
    """The distinct combinations of classes among the rows, and the rows (or their weight) of each."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        code = code * classes + column
    code, cell = np.unique(code, return_inverse=True)
    counts = np.bincount(cell, weights, minlength=len(code)).astype(float)
    parts = []
    for _ in columns:
        parts.append(code % classes)
        code = code // classes
    return parts[::-1], counts


def of_labels(labels: Labels, actual: Array, said: Array, weights: Iterable[Array]) -> dict[str, Array]:
    """The metrics of cells with these actual and predicted classes, under each weighting of the cells."""

    def belonging(classes: Array, counts: Array) -> Any:
        """Cells by classes, sparse: of a hundred classes there may be as many cells as rows."""
        place = (np.arange(len(classes)), classes)
        return sparse.csr_array((counts, place), shape=(len(classes), labels.classes))

    every = np.ones(len(actual))
    right = belonging(actual, (actual == said).astype(float))
    of, to = belonging(actual, every), belonging(said, every)
    return joined([labels.measure(some @ right, some @ of, some @ to) for some in weights])


def label_values(labels: Labels) -> dict[str, float]:
    """The metrics of the rows as they are."""
    (actual, said), counts = cells(labels.target, labels.predicted, classes=labels.classes)
    values = of_labels(labels, actual, said, [counts[None]])
    return {name: float(value[0]) for name, value in values.items()}


def drawn(*scored: Labels) -> list[dict[str, Array]]:
    """Label metrics of one model, or of two on the same rows, under draws of the (joint) confusion matrix.

    They are draws of the Dirichlet distribution of its cells, as Goutte and Gaussier (2005) make them for
    precision, recall and F1: of the counts and a little more, so that a matrix without an error does not
    claim certainty. Two rows are added, split evenly between the classes that occur: one that the model
    gets right and one that it gets wrong (for two classes that is Jeffreys' half a row in each cell), or,
    of two models, one that only the first and one that only the second gets right, as Bonett and Price do.
    """
    target, classes = scored[0].target, scored[0].classes
    present = np.unique(target)
    wrong = np.roll(present, -1) if len(present) > 1 else (present + 1) % classes
    added = [[present, wrong], [wrong, present]][: len(scored)]
    columns = [np.r_[target, present, present]]
    columns += [np.r_[item.predicted, *said] for item, said in zip(scored, added, strict=True)]
    weights = np.r_[np.ones(len(target)), np.full(2 * len(present), 1 / len(present))]
    (actual, *said), counts = cells(*columns, classes=classes, weights=weights)
    return [
        of_labels(item, actual, predicted, gammas(counts))
        for item, predicted in zip(scored, said, strict=True)
    ]


def gammas(counts: Array) -> Iterator[Array]:
    """Weights of cells, some draws at a time; same counts, same draws. Their shares are Dirichlet's."""
    generator = np.random.default_rng(SEED)
    left, at_once = RESAMPLES, max(1, CHUNK // len(counts))
    while left:
        size = min(left, at_once)
        left -= size
        yield generator.standard_gamma(counts, (size, len(counts)))


# --- the bootstrap ----------------------------------------------------------------------------------------


def resamples_for(n: int) -> int:
    """How many resamples n rows get: 1000, and fewer from 50,000 rows on, but never under 100."""
    return min(RESAMPLES, max(FEWEST_RESAMPLES, MOST_WEIGHTS // max(n, 1)))


def resample_weights(n: int) -> Iterator[Array]:
    """How often each of n rows is drawn in each resample, some resamples at a time. Same n, same draws."""
    generator = np.random.default_rng(SEED)
    left, at_once = resamples_for(n), max(1, CHUNK // max(n, 1))
    while left:
        size = min(left, at_once)
        left -= size
        rows = generator.integers(0, n, size=(size, n)) + np.arange(size)[:, None] * n
        yield np.bincount(rows.ravel(), minlength=size * n).reshape(size, n).astype(float)


def bootstrap(*scored: Scored) -> list[dict[str, Array]]:
    """Metrics of models on the same rows, over the same resamples (Efron 1979); one row tells nothing."""
    found: list[list[dict[str, Array]]] = [[] for _ in scored]
    n = scored[0].n
    if n < 2 or not scored[0].resampled:
        return [{} for _ in scored]
    with np.errstate(all="ignore"):
        for weights in resample_weights(n):
            for item, results in zip(scored, found, strict=True):
                results.append({name: metric.measure(weights) for name, metric in item.resampled.items()})
    return [joined(results) for results in found]


def joined(results: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([result[name] for result in results]) for name in results[0]}


def spread(values: Array) -> float:
    """The standard deviation over resamples; NaN where too few of them define the metric."""
    defined = values[np.isfinite(values)]
    if len(defined) < 2 or len(defined) < (1 - UNDEFINED_SHARE) * len(values):
        return math.nan
    return float(defined.std(ddof=1))


def percentiles(value: float, values: Array) -> Interval:
    """From the 2.5th to the 97.5th percentile of what is defined, and holding the value itself."""
    if math.isnan(spread(values)):
        return UNKNOWN
    low, high = np.quantile(values[np.isfinite(values)], [0.025, 0.975])
    return (min(float(low), value), max(float(high), value))


# --- a model, two models ----------------------------------------------------------------------------------


def measured(scored: Scored) -> dict[str, Json]:
    """Value, standard deviation and interval of every metric."""
    return with_intervals(scored, bootstrap(scored)[0])


def paired(ours: Scored, theirs: Scored) -> tuple[dict[str, Json], dict[str, Json], dict[str, Json]]:
    """Every metric of ours and of theirs on the same rows, and ours minus theirs."""
    mine, others = bootstrap(ours, theirs)
    return with_intervals(ours, mine), with_intervals(theirs, others), differences(ours, theirs, mine, others)


def with_intervals(scored: Scored, resampled: Mapping[str, Array]) -> dict[str, Json]:
    values = scored.values()
    found = {name: result(value, math.nan, UNKNOWN) for name, value in values.items()}
    if not scored.n:
        return found
    with np.errstate(all="ignore"):
        for name, draws in drawn(scored.labels)[0].items() if scored.labels else ():
            found[name] = result(values[name], spread(draws), percentiles(values[name], draws))
        for name, draws in resampled.items():
            interval = scored.resampled[name].interval
            found[name] = result(
                values[name], spread(draws), interval(values[name], draws) if interval else UNKNOWN
            )
        found |= {name: share(*rows) for name, rows in scored.shares.items()}
        found |= {name: mean(losses) for name, losses in scored.means.items()}
        found |= {name: root_of_mean(squares) for name, squares in scored.roots.items()}
        found |= {name: area(item) for name, item in scored.areas.items()}
    return found


def difference(value: float, error: float, method: str, freedom: float = math.nan) -> Json:
    """Candidate minus other, with one-sided 95 % bounds: Student's, or normal where `freedom` is NaN."""
    if not math.isfinite(value):
        value, error = math.nan, math.nan
    half = error * (Z_ONE_SIDED if math.isnan(freedom) else float(stats.t.ppf(0.95, freedom)))
    return {
        "value": value,
        "standard_error": error,
        "freedom": freedom,
        "bounds": [value - half, value + half],
        "method": method,
    }


def differences(
    ours: Scored, theirs: Scored, mine: Mapping[str, Array], others: Mapping[str, Array]
) -> dict[str, Json]:
    """Ours minus theirs for every metric; `mine` and `others` are what was found in the same resamples."""
    our_values, their_values = ours.values(), theirs.values()
    gaps = {name: value - their_values[name] for name, value in our_values.items()}
    if not ours.n:
        return {name: difference(math.nan, math.nan, "no rows") for name in gaps}
    how = f"paired bootstrap, {resamples_for(ours.n)} resamples, seed {SEED}"
    found: dict[str, tuple[float, str, float]] = {}
    of_rows = ours.n - 1.0
    with np.errstate(all="ignore"):
        for name, values in mine.items():
            error = spread(values - others[name])
            if not (interval := ours.resampled[name].interval):
                found[name] = (math.nan, "undefined: biased, and not alike for any two models", math.nan)
                continue
            if gaps[name] == 0 and our_values[name] == 1:
                error = at_the_end(error, interval(1.0, values))
            found[name] = (error, how, of_rows)
        if ours.labels and theirs.labels:
            how = f"{RESAMPLES} draws of the joint confusion matrix, seed {SEED}"
            mine, others = drawn(ours.labels, theirs.labels)
            found |= {name: (spread(mine[name] - others[name]), how, math.nan) for name in mine}
        for name in ours.shares.keys() - found.keys():
            (counted, right), (_, other) = ours.shares[name], theirs.shares[name]
            error = bonett_price(right[counted], other[counted])
            found[name] = (error, "agreement of the two (Bonett and Price 2012)", math.nan)
        for name, losses in ours.means.items():
            error = mean_and_error(losses - theirs.means[name])[1]
            found[name] = (error, "mean of paired losses", of_rows)
        for name, squares in ours.roots.items():
            error = of_roots(squares, theirs.roots[name])
            found[name] = (error, "roots of means of paired losses, delta method", of_rows)
        for name, item in ours.areas.items():
            by_class, freedom = variances(item.parts - theirs.areas[name].parts, item.group)
            error = math.sqrt(by_class.sum())
            if gaps[name] == 0 and item.value in (0.0, 1.0):
                error = at_the_end(error, saturated(item))
            found[name] = (error, "DeLong et al. (1988)", satterthwaite(by_class, freedom))
    unknown = (math.nan, "undefined on one row", math.nan)
    return {name: difference(gap, *found.get(name, unknown)) for name, gap in gaps.items()}


def bonett_price(ours: Array, theirs: Array) -> float:
    """The standard error of the difference of two shares of right answers to the same questions.

    Bonett and Price's (2012): one more row in each cell of disagreement. So two models that never disagreed
    are not certain to be equal.
    """
    n = len(ours)
    if not n:
        return math.nan
    only_ours = (int((ours & ~theirs).sum()) + 1) / (n + 2)
    only_theirs = (int((theirs & ~ours).sum()) + 1) / (n + 2)
    return math.sqrt((only_ours + only_theirs - (only_ours - only_theirs) ** 2) / (n + 2))


def at_the_end(error: float, interval: Interval) -> float:
    """A standard error where two models are both at the end of the scale, and so differ by 0 in any resample.

    Then it is at least the one that the interval of either is made of.
    """
    return max(error, (interval[1] - interval[0]) / Z) if math.isfinite(error) else math.nan


def of_roots(ours: Array, theirs: Array) -> float:
    """The standard error of a difference of two roots of means of the same rows, by the delta method."""
    scaled = [
        squares / (2 * root) if (root := math.sqrt(squares.mean())) else squares for squares in (ours, theirs)
    ]
    return mean_and_error(scaled[0] - scaled[1])[1]


def mcnemar(only_ours: int, only_theirs: int) -> float:
    """McNemar's (1947) test that both are right equally often: the exact two-sided p-value."""
    n = only_ours + only_theirs
    return float(stats.binomtest(only_ours, n).pvalue) if n else 1.0


def agreement(right: Array, others: Array) -> Json:
    """On how many rows candidate and champion were right."""
    only_ours, only_theirs = int((right & ~others).sum()), int((others & ~right).sum())
    return {
        "both_right": int((right & others).sum()),
        "only_candidate": only_ours,
        "only_champion": only_theirs,
        "both_wrong": int((~right & ~others).sum()),
        "mcnemar_p": mcnemar(only_ours, only_theirs),
    }
