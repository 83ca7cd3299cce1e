"""What a classifier's probabilities are worth: calibration, and the distribution of scores by class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from canvas import EDGE, LEGEND, WIDTH, Canvas, Who
from forest import Interval, Panel, Row, forest
from intervals import wilson
from job import Array
from picture import NotDrawn, Picture, Shown
from pictures_ranking import probabilities
from plots import Field, field, mirrored
from probabilities import BINS
from scales import FEW, drawn, interval, number, percent, rows

FINE: Final = 20
"""Bins of a histogram of scores."""

COARSE: Final = 10
"""Bins of one of fewer rows than FINE_ROWS."""

FINE_ROWS: Final = 2_000
"""Rows from which a histogram has FINE bins."""

Z: Final = 1.96
"""Standard errors within which a mean is explained by chance, in 95 % of cases."""

LEVEL: Final = 0.05
"""The p-value below which bins are not explained by chance."""

HALF: Final = 0.5
"""The probability from which on a class is the predicted one."""

MAX_CLASSES: Final = 12
"""Classes that the picture of scores shows, those with the most rows; its table has MAX_LISTED."""

MAX_LISTED: Final = 50
"""Classes that the table of scores has."""


@dataclass(frozen=True)
class Calibrated:
    """Rows, mean probability and share of hits of each bin of equal width (BINS each); NaN without rows."""

    n: Array
    said: Array
    was: Array

    @property
    def error(self) -> float:
        """The mean distance of the two over rows: the expected calibration error."""
        used = self.n > 0
        return float((self.n[used] * np.abs(self.said[used] - self.was[used])).sum() / self.n.sum())

    def direction(self) -> str:
        """Whether too little or too much is said on average, or in bins, if chance does not explain it.

        The mean is compared with its binomial standard error, the bins by the chi-squared test of Hosmer and
        Lemeshow (1980), with the bins of which 1 hit and 1 other are expected at least.
        """
        used = self.n > 0
        n, said, was = self.n[used], self.said[used], self.was[used]
        variance = n * said * (1 - said)
        gap = float((n * (was - said)).sum())
        means = f"{(n * said).sum() / n.sum():.2f} where {(n * was).sum() / n.sum():.2f} happened"
        if abs(gap) > Z * float(variance.sum()) ** 0.5:
            return f"The candidate says too {'little' if gap > 0 else 'much'}: on average {means}"
        full = np.minimum(n * said, n * (1 - said)) >= 1
        terms = (n[full] * (was[full] - said[full])) ** 2 / variance[full]
        if full.any() and float(special.chdtrc(full.sum(), terms.sum())) < LEVEL:
            return f"The candidate is right on average, {means}, but not at each probability"
        return f"The candidate is not distinguishable from well calibrated on {n.sum():,.0f} rows"


def calibrated(target: Array, score: Array) -> Calibrated:
    """The bins of the expected calibration error.

    Of two classes, `score` is the probability of the positive one (n), and a hit is a positive row. Of more
    (n x classes), it is that of the predicted class, and a hit is a right prediction.
    """
    if score.ndim == 1:
        hit, said = target == 1, score
    else:
        hit, said = target == score.argmax(axis=1), score.max(axis=1)
    place = np.searchsorted(np.arange(1, BINS) / BINS, said, side="left")
    n = np.bincount(place, minlength=BINS).astype(float)
    with np.errstate(invalid="ignore"):
        sums = (np.bincount(place, weights, minlength=BINS) / n for weights in (said, hit.astype(float)))
        return Calibrated(n, *sums)


def calibration(shown: Shown) -> Picture:
    """What the probabilities said, and what happened, by bins of equal width, with their rows."""
    target, ours, theirs = probabilities(shown)
    found = {
        who: calibrated(target, score)
        for (who, _), score in zip(LEGEND, (ours, theirs), strict=True)
        if score is not None
    }
    if found["candidate"].n.max() < FEW:
        raise NotDrawn(f"each bin of probabilities has less than {FEW} rows")
    errors = [number(each.error) for each in found.values()]
    beside = f", the champion's by {errors[1]}" if len(errors) > 1 else ""
    title = f"{found['candidate'].direction()}; off by {errors[0]} on average{beside}"
    names = [f"{at / BINS:.1f} to {(at + 1) / BINS:.1f}" for at in range(BINS)]
    told = (
        f"{name}: {rows(each.n[at])} rows, said {each.said[at]:.2f}, was {each.was[at]:.2f}"
        for each in [found["candidate"]]
        for at, name in enumerate(names)
        if each.n[at] >= FEW
    )
    return Picture(
        id="calibration",
        title=title,
        alt=f"{title}, {shown.on_rows}. The candidate by bins of its probability: {'; '.join(told)}.",
        svg=_calibration(title, found, "positive" if ours.ndim == 1 else "predicted"),
        columns=["bin", *(f"{who}: {what}" for who in found for what in ("rows", "said", "was"))],
        rows=[
            [name, *(cell for each in found.values() for cell in _cells(each, at))]
            for at, name in enumerate(names)
        ],
        note="On the dotted line, what happened is what was said; above it, the model said too little. The "
        f"candidate's lines are 95 % intervals. A bin with less than {FEW} rows has no point.",
    )


def _calibration(title: str, found: Mapping[Who, Calibrated], which: str) -> str:
    was = "share of positives" if which == "positive" else "share of right predictions"
    canvas = Canvas(title)
    canvas.legend(LEGEND[: len(found)])
    area = field(canvas, (0, 1), (0, 1), names=(f"probability of the {which} class", was), height=230)
    area.path(canvas, [0, 1], [0, 1], "z")
    for who, each in found.items():
        _points(canvas, area, who, each)
    up, *down = ([drawn(n) for n in each.n] for each in found.values())
    edges = [at / BINS for at in range(BINS + 1)]
    below = down[0] if down else None
    mirrored(canvas, "rows of each bin", edges, up, below, across=area.across, height=34)
    return canvas.svg()


def _cells(each: Calibrated, at: int) -> list[str]:
    if each.n[at] < FEW:
        return [rows(each.n[at]), "", ""]
    return [rows(each.n[at]), f"{each.said[at]:.3f}", f"{each.was[at]:.3f}"]


def _points(canvas: Canvas, area: Field, who: Who, each: Calibrated) -> None:
    """A marker for each bin with enough rows, and a line between them; the candidate's with intervals."""
    used = np.flatnonzero(each.n >= FEW)
    ours = who == "candidate"
    area.path(canvas, list(each.said[used]), list(each.was[used]), "la" if ours else "lb")
    for at in used:
        x, y = area.at(each.said[at], each.was[at])
        if ours:
            low, high = wilson(each.was[at] * each.n[at], each.n[at])
            canvas.line((x, area.up.at(low)), (x, area.up.at(high)), "la i")
        canvas.marker(x, y, who)


def scores(shown: Shown) -> Picture:
    """The distribution of the scores of each class."""
    target, ours, theirs = probabilities(shown)
    if ours.ndim == 1:
        return _of_two(shown, target, ours, theirs)
    return _of_more(shown, target, ours, theirs)


def _of_two(shown: Shown, target: Array, ours: Array, theirs: Array | None) -> Picture:
    edges = np.linspace(0, 1, (FINE if len(target) >= FINE_ROWS else COARSE) + 1)
    names = [shown.config.classes[1], shown.config.classes[0]]
    counts: dict[Who, list[Array]] = {}
    high: dict[Who, list[str]] = {}
    for (who, _), score in zip(LEGEND, (ours, theirs), strict=True):
        if score is not None:
            parts = [np.clip(score[target == each], 0, 1) for each in (1, 0)]
            counts[who] = [np.histogram(part, edges)[0] for part in parts]
            high[who] = [percent(float((part > HALF).mean()) if len(part) else math.nan) for part in parts]
    beside = [f" (champion {share})" for share in high.get("champion", [])] or ["", ""]
    title = (
        f"Above {HALF} the candidate puts {high['candidate'][0]} of class {names[0]}{beside[0]} and "
        f"{high['candidate'][1]} of class {names[1]}{beside[1]}"
    )
    table = [
        [
            f"{edges[at]:.2f} to {edges[at + 1]:.2f}",
            *(rows(each[place][at]) for each in counts.values() for place in (0, 1)),
        ]
        for at in range(len(edges) - 1)
    ]
    columns = ["probability", *(f"{who}: rows of class {name}" for who in counts for name in names)]
    return Picture(
        id="scores",
        title=title,
        alt=f"{title}, {shown.on_rows}. {'; '.join(columns)}: {'; '.join(', '.join(row) for row in table)}.",
        svg=_histograms(title, names, list(edges), list(counts.values())),
        columns=columns,
        rows=table,
        note="Bars are rows by the probability that they get. The further apart the classes, the better. "
        f"One to {FEW - 1} rows are drawn alike.",
    )


def _histograms(title: str, names: list[str], edges: list[float], counts: list[list[Array]]) -> str:
    canvas = Canvas(title)
    canvas.legend(LEGEND[: len(counts)], areas=True)
    for place, name in enumerate(names):
        up, *down = ([drawn(n) for n in each[place]] for each in counts)
        mirrored(canvas, f"class {name}", edges, up, down[0] if down else None)
    canvas.text(WIDTH - EDGE, canvas.y + 6, f"probability of class {names[0]} →", "s e")
    canvas.y += 12
    return canvas.svg()


def _of_more(shown: Shown, target: Array, ours: Array, theirs: Array | None) -> Picture:
    classes = shown.config.classes
    n = np.bincount(target, minlength=len(classes))
    listed = [each for each in np.argsort(-n, kind="stable") if n[each] >= FEW][:MAX_LISTED]
    if not listed:
        raise NotDrawn(f"each class has less than {FEW} rows")
    found: dict[Who, dict[int, Array]] = {
        who: {each: np.quantile(score[target == each, each], (0.5, 0.1, 0.9)) for each in listed}
        for (who, _), score in zip(LEGEND, (ours, theirs), strict=True)
        if score is not None
    }
    lowest = min(listed, key=lambda each: float(found["candidate"][each][0]))
    half = number(found["candidate"][lowest][0])
    title = f"Class {classes[lowest]} is the least certain: half of its rows get at most {half} for it"
    table = [
        [
            classes[each],
            f"{n[each]:,}",
            *(
                cell
                for values in found.values()
                for cell in (number(values[each][0]), interval(values[each][1], values[each][2]))
            ),
        ]
        for each in listed
    ]
    lines = [
        Row(
            f"class {classes[each]}",
            f"n = {n[each]:,}",
            [Interval(who, *map(float, values[each])) for who, values in found.items()],
        )
        for each in listed[:MAX_CLASSES]
    ]
    panel = Panel("Probability of the class that a row is of", lines)
    return Picture(
        id="scores",
        title=title,
        alt=f"{title}, {shown.on_rows}. Median probability of the class that a row is of: "
        + "; ".join(f"{row[0]} {row[2]}" for row in table[:MAX_CLASSES])
        + ".",
        svg=forest(title, [panel], LEGEND[: len(found)]),
        columns=[
            "class",
            "rows",
            *(f"{who}: {what}" for who in found for what in ("median", "10 % to 90 %")),
        ],
        rows=table,
        note="A marker is the median of the probabilities, a line holds eight of ten rows.",
    )
