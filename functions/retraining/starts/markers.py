"""Pure: which deliveries the versions of a model's markers complete.

A delivery is complete when the marker lands at the root of `curated/<model>/`, or when a marker has landed in
the folder of each split. Spark writes one into each folder that it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, NamedTuple

from retraining.facts.starts import Marker, Split

TELL_AFTER: Final = timedelta(hours=1)
"""Time after which people are told that data waits for its marker. A job writes its splits one after the
other within minutes."""

ALONE_AFTER: Final = timedelta(hours=12)
"""Time after which a split's marker counts as written alone if it lies nearer to the delivery before. Jobs
that run one after the other without a pause may take hours for a split, hardly so many."""


class Deletion(NamedTuple):
    """A delete marker on a split's marker. `newest` says that no version of it is newer."""

    split: Split
    landed_at: datetime
    newest: bool = False


class Markers(NamedTuple):
    """The markers that complete a delivery, newest first, and a split's marker that waits for the other's."""

    complete: tuple[Marker, ...] = ()
    waiting: Marker | None = None


def completed(
    root: Sequence[Marker],
    train: Sequence[Marker],
    validation: Sequence[Marker],
    answered: Marker | None = None,
    deletions: Sequence[Deletion] = (),
) -> Markers:
    """The deliveries that these versions complete: of the root's marker and of the splits', newest first.

    A pair is complete when both its markers are newer than those of the pair before it. The root's marker
    ends all that waits, and so does a deletion of the marker that waits. Of two versions in one folder
    without one in the other, the newer one counts. `answered` is the newest pair that was answered: pairs are
    made of what landed after it, so that versions that have expired since change nothing.
    """
    splits = [*train, *validation]
    known = [*splits, *((answered, answered.other) if answered and answered.other else ())]
    new: list[Marker | Deletion] = [
        *reversed(_after(train, answered and answered.of("train"))),
        *reversed(_after(validation, answered and answered.of("validation"))),
        *(one for one in root if answered is None or one.landed_at >= answered.landed_at),
        *deletions,
    ]
    pairs: list[Marker] = []
    before: Marker | None = answered
    waiting: Marker | None = None
    for one in sorted(new, key=lambda one: (one.landed_at, _rank(one, splits))):
        if isinstance(one, Deletion):
            waiting = None if waiting and waiting.split == one.split else waiting
        elif one.split is None:
            waiting = None
        elif waiting is None or waiting.split == one.split or _alone(waiting, one, before, known):
            waiting = one
        else:
            before = one.model_copy(update={"other": waiting})
            pairs.append(before)
            waiting = None
    if answered is not None and not {one.version_id for one in splits}.isdisjoint(answered.versions):
        pairs.append(answered)
    complete = sorted((*root, *pairs), key=lambda one: one.landed_at, reverse=True)
    return Markers(tuple(complete), waiting)


def _alone(waiting: Marker, one: Marker, before: Marker | None, known: Sequence[Marker]) -> bool:
    """Whether the marker that waits belongs to a split that was written alone, and not to the marker `one`.

    It has waited for TELL_AFTER, and its split came second in the pair before; or it has waited for
    ALONE_AFTER and lies nearer to the other split's last marker before it than to `one`.
    """
    waited = one.landed_at - waiting.landed_at
    if before is not None and before.other is not None and before.split == waiting.split:
        return waited >= TELL_AFTER
    earlier = (it for it in known if it.split == one.split and it.landed_at <= waiting.landed_at)
    last = max((it.landed_at for it in earlier), default=None)
    return waited >= ALONE_AFTER and last is not None and waiting.landed_at - last < waited


def _rank(one: Marker | Deletion, splits: Sequence[Marker]) -> int:
    """The order within S3's second: a job deletes its marker before it writes, and lands the root's last.

    A deletion that hides a version of its own second comes after it.
    """
    if isinstance(one, Marker):
        return 1 if one.split else 3
    hides = any((it.split, it.landed_at) == (one.split, one.landed_at) for it in splits)
    return 2 if one.newest and hides else 0


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
