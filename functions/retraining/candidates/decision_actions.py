"""Pure: what follows once a decision is asked for, from one snapshot of ledger and registry."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from retraining.candidates.state import PEOPLE, RULES, SUPERSEDED, outside, shows
from retraining.facts.candidates import DecisionFact, EarlierDecision
from retraining.facts.package import Package

MAX_TIME: Final = timedelta(seconds=45)
"""The longest time from taking the lease on a group to writing an approval. It is half of LEASE, so that the
call to SageMaker ends while the lease is held."""


class Standing(EarlierDecision):
    """The decision that stands on a package. `ours` says whether it is the one that was asked for."""

    ours: bool

    @classmethod
    def of(cls, decision: EarlierDecision, *, ours: bool) -> "Standing":
        """The decision without what only the ledger needs of it."""
        return cls(
            status=decision.status,
            by=decision.by,
            why=decision.why,
            at=decision.at,
            who=decision.who,
            ours=ours,
        )


class Compared(NamedTuple):
    """The ARNs of champion and anchor that a candidate was compared with; None where there was none.

    `aside`: a person has put the champion aside.
    """

    champion: str | None
    aside: bool = False
    anchor: str | None = None


class Snapshot(NamedTuple):
    """What is known after the ledger was asked to take the decision `wanted`.

    `taken` is what stands in the ledger: `wanted`, or an earlier request for it, or another decision.
    `champion` is the group's champion, read only where an approval depends on it. `beside` is the champion
    that the verdict knew. `anchor` is the model's anchor, read only where the candidate was compared with
    one. `elapsed` is the time since the lease on the group was taken.
    """

    wanted: DecisionFact
    taken: DecisionFact
    package: Package
    compared: Compared | None = None
    champion: Package | None = None
    beside: str | None = None
    anchor: str | None = None
    elapsed: timedelta = timedelta(0)


@dataclass(frozen=True)
class Stand:
    """Nothing is written on the package: this decision stands. `give_back` releases what was taken."""

    standing: Standing
    give_back: bool = False


@dataclass(frozen=True)
class Adopt:
    """Nothing is written on the package. In the ledger, what was done in AWS takes our decision's place."""


@dataclass(frozen=True)
class RefuseChampion:
    """The champion is not the one that the candidate was compared with: what was taken is released."""

    champion: str | None


@dataclass(frozen=True)
class RefuseAnchor:
    """The anchor is not the one that the candidate was compared with: what was taken is released."""

    anchor: str | None


@dataclass(frozen=True)
class TryAgain:
    """Too much time has passed to approve safely under the lease."""


@dataclass(frozen=True)
class Write:
    """The decision is written on the package, then marked as done."""


@dataclass(frozen=True)
class MarkDone:
    """The package shows the decision already: it is marked as done."""


Action = Stand | Adopt | RefuseChampion | RefuseAnchor | TryAgain | Write | MarkDone


def next_action(seen: Snapshot) -> Action:
    """What follows. What was decided once, here or in AWS, is never overwritten."""
    taken, package = seen.taken, seen.package
    same = _request(taken) == _request(seen.wanted)
    if not package.pending and not shows(package, taken):
        if same and taken.by == RULES:
            return Adopt()
        return Stand(
            Standing.of(outside(package, taken), ours=False), give_back=same and taken.done_at is None
        )
    if not same or taken.done_at is not None:
        return Stand(Standing.of(taken, ours=same))
    if not package.pending:
        return MarkDone()
    return _approval(seen) if taken.status == "Approved" else Write()


def _approval(seen: Snapshot) -> Action:
    """What follows where an approval may be written on a package that is pending."""
    champion = seen.champion.arn if seen.champion else None
    if seen.compared and not seen.compared.aside and champion != seen.compared.champion:
        return RefuseChampion(champion)
    if seen.compared and seen.compared.anchor and seen.anchor != seen.compared.anchor:
        return RefuseAnchor(seen.anchor)
    if seen.wanted.by in PEOPLE and seen.champion and is_superseded(seen):
        return Stand(_superseded_by(seen.champion), give_back=True)
    return TryAgain() if seen.elapsed > MAX_TIME else Write()


def is_superseded(seen: Snapshot) -> bool:
    """Whether the champion is newer, and became champion after all that people know of this package.

    People know of the champion if the package was judged beside it, or set back to pending after it.
    """
    champion = seen.champion
    if champion is None or champion.created_at <= seen.package.created_at:
        return False
    return seen.beside != champion.arn and all(
        fact.at < champion.approved_at for fact in seen.taken.earlier[-1:]
    )


def _superseded_by(champion: Package) -> Standing:
    at = champion.approved_at
    why = f"a newer version, {champion.name}, was approved {at.isoformat()}"
    return Standing(status="Rejected", by=SUPERSEDED, why=why, at=at, ours=False)


def _request(decision: EarlierDecision) -> tuple[str, str, str | None]:
    """What makes two requests the same decision, whenever each was made."""
    return decision.status, decision.by, decision.who
