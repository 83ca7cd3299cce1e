"""Pure: which deliveries the versions of a model's markers complete.

A delivery is complete when the marker lands at the root of `curated/<model>/`, or when a marker has landed in
the folder of each split. Spark writes one into each folder that it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from retraining.facts.starts import Marker


@dataclass(frozen=True)
class Markers:
    """The markers that complete a delivery, newest first, and a split's marker that waits for the other's."""

    complete: tuple[Marker, ...] = ()
    waiting: Marker | None = None


def completed(
    root: Sequence[Marker],
    train: Sequence[Marker],
    validation: Sequence[Marker],
    answered: Marker | None = None,
) -> Markers:
    """The deliveries that these versions complete: of the root's marker and of the splits', newest first.

    A pair is complete when both its markers are newer than those of the pair before it. `answered` is the
    newest pair that was answered: pairs are made of what landed after it, so that versions that have expired
    since change nothing. Of two versions in one folder without one in the other, the newer one counts.
    """
    new = [
        *reversed(_after(train, answered and answered.of("train"))),
        *reversed(_after(validation, answered and answered.of("validation"))),
    ]
    pairs: list[Marker] = []
    waiting: Marker | None = None
    for marker in sorted(new, key=lambda one: one.landed_at):
        if waiting is None or waiting.split == marker.split:
            waiting = marker
        else:
            pairs.append(marker.model_copy(update={"other": waiting}))
            waiting = None
    there = {one.version_id for one in (*train, *validation)}
    if answered is not None and not there.isdisjoint(answered.versions):
        pairs.append(answered)
    complete = sorted((*root, *pairs), key=lambda one: one.landed_at, reverse=True)
    if waiting is not None and complete and waiting.landed_at <= complete[0].landed_at:
        waiting = None  # the root's marker has completed what it belongs to
    return Markers(tuple(complete), waiting)


def _after(versions: Sequence[Marker], answered: Marker | None) -> list[Marker]:
    """The versions, newest first, that landed after the answered one."""
    if answered is None:
        return [*versions]
    return list(
        takewhile(
            lambda one: one.version_id != answered.version_id and one.landed_at >= answered.landed_at,
            versions,
        )
    )


def waits_for(name: str, waiting: Marker) -> str:
    """Which split's marker, of this name, has landed alone, and which one is waited for."""
    missing = "validation" if waiting.split == "train" else "train"
    return f"{waiting.split}/{name} has landed, and {missing}/{name} is waited for"
