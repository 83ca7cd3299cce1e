"""How a classifier orders rows: its ROC curve and its precision by recall."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from canvas import LEGEND, Canvas
from job import Array
from picture import NotDrawn, Picture, Shown
from pictures_metrics import MIN_TOLD, reading
from plots import field
from scales import number
from scoring import is_classes, unusable

GRID: Final = np.linspace(0.0, 1.0, 101)
"""Where curves are drawn: at each hundredth."""

TOLD: Final = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""Where curves are told in tables and in words."""

MAX_ROWS: Final = 100_000
"""Rows from which curves are drawn; of more of them, as many of each class, by chance, with their weight."""

SEED: Final = 0
"""The seed of that choice."""

Curve = Callable[[Array, Array, Array], Array]
"""The heights of a curve on GRID, from n targets of 0 or 1, n scores and n weights."""


def roc(shown: Shown) -> Picture:
    """The share of positives that are found, by the share of negatives that are taken for positives."""
    name = "roc_auc" if shown.config.task == "binary_classification" else "roc_auc_ovr"
    ours, theirs, sampled = curves(shown, roc_curve)
    title = _title(shown, name, "ranks", "rank", f"; guessing reaches {number(0.5)}")
    return _picture(
        shown,
        identity="roc",
        title=title,
        axes=("negatives taken for positives", "positives found"),
        curves=(ours, theirs),
        level=None,
        note=_of_classes(shown) + sampled,
    )


def precision_recall(shown: Shown) -> Picture:
    """The share of true positives among the rows taken for positives, by the share of positives found."""
    ours, theirs, sampled = curves(shown, precision_curve)
    target = shown.both[0]
    binary = shown.config.task == "binary_classification"
    level = float((target == 1).mean()) if binary else None
    means = [number(float(np.nanmean(each))) for each in (ours, theirs) if each is not None]
    title = f"Mean precision over classes and shares found: candidate {', champion '.join(means)}"
    guessed = ""
    if level is not None:
        reached = f"; guessing reaches {number(level)}"
        title = _title(shown, "average_precision", "finds positives", "find positives", reached)
        guessed = f"The dotted line is the share of positives, {number(level)}. "
    return _picture(
        shown,
        identity="precision_recall",
        title=title,
        axes=("positives found (recall)", "precision"),
        curves=(ours, theirs),
        level=level,
        note=guessed + _of_classes(shown) + sampled,
    )


def curves(shown: Shown, curve: Curve) -> tuple[Array, Array | None, str]:
    """The curve of the candidate, that of the champion, and how many rows of how many they are drawn from.

    Of more than two classes a curve is the mean over the classes, each against all others.
    """
    target, ours, theirs = probabilities(shown)
    if len(np.unique(target)) < 2:
        raise NotDrawn("all these rows are of one class")
    chosen, weight = sample(target, MAX_ROWS)
    n = len(target)
    sampled = (
        f"Drawn from {len(chosen):,} of {n:,} rows, equally many of each class. " if len(chosen) < n else ""
    )
    target, ours = target[chosen], ours[chosen]
    mine = _mean(curve, target, ours, weight)
    return mine, None if theirs is None else _mean(curve, target, theirs[chosen], weight), sampled


def sample(target: Array, most: int) -> tuple[Array, Array]:
    """The places of at most about so many rows, and how many rows each stands for.

    Rare classes are taken whole: of them, rows by chance may have none.
    """
    if len(target) <= most:
        return np.arange(len(target)), np.ones(len(target))
    draw, found, weights = np.random.default_rng(SEED), [], []
    classes = np.unique(target)
    for each in classes:
        places = np.flatnonzero(target == each)
        some = draw.permutation(places)[: max(most // len(classes), 1)]
        found.append(some)
        weights.append(np.full(len(some), len(places) / len(some)))
    return np.concatenate(found), np.concatenate(weights)


def probabilities(shown: Shown) -> tuple[Array, Array, Array | None]:
    """Targets and both models' probabilities. Raises NotDrawn where the candidate has none.

    Those of a champion that answers classes, or no probabilities, are None.
    """
    target, ours, theirs = shown.both
    if is_classes(ours):
        raise NotDrawn("the candidate answers classes alone, without probabilities")
    if unusable(shown.config.task, ours):
        raise NotDrawn("some of the candidate's predictions are no probabilities")
    if not len(target):
        raise NotDrawn("there are no rows")
    if theirs is not None and (is_classes(theirs) or unusable(shown.config.task, theirs)):
        theirs = None
    return target, ours, theirs


def _mean(curve: Curve, target: Array, score: Array, weight: Array) -> Array:
    if score.ndim == 1:
        return curve(target == 1, score, weight)
    each = [curve(target == one, score[:, one], weight) for one in np.unique(target)]
    return np.asarray(np.mean(each, axis=0))


def roc_curve(positive: Array, score: Array, weight: Array) -> Array:
    """The share of positives found at each share of GRID of negatives taken for positives."""
    found, taken = _counts(positive, score, weight)
    return np.asarray(np.interp(GRID, taken / taken[-1], found / found[-1]))


def precision_curve(positive: Array, score: Array, weight: Array) -> Array:
    """The precision where at least each share of GRID of the positives is found."""
    found, taken = _counts(positive, score, weight)
    found, taken = found[1:], taken[1:]
    first = np.searchsorted(found / found[-1], np.maximum(GRID, 1e-12) - 1e-12, side="left")
    return np.asarray(found[first] / (found[first] + taken[first]))


def _counts(positive: Array, score: Array, weight: Array) -> tuple[Array, Array]:
    """Positives and negatives among the rows of the highest scores, from none to all; ties come together."""
    order = np.argsort(-score, kind="stable")
    ranked, worth = score[order], weight[order]
    ends = np.r_[np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1]
    found, taken = (np.cumsum(worth * each)[ends] for each in (positive[order], ~positive[order]))
    return np.r_[0.0, found], np.r_[0.0, taken]


def _title(shown: Shown, name: str, does: str, do: str, alone: str) -> str:
    compared = shown.compared
    if compared is None:
        area = number(shown.evaluation["candidate"]["metrics"][name]["value"])
        return f"The candidate {does} with an area of {area}{alone}"
    values = [compared[who].get(name, {"value": math.nan})["value"] for who in ("candidate", "champion")]
    ours, theirs = map(number, values)
    if not math.isfinite(values[1]):
        return f"The candidate {does} with an area of {ours}; the champion has none to compare with"
    word = reading(name, compared["differences"][name])
    if word == "not known" or compared["n"] < MIN_TOLD:
        return f"Whether the candidate {does} better cannot be told: area {ours}, champion {theirs}"
    if word in ("better", "worse"):
        return f"The candidate {does} {word} than the champion: area {ours} against {theirs}"
    return f"No clear difference in how candidate and champion {do}: area {ours} against {theirs}"


def _of_classes(shown: Shown) -> str:
    if shown.config.task == "binary_classification":
        return ""
    return "The mean over the classes, each against all others. "


def _picture(
    shown: Shown,
    *,
    identity: str,
    title: str,
    axes: tuple[str, str],
    curves: tuple[Array, Array | None],
    level: float | None,
    note: str,
) -> Picture:
    (ours, theirs), (x, y) = curves, axes
    canvas = Canvas(title)
    canvas.legend(LEGEND if theirs is not None else LEGEND[:1])
    area = field(canvas, (0, 1), (0, 1), names=axes)
    guess = GRID[[0, -1]] if level is None else [level, level]
    if identity == "roc" or level is not None:
        area.path(canvas, [0, 1], list(guess), "z")
    start = [0.0] if identity == "roc" else []
    if theirs is not None:
        area.path(canvas, [*start, *GRID], [*start, *theirs], "lb")
    area.path(canvas, [*start, *GRID], [*start, *ours], "la")
    places = [(at, round(at * 100)) for at in TOLD]
    told = "; ".join(
        f"at {at:.2f} of {x}: candidate {ours[place]:.3f}"
        + ("" if theirs is None else f", champion {theirs[place]:.3f}")
        for at, place in places
    )
    return Picture(
        id=identity,
        title=title,
        alt=f"{title}, {shown.on_rows}. {y.capitalize()} {told}.",
        svg=canvas.svg(),
        columns=[x, f"candidate: {y}", *([] if theirs is None else [f"champion: {y}"])],
        rows=[
            [f"{at:.2f}", f"{ours[place]:.3f}", *([] if theirs is None else [f"{theirs[place]:.3f}"])]
            for at, place in places
            if not math.isnan(ours[place])
        ],
        note=note.strip() or f"All values are {shown.on_rows}.",
    )
