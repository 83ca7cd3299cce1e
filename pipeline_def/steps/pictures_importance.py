"""Permutation importance (Breiman 2001): how much worse a model is when a feature's values are shuffled.

It is measured on validation rows with the task's decisive metric, as the steps do not know the rules. It says
what a model leans on, not what causes the target; of features that say the same, each may look unimportant.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from artifact import Model
from canvas import LEGEND, Who
from forest import Interval, Panel, Row, forest
from job import DECISIVE, Array, listed
from picture import NotDrawn, Picture, Shown
from pictures_metrics import LABELS, spaced
from predicted import Predicted
from probabilities import roc_auc, roc_auc_ovr
from scales import cut, number
from scoring import is_classes
from shuffled import NotAsked, Shuffled, read_shuffled

REPEATS: Final = 5
"""How often each feature is shuffled."""

MIN_REPEATS: Final = 2
"""Repeats without which there is no spread to show."""

MAX_ROWS: Final = 2_000
"""Validation rows that are asked about, chosen by chance from more of them."""

MIN_ROWS: Final = 500
"""Rows below which their number is not lowered for a slow model."""

AT_ONCE: Final = 50_000
"""Rows with shuffled values that a model gets at once. Many small requests take longer."""

SECONDS: Final = 15.0
"""Seconds that the importance of one model may take; what is asked earlier is waited for."""

SEED: Final = 0
"""The seed of rows and shuffles."""

MAX_SHOWN: Final = 15
"""Features that the picture shows, the most important ones."""

MAX_LISTED: Final = 50
"""Features that the table has."""

Ask = Callable[[pd.DataFrame], Array]
"""A model: rows in, their predictions out."""

METRICS: Final[Mapping[str, Callable[[Array, Array], float]]] = {
    "roc_auc": lambda target, score: roc_auc(target, score).value,
    "roc_auc_ovr": lambda target, score: roc_auc_ovr(target, score).value,
    "rmse": lambda target, found: -float(np.sqrt(np.mean((target - found) ** 2))),
    LABELS: lambda target, found: mean_recall(target, np.asarray(found)),
}
"""The decisive metrics, and that of classes alone. More is better: rmse has its sign changed."""


@dataclass(frozen=True)
class Importance:
    """By feature, by how much the metric got worse in each repeat. `rows` were asked about each time.

    `note` says what else a reader should know of it, in whole sentences.
    """

    worse: Mapping[str, Sequence[float]]
    rows: int
    note: str = ""

    def mean(self, name: str) -> float:
        """The mean over the repeats."""
        return float(np.mean(self.worse[name]))

    @property
    def noise(self) -> float:
        """By how much shuffling has made the metric better, which chance alone does; 0 if it never did."""
        return max(0.0, -min(min(each) for each in self.worse.values()))


def importance(shown: Shown) -> Picture:
    """The importance of each feature for the candidate, and for the champion on the same rows."""
    metric = LABELS if is_classes(shown.prediction) else DECISIVE[shown.config.task]
    found = measured(shown, metric)
    ours = found["candidate"]
    names = sorted(ours.worse, key=ours.mean, reverse=True)
    title = _title(found, names, metric, guesses(shown, metric))
    repeats = len(ours.worse[names[0]])
    return Picture(
        id="importance",
        title=title,
        alt=f"{title}. " + "; ".join(_told(found, name) for name in names[:MAX_SHOWN]) + ".",
        svg=forest(title, [_panel(found, names[:MAX_SHOWN], metric)], LEGEND[: len(found)]),
        columns=["feature", *(f"{who}: {what}" for who in found for what in ("mean", "lowest to highest"))],
        rows=[
            [name, *(cell for each in found.values() for cell in _cells(each, name))]
            for name in names[:MAX_LISTED]
        ],
        note=f"Each feature's values were shuffled {repeats} times among {ours.rows:,} validation rows; a "
        f"line holds all {repeats} results. Of features that say the same, each may look unimportant."
        f"{ours.note}",
    )


def guesses(shown: Shown, metric: str) -> bool:
    """Whether the candidate is within two standard deviations of guessing: noise has importance then."""
    ours = shown.evaluation["candidate"]["metrics"][metric]
    better = ours["value"] - shown.evaluation["baseline"]["metrics"][metric]["value"]
    return bool((-better if metric == "rmse" else better) <= 2 * ours["standard_deviation"])


def _title(found: Mapping[Who, Importance], names: Sequence[str], metric: str, guessing: bool) -> str:
    """The feature that counts for more or less than for the champion, or that the candidate leans on most."""
    if guessing:
        return "No feature clearly matters for the candidate, which is not clearly better than guessing"
    changed = _most_changed(found)
    if changed:
        ours, theirs = (found[who].mean(changed) for who in ("candidate", "champion"))
        return (
            f"{cut(changed)} counts for {'more' if ours > theirs else 'less'} than for the champion: "
            f"shuffled, {spaced(metric)} is worse by {number(ours)} against {number(theirs)}"
        )
    mine = found["candidate"]
    clear = [name for name in names if min(mine.worse[name]) > mine.noise]
    if not clear:
        return "No feature clearly matters for the candidate on these rows"
    loss = number(mine.mean(clear[0]))
    return f"The candidate leans most on {cut(clear[0])}: shuffled, {spaced(metric)} is worse by {loss}"


def _most_changed(found: Mapping[Who, Importance]) -> str | None:
    """The feature whose importance differs most from the champion's, if by more than half of the greater.

    All repeats of one model must lie beyond all of the other, and the greater beyond noise.
    """
    if "champion" not in found:
        return None
    ours, theirs = found["candidate"], found["champion"]
    gaps = {}
    for name in ours.worse.keys() & theirs.worse.keys():
        one, other = ours.worse[name], theirs.worse[name]
        apart = min(one) > max(other) or min(other) > max(one)
        more, model = max((ours.mean(name), ours), (theirs.mean(name), theirs), key=lambda each: each[0])
        gap = abs(ours.mean(name) - theirs.mean(name))
        if apart and min(model.worse[name]) > model.noise and gap > more / 2:
            gaps[name] = gap
    return max(sorted(gaps), key=lambda name: gaps[name], default=None)


def _panel(found: Mapping[Who, Importance], names: Sequence[str], metric: str) -> Panel:
    lines = [
        Row(name, "", [_spread(who, one.worse[name]) for who, one in found.items() if name in one.worse])
        for name in names
    ]
    return Panel(f"How much worse {spaced(metric)} is without it", lines, zero=0.0, sign="+")


def measured(shown: Shown, metric: str) -> dict[Who, Importance]:
    """The importance for the candidate, and for the champion if it can be asked. Raises NotDrawn."""
    if isinstance(shown.model, Predicted):
        return {"candidate": answered(shown.model, shown, metric)}
    rows = shown.rows if shown.shared is None else shown.rows[shown.shared.rows]
    if len(rows) > MAX_ROWS:
        rows = rows.iloc[np.sort(np.random.default_rng(SEED).choice(len(rows), MAX_ROWS, replace=False))]
    target = rows[shown.config.target].to_numpy()
    ask = shown.model.predict
    found: dict[Who, Importance] = {
        "candidate": permuted(ask, rows, target, shown.config.features.names, metric)
    }
    loaded = shown.shared.loaded.model if shown.shared else None
    if isinstance(loaded, Model):
        spelled = loaded.respelled(rows, shown.config.data.spelling)
        names = [name for name in loaded.config.features.names if name in found["candidate"].worse]
        with suppress(NotDrawn):  # the candidate's is worth showing alone
            found["champion"] = permuted(loaded.predict, spelled, target, names, metric)
    return found


def answered(model: Predicted, shown: Shown, metric: str) -> Importance:
    """The importance for own code, which ScoreCandidate has asked with shuffled values. Raises NotDrawn."""
    try:
        found = read_shuffled(model)
    except NotAsked as reason:
        raise NotDrawn(str(reason)) from None
    at = np.isin(found.places, shown.rows.index.to_numpy())  # those that the candidate was not trained on
    target = shown.rows[shown.config.target].loc[found.places[at]].to_numpy()
    value = METRICS[metric]
    base = value(target, found.base[at])
    if not np.isfinite(base):
        raise NotDrawn(f"{spaced(metric)} is not defined on the {len(target):,} rows that were asked about")
    worse = {
        name: [base - value(target, each[at]) for each in answers] for name, answers in found.answers.items()
    }
    return Importance(worse, len(target), _about(found))


def _about(found: Shuffled) -> str:
    """What a reader should know of the answers of own code."""
    texts = ["ScoreCandidate asked the candidate's own code; champion and anchor were not asked"]
    if found.refused:
        texts.append(f"its code refused shuffled values of {listed(found.refused)}")
    if left := found.of - len(found.answers) - len(found.refused):
        texts.append(
            f"{len(found.answers):,} of {found.of:,} columns were asked about in {found.seconds:.0f} "
            f"seconds, the first ones; {left:,} were not"
        )
    return "".join(f" {text[0].upper()}{text[1:]}." for text in texts)


def mean_recall(target: Array, found: Array) -> float:
    """The balanced accuracy of predicted classes (OneHot): the mean of each class's share that is right.

    NaN unless the rows are of two classes or more.
    """
    classes = np.unique(target)
    right = target == (found.argmax(axis=1) if found.ndim > 1 else found)
    if len(classes) < 2:
        return float("nan")
    return float(np.mean([right[target == name].mean() for name in classes]))


def permuted(
    ask: Ask, rows: pd.DataFrame, target: Array, names: Sequence[str], metric: str, seconds: float = SECONDS
) -> Importance:
    """Ask about the rows with each of the columns shuffled, REPEATS times or for so many `seconds`.

    A slow model is asked about fewer rows. Raises NotDrawn if MIN_REPEATS take longer, or the metric is not
    defined.
    """
    value, draw, began = METRICS[metric], np.random.default_rng(SEED), time.monotonic()
    if not names:
        raise NotDrawn("the models have no feature in common")
    found = ask(rows)
    whole = (time.monotonic() - began) * len(names) * REPEATS
    if whole > seconds and len(rows) > MIN_ROWS:
        n = max(MIN_ROWS, int(len(rows) * seconds / whole))
        some_rows = np.sort(draw.permutation(len(rows))[:n])
        rows, target, found = rows.iloc[some_rows], target[some_rows], found[some_rows]
    base = value(target, found)
    if not np.isfinite(base):
        raise NotDrawn(f"{spaced(metric)} is not defined on these rows")
    worse: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(REPEATS):
        order = draw.permutation(len(rows))
        some: dict[str, float] = {}
        for part in parts(names, max(1, AT_ONCE // len(rows))):
            if time.monotonic() - began > seconds:
                break
            some |= {name: base - value(target, each) for name, each in shuffled(ask, rows, part, order)}
        if len(some) < len(names):
            if repeat < MIN_REPEATS:
                raise NotDrawn(
                    f"asking the model {MIN_REPEATS} times for each of {len(names):,} features takes more "
                    f"than {seconds:.0f} seconds"
                )
            break
        for name, loss in some.items():
            worse[name].append(loss)
    return Importance(worse, len(rows))


def parts(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The names in parts of at most this size."""
    return (names[at : at + size] for at in range(0, len(names), size))


def shuffled(ask: Ask, rows: pd.DataFrame, names: Sequence[str], order: Array) -> Iterator[tuple[str, Array]]:
    """For each of the columns, the predictions of the rows with this column in another order."""
    n = len(rows)
    asked = pd.concat([rows.assign(**{name: rows[name].to_numpy()[order]}) for name in names])
    found = ask(asked.reset_index(drop=True))
    return ((name, found[at * n : (at + 1) * n]) for at, name in enumerate(names))


def _spread(who: Who, worse: Sequence[float]) -> Interval:
    return Interval(who, float(np.mean(worse)), min(worse), max(worse))


def _told(found: Mapping[Who, Importance], name: str) -> str:
    each = (
        f"{who} {mean} ({ends})"
        for who, one in found.items()
        if name in one.worse
        for mean, ends in [_cells(one, name)]
    )
    return f"{name}: {', '.join(each)}"


def _cells(each: Importance, name: str) -> list[str]:
    if name not in each.worse:
        return ["", ""]
    worse = each.worse[name]
    return [number(each.mean(name), "+"), f"{number(min(worse), '+')} to {number(max(worse), '+')}"]
