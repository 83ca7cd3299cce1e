"""Where predictions are wrong: the confusion matrix, residuals, and predictions against what was."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from canvas import EDGE, LEGEND, WIDTH, Canvas
from job import Array
from picture import NotDrawn, Picture, Shown
from plots import field, mirrored
from scales import FEW, axis, drawn, interval, number, percent, rows, value
from scoring import TASKS, unusable

MAX_CLASSES: Final = 6
"""Classes that the confusion matrix shows, those with the most rows; the others are one."""

MAX_LISTED: Final = 30
"""Pairs of classes that the table has: the errors with the most rows, and then the right predictions."""

NAMES: Final = 84
"""Units at the left of the confusion matrix, for the names of classes."""

BINS: Final = 20
"""Bins of the residuals."""

GROUPS: Final = 10
"""Groups of rows by their prediction, of equally many rows."""

Z: Final = 1.96
"""Standard errors within which a mean error is explained by chance, in 95 % of cases."""

MIN_GROUP: Final = 10
"""Rows of such a group at least."""


def confusion(shown: Shown) -> Picture:
    """Rows by actual and by predicted class, of both models."""
    target, ours, theirs = shown.both
    task = shown.config.task
    if not len(target) or unusable(task, ours):
        raise NotDrawn("there are no rows, or predictions that are no probabilities")
    k = len(shown.config.classes)
    found = [
        np.bincount(target * k + TASKS[task].predicted(each), minlength=k * k).reshape(k, k)
        for each in (ours, theirs)
        if each is not None and not unusable(task, each)
    ]
    title = _most_confused(shown.config.classes, found)
    names, small = _with_others(shown.config.classes, found)
    pairs = errors_first(found[0])
    listed = [(a, p) for a, p in pairs if any(each[a, p] for each in found)][:MAX_LISTED]
    return Picture(
        id="confusion",
        title=title,
        alt=f"{title}, {shown.on_rows}. Rows by actual and predicted class: "
        + "; ".join(
            f"{shown.config.classes[a]} as {shown.config.classes[p]} "
            + " against ".join(f"{each[a, p]:,}" for each in found)
            for a, p in listed[:12]
        )
        + ".",
        svg=_matrix(title, names, small),
        columns=[
            "actual class",
            "predicted class",
            *(who for (who, _), _ in zip(LEGEND, found, strict=False)),
        ],
        rows=[
            [shown.config.classes[a], shown.config.classes[p], *(f"{each[a, p]:,}" for each in found)]
            for a, p in listed
        ],
        note="The darker a field, the larger its share of the rows of the actual class, by the candidate. "
        "Others × others has right and wrong ones. evaluation.json has the candidate's numbers, too.",
    )


def errors_first(counts: Array) -> Array:
    """The pairs of actual and predicted class, the errors with the most rows first (k² x 2)."""
    k = len(counts)
    order = np.lexsort((-counts.ravel(), np.eye(k).ravel()))
    found: Array = np.dstack(np.unravel_index(order, (k, k)))[0]
    return found


def _most_confused(classes: tuple[str, ...], found: list[Array]) -> str:
    wrong = found[0] * ~np.eye(len(classes), dtype=bool)
    if not wrong.any():
        return "The candidate predicts the class of every row rightly"
    a, p = np.unravel_index(int(wrong.argmax()), wrong.shape)
    beside = f" (champion {found[1][a, p]:,})" if len(found) > 1 else ""
    return (
        f"The most frequent error: {wrong[a, p]:,} of {int(found[0][a].sum()):,} rows of class {classes[a]} "
        f"are taken for class {classes[p]}{beside}"
    )


def _with_others(classes: tuple[str, ...], found: list[Array]) -> tuple[list[str], list[Array]]:
    """The classes with the most rows, and all others as one."""
    if len(classes) <= MAX_CLASSES + 1:
        return list(classes), found
    order = np.argsort(-found[0].sum(axis=1), kind="stable")[:MAX_CLASSES]
    place = np.full(len(classes), MAX_CLASSES)
    place[order] = np.arange(MAX_CLASSES)
    to = np.eye(MAX_CLASSES + 1, dtype=np.int64)[place]
    return [*(classes[each] for each in order), "others"], [to.T @ each @ to for each in found]


def _matrix(title: str, names: list[str], found: list[Array]) -> str:
    canvas = Canvas(title)
    canvas.legend(LEGEND[: len(found)])
    width = (WIDTH - 2 * EDGE - NAMES) / len(names)
    height = 14 * len(found) + 16
    canvas.text(WIDTH - EDGE, canvas.y + 12, "predicted class →", "s e")
    canvas.text(EDGE, canvas.y + 28, "↓ actual", "s")
    for at, name in enumerate(names):
        canvas.text(EDGE + NAMES + (at + 0.5) * width, canvas.y + 28, name, "h m", width=width - 2)
    canvas.y += 36
    for a, name in enumerate(names):
        canvas.text(EDGE, canvas.y + height / 2 + 4, name, "h", width=NAMES - 6)
        for p in range(len(names)):
            share = found[0][a, p] / max(found[0][a].sum(), 1)
            x = EDGE + NAMES + p * width
            canvas.area(x + 1, canvas.y + 1, width - 2, height - 2, "c", 0.04 + 0.4 * share)
            for place, each in enumerate(found):
                y = canvas.y + 21 + 14 * place
                canvas.text(x + width / 2, y, f"{'■○'[place]} {compact(each[a, p])}", "m")
        canvas.y += height
    return canvas.svg()


def compact(count: int) -> str:
    """A count in at most five signs."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= 10 * size:
            return f"{count / size:.0f}{unit}"
    return f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k"


def residuals(shown: Shown) -> Picture:
    """The distribution of predicted minus actual."""
    target, found = _numbers(shown)
    errors = [each - target for each in found]
    low, high = np.quantile(np.concatenate(errors), (0.02, 0.98))
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(np.clip(each, low, high), edges)[0] for each in errors]
    half = [number(float(np.median(np.abs(each)))) for each in errors]
    beside = f", the champion's by {half[1]}" if len(half) > 1 else ""
    title = f"{direction(errors)}; half are off by at most {half[0]}{beside}"
    canvas = Canvas(title)
    canvas.legend(LEGEND[: len(found)], areas=True)
    up, *down = ([drawn(n) for n in each] for each in counts)
    mirrored(canvas, "rows by predicted − actual", list(edges), up, down[0] if down else None, height=80)
    canvas.text(WIDTH - EDGE, canvas.y + 6, "too high →", "s e")
    canvas.text(EDGE, canvas.y + 6, "← too low", "s")
    canvas.y += 12
    said = "; ".join(
        f"{who}: too high in {percent(float((each > 0).mean()))} of the rows, "
        f"mean {number(float(each.mean()), '+')}"
        for (who, _), each in zip(LEGEND, errors, strict=False)
    )
    names = [f"{value(a)} to {value(b)}" for a, b in pairwise(edges)]
    names[0], names[-1] = f"below {value(edges[1])}", f"above {value(edges[-2])}"
    return Picture(
        id="residuals",
        title=title,
        alt=f"{title}, {shown.on_rows}. {said}.",
        svg=canvas.svg(),
        columns=["predicted − actual", *(f"{who}: rows" for who, _ in LEGEND[: len(found)])],
        rows=[[name, *(rows(each[at]) for each in counts)] for at, name in enumerate(names)],
        note="The first and the last bar also hold the rows beyond them: a fiftieth on each side. "
        f"One to {FEW - 1} rows are drawn alike.",
    )


def direction(errors: Sequence[Array]) -> str:
    """Whether the candidate predicts too high or too low on average, if chance does not explain it."""
    mean, *champion = (float(each.mean()) for each in errors)
    beside = f" (champion {number(champion[0], '+')})" if champion else ""
    if abs(mean) <= Z * float(errors[0].std(ddof=1)) / len(errors[0]) ** 0.5:
        return f"The candidate is not clearly too high or too low on average: {number(mean, '+')}{beside}"
    return f"The candidate is too {'high' if mean > 0 else 'low'} by {number(abs(mean))} on average{beside}"


def predicted_actual(shown: Shown) -> Picture:
    """What was, by groups of rows with like predictions: the calibration of a regression."""
    target, found = _numbers(shown)
    groups = min(GROUPS, len(target) // MIN_GROUP)
    if groups < 2:
        raise NotDrawn(f"there are fewer than {2 * MIN_GROUP} rows")
    each = [grouped(target, prediction, groups) for prediction in found]
    off = [number(float(np.mean(np.abs(one[:, 0] - one[:, 1])))) for one in each]
    beside = f", the champion's by {off[1]}" if len(off) > 1 else ""
    title = f"Groups of like predictions are off by {off[0]} on average{beside}"
    told = "; ".join(f"predicted {number(said)}, was {number(was)}" for said, was, _, _ in each[0])
    names = [who for who, _ in LEGEND[: len(each)]]
    kinds = ("predicted", "actual", "actual, 10 % to 90 %")
    return Picture(
        id="predicted_actual",
        title=title,
        alt=f"{title}, {shown.on_rows} in {groups} groups. The candidate: {told}.",
        svg=_against(title, each),
        columns=["group", *(f"{who}: {kind}" for who in names for kind in kinds)],
        rows=[
            [f"{at + 1} of {groups}", *(cell for one in each for cell in _group(*one[at]))]
            for at in range(groups)
        ],
        note=f"Each marker is the mean of a group of {len(target) // groups:,} or more rows with like "
        "predictions; its line holds eight of ten. On the dotted line, what was is what was predicted.",
    )


def _against(title: str, each: list[Array]) -> str:
    ends = axis(np.concatenate(each).ravel(), 0, 1)
    span = (ends.low, ends.high)
    canvas = Canvas(title)
    canvas.legend(LEGEND[: len(each)])
    area = field(canvas, span, span, names=("predicted, mean", "actual, mean"))
    area.path(canvas, span, span, "z")
    for (who, _), one in reversed(list(zip(LEGEND, each, strict=False))):
        for said, was, low, high in one:
            x, y = area.at(said, was)
            kind = "la i" if who == "candidate" else "lb i"
            canvas.line((x, area.up.at(low)), (x, area.up.at(high)), kind)
            canvas.marker(x, y, who)
    return canvas.svg()


def _group(said: float, was: float, low: float, high: float) -> tuple[str, str, str]:
    return number(said), number(was), interval(low, high)


def grouped(target: Array, prediction: Array, groups: int) -> Array:
    """By groups of equally many rows in the order of the prediction: mean of it, and mean, 10 % and 90 %
    quantile of what was (groups x 4)."""
    parts = np.array_split(np.argsort(prediction, kind="stable"), groups)
    return np.array(
        [
            [prediction[part].mean(), target[part].mean(), *np.quantile(target[part], (0.1, 0.9))]
            for part in parts
        ]
    )


def _numbers(shown: Shown) -> tuple[Array, list[Array]]:
    """Targets and predictions of a regression. Raises NotDrawn."""
    target, ours, theirs = shown.both
    if len(target) < FEW or unusable("regression", ours):
        raise NotDrawn(f"there are less than {FEW} rows, or predictions that are no numbers")
    return target, [each for each in (ours, theirs) if each is not None and not unusable("regression", each)]
