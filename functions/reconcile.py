"""Triggered each minute.
Changes: starts what is due, goes on with starts that were taken and not made, or made and not recorded;
finishes verdicts and decisions, finds those whose events were lost, reminds of candidates that wait.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining.aws.observability import logger, metrics
from retraining.candidates import sweep
from retraining.starts.starting import Starting


@metrics.log_metrics
@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext, *, using: Starting | None = None) -> None:
    """Look at every model and its packages. One that fails does not keep the others waiting."""
    starting = using or Starting.real()
    failures: list[Exception] = []

    def start_what_is_due(model: str) -> None:
        if starting.due(model):
            starting.advance(model)

    def look_after_packages(model: str) -> None:
        sweep.sweep(model, starting)

    for model in starting.configs.names():
        for look in (start_what_is_due, look_after_packages):
            try:
                look(model)
            except Exception as error:
                error.add_note(f"model {model}")
                failures.append(error)
    if failures:
        raise ExceptionGroup("models that could not be looked at", failures)
