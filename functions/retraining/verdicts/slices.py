"""Whether the candidate is worse than the champion on rows that no rule names.

The step searched the categories and the quartiles of all features for a mean loss that is higher by more than
a margin. What it found is corrected for the number of searched slices (Holm 1979), so that among candidates
that are nowhere worse by more than the margin, at most one in twenty is named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from retraining.text import shorten
from retraining.verdicts.evaluation import Evaluation, FoundSlice
from retraining.verdicts.verdict import Reason
from retraining.verdicts.wording import typeset

LEVEL: Final = 0.05
"""The corrected p-value below which the candidate is worse on a slice."""

MAX_NAME: Final = 80
"""Characters of a column and of a category that are shown."""

MAX_NAMED: Final = 3
"""Slices that reasons name, one each: those with the lowest p-values."""


def worse(found: Sequence[FoundSlice]) -> list[FoundSlice]:
    """The slices on which the candidate is shown to be worse, or of which that is not known."""
    return [item for item in found if not item.p_holm >= LEVEL]


def reasons(evaluation: Evaluation) -> list[Reason]:
    """One reason for each slice on which the candidate is worse, and one that counts those not named."""
    found = worse((evaluation.comparison and evaluation.comparison.found_slices) or ())
    texts = [f"worse than the champion where {_said(item)}" for item in found[:MAX_NAMED]]
    if (left := len(found) - MAX_NAMED) > 0:
        texts.append(f"worse than the champion in {left} more slice{'s' * (left > 1)}")
    return [Reason(code="slice_worse", text=text) for text in texts]


def where(item: FoundSlice) -> str:
    """The rows of the slice, as a condition on one line."""
    column = shorten(item.column, MAX_NAME)
    if item.range is not None:
        low, high = (typeset(f"{end:.4g}") for end in item.range)
        return f"{column} = {low}" if low == high else f"{column} is from {low} to {high}"
    return f"{column} is missing" if item.value is None else f"{column} = {shorten(item.value, MAX_NAME)}"


def _said(item: FoundSlice) -> str:
    """The slice with its rows, the loss, and the margin if there is one. Tables have the p-value."""
    loss = item.loss.replace("_", " ")
    more = typeset(f"{item.difference:.4g}")
    allowed = f", allowed {typeset(f'{item.margin:.4g}')}" if item.margin else ""
    chance = "" if math.isfinite(item.p_holm) else "; whether by chance is not known"
    return f"{where(item)}: {item.n:,} rows, mean {loss} worse by {more}{allowed}{chance}"
