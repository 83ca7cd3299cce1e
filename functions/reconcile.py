"""Triggered each minute.
Changes: starts what is due, goes on with starts and decisions that are half done, judges and records
candidates whose events were lost, reminds of candidates that wait and expires them.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining.aws.observability import logger, metrics
from retraining.candidates import sweep
from retraining.collaborators import Collaborators
from retraining.starts import starting


@metrics.log_metrics
@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Look at the starts and the packages of every model. A failure of one does not stop the others."""
    using = using or Collaborators.real()
    failures: list[Exception] = []
    for model in using.configs.names():
        for look in (starting.start_if_due, sweep.sweep):
            try:
                look(model, using)
            except Exception as error:
                error.add_note(f"model {model}")
                failures.append(error)
    if failures:
        raise ExceptionGroup("models that could not be looked at", failures)
