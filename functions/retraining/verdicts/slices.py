"""Whether the candidate is worse than the champion on rows that no rule names.

The step searched the categories and the quartiles of all features for a mean loss that is higher by more than
a margin. What it found is corrected for the number of searched slices (Holm 1979), so that among candidates
that are nowhere worse by more than the margin, at most one in twenty is named.
"""

from __future__ import annotations

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
"""Slices that the reason names: those with the lowest p-values."""


def worse(found: Sequence[FoundSlice]) -> list[FoundSlice]:
    """The slices on which the candidate is shown to be worse, or of which that is not known."""
    return [item for item in found if not item.p_holm >= LEVEL]


def reasons(evaluation: Evaluation) -> list[Reason]:
    """One reason that names the slices on which the candidate is worse; none if there is no such slice."""
    found = worse((evaluation.comparison and evaluation.comparison.found_slices) or ())
    if not found:
        return []
    named = "; ".join(_said(item) for item in found[:MAX_NAMED])
    more = f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return [Reason(code="slice_worse", text=f"worse than the champion where {named}{more}")]


def where(item: FoundSlice) -> str:
    """The rows of the slice, as a condition on one line."""
    column = shorten(item.column, MAX_NAME)
    if item.range is not None:
        low, high = (typeset(f"{end:.4g}") for end in item.range)
        return f"{column} = {low}" if low == high else f"{column} is from {low} to {high}"
    return f"{column} is missing" if item.value is None else f"{column} = {shorten(item.value, MAX_NAME)}"


def _said(item: FoundSlice) -> str:
    """The slice with its rows, the loss, the margin if there is one, and the corrected p-value."""
    loss = item.loss.replace("_", " ")
    allowed = f" where {item.margin:+.4g} is allowed" if item.margin else ""
    return (
        f"{where(item)} ({item.n} rows, mean {loss} {typeset(f'{item.difference:+.4g}')}{allowed}, "
        f"p {item.p_holm:.2g} after Holm's correction, needs p ≥ {LEVEL:g})"
    )
