"""What is usual for a model, from its own history: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

KEPT: Final = 20
"""The newest values that are kept of a model's history."""

ENOUGH: Final = 3
"""Values from which on something is usual."""

FACTOR: Final = 1.5
"""More than so many times the longest value is longer than usual."""

ONE_DELIVERY: Final = timedelta(hours=1)
"""Files that land within this time of the first one are one landing. So it ends, however often files come."""


def limit(values: Sequence[timedelta], at_least: timedelta) -> timedelta | None:
    """What is longer than usual: FACTOR times the longest value, and `at_least` longer than it.

    None if there are fewer than ENOUGH values.
    """
    if len(values) < ENOUGH:
        return None
    return max(max(values) * FACTOR, max(values) + at_least)


def with_landing(landed: Sequence[datetime], at: datetime) -> tuple[datetime, ...]:
    """The times of a model's landings, oldest first, with one more, unless it is of the same delivery."""
    if landed and at - landed[-1] < ONE_DELIVERY:
        return tuple(landed)
    return (*landed, at)[-KEPT - 1 :]


def gaps(landed: Sequence[datetime]) -> list[timedelta]:
    """The times between landings."""
    return [later - earlier for earlier, later in pairwise(landed)]
