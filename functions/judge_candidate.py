"""Triggered by a model package of this deployment's groups that waits for approval.
Changes: the verdict in the ledger, then the package's approval status, then its evidence; tells approvers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.aws import registry
from retraining.aws.events import ModelPackageChanged
from retraining.aws.observability import about, handling, logger
from retraining.candidates import blocking, recording
from retraining.collaborators import Collaborators

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Judge the event's own package, once. One that was decided and is pending again waits for a person."""
    with handling(swept=True):
        changed = ModelPackageChanged.model_validate(event).detail
        if changed.annotated_only:
            return
        using = using or Collaborators.real()
        about(model=using.settings.model_in(changed.package_arn), package=changed.package_arn)
        if blocking.judged(changed.package_arn, using):
            return
        package = registry.find(using.sagemaker, changed.package_arn)
        if package and package.pending:
            recording.record(package, using)
