"""Pure: the state of a candidate, from its package in the registry and its facts in the ledger.

The review page, Slack, `handsoff explain` and the sweep ask here, so they cannot disagree. The verdict does
not matter here: a person may decide before the rules have judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from retraining.facts.candidates import By, DecisionFact, EarlierDecision
from retraining.facts.claims import LEASE
from retraining.facts.package import PENDING, Package
from retraining.text import shorten

RULES: Final[By] = "rules"
SUPERSEDED: Final[By] = "superseded"
EXPIRED: Final[By] = "expired"
OUTSIDE: Final[By] = "person"
"""Decided in AWS and not through handsoff, such as in the console."""

PEOPLE: Final = frozenset({"link", "slack", "operator", OUTSIDE})
"""Ways by which a person decides."""

SET_BACK: Final = "set back to pending in AWS"
"""How the reason of a decision begins that somebody in AWS made pending again."""


CLOCKS: Final = timedelta(seconds=5)
"""How far our clock and SageMaker's may differ."""


@dataclass(frozen=True)
class Waits:
    """A person may decide.

    `set_back_at` is when somebody in AWS made the package pending again, None if it was never decided.
    """

    set_back_at: datetime | None = None


@dataclass(frozen=True)
class BeingDecided:
    """A decision is taken in the ledger and not yet seen on the package. Nobody else may decide."""

    decision: DecisionFact


@dataclass(frozen=True)
class Decided:
    """The decision that the registry shows, taken by handsoff or in AWS."""

    decision: DecisionFact


CandidateState = Waits | BeingDecided | Decided


def candidate_state(package: Package, decision: DecisionFact | None, now: datetime) -> CandidateState:
    """The state of the candidate at `now`."""
    if decision and unwritten(package, decision):
        return BeingDecided(decision)
    if not package.pending:
        return Decided(decision if decision and shows(package, decision) else outside(package, decision))
    if decision is None:
        return Waits()
    if decision.status == PENDING:
        return Waits(decision.at)
    if set_back(package, decision, now):
        return Waits(package.changed_at)  # until that is recorded, only the package has its time
    return BeingDecided(decision)


def before(at: datetime, moment: datetime | None) -> bool:
    """Whether `at` lies in an earlier second than `moment`. Links and button presses know whole seconds only.

    The link that tells of a set-back may be made in the very second of it, and that link must decide.
    """
    return moment is not None and at < moment.replace(microsecond=0)


def shows(package: Package, decision: DecisionFact | None) -> bool:
    """Whether what the registry shows is this decision of the ledger."""
    if decision is None or package.approval_status != decision.status:
        return False
    return decision.by == OUTSIDE or package.decided_at == decision.at


def unwritten(package: Package, decision: DecisionFact | None) -> bool:
    """Whether a roll-back has taken this decision, and the package still shows the one before it.

    A package that was changed since may show a later decision of a person, which stands.
    """
    if decision is None or decision.rollback is None or decision.done_at or not decision.earlier:
        return False
    before = decision.earlier[-1]
    if package.changed_at > decision.at + CLOCKS or package.decided_at == decision.at:
        return False
    if package.approval_status != before.status:
        return False
    return before.by == OUTSIDE or package.decided_at == before.at


def set_back(package: Package, decision: DecisionFact | None, now: datetime) -> bool:
    """Whether the package is pending again although this decision of the ledger had been written on it.

    A decision that was written leaves its time on the package. Where somebody has removed that, too, the mark
    in the ledger tells. A package that was read a moment too early lacks both.
    """
    if not package.pending or decision is None:
        return False
    written = decision.by == OUTSIDE or package.decided_at == decision.at
    return written or (decision.done_at is not None and decision.done_at < now - LEASE)


def outside(package: Package, known: DecisionFact | None) -> DecisionFact:
    """What was done in AWS, as a decision. `known` is what the ledger held so far."""
    why, who, at = package.approval_description or "", package.changed_by, package.changed_at
    if package.decided_at and given_back(package, known):  # written by handsoff, decided by a person
        who, at = package.metadata.get("decidedWho"), package.decided_at
        who = None if who == "none" else who
    elif package.pending:
        earlier = f"; before, it was {known.status.lower()} {said_by(known.by, known.who)}" if known else ""
        why = shorten(f"{SET_BACK}{earlier}")
    elif known and why == known.why:  # SageMaker keeps the description of the decision before
        why = ""
    return DecisionFact(status=package.approval_status, by=OUTSIDE, who=who, why=why, at=at)


def from_metadata(package: Package) -> DecisionFact:
    """The decision that a package shows, where the ledger that held it is lost."""
    ours, by = package.decided_at, package.metadata.get("decidedBy")
    why, approval = package.approval_description or "", package.noted_approval
    approved = bool(ours and approval and approval >= ours)
    if ours and by and approved == (package.approval_status == "Approved"):
        who = package.metadata.get("decidedWho")
        who = None if who == "none" else who
        return DecisionFact(status=package.approval_status, by=by, who=who, why=why, at=ours)
    at = approval if approval and package.approval_status == "Approved" else package.changed_at
    return DecisionFact(status=package.approval_status, by=OUTSIDE, who=package.changed_by, why=why, at=at)


def given_back(package: Package, known: DecisionFact | None) -> bool:
    """Whether the package shows a person's decision that was restored and is not in the ledger yet."""
    at = package.decided_at
    if package.pending or package.metadata.get("decidedBy") != OUTSIDE or at is None:
        return False
    facts: tuple[EarlierDecision, ...] = (known, *known.earlier) if known else ()
    restored = package.metadata.get("givenBack") == package.approval_status
    return restored and (OUTSIDE, at) not in [(fact.by, fact.at) for fact in facts]


def said_by(by: str, who: str | None) -> str:
    """Who decided, for people: `by rules`, `by Ana (link)`, `by arn:aws:iam::… (operator)`."""
    if by in PEOPLE:
        via = "in AWS" if by == OUTSIDE else by
        return f"by {who} ({via})" if who else f"by a person ({via})"
    machine: dict[str, str] = {SUPERSEDED: "as a newer one was approved", EXPIRED: "as nobody decided"}
    return machine.get(by, f"by {by}")
