"""Triggered by a model package of this deployment's groups that was approved or rejected, by whomever.
Changes: who decided, when and why, in the ledger; `approvedAt` on the package if it lacks it; its evidence.
An approval supersedes older candidates that wait; if the champion is rejected, people and the bus are told.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining import decisions, evidence, judging, registry
from retraining.collaborators import Collaborators
from retraining.events import ModelPackageChanged
from retraining.messages import Notification, Rollback
from retraining.notify import announce, notify
from retraining.observability import logger, metrics
from retraining.registry import Package


@metrics.log_metrics
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Record the decision that the registry shows now, and do what follows from it, unless that is done."""
    changed = ModelPackageChanged.model_validate(event).detail
    if changed.annotated_only:
        return
    using = using or Collaborators.real()
    package = registry.package(using.sagemaker, changed.package_arn)
    if package.pending:
        return
    fact = decisions.key(package.arn)
    known = using.ledger.get(fact) or {}
    if not known or not decisions.shows(package, known):
        known = decisions.outside(package)
        fresh = {"doneAt": using.clock().isoformat(), "recordedAt": None, "supersedes": None}
        using.ledger.mark(fact, {**known, **fresh})
    if "recordedAt" in known:
        return
    if package.approval_status == "Approved":
        if known["by"] == decisions.OUTSIDE and package.metadata.get("approvedAt") != known["at"]:
            registry.annotate(using.sagemaker, package, {"approvedAt": known["at"]})
        supersede(package, known, using)
    else:
        roll_back(package, known, using)
    if package.execution:
        evidence.write(using.sources, using.settings.model_of(package.group), package.execution)
    now = using.clock().isoformat()
    marks = {"doneAt": known.get("doneAt") or now, "recordedAt": now}
    using.ledger.mark(fact, marks, where={"at": known["at"]})
    logger.info("decision recorded", package=package.arn, status=package.approval_status, by=known["by"])
    metrics.add_metric(f"Decisions{package.approval_status}", MetricUnit.Count, 1)


def supersede(approved: Package, decision: dict[str, Any], using: Collaborators) -> None:
    """Reject the older candidates of the group that wait for a person.

    One that is not judged yet is left to the judge. Which they are is noted first: a candidate that has been
    rejected, and nobody told when this died, waits no more.
    """
    older = decision.get("supersedes")
    if older is None:
        found = registry.waiting(using.sagemaker, approved.group, before=approved.created_at)
        older = [arn for arn in found if "doneAt" in (using.ledger.get(judging.key(arn)) or {})]
        if older:
            at = {"at": str(decision["at"])}
            using.ledger.mark(decisions.key(approved.arn), {"supersedes": older}, where=at)
    why = f"superseded by {approved.name}, approved {decision['at']}"
    for arn in older:
        standing = decisions.decide(arn, "Rejected", by=decisions.SUPERSEDED, why=why, using=using)
        if not standing.ours:
            continue
        package = registry.package(using.sagemaker, arn)
        message = judging.of_candidate(
            package, "rejected", "REJECT", (standing.why,), by=decisions.SUPERSEDED, using=using
        )
        notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
        if package.execution:
            evidence.write(using.sources, using.settings.model_of(package.group), package.execution)
        logger.info("candidate superseded", package=arn, by=approved.arn)


def roll_back(rejected: Package, decision: dict[str, Any], using: Collaborators) -> None:
    """If what was rejected was the champion, say so, and which is champion now."""
    if rejected.noted_approval is None:
        return
    champion = registry.champion(using.sagemaker, rejected.group)
    if champion and champion.approved_at > rejected.noted_approval:
        return
    rollback = Rollback(
        model=using.settings.model_of(rejected.group),
        group=rejected.group,
        rejected=rejected.arn,
        rejected_approved_at=rejected.noted_approval,
        champion=champion.arn if champion else None,
        champion_approved_at=champion.approved_at if champion else None,
        at=str(decision["at"]),
        why=str(decision.get("why") or ""),
    )
    message = Notification(
        kind="rolled_back",
        model=rollback.model,
        subject=rejected.arn,
        reasons=rollback.reasons,
        execution_arn=rejected.execution,
        package_arn=rejected.arn,
        occurrence=rollback.rejected_approved_at.isoformat(),
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
    if announce(using.events, using.ledger, rollback, now=using.clock()):
        metrics.add_metric("ChampionsRolledBack", MetricUnit.Count, 1)
