"""What a deployment knows of its models now: pending start requests, executions, champion, quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from handsoff.deployment import Deployment
from handsoff.operating.candidates import WaitingCandidate, candidate_as_json, waiting_candidates
from handsoff.operating.deliveries import Delivery, deliveries_of, delivery_as_json, list_now, marker_of
from handsoff.operating.executions import newest_executions, package_of, waits_for_capacity
from handsoff.operating.job_logs import traceback_ends
from handsoff.operating.quarantine import QuarantinedFile, quarantined_files
from retraining.aws import registry
from retraining.aws.model_states import ModelStates
from retraining.aws.pipelines import Execution
from retraining.facts import keys
from retraining.facts.model_state import ModelState
from retraining.facts.package import Package
from retraining.facts.pauses import PauseFact


@dataclass(frozen=True)
class ModelStatus:
    """What `handsoff status` shows of one model."""

    name: str
    state: ModelState
    champion: Package | None
    quarantined: tuple[QuarantinedFile, ...]
    """Files in quarantine, without those that have been replaced since."""

    deliveries: tuple[Delivery, ...]
    """The newest deliveries, newest first. Empty for a model that uses no marker."""

    left_out: str
    """How many objects lie below the model's prefix that are neither data nor marker, by name; or that the
    data is a table with snapshots, which is not read; "" if there is nothing to say."""

    candidates: tuple[WaitingCandidate, ...]
    """The candidates that are not decided, oldest first."""

    executions: tuple[tuple[Execution, Package | None], ...]
    """The newest executions, newest first, each with the model package that it registered."""

    tracebacks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The last line of the traceback of each failed step, by the execution's ARN and the step's name."""

    anchor: str | None = None
    """The name of the anchor; None where no rule compares with it, or there is none yet."""

    last_pause: PauseFact | None = None
    """The last pause, which may be over; None if no person ever paused the model."""

    @property
    def pause(self) -> PauseFact | None:
        """The pause that stands; None if there is none."""
        return self.last_pause if self.last_pause and self.last_pause.stands else None


def model_state(deployment: Deployment, model: str) -> ModelState:
    """The model's pending start requests, its running execution, and the last answer to a request."""
    return ModelStates(deployment.ledger).load(model)[0]


def model_status(deployment: Deployment, model: str, limit: int) -> ModelStatus:
    """Read a model's status, with at most `limit` executions."""
    executions = newest_executions(deployment, model, limit)
    state = model_state(deployment, model)
    batch = list_now(deployment, model, state)
    return ModelStatus(
        model,
        state,
        registry.champion(deployment.sagemaker, deployment.resource_name(model)),
        tuple(file for file in quarantined_files(deployment, model) if not file.replaced),
        deliveries_of(batch, marker_of(deployment, model), state),
        batch.table or batch.left_out,
        waiting_candidates(deployment, model),
        tuple((execution, package_of(deployment, execution)) for execution in executions),
        {one.arn: traceback_ends(deployment, one) for one in executions if one.failed},
        anchor_of(deployment, model),
        deployment.ledger.get(keys.paused(model)),
    )


def standing_pause(deployment: Deployment, model: str) -> PauseFact | None:
    """The pause of the model that stands; None if no person has paused it."""
    found = deployment.ledger.get(keys.paused(model))
    return found if found and found.stands else None


def anchor_of(deployment: Deployment, model: str) -> str | None:
    """The anchor's name, such as handsoff-titanic/1; None if no rule compares with it, or none is noted."""
    if not deployment.config.models[model].approval.asks_anchor:
        return None
    noted = deployment.ledger.get(keys.anchor(deployment.resource_name(model)))
    return noted.package.partition("model-package/")[2] if noted else None


def as_json(status: ModelStatus) -> dict[str, Any]:
    """A model's status as `handsoff status --json` prints it."""
    return {
        **status.state.model_dump(mode="json", by_alias=True),
        "champion": status.champion.arn if status.champion else None,
        "anchor": status.anchor,
        "paused": status.pause.as_json() if status.pause else None,
        "quarantined": [file.quarantine_key for file in status.quarantined],
        "deliveries": [delivery_as_json(item) for item in status.deliveries],
        "leftOut": status.left_out or None,
        "candidates": [candidate_as_json(item) for item in status.candidates],
        "executions": [
            {
                "pipelineExecutionArn": execution.arn,
                "pipelineExecutionStatus": execution.status,
                "startTime": execution.start_time.isoformat(),
                "steps": {step.name: step.status for step in execution.steps},
                "waitingForCapacity": [
                    step.name for step in execution.steps if waits_for_capacity(step, datetime.now(UTC))
                ],
                "tracebacks": dict(status.tracebacks.get(execution.arn, {})),
                "modelPackageArn": package.arn if package else None,
                "modelApprovalStatus": package.approval_status if package else None,
            }
            for execution, package in status.executions
        ],
    }
