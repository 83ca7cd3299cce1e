"""Triggered by status changes of this deployment's pipeline executions and their steps.
Changes: the execution's state in the ledger; at its end its evidence in S3; notifies approvers of a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.aws.events import ExecutionChanged
from retraining.aws.observability import handling, logger
from retraining.collaborators import Collaborators
from retraining.starts import executions

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Record what SageMaker says now. What the event says may be late, and the event may come twice."""
    with handling(swept=True):
        changed = ExecutionChanged.model_validate(event).detail
        executions.track(changed.execution_arn, using or Collaborators.real())
