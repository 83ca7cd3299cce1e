"""Pure: what is to be recorded of a package, from the registry, the ledger and the event that told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from retraining.candidates.state import CLOCKS, OUTSIDE, set_back, shows, unwritten
from retraining.facts.candidates import DecisionFact, Status
from retraining.facts.claims import LEASE
from retraining.facts.package import Package


class Seen(NamedTuple):
    """The status that an event tells of, when it was set, and by whom. It may be overwritten by now."""

    status: str | None = None
    at: datetime | None = None
    who: str | None = None

    @property
    def decided(self) -> Status | None:
        """The status, if it is a decision."""
        return "Approved" if self.status == "Approved" else "Rejected" if self.status == "Rejected" else None


NOTHING_SEEN: Final = Seen()
"""No event: the sweep looks by itself."""


@dataclass(frozen=True)
class Nothing:
    """The package waits, a roll-back is about to be written on it, or all is recorded."""


@dataclass(frozen=True)
class Witness:
    """Only the event is left of a decision in AWS: it is noted in the ledger."""

    status: Status
    at: datetime
    who: str | None


@dataclass(frozen=True)
class Restore:
    """Handsoff wrote over a person's decision, which only the event tells of: that decision is given back."""

    status: Status
    at: datetime
    who: str | None


@dataclass(frozen=True)
class NoteApproval:
    """The event tells of an approval that was over before what is known: its time is noted on the package."""

    at: datetime


@dataclass(frozen=True)
class Adopt:
    """The registry shows something that was done in AWS: it takes the place of what the ledger holds."""


@dataclass(frozen=True)
class Follow:
    """Ledger and registry agree on `decision`: all that follows from it is done, then it is marked."""

    decision: DecisionFact


Action = Nothing | Witness | Restore | NoteApproval | Adopt | Follow


def next_action(package: Package, known: DecisionFact | None, seen: Seen, now: datetime) -> Action:
    """What is done next. After each action but Nothing and Follow it is asked again, with what is known then.

    SageMaker has no compare-and-set: between our last look at a package and our writing to it a person may
    decide. The event of that decision (`seen`) is then all that is left of it.
    """
    status, at = seen.decided, seen.at
    if known is None and status and at and _is_over(status, at, package):
        return Witness(status, at, seen.who)
    if unwritten(package, known) or (package.pending and not set_back(package, known, now)):
        return Nothing()
    if known and status and at and _is_missed(status, at, package, known):
        late = _catch_up(status, at, seen.who, package, known)
        if late is not None:
            return late
    if known is None or not shows(package, known):
        return Adopt()
    return Nothing() if known.recorded_at else Follow(known)


def _is_over(status: Status, at: datetime, package: Package) -> bool:
    """Whether the registry shows something later than the decision that the event tells of."""
    return status != package.approval_status and at < package.changed_at


def _is_missed(status: Status, at: datetime, package: Package, known: DecisionFact) -> bool:
    """Whether neither ledger nor registry knows the decision that the event tells of."""
    statuses = [known.status, *(fact.status for fact in known.earlier)]
    return status not in (package.approval_status, *statuses) and at <= package.changed_at


def _catch_up(
    status: Status, at: datetime, who: str | None, package: Package, known: DecisionFact
) -> Restore | Adopt | NoteApproval | None:
    """What should have been done when a decision fell that was missed.

    If the registry shows our own decision, written over the missed one, the missed one is restored: it fell
    after ours was taken and before ours was done. If a person has decided anew since, that is a later
    decision. Otherwise the missed one lies before what is known, and changes nothing that was decided since.
    """
    done = known.done_at or known.at + LEASE
    if _is_still_ours(package, known) and known.at - CLOCKS <= at <= done + CLOCKS:
        return Restore(status, at, who)
    if at > known.at:
        return Adopt()
    if status == "Approved" and package.noted_approval is None:
        return NoteApproval(at)
    return None


def _is_still_ours(package: Package, known: DecisionFact) -> bool:
    """Whether the registry shows what handsoff wrote, even if other metadata was edited since."""
    return known.by != OUTSIDE and shows(package, known) and package.approval_description == known.why
