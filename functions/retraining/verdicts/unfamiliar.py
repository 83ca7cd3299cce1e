"""Whether another model is a measure for the candidate: it must know the categories that this knows."""

from __future__ import annotations

from typing import Final

from retraining.verdicts.evaluation import Comparison, Unfamiliar

MAX_UNFAMILIAR: Final = 0.05
"""The share of the compared rows, beyond chance, in which the other model may not know a category that the
candidate knows. With more of them, it is no measure."""

MAX_NAMED: Final = 3
"""Features that the reason names: those with the most such rows."""


def sees_unknown(comparison: Comparison, other: str) -> str | None:
    """Why the candidate must be held: `other`, the champion or the anchor, does not know what it knows.

    None if the other model is a measure. An evaluation of an earlier version has no share over all features;
    it is at least the largest of one.
    """
    by_feature = {name: item.known_to_candidate for name, item in comparison.unknown.items()}
    found = comparison.unfamiliar or Unfamiliar(share=max(by_feature.values(), default=0.0), by_chance=0.0)
    if found.share - found.by_chance <= MAX_UNFAMILIAR:
        return None
    most = sorted((name for name in by_feature if by_feature[name]), key=lambda name: -by_feature[name])
    named = ", ".join(f"{name} {by_feature[name]:.1%}" for name in most[:MAX_NAMED])
    return (
        f"in {found.share:.1%} of the compared rows ({found.by_chance:.1%} by chance) the candidate knows a "
        f"category that the {other} does not ({named}), so the comparison does not show which model is "
        "better: look whether categories are written in another way than before; data.new_categories names "
        "features that have new categories in each batch"
    )
