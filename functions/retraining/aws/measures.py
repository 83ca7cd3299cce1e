"""The metrics that the functions send to CloudWatch, and the function that sends one.

A metric is a line of the function's log in CloudWatch's embedded metric format, which CloudWatch Logs turns
into data points. It costs no request. Each metric and each value of its dimensions is billed for the hours in
which it was sent (docs/reference/cost.md), so a dimension has few values: models, steps, kinds of decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from retraining.aws.observability import logger

NAMESPACE: Final = "handsoff"
"""The namespace of all metrics. Their dimension `service` is the deployment's prefix."""

STARTS: Final = ("start_retraining", "reconcile")
"""The functions that answer start requests."""

ENDS: Final = ("track_execution", "reconcile")
"""The functions that record how executions end."""

DECISIONS: Final = ("record_decision", "judge_candidate", "reconcile")
"""The functions that record decisions."""


class Metric(NamedTuple):
    """A metric: what it counts or measures, the functions that send it, its unit, and its dimensions.

    `sets` are the sets of dimensions under which each value is sent, beside `service`. An empty set is the
    value over all models.
    """

    says: str
    by: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...] = ((),)
    unit: MetricUnit = MetricUnit.Count

    @property
    def dimensions(self) -> frozenset[str]:
        """The names of all its dimensions beside `service`."""
        return frozenset(name for names in self.sets for name in names)


PER_MODEL: Final = ((), ("model",))
"""Sent over all models, and for each model."""

METRICS: Final[Mapping[str, Metric]] = {
    "MessagesHandled": Metric(
        "messages of the landings queue whose requests were noted, or that ask for nothing",
        ("start_retraining",),
    ),
    "ObjectsOfNoModel": Metric(
        "names without a model below `curated/` for which a first object has landed", ("start_retraining",)
    ),
    "LandingsFound": Metric("landings that the sweep found because their event was lost", ("reconcile",)),
    "LandingsNotLookedFor": Metric(
        "times that the sweep could not compare a model's data with what was answered", ("reconcile",)
    ),
    "MarkersSuperseded": Metric("markers that start nothing because a newer one has landed", STARTS),
    "StartsAdmitted": Metric("starts that were taken", STARTS, PER_MODEL),
    "StartsWaiting": Metric("new answers to pending requests: they wait", STARTS, PER_MODEL),
    "StartsRefused": Metric("new answers to pending requests: they are refused", STARTS, PER_MODEL),
    "StartsBlocked": Metric(
        "failed tries to answer a model's requests or to make its start", STARTS, PER_MODEL
    ),
    "FilesQuarantined": Metric("bad files, at each try to move them", STARTS),
    "NotificationsFailed": Metric(
        "notifications about starts that SNS has not taken; they are tried again", STARTS
    ),
    "TurnsNotFinished": Metric(
        "[turns](../explanation/reliability.md#one-model-never-stops-another) that failed, ran out of time, "
        "or did not begin",
        STARTS,
    ),
    "ExecutionsStarted": Metric("executions that handsoff started", STARTS, PER_MODEL),
    "LandingToStart": Metric(
        "time from the landing of a batch to its execution, of executions that a landing started",
        STARTS,
        PER_MODEL,
        MetricUnit.Seconds,
    ),
    "ExecutionsSucceeded": Metric("executions that succeeded", ENDS, PER_MODEL),
    "ExecutionsFailed": Metric("executions that failed", ENDS, PER_MODEL),
    "ExecutionsStopped": Metric("executions that were stopped", ENDS, PER_MODEL),
    "StepDuration": Metric(
        "time that a step of an ended execution took", ENDS, (("model", "step"),), MetricUnit.Seconds
    ),
    "CandidatesApproved": Metric(
        "verdicts of the rules: approve", ("judge_candidate", "reconcile"), PER_MODEL
    ),
    "CandidatesRejected": Metric(
        "verdicts of the rules: reject", ("judge_candidate", "reconcile"), PER_MODEL
    ),
    "CandidatesHeld": Metric(
        "verdicts of the rules: a person decides", ("judge_candidate", "reconcile"), PER_MODEL
    ),
    "DecisionsApproved": Metric("approvals that were recorded", DECISIONS, PER_MODEL),
    "DecisionsRejected": Metric("rejections that were recorded", DECISIONS, PER_MODEL),
    "DecisionsSetBack": Metric("packages that somebody set back to pending", DECISIONS, PER_MODEL),
    "Decisions": Metric(
        "decisions that were recorded, by who decides: `rules`, `link`, `slack`, `operator`, `person` (in "
        "AWS), `superseded`, `expired`",
        DECISIONS,
        (("model", "by"),),
    ),
    "LandingToDecision": Metric(
        "time from the landing of a batch to the first decision on its candidate, of executions that a "
        "landing started",
        DECISIONS,
        PER_MODEL,
        MetricUnit.Seconds,
    ),
    "EvidenceUnfit": Metric(
        "evidence that does not fit its JSON Schema: a fault of handsoff. It is written all the same",
        DECISIONS + ENDS[:1],
    ),
    "ReportsFailed": Metric(
        "reports beside the evidence that could not be written; the next evidence writes it",
        DECISIONS + ENDS[:1],
    ),
    "ExecutionsOverdue": Metric(
        "executions that run longer than usual for their model, each minute", ("reconcile",), PER_MODEL
    ),
    "SuccessesOverdue": Metric(
        "models of which no execution has succeeded for longer than a period of their schedule, each minute",
        ("reconcile",),
        PER_MODEL,
    ),
    "LandingsOverdue": Metric(
        "models whose data has not landed for longer than usual, each minute", ("reconcile",), PER_MODEL
    ),
    "CandidatesOverdue": Metric(
        "candidates that have waited for a person for longer than `remind_after`, each minute",
        ("reconcile",),
        PER_MODEL,
    ),
    "OldestCandidate": Metric(
        "how long the candidate has waited that waits longest for a person, each minute in which one waits",
        ("reconcile",),
        PER_MODEL,
        MetricUnit.Seconds,
    ),
    "ModelsPaused": Metric("models that are paused, every 15 minutes", ("reconcile",), PER_MODEL),
    "ChampionsChanged": Metric("events `Champion Changed`", DECISIONS, PER_MODEL),
    "ChampionsRolledBack": Metric("champions that were taken back", DECISIONS, PER_MODEL),
}
"""Each metric by its name. docs/reference/metrics.md is written from it."""


def measure(
    name: str, value: float = 1, *, facts: Mapping[str, str] | None = None, **dimensions: str
) -> None:
    """Send one value of a metric of METRICS under each of its sets of dimensions.

    `dimensions` are all its dimensions but `service`. `facts` are further keys of the line in
    the log. Raises KeyError for an unknown metric, and TypeError for other dimensions than it has.
    """
    metric = METRICS[name]
    if metric.dimensions != dimensions.keys():
        raise TypeError(
            f"{name} has the dimensions {sorted(metric.dimensions)}, and was given {sorted(dimensions)}"
        )
    line = AmazonCloudWatchEMFProvider(namespace=NAMESPACE, service=logger.service)
    first, *others = metric.sets
    for key in first:
        line.add_dimension(key, dimensions[key])
    for names in others:
        line.add_dimensions(service=logger.service, **{key: dimensions[key] for key in names})
    for key, said in (facts or {}).items():
        line.add_metadata(key, said)
    line.add_metric(name, metric.unit, value)
    line.flush_metrics()
