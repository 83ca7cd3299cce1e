"""The uncertainty of a metric, and of the difference of two models on the same rows.

Nothing here depends on the task: scored.py says what each metric is. An undefined number is NaN.
bench/coverage.py shows how often the intervals and bounds hold the truth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
from scipy import special, stats

from clusters import deviation_of, effective_rows, freedom_of, numbered, per_cluster
from intervals import (
    TWO_SIDED,
    Z,
    alone,
    area,
    area_variance,
    mean,
    result,
    root_of_mean,
    saturated,
    share,
    smooth,
)
from job import Array, Json
from resampling import RESAMPLES, SEED, draw_labels, percentiles, spread
from scored import Interval, Scored, mean_and_error

Z_ONE_SIDED: Final = float(special.ndtri(0.95))
"""The normal distribution's quantile of a one-sided 95 % bound."""

Error = tuple[float, str, float]
"""Standard error of a difference, how it was found, and its degrees of freedom (NaN: normal)."""


def measured(scored: Scored) -> dict[str, Json]:
    """Value, standard deviation and interval of every metric."""
    values, clusters = scored.values(), scored.clusters
    found = {name: result(value, math.nan, None) for name, value in values.items()}
    if not scored.n:
        return found
    with np.errstate(all="ignore"):
        drawn = draw_labels(scored.labels, clusters=clusters)[0] if scored.labels else {}
        freedom = math.inf if clusters is None else scored.freedom
        if scored.freedom >= 1:
            found |= {name: smooth(item, clusters) for name, item in scored.smooth.items()}
            drawn |= {name: item.draws for name, item in scored.resampled.items()}
        for name, draws in drawn.items():
            ends = partial(percentiles, values[name], draws, freedom=freedom)
            found[name] = result(values[name], spread(draws), ends)
        found |= {name: alone(item) for name, item in scored.alone.items()}
        found |= {name: share(*rows, clusters) for name, rows in scored.shares.items()}
        found |= {name: mean(per_cluster(losses, clusters)) for name, losses in scored.means.items()}
        found |= {name: root_of_mean(per_cluster(item, clusters)) for name, item in scored.roots.items()}
        found |= {name: area(item, clusters) for name, item in scored.areas.items()}
    return found


def paired(ours: Scored, theirs: Scored) -> tuple[dict[str, Json], dict[str, Json], dict[str, Json]]:
    """Every metric of ours and of theirs on the same rows, and ours minus theirs."""
    return measured(ours), measured(theirs), differences(ours, theirs)


def difference(value: float, error: float, method: str, freedom: float = math.nan) -> Json:
    """Candidate minus other, with one-sided 95 % bounds: Student's t, or normal if `freedom` is NaN.

    `value` and `error`, the standard error, are in the metric's units.
    """
    if not math.isfinite(value):
        value, error = math.nan, math.nan
    half = error * (Z_ONE_SIDED if math.isnan(freedom) else float(special.stdtrit(freedom, 0.95)))
    return {
        "value": value,
        "standard_error": error,
        "freedom": freedom,
        "bounds": [value - half, value + half],
        "method": method,
    }


def differences(ours: Scored, theirs: Scored) -> dict[str, Json]:
    """Ours minus theirs for every metric."""
    their_values = theirs.values()
    gaps = {name: value - their_values[name] for name, value in ours.values().items()}
    if not ours.n:
        return {name: difference(math.nan, math.nan, "no rows") for name in gaps}
    with np.errstate(all="ignore"):
        found = smooth_errors(ours, theirs, gaps) | resampled_errors(ours, theirs)
        found |= label_errors(ours, theirs)
        found = share_errors(ours, theirs) | found
        found |= loss_errors(ours, theirs)
        found |= area_errors(ours, theirs, gaps)
        found |= {name: (math.nan, f"undefined: {item.why}", math.nan) for name, item in ours.alone.items()}
    unknown = (math.nan, "undefined on one row", math.nan)
    many = "" if ours.clusters is None else f", {ours.freedom + 1:.0f} clusters"
    errors = {name: found.get(name, unknown) for name in gaps}
    return {name: difference(gaps[name], error, how + many, t) for name, (error, how, t) in errors.items()}


def smooth_errors(ours: Scored, theirs: Scored, gaps: Mapping[str, float]) -> dict[str, Error]:
    """The errors of metrics with an influence of each row."""
    found = {}
    for name, item in ours.smooth.items() if ours.freedom >= 1 else ():
        error = deviation_of(item.parts - theirs.smooth[name].parts, ours.clusters)
        if gaps[name] == 0 and not item.parts.any():
            error = error_at_scale_end(error, item.ends(0.0, TWO_SIDED))
        found[name] = (error, "influence of each row, paired (Hampel 1974)", ours.freedom)
    return found


def resampled_errors(ours: Scored, theirs: Scored) -> dict[str, Error]:
    """The errors of metrics that need a bootstrap."""
    how = f"paired bootstrap, {RESAMPLES} resamples, seed {SEED}"
    return {
        name: (spread(item.draws - theirs.resampled[name].draws), how, ours.freedom)
        for name, item in (ours.resampled.items() if ours.freedom >= 1 else ())
    }


def label_errors(ours: Scored, theirs: Scored) -> dict[str, Error]:
    """The errors of functions of the confusion matrix."""
    if not (ours.labels and theirs.labels):
        return {}
    how = f"{RESAMPLES} draws of the joint confusion matrix, seed {SEED}"
    mine, others = draw_labels(ours.labels, theirs.labels, clusters=ours.clusters)
    freedom = math.nan if ours.clusters is None else ours.freedom
    return {name: (spread(mine[name] - others[name]), how, freedom) for name in mine}


def share_errors(ours: Scored, theirs: Scored) -> dict[str, Error]:
    """The errors of shares of rows."""
    found = {}
    for name, (counted, right) in ours.shares.items():
        rows = slice(None) if counted.all() else counted  # a slice copies nothing
        within = numbered(ours.clusters[rows]) if ours.clusters is not None else None
        error = bonett_price(right[rows], theirs.shares[name][1][rows], within)
        freedom = math.nan if within is None else freedom_of(within)
        found[name] = (error, "agreement of the two (Bonett and Price 2012)", freedom)
    return found


def loss_errors(ours: Scored, theirs: Scored) -> dict[str, Error]:
    """The errors of means of losses, and of their roots."""
    found = {}
    for name, losses in ours.means.items():
        error = mean_and_error(per_cluster(losses - theirs.means[name], ours.clusters))[1]
        found[name] = (error, "mean of paired losses", ours.freedom)
    for name, squares in ours.roots.items():
        error = root_difference_error(squares, theirs.roots[name], ours.clusters)
        found[name] = (error, "roots of means of paired losses, delta method", ours.freedom)
    return found


def area_errors(ours: Scored, theirs: Scored, gaps: Mapping[str, float]) -> dict[str, Error]:
    """The errors of areas under ROC curves."""
    found = {}
    for name, item in ours.areas.items():
        parts = item.parts - theirs.areas[name].parts
        variance, freedom = area_variance(parts, item.group, ours.clusters)
        error = math.sqrt(variance)
        if gaps[name] == 0 and item.value in (0.0, 1.0):
            error = error_at_scale_end(error, saturated(item))
        found[name] = (error, "DeLong et al. (1988)", freedom)
    return found


def bonett_price(ours: Array, theirs: Array, clusters: Array | None = None) -> float:
    """The standard error of the difference of two shares of right predictions on the same rows.

    Bonett and Price (2012) add one row to each cell of disagreement, so two models that never disagreed are
    not certain to be equal. `ours` and `theirs` say for each row whether the prediction is right. The
    effective number of dependent rows takes the place of their number.
    """
    if not len(ours):
        return math.nan
    n = effective_rows(ours.astype(float) - theirs, clusters)
    only_ours = (float((ours & ~theirs).mean()) * n + 1) / (n + 2)
    only_theirs = (float((theirs & ~ours).mean()) * n + 1) / (n + 2)
    return math.sqrt((only_ours + only_theirs - (only_ours - only_theirs) ** 2) / (n + 2))


def error_at_scale_end(error: float, interval: Interval) -> float:
    """The standard error of a difference of two models that are both at the end of the scale.

    They differ by 0 in any resample. So the error is at least the one from which the interval of either is
    made.
    """
    return max(error, (interval[1] - interval[0]) / Z) if math.isfinite(error) else math.nan


def root_difference_error(ours: Array, theirs: Array, clusters: Array | None = None) -> float:
    """The standard error of a difference of two roots of means on the same rows, by the delta method."""
    scaled = [
        squares / (2 * root) if (root := math.sqrt(squares.mean())) else squares for squares in (ours, theirs)
    ]
    return mean_and_error(per_cluster(scaled[0] - scaled[1], clusters))[1]


def mcnemar(only_ours: int, only_theirs: int) -> float:
    """The exact two-sided p-value of McNemar's test (1947) that both models are right equally often."""
    n = only_ours + only_theirs
    return float(stats.binomtest(only_ours, n).pvalue) if n else 1.0


def agreement(right: Array, others: Array, clusters: Array | None = None) -> Json:
    """On how many rows candidate (`right`) and champion (`others`) are right, alone and together.

    McNemar's test counts clusters in which one of them is right more often than the other.
    """
    more = right.astype(float) - others
    more = more if clusters is None else np.bincount(clusters, weights=more)
    return {
        "both_right": int((right & others).sum()),
        "only_candidate": int((right & ~others).sum()),
        "only_champion": int((others & ~right).sum()),
        "both_wrong": int((~right & ~others).sum()),
        "mcnemar_p": mcnemar(int((more > 0).sum()), int((more < 0).sum())),
    }
