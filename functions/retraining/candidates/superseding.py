"""An approval rejects the older candidates of its group that wait for a person."""

from __future__ import annotations

from botocore.exceptions import ClientError

from retraining import records
from retraining.aws import registry
from retraining.aws.observability import about, logger, scope
from retraining.candidates import decisions, telling
from retraining.candidates.state import SUPERSEDED
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact
from retraining.facts.package import Package


def supersede(approved: Package, decision: DecisionFact, using: Collaborators) -> list[Exception]:
    """Reject the older candidates of the group that wait for a person; what failed.

    A candidate that is not judged yet is left to the rules. The candidates are noted first: one that has been
    rejected, and of which nobody was told before this died, waits no more. A failure with one candidate stops
    neither the others nor the message about the approval.
    """
    older = decision.supersedes
    if older is None:
        found = registry.waiting(using.sagemaker, approved.group, before=approved.created_at)
        older = tuple(arn for arn in found if _is_judged(arn, using))
        if older:
            using.ledger.mark(keys.decision(approved.arn), where={"at": decision.at}, supersedes=older)
    why = f"superseded by {approved.name}, approved {decision.at.isoformat()}"
    failures: list[Exception] = []
    for arn in older:
        with scope(package=arn):
            try:
                if _supersede(arn, why, using):
                    logger.info("candidate superseded", by=approved.arn)
            except Exception as error:
                error.add_note(f"superseding {arn}")
                failures.append(error)
    return failures


def _is_judged(arn: str, using: Collaborators) -> bool:
    """Whether the candidate has a verdict that is carried out."""
    verdict = using.ledger.get(keys.verdict(arn))
    return verdict is not None and verdict.done_at is not None


def _supersede(arn: str, why: str, using: Collaborators) -> bool:
    """Reject one candidate, and tell approvers. False if it has been decided or deleted meanwhile."""
    try:
        standing = decisions.decide(arn, "Rejected", by=SUPERSEDED, why=why, using=using)
    except ClientError:
        if registry.find(using.sagemaker, arn) is None:
            return False
        raise
    package = registry.find(using.sagemaker, arn) if standing.ours else None
    if package is None:
        return False
    about(execution=package.execution)
    telling.tell_decision(package, standing, using)
    if package.execution:
        model = using.settings.model_of(package.group)
        # Its report is made when its own decision is recorded: the approval's record waits for this.
        records.write(using.sources, model, package.execution, package_arn=package.arn)
    return True
