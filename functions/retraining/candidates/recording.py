"""What the registry shows is recorded, whoever did it, and what follows from it is done.

Events call this, and so does the sweep for those that were lost. Every part may be repeated: the decision's
fact in the ledger is marked `recordedAt` last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from retraining import evidence
from retraining.aws import registry
from retraining.aws.ledger import LEASE
from retraining.aws.observability import logger, metrics
from retraining.aws.registry import Package
from retraining.candidates import decisions, judging
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, Status
from retraining.notifications.messages import Notification, Rollback
from retraining.notifications.publish import announce, notify


@dataclass(frozen=True)
class Seen:
    """The status that an event tells of, and when it was set. By now it may be over, or written over."""

    status: str | None = None
    at: datetime | None = None
    who: str | None = None

    @property
    def decided(self) -> Status | None:
        """The status, if it is a decision."""
        return "Approved" if self.status == "Approved" else "Rejected" if self.status == "Rejected" else None


NOTHING: Final = Seen()

CLOCKS: Final = timedelta(seconds=5)
"""By how much our clock and SageMaker's may differ."""


def record(package: Package, using: Collaborators, *, seen: Seen = NOTHING) -> None:
    """Record a decision, or that one was set back to pending, unless that is done; tell people once.

    SageMaker has no compare-and-set: between our last look at a package and our writing to it a person may
    decide. That person's event is then all that is left of it (`seen`), and the decision is given back.
    """
    known = using.ledger.get(keys.decision(package.arn))
    if known is None and seen.decided and (at := over(seen, package)):
        known = decisions.witness(package.arn, seen.decided, at, seen.who, using)
    if package.pending and not decisions.set_back(package, known, using.clock()):
        return
    if known and missed(seen, package, known):
        package, known = catch_up(seen, package, known, using)
    if known is None or not decisions.shows(package, known):
        known = decisions.adopt(package, known, using)
    if known.recorded_at is not None:
        return
    if package.approval_status == "Approved":
        if known.by == decisions.OUTSIDE and package.noted_approval != known.at:
            registry.annotate(using.sagemaker, package, {"approvedAt": known.at.isoformat()})
        left = supersede(package, known, using)
    else:
        left = []
        package = dated(package, known, using)
        roll_back(package, known, using)
    if package.pending:
        _ask_again(package, known, using)
    elif known.by not in (decisions.RULES, decisions.SUPERSEDED):  # told by who decided so
        judging.tell_decision(package, known, using)
    if package.execution:
        evidence.write(using.sources, using.settings.model_of(package.group), package.execution)
    if left:
        raise left[0] if len(left) == 1 else ExceptionGroup("candidates that were not superseded", left)
    keep_in_view(package, using)
    now = using.clock()
    using.ledger.mark(
        keys.decision(package.arn), where={"at": known.at}, done_at=known.done_at or now, recorded_at=now
    )
    logger.info("decision recorded", package=package.arn, status=package.approval_status, by=known.by)
    metrics.add_metric(f"Decisions{package.approval_status}", MetricUnit.Count, 1)


def over(seen: Seen, package: Package) -> datetime | None:
    """When the decision fell that the event tells of, if the registry shows something later by now."""
    told = seen.status in ("Approved", "Rejected") and seen.status != package.approval_status
    return seen.at if told and seen.at and seen.at < package.changed_at else None


def missed(seen: Seen, package: Package, known: DecisionFact) -> bool:
    """Whether the event tells of a person's decision that neither ledger nor registry knows any more."""
    if seen.decided is None or seen.at is None:
        return False
    statuses = [known.status, *(fact.status for fact in known.earlier)]
    return seen.status not in (package.approval_status, *statuses) and seen.at <= package.changed_at


def catch_up(
    seen: Seen, package: Package, known: DecisionFact, using: Collaborators
) -> tuple[Package, DecisionFact]:
    """Do what should have been done when a decision fell that was missed; the package and its fact then.

    If what the registry shows is our own, written over that decision, the decision is given back: it fell
    after we took ours and before ours was done. If a person has decided anew since, that is a later
    decision. Otherwise it lies before what is known, and changes nothing that was decided since.
    """
    when = seen.at or package.changed_at
    at, taken = when.isoformat(), known.at
    done = known.done_at or taken + LEASE
    if still_ours(package, known) and taken - CLOCKS <= when <= done + CLOCKS:
        facts = {"approvedAt": at} if seen.status == "Approved" else {}
        if seen.who or "decidedWho" in package.metadata:  # of ours
            facts["decidedWho"] = seen.who or "none"
        registry.annotate(
            using.sagemaker,
            package,
            {"decidedBy": decisions.OUTSIDE, "decidedAt": at, **facts},
            status="Approved" if seen.status == "Approved" else "Rejected",
            description=f"{decisions.given_back_text(when)}, while we wrote {known.status}",
        )
        logger.warning(
            "a decision that was written over was given back", package=package.arn, seen=seen.status
        )
        return registry.package(using.sagemaker, package.arn), known
    if when > taken:
        return package, decisions.adopt(package, known, using)
    if seen.status == "Approved" and package.noted_approval is None:
        registry.annotate(using.sagemaker, package, {"approvedAt": at})
        package = registry.package(using.sagemaker, package.arn)
        roll_back(package, known, using)
    return package, known


def still_ours(package: Package, known: DecisionFact) -> bool:
    """Whether the registry shows what we wrote, whoever has edited other metadata since."""
    ours = known.by != decisions.OUTSIDE and decisions.shows(package, known)
    return ours and package.approval_description == known.why


def supersede(approved: Package, decision: DecisionFact, using: Collaborators) -> list[Exception]:
    """Reject the older candidates of the group that wait for a person.

    One that is not judged yet is left to the judge. Which they are is noted first: a candidate that has been
    rejected, and nobody told when this died, waits no more. What went wrong with one keeps no other waiting,
    nor the approval from being told.
    """
    older = decision.supersedes
    if older is None:
        found = registry.waiting(using.sagemaker, approved.group, before=approved.created_at)
        older = tuple(arn for arn in found if judged(arn, using))
        if older:
            using.ledger.mark(keys.decision(approved.arn), where={"at": decision.at}, supersedes=older)
    why = f"superseded by {approved.name}, approved {decision.at.isoformat()}"
    failures: list[Exception] = []
    for arn in older:
        try:
            if _supersede(arn, why, using):
                logger.info("candidate superseded", package=arn, by=approved.arn)
        except Exception as error:
            error.add_note(f"superseding {arn}")
            failures.append(error)
    return failures


def judged(arn: str, using: Collaborators) -> bool:
    """Whether the candidate has a verdict that is carried out."""
    verdict = using.ledger.get(keys.verdict(arn))
    return verdict is not None and verdict.done_at is not None


def _supersede(arn: str, why: str, using: Collaborators) -> bool:
    """Reject one, and tell of it. False if somebody has decided or deleted it."""
    try:
        standing = decisions.decide(arn, "Rejected", by=decisions.SUPERSEDED, why=why, using=using)
    except ClientError:
        if registry.find(using.sagemaker, arn) is None:
            return False
        raise
    package = registry.find(using.sagemaker, arn) if standing.ours else None
    if package is None:
        return False
    judging.tell_decision(package, standing, using)
    if package.execution:
        evidence.write(using.sources, using.settings.model_of(package.group), package.execution)
    return True


def dated(package: Package, known: DecisionFact, using: Collaborators) -> Package:
    """The package with the time at which it was approved, if that was over before anybody noted it."""
    approvals = [fact.at for fact in known.earlier if fact.status == "Approved"]
    if package.noted_approval or not approvals:
        return package
    registry.annotate(using.sagemaker, package, {"approvedAt": approvals[-1].isoformat()})
    return registry.package(using.sagemaker, package.arn)


def keep_in_view(package: Package, using: Collaborators) -> None:
    """Let the sweep look at the champion, however many candidates are newer."""
    if package.noted_approval or package.approval_status == "Approved":
        champion = registry.champion(using.sagemaker, package.group)
        arn = champion.arn if champion else None
        using.ledger.mark(keys.in_view(package.group), champion=arn)


def roll_back(gone: Package, decision: DecisionFact, using: Collaborators) -> None:
    """If what was rejected, or set back to pending, was the champion, say so, and which is champion now."""
    if gone.noted_approval is None:
        return
    champion = registry.champion(using.sagemaker, gone.group)
    if champion and champion.approved_at > gone.noted_approval:
        return
    rollback = Rollback(
        model=using.settings.model_of(gone.group),
        group=gone.group,
        rejected=gone.arn,
        rejected_approved_at=gone.noted_approval,
        champion=champion.arn if champion else None,
        champion_approved_at=champion.approved_at if champion else None,
        at=decision.at.isoformat(),
        why="" if gone.pending else decision.why,
        how="set back to pending" if gone.pending else "rejected",
    )
    message = Notification(
        kind="rolled_back",
        model=rollback.model,
        subject=gone.arn,
        reasons=rollback.reasons,
        execution_arn=gone.execution,
        package_arn=gone.arn,
        occurrence=rollback.rejected_approved_at.isoformat(),
        by=decision.by,
        who=decision.who,
        review_url=using.links.url(gone.arn) if using.links else None,
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
    if announce(using.events, using.ledger, rollback, now=using.clock()):
        metrics.add_metric("ChampionsRolledBack", MetricUnit.Count, 1)


def _ask_again(package: Package, decision: DecisionFact, using: Collaborators) -> None:
    """Tell approvers that a candidate waits again."""
    message = judging.of_candidate(
        package, "waiting", "HOLD", (decision.why,), occurrence=decision.at.isoformat(), using=using
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
