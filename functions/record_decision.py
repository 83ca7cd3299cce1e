"""Triggered by a model package of this deployment's groups that was approved or rejected, by whomever.
Changes: who decided, and when, in the ledger; `approvedAt` on the package if it lacks it; its evidence.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining import evidence, registry
from retraining.collaborators import Collaborators
from retraining.events import ModelPackageChanged
from retraining.observability import logger, metrics
from retraining.registry import Package


@metrics.log_metrics
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Record the decision that the registry shows now, unless it is recorded."""
    changed = ModelPackageChanged.model_validate(event).detail
    if changed.annotated_only:
        return
    using = using or Collaborators.real()
    package = registry.package(using.sagemaker, changed.package_arn)
    fact = f"decision#{package.arn}"
    known = using.ledger.get(fact) or {}
    recorded = known.get("status") == package.approval_status
    if package.pending or (recorded and "doneAt" in known):
        return
    # A second decision is never that of the rules: they decide once.
    by = known["by"] if recorded else "person" if known else decider(package)
    at = package.changed_at.isoformat()
    if package.approval_status == "Approved" and by != "rules":
        registry.annotate(using.sagemaker, package, {"approvedAt": at})
    using.ledger.mark(fact, {"status": package.approval_status, "by": by, "at": at, "doneAt": None})
    if package.execution:
        evidence.write(using.sources, using.settings.model_of(package.group), package.execution)
    using.ledger.mark(fact, {"doneAt": using.clock().isoformat()})
    logger.info("decision recorded", package=package.arn, status=package.approval_status, by=by)
    metrics.add_metric(f"Decisions{package.approval_status}", MetricUnit.Count, 1)


def decider(package: Package) -> str:
    """`rules` if the decision is the one that our rules wrote, otherwise `person`: somebody in AWS."""
    ours = {"Approved": "APPROVE", "Rejected": "REJECT"}[package.approval_status]
    written = (package.approval_description or "").startswith(f"{ours} by rules: ")
    return "rules" if package.metadata.get("verdict") == ours and written else "person"
