"""Stops an execution, and notes who asked for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.operating.executions import described
from retraining.aws.pipelines import Execution
from retraining.aws.refusals import is_refusal
from retraining.facts import keys
from retraining.facts.claims import LEASE
from retraining.facts.starts import StopAsked

MAX_WHO: Final = 200
"""Characters of what is recorded as the person."""


@dataclass(frozen=True)
class Stopped:
    """What became of the wish to stop an execution.

    `result` is `asked` (it stops now), `again` (it was being stopped already), `stopped` (it had been), or
    `ended` (it had ended otherwise). `asked` is who asked first, as far as handsoff knows.
    """

    execution: Execution
    result: Literal["asked", "again", "stopped", "ended"]
    asked: StopAsked | None


def stop(deployment: Deployment, execution: Execution, why: str) -> Stopped:
    """Stop the execution, unless it has ended. Who asked and why is noted first: SageMaker keeps neither."""
    key = keys.stop_asked(execution.arn)
    if execution.terminal:
        return _ended(execution, deployment.ledger.get(key))
    now = deployment.collaborators.clock()
    wanted = StopAsked(by=deployment.caller[:MAX_WHO], at=now, why=why)
    asked = deployment.ledger.take(key, wanted) or wanted
    if execution.status != "Stopping" and asked.at < now - LEASE:  # it was stopped, and retried since
        deployment.ledger.replace(key, wanted, where={"at": asked.at})
        asked = wanted
    if execution.status == "Stopping":
        return Stopped(execution, "again", asked)
    try:
        deployment.sagemaker.stop_pipeline_execution(
            PipelineExecutionArn=execution.arn, ClientRequestToken=token_of(execution)
        )
    except ClientError as error:
        now_known = described(deployment, execution.arn)
        if not is_refusal(error) or not now_known.terminal:
            raise
        return _ended(now_known, asked)
    return Stopped(execution, "asked" if asked == wanted else "again", asked)


def token_of(execution: Execution) -> str:
    """The ClientRequestToken of the call. An execution that was retried since has another one."""
    return hashlib.sha256(f"stop {execution.arn} {execution.failure}".encode()).hexdigest()


def _ended(execution: Execution, asked: StopAsked | None) -> Stopped:
    return Stopped(execution, "stopped" if execution.status == "Stopped" else "ended", asked)
