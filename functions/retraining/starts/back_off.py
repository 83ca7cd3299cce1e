"""Tries work that fails ever less often: each failure is a message in the failure queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from retraining.errors import NotReady, OutOfTime
from retraining.facts.candidates import Trouble
from retraining.facts.fact import Key
from retraining.text import shorten

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators

T = TypeVar("T")

MAX_WAIT: Final = timedelta(hours=1)
"""The longest wait after a failure. The first is until the next sweep, each later one as long as the time
from the first failure to the last: 1, 2, 4, … minutes."""

FORGET_AFTER: Final = timedelta(hours=1)
"""A row of failures is forgotten when the next try is overdue by its wait and this time: events have done the
work meanwhile, and a new failure begins a new row."""


def rotated(items: Sequence[T], using: Collaborators) -> list[T]:
    """The items, beginning at another one each minute: none of them delays the others time and again."""
    begin = int(using.clock().timestamp() // 60) % max(len(items), 1)
    return [*items[begin:], *items[:begin]]


def with_back_off(
    work: Callable[[], object],
    key: Key[Trouble],
    using: Collaborators,
    blocked: Callable[[Exception, Trouble], bool] = lambda *_: False,
    *,
    at_once: bool = False,
) -> bool:
    """Do the work, unless it has failed lately and `at_once` is false. Says whether it is done.

    A failure is noted with its row. It is raised unless `blocked` says that people know of it.
    """
    row = trouble = using.ledger.get(key)
    if trouble:
        since, wait = using.clock() - trouble.last, min(trouble.last - trouble.first, MAX_WAIT)
        if since < wait and not at_once:
            return False
        if since > 2 * wait + FORGET_AFTER:
            trouble = None
    try:
        work()
    except (NotReady, OutOfTime):
        raise
    except Exception as error:
        now, why = using.clock(), shorten(str(error) or type(error).__name__)
        row = trouble or Trouble(first=now, last=now)
        row = row.model_copy(update={"last": now, "why": why})
        using.ledger.mark(key, first=row.first, last=now, why=why, told=row.told)
        if not blocked(error, row):
            raise
        return False
    if row:
        using.ledger.release(key)
    return True
