"""Pure: whether the numbers of an evaluation can be trusted: their rows, and a gain that is a leap.

The report and the review page show the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from retraining.config.tasks import DECISIVE, DECISIVE_OF_LABELS, LOWER_IS_BETTER
from retraining.html.pictures import Table
from retraining.html.wording import number, plain, share, spaced
from retraining.text import shorten
from retraining.verdicts.evaluation import Comparison, Evaluation, Lookalikes, Shift
from retraining.verdicts.leaks import MAX_Z, too_many

LEAP_INTERVALS: Final = 3.0
"""A gain is a leap above so many half widths of the champion's 95 % interval: chance does not explain it."""

LEAP_SHARE: Final = 1 / 3
"""A gain is a leap if it takes away at least this share of what the champion lacks to a perfect model.

Interval and share are both needed. On a million rows each small gain is above the interval, and on fifty rows
chance alone may give a third.
"""

MOVED: Final = 0.1
"""Population stability index beyond chance from which a feature of the validation rows is named."""

MAX_MOVED: Final = 5
"""Features that are named: those that moved most."""

MAX_NAME: Final = 80
"""Characters of a feature's name."""


@dataclass(frozen=True)
class Trust:
    """The rows and what speaks against them, as a table, and the sentence about a leap; empty without one."""

    table: Table = field(default_factory=Table)
    leap: str = ""


def trust(evaluation: Evaluation | None) -> Trust:
    """What is known of the rows of `evaluation`; nothing without one."""
    if evaluation is None:
        return Trust()
    return Trust(
        Table(columns=("What", "Found", "What it says"), rows=tuple(_rows(evaluation))), leap(evaluation)
    )


def leap(evaluation: Evaluation) -> str:
    """That the gain over the champion is unusually large, and what to look for; empty if it is not."""
    compared = evaluation.comparison
    if compared is None:
        return ""
    found = next(
        (name for name in (DECISIVE[evaluation.task], DECISIVE_OF_LABELS) if name in compared.differences),
        None,
    )
    if found is None or found not in compared.champion:
        return ""
    lower = found in LOWER_IS_BETTER
    champion = compared.champion[found]
    gain = compared.differences[found].value * (-1 if lower else 1)
    low, high = champion.interval
    lacks = champion.value if lower else 1 - champion.value
    least = max(LEAP_INTERVALS * (high - low) / 2, LEAP_SHARE * lacks)
    if not (lacks > 0 and math.isfinite(least) and gain >= least):
        return ""
    before, now = number(champion.value), number(champion.value + (-gain if lower else gain))
    return (
        f"A leap: {spaced(found)} is better than the champion's by {number(gain)}, from {before} to {now}. "
        "Gains of this size are rare. Look for validation rows, or near copies of them, among the training "
        "rows, and for a feature that tells the target."
    )


def _rows(evaluation: Evaluation) -> Iterator[tuple[str, str, str]]:
    yield (
        "Validation rows that are used",
        f"{evaluation.candidate.n:,}",
        "The candidate's numbers are of them",
    )
    yield _left_out("seen in training", evaluation.leaked)
    yield _left_out("their group is in the training rows", evaluation.same_group)
    yield (
        "Rows equal to a training row",
        *_alike(evaluation.lookalikes, "among the training rows themselves"),
    )
    yield (
        "Rows equal to another validation row",
        *_alike(evaluation.copies, "expected from the training rows"),
    )
    if evaluation.comparison:
        yield from _compared(evaluation.comparison)
    yield ("Drift from training to validation", *_moved(evaluation.validation_drift))


def _compared(compared: Comparison) -> Iterator[tuple[str, str, str]]:
    yield (
        "Rows that are compared with the champion",
        f"{compared.n:,}",
        f"Left out: {compared.excluded:,} that it was trained on, "
        f"{compared.excluded_groups:,} of groups that it was trained on",
    )
    yield (
        "Rows equal to a training row of the champion",
        *_alike(compared.lookalikes, "among its training rows themselves"),
    )


def _left_out(why: str, count: int) -> tuple[str, str, str]:
    says = "They are in none of the numbers" if count else "No row had to be left out"
    return (f"Left out: {why}", f"{count:,}", says)


def _alike(found: Lookalikes | None, beside: str) -> tuple[str, str]:
    """How many rows have the same features and target, and whether that is more than chance gives."""
    if found is None:
        return ("—", "Not known")
    told = f"{found.equal:,} of {found.n:,} ({share(found.share)})"
    rate = f"{share(found.train_share)} {beside}; z {number(found.z)}, {MAX_Z:g} is allowed"
    return (told, f"{'Too many' if too_many(found) else 'No more than chance gives'}: {rate}")


def _moved(drift: Shift | None) -> tuple[str, str]:
    """The features whose values in validation are others than in training, those that moved most first."""
    if drift is None:
        return ("—", "Not known")
    shifts = {"the target": drift.target} if drift.target else {}
    shifts |= {shorten(plain(name), MAX_NAME): moved for name, moved in drift.columns.items()}
    beyond = {name: moved.psi - moved.by_chance for name, moved in shifts.items()}
    moved = sorted((name for name, value in beyond.items() if value >= MOVED), key=lambda name: -beyond[name])
    if not moved:
        return ("none", f"No feature and no target is {MOVED:g} or more beyond chance, as an index")
    named = ", ".join(f"{name} {number(beyond[name])}" for name in moved[:MAX_MOVED])
    more = f" and {len(moved) - MAX_MOVED} more" if len(moved) > MAX_MOVED else ""
    return (
        f"{len(moved)} of {len(beyond)}",
        f"Index beyond chance: {named}{more}. Validation measures other rows than the model has learnt from",
    )
