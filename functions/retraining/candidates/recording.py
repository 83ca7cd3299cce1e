"""Records what the registry shows, by handsoff or by a person, and does what follows from it.

Events call this, and so does the sweep for events that were lost. Each part may be repeated: the decision's
fact in the ledger is marked `recordedAt` last.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, assert_never

from retraining import records
from retraining.aws import registry
from retraining.aws.measures import measure
from retraining.aws.observability import about, logger
from retraining.candidates import anchoring, announcing, going_back, telling
from retraining.candidates.decisions import adopt
from retraining.candidates.record_actions import (
    NOTHING_SEEN,
    Adopt,
    Follow,
    NoteApproval,
    Nothing,
    Restore,
    Seen,
    Witness,
    next_action,
)
from retraining.candidates.rolling_back import roll_back
from retraining.candidates.state import OUTSIDE, RULES, from_metadata
from retraining.candidates.superseding import supersede
from retraining.collaborators import Collaborators
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.candidates import ApprovalStatus, DecisionFact
from retraining.facts.package import Package

METRICS: Final[Mapping[ApprovalStatus, str]] = {
    "Approved": "DecisionsApproved",
    "Rejected": "DecisionsRejected",
    "PendingManualApproval": "DecisionsSetBack",
}
"""The metric that counts what the registry shows."""


def record(package: Package, using: Collaborators, *, seen: Seen = NOTHING_SEEN) -> None:
    """Record a decision, or that one was set back to pending, unless that is done; tell people once.

    Raises NotReady if somebody decides on the package at the same time.
    """
    about(model=using.settings.model_of(package.group), execution=package.execution, package=package.arn)
    known = using.ledger.get(keys.decision(package.arn))
    while True:
        action = next_action(package, known, seen, using.clock())
        match action:
            case Nothing():
                return
            case Follow(decision):
                _follow(package, decision, using)
                return
            case Witness():
                known = _witness(package.arn, action, using)
            case Adopt() if known is None and seen == NOTHING_SEEN and _is_known(package, using):
                _take_over(package, using)
                return
            case Adopt():
                known = adopt(package, known, using)
                if known is None:
                    raise NotReady(f"{package.name} is being decided; try again")
            case Restore():
                package = _restore(package, action, using)
            case NoteApproval(at):
                registry.annotate(using.sagemaker, package, {"approvedAt": at.isoformat()})
                package = registry.package(using.sagemaker, package.arn)
                if known:
                    roll_back(package, known, using)
            case _:
                assert_never(action)
        seen = NOTHING_SEEN  # what the event told is dealt with


def _witness(arn: str, event: Witness, using: Collaborators) -> DecisionFact:
    """Note a decision in AWS of which only the event is left. Raises NotReady if another one is taken."""
    fact = DecisionFact(status=event.status, by=OUTSIDE, who=event.who, at=event.at, done_at=using.clock())
    if using.ledger.take(keys.decision(arn), fact) is not None:
        raise NotReady(f"{arn} is being decided; try again")
    return fact


def _is_known(package: Package, using: Collaborators) -> bool:
    """Whether handsoff dealt with this decision in a ledger that is lost: the package outlives `destroy`.

    Each approval that was dealt with is noted on its package. An approval without that note was given in AWS
    while there was no deployment, and is news. A rejection in AWS leaves no note: a verdict's must do.
    Metadata that is older than the package was copied from another one, and says nothing.
    """
    noted: tuple[datetime | None, ...] = (package.noted_approval,)
    if package.approval_status != "Approved":
        noted += (package.decided_at, package.judged_at)
    if not any(at and at >= package.created_at for at in noted):
        return False
    return using.ledger.get(keys.verdict(package.arn)) is None


def _take_over(package: Package, using: Collaborators) -> None:
    """Put the decision of a lost ledger into this one, as recorded: it is no news, and nobody is told."""
    now = using.clock()
    fact = from_metadata(package).model_copy(update={"done_at": now, "recorded_at": now})
    if using.ledger.take(keys.decision(package.arn), fact) is not None:
        raise NotReady(f"{package.name} is being decided; try again")
    _keep_in_view(package, using)
    if package.approval_status == "Approved":
        anchoring.current(package.group, using)
    logger.info("decision taken over from a former ledger", package=package.arn, by=fact.by)


def _restore(package: Package, missed: Restore, using: Collaborators) -> Package:
    """Give a person's decision back that handsoff wrote over; the package then."""
    at = missed.at.isoformat()
    metadata = {"decidedBy": OUTSIDE, "decidedAt": at, "givenBack": missed.status}
    if missed.status == "Approved":
        metadata["approvedAt"] = at
    if missed.who or "decidedWho" in package.metadata:  # of our decision
        metadata["decidedWho"] = missed.who or "none"
    registry.annotate(
        using.sagemaker,
        package,
        metadata,
        status=missed.status,
        description=f"given back: decided in AWS at {at}, while we wrote {package.approval_status}",
    )
    logger.warning("overwritten decision given back", package=package.arn, seen=missed.status)
    return registry.package(using.sagemaker, package.arn)


# ---- what follows from a decision ------------------------------------------------------------------------


def _follow(package: Package, decision: DecisionFact, using: Collaborators) -> None:
    """Do all that follows from the decision, then mark it as recorded."""
    failures: list[Exception] = []
    if package.approval_status == "Approved":
        if decision.by == OUTSIDE and package.noted_approval != decision.at:
            registry.annotate(using.sagemaker, package, {"approvedAt": decision.at.isoformat()})
        anchoring.current(package.group, using)
        if decision.rollback:
            going_back.reject_gone(decision, using)
        failures = supersede(package, decision, using)
        announcing.champion_approved(package, decision, using)
    else:
        package = _dated(package, decision, using)
        roll_back(package, decision, using)
    _tell(package, decision, using)
    model, written = using.settings.model_of(package.group), None
    if package.execution:
        written = records.write(using.sources, model, package.execution, package_arn=package.arn)
    if failures:
        raise (
            failures[0]
            if len(failures) == 1
            else ExceptionGroup("candidates that were not superseded", failures)
        )
    _keep_in_view(package, using)
    now = using.clock()
    using.ledger.mark(
        keys.decision(package.arn),
        where={"at": decision.at},
        done_at=decision.done_at or now,
        recorded_at=now,
    )
    logger.info("decision recorded", package=package.arn, status=package.approval_status, by=decision.by)
    _measure(package, decision, using)
    if written:
        records.make_report(using.sources, model, written)


def _measure(package: Package, decision: DecisionFact, using: Collaborators) -> None:
    """Count the decision, and time the first one on a candidate from the landing of its batch."""
    model = using.settings.model_of(package.group)
    measure(METRICS[package.approval_status], model=model)
    if package.pending:
        return
    measure("Decisions", model=model, by=decision.by)
    made = using.ledger.get(keys.execution(package.execution)) if package.execution else None
    if made and made.landed_at and not decision.earlier:
        took = (decision.at - made.landed_at).total_seconds()
        measure("LandingToDecision", took, model=model)


def _tell(package: Package, decision: DecisionFact, using: Collaborators) -> None:
    """Tell people, unless they know. A package that is approved no more may have been the anchor."""
    more = () if package.approval_status == "Approved" else anchoring.said_if_lost(package, using)
    if package.pending:
        telling.tell_waiting(package, decision, using, more=more)
        announcing.candidate_waits(package, decision.at, (decision.why, *more), using)
    elif decision.by != RULES:  # the rules tell of their verdict themselves
        telling.tell_decision(package, decision, using, more=more)


def _dated(package: Package, decision: DecisionFact, using: Collaborators) -> Package:
    """The package with the time at which it was approved, if that was over before it was noted there."""
    approvals = [fact.at for fact in decision.earlier if fact.status == "Approved"]
    if package.noted_approval or not approvals:
        return package
    registry.annotate(using.sagemaker, package, {"approvedAt": approvals[-1].isoformat()})
    return registry.package(using.sagemaker, package.arn)


def _keep_in_view(package: Package, using: Collaborators) -> None:
    """Let the sweep look at the champion, however many candidates are newer."""
    if package.noted_approval or package.approval_status == "Approved":
        champion = registry.champion(using.sagemaker, package.group)
        using.ledger.mark(keys.in_view(package.group), champion=champion.arn if champion else None)
