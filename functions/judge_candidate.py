"""Triggered by a model package of this deployment's groups that waits for approval.
Changes: the verdict in the ledger, then the package's approval status, then its evidence; tells approvers.
"""

from __future__ import annotations

from typing import Any, Final

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining import judging, registry
from retraining.approval import Decision
from retraining.collaborators import Collaborators
from retraining.events import ModelPackageChanged
from retraining.observability import logger, metrics

METRIC: Final[dict[Decision, str]] = {
    "APPROVE": "CandidatesApproved",
    "REJECT": "CandidatesRejected",
    "HOLD": "CandidatesHeld",
}


@metrics.log_metrics
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Judge the event's own package, once; a repetition finishes what an earlier one left half done."""
    changed = ModelPackageChanged.model_validate(event).detail
    if changed.annotated_only:
        return
    using = using or Collaborators.real()
    known = using.ledger.get(judging.key(changed.package_arn))
    if known is None:
        candidate = registry.package(using.sagemaker, changed.package_arn)
        if not candidate.pending:
            logger.info("package is decided already", package=candidate.arn, status=candidate.approval_status)
            return
        known = judging.first_verdict(candidate, using)
    if not known.get("doneAt"):
        verdict = judging.carry_out(changed.package_arn, known, using)
        metrics.add_metric(METRIC[verdict.decision], MetricUnit.Count, 1)
