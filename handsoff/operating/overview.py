"""All models at a glance: champion, what waits, the last result, the next schedule, and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handsoff.deployment import Deployment
from handsoff.operating.candidates import WaitingCandidate, candidate_as_json, waiting_candidates
from handsoff.operating.executions import newest_executions, package_of
from handsoff.operating.schedules import NextStart, next_start
from handsoff.operating.states import model_state
from retraining.aws import registry
from retraining.aws.pipelines import Execution
from retraining.errors import EvaluationError
from retraining.facts import keys
from retraining.facts.model_state import ModelState
from retraining.facts.package import Package
from retraining.facts.pauses import PauseFact
from retraining.history import main_metric
from retraining.verdicts.evaluation import Measured


@dataclass(frozen=True)
class Overview:
    """What `handsoff models` shows of one model.

    `measured` is the champion's main metric; None without a champion, or where its evaluation cannot be read.
    `last` is the newest execution, with the package that it registered. `last_pause` may be over;
    `paused_by_config` says whether handsoff.yaml pauses the model, too.
    """

    name: str
    champion: Package | None
    metric: str
    measured: Measured | None
    state: ModelState
    candidates: tuple[WaitingCandidate, ...]
    last: tuple[Execution, Package | None] | None
    next: NextStart | None
    last_pause: PauseFact | None
    paused_by_config: bool

    @property
    def pause(self) -> PauseFact | None:
        """The pause that stands; None if there is none."""
        return self.last_pause if self.last_pause and self.last_pause.stands else None


def overview(deployment: Deployment, model: str, now: datetime) -> Overview:
    """Read what there is of a model. Raises NotDeployed."""
    config = deployment.config.models[model]
    champion = registry.champion(deployment.sagemaker, deployment.resource_name(model))
    metric = main_metric(config.task, config.approval)
    newest = next(iter(newest_executions(deployment, model, 1)), None)
    return Overview(
        model,
        champion,
        metric,
        _measured(deployment, champion, metric),
        model_state(deployment, model),
        waiting_candidates(deployment, model),
        (newest, package_of(deployment, newest)) if newest else None,
        next_start(deployment, model, now),
        deployment.ledger.get(keys.paused(model)),
        config.retrain.paused,
    )


def _measured(deployment: Deployment, champion: Package | None, metric: str) -> Measured | None:
    if champion is None:
        return None
    try:
        return registry.evaluation(deployment.s3, champion).candidate.metrics.get(metric)
    except EvaluationError:
        return None


def as_json(item: Overview) -> dict[str, Any]:
    """A model as `handsoff models --json` prints it."""
    champion, last = item.champion, item.last
    return {
        "champion": {
            "modelPackageArn": champion.arn,
            "approvedAt": champion.approved_at.isoformat(),
            "metric": item.metric,
            "value": item.measured.value if item.measured else None,
            "interval": list(item.measured.interval) if item.measured else None,
        }
        if champion
        else None,
        "startRequests": [request.model_dump(by_alias=True, mode="json") for request in item.state.pending],
        "candidates": [candidate_as_json(one) for one in item.candidates],
        "last": {
            "pipelineExecutionArn": last[0].arn,
            "pipelineExecutionStatus": last[0].status,
            "startTime": last[0].start_time.isoformat(),
            "modelPackageArn": last[1].arn if last[1] else None,
            "modelApprovalStatus": last[1].approval_status if last[1] else None,
        }
        if last
        else None,
        "schedule": {
            "expression": item.next.expression,
            "timezone": item.next.zone,
            "enabled": item.next.enabled,
            "next": item.next.at.isoformat() if item.next.at else None,
        }
        if item.next
        else None,
        "paused": item.pause.as_json() if item.pause else None,
        "pausedByConfig": item.paused_by_config,
    }
