"""Gives each model its turn: a share of the time, and no model's failure or slowness stops another.

A turn is bounded by itself: its work calls `Collaborators.check_time` between its calls to AWS. A turn that
does not, and outlives its function, is found by the next sweep, which begins with the turn after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from retraining.aws.measures import measure
from retraining.aws.observability import logger, scope
from retraining.errors import OutOfTime
from retraining.facts import keys
from retraining.facts.sweep import SWEEP_LEASE, SweepFact

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators

MIN_SHARE: Final = timedelta(seconds=10)
"""The time of a turn at least, also where many turns follow it. With less, a long listing would never end."""

Work = Callable[[str, "Collaborators"], object]
"""What is done for a model in one turn. It raises OutOfTime if it keeps the rest for later."""

Check = Callable[[str, "Collaborators"], bool]
"""Whether there may be work for a model. It changes nothing, raises nothing, and asks AWS for little."""


def always(_model: str, _using: Collaborators) -> bool:
    """The check of work that is done in each turn."""
    return True


class Turn(NamedTuple):
    """One kind of work for one model, and the check before it."""

    model: str
    kind: str
    work: Work
    check: Check = always

    @property
    def name(self) -> str:
        """The model and the kind of work. A model's name has no space."""
        return f"{self.model} {self.kind}"


@dataclass
class Outcome:
    """How the turns ended: those that ran out of time, those that did not begin, and the failures."""

    out_of_time: list[Turn] = field(default_factory=list)
    not_begun: Sequence[Turn] = ()
    failures: list[Exception] = field(default_factory=list)


def take(
    turns: Sequence[Turn], using: Collaborators, begin: Callable[[Turn], bool] = lambda _: True
) -> Outcome:
    """Take these turns in their order, each with an equal share of the time that is left.

    `begin` is called before the work of each turn. No further turn begins once it returns False, or the time
    is over.
    """
    outcome = Outcome()
    for number, turn in enumerate(turns):
        left = using.time_left()
        share = using.within(max(left / (len(turns) - number), MIN_SHARE))
        if left > timedelta(0) and not turn.check(turn.model, share):
            continue
        if left <= timedelta(0) or not begin(turn):
            outcome.not_begun = turns[number:]
            break
        with scope(model=turn.model):
            try:
                turn.work(turn.model, share)
            except OutOfTime:
                outcome.out_of_time.append(turn)
            except Exception as error:
                logger.exception("turn failed", kind=turn.kind)
                error.add_note(f"model {turn.model}")
                outcome.failures.append(error)
    _report(outcome)
    return outcome


def _report(outcome: Outcome) -> None:
    """Log and count the turns whose work is not done."""
    unfinished = len(outcome.out_of_time) + len(outcome.not_begun) + len(outcome.failures)
    if outcome.out_of_time or outcome.not_begun:
        logger.warning(
            "time is over",
            out_of_time=[turn.name for turn in outcome.out_of_time],
            not_begun=[turn.name for turn in outcome.not_begun],
        )
    if unfinished:
        measure("TurnsNotFinished", unfinished)


# ---- the sweep -------------------------------------------------------------------------------------------


def rotated(turns: Sequence[Turn], after: str | None) -> list[Turn]:
    """The turns by name, beginning with the one after this name and ending with the one before it."""
    ordered = sorted(turns, key=lambda turn: turn.name)
    first = bisect_right([turn.name for turn in ordered], after or "")
    return ordered[first:] + ordered[:first]


def sweep(
    models: Sequence[str],
    kinds: Mapping[str, Work],
    using: Collaborators,
    checks: Mapping[str, Check] | None = None,
) -> Outcome | None:
    """Take the turns of all models, in rotation: no turn is always the last. One sweep runs at a time.

    `checks` are by kind; a kind without one is done for each model. A turn whose check finds nothing to do is
    not noted in the ledger: it is too short to be the one in which a sweep dies.

    None if another sweep runs. The next sweep begins with the turn that did not begin any more, or after the
    one that ran out of time, so that one is the last and has the time that the others leave.
    """
    lease = _Lease.taken(using)
    if lease is None:
        return None
    checked = checks or {}
    all_turns = [
        Turn(model, kind, work, checked.get(kind, always)) for model in models for kind, work in kinds.items()
    ]
    turns = rotated(all_turns, lease.after)
    outcome = take(turns, using, lambda turn: lease.hold(turn.name))
    if outcome.not_begun:
        before = len(turns) - len(outcome.not_begun) - 1
        lease.release(turns[before].name if before >= 0 else lease.after)
    elif outcome.out_of_time:
        lease.release(outcome.out_of_time[0].name)
    else:
        lease.release(turns[0].name if turns else None)
    return outcome


class _Lease:
    """The lease of the sweep that runs. Without it, two sweeps would do all work twice."""

    def __init__(self, using: Collaborators, version: int, after: str | None) -> None:
        self._using, self._version, self.after = using, version, after

    @classmethod
    def taken(cls, using: Collaborators) -> _Lease | None:
        """The lease, or None while another sweep holds it. A sweep that died holds it for SWEEP_LEASE."""
        found = using.ledger.get(keys.sweep()) or SweepFact()
        if found.until is not None and using.clock() <= found.until:
            return None
        lease = cls(using, found.version, found.after)
        return lease if lease.hold(found.after) else None

    def hold(self, after: str | None) -> bool:
        """Hold the lease for SWEEP_LEASE from now, and note the turn that begins. False if it is lost."""
        return self._write(after, self._using.clock() + SWEEP_LEASE)

    def release(self, after: str | None) -> None:
        """Give the lease back. The next sweep begins with the turn after this one."""
        self._write(after, None)

    def _write(self, after: str | None, until: datetime | None) -> bool:
        key = keys.sweep()
        if not self._using.ledger.swap(key, version=self._version, until=until, after=after):
            return False
        self._version, self.after = self._version + 1, after
        return True
