"""Triggered by a model package of this deployment's groups that was approved or rejected, here or in AWS.
Changes: decision, time and reason in the ledger; `approvedAt` on the package if it lacks it; its evidence. An
approval supersedes older candidates. Approvers are told; they and the bus are told of a lost champion, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.aws import registry
from retraining.aws.events import ModelPackageChanged
from retraining.aws.observability import about, handling, logger
from retraining.candidates import recording
from retraining.candidates.record_actions import Seen
from retraining.collaborators import Collaborators

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Record the decision that the registry shows now, and do what follows from it, unless that is done."""
    with handling():
        changed = ModelPackageChanged.model_validate(event).detail
        if changed.annotated_only:
            return
        using = using or Collaborators.real()
        about(model=using.settings.model_in(changed.package_arn), package=changed.package_arn)
        seen = Seen(changed.approval_status, changed.changed_at, changed.changed_by)
        package = registry.find(using.sagemaker, changed.package_arn)
        if package is None:
            logger.warning("package no longer exists")
            return
        recording.record(package, using, seen=seen)
