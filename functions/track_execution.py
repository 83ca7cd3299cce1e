"""Triggered by status changes of this deployment's pipeline executions and their steps.
Changes: the execution's state in the ledger, at its end its evidence in S3; tells approvers of a failure.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining import evidence
from retraining.aws import pipelines
from retraining.aws.events import ExecutionChanged
from retraining.aws.ledger import Ledger
from retraining.aws.observability import logger, metrics
from retraining.aws.pipelines import Execution
from retraining.aws.registry import shorten
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.notifications.messages import Notification
from retraining.notifications.publish import notify

SAYS_NOTHING = ("ExecuteUserScriptError", "See job logs")
"""What SageMaker gives as reason where only the log knows one."""


@metrics.log_metrics
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Record what SageMaker says now, whatever the event says: it may be late, or come twice."""
    arn = ExecutionChanged.model_validate(event).detail.execution_arn
    using = using or Collaborators.real()
    execution = pipelines.describe(using.sagemaker, arn)
    log_lines = {
        step.name: pipelines.last_log_lines(using.logs, step.logs) for step in execution.failed if step.logs
    }
    model = using.settings.model_of(execution.pipeline)
    if record(execution, model, log_lines, using.ledger):
        report(execution, model, log_lines)
    if not execution.terminal:
        return
    using.states.change(model, lambda state: state.ended(arn, execution.last_modified))
    if execution.status == "Failed":
        message = failure(execution, model, log_lines, evidence.uri(using.sources, model, execution))
        notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
    evidence.write(using.sources, model, arn)


def record(execution: Execution, model: str, log_lines: dict[str, list[str]], ledger: Ledger) -> bool:
    """Write the state down unless a newer one stands there. Says whether it did."""
    return ledger.advance(
        keys.execution(execution.arn),
        version=execution.version,
        final=execution.terminal,
        model=model,
        status=execution.status,
        failure_reason=execution.failure_reason,
        steps={step.name: step.status for step in execution.steps},
        log_lines=log_lines,
    )


def report(execution: Execution, model: str, log_lines: dict[str, list[str]]) -> None:
    """The newly recorded state as structured logs, and a metric for an end."""
    logger.info(
        "execution changed",
        execution=execution.arn,
        model=model,
        status=execution.status,
        steps={step.name: step.status for step in execution.steps},
    )
    for step in execution.failed:
        logger.error(
            "step failed",
            execution=execution.arn,
            model=model,
            step=step.name,
            reason=step.failure_reason,
            job=step.arn,
            log_lines=log_lines.get(step.name, []),
        )
    if execution.terminal:
        metrics.add_metric(f"Executions{execution.status}", MetricUnit.Count, 1)


def failure(
    execution: Execution, model: str, log_lines: dict[str, list[str]], evidence_uri: str
) -> Notification:
    """What approvers are told about a failed execution: each failed step with its reason and last words."""
    reasons = []
    for step in execution.failed:
        reason = shorten(step.failure_reason or "no reason given")
        said = [line.strip() for line in log_lines.get(step.name, []) if line.strip()]
        if said and any(hint in reason for hint in SAYS_NOTHING):
            reason = f"{reason} (its log ends: {said[-1]})"
        reasons.append(f"{step.name}: {reason}")
    return Notification.about(
        execution.arn,
        "execution_failed",
        model=model,
        reasons=reasons or [execution.failure_reason or "no reason given"],
        execution_arn=execution.arn,
        evidence_uri=evidence_uri,
        log_lines=[line for lines in log_lines.values() for line in lines],
        # A failed execution may be retried and fail again: that is another fact.
        occurrence=execution.last_modified.isoformat(),
    )
