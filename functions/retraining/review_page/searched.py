"""Pure: the page's table of slices that ModelEvaluation searched for a worse candidate."""

from __future__ import annotations

from typing import Final, NamedTuple

from retraining.html.wording import Said, number
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.slices import where, worse

MAX_SHOWN: Final = 10
"""Slices that are shown: those with the lowest p-values."""


class Slice(NamedTuple):
    """One slice, with the difference of the mean loss there, what is allowed, and its corrected p-value."""

    where: str
    rows: str
    difference: str
    margin: str
    p: str
    reading: Said


class Searched(NamedTuple):
    """The slices with the lowest p-values of the `tested` ones. `loss` is what was compared there."""

    slices: tuple[Slice, ...] = ()
    tested: str = ""
    loss: str = ""


def searched(evaluation: Evaluation | None) -> Searched:
    """The table; without slices if none was searched, as in evaluations of earlier versions."""
    compared = evaluation.comparison if evaluation else None
    if compared is None or not compared.found_slices:
        return Searched()
    bad = worse(compared.found_slices)
    return Searched(
        slices=tuple(
            Slice(
                where=where(item),
                rows=f"{item.n:,}",
                difference=number(item.difference, "+"),
                margin=number(item.margin, "+") if item.margin else "0",
                p=number(item.p_holm),
                reading=Said("worse", "bad") if item in bad else Said("not shown to be worse"),
            )
            for item in compared.found_slices[:MAX_SHOWN]
        ),
        tested=f"{compared.slices_tested or len(compared.found_slices):,}",
        loss=compared.found_slices[0].loss.replace("_", " "),
    )
