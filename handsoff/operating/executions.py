"""A deployment's executions: the newest, one by name, the model package of each, and its evidence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment, no_pipeline
from handsoff.errors import NotFound
from retraining import evidence
from retraining.aws import pipelines, registry
from retraining.aws.pipelines import Execution, Step
from retraining.facts import keys
from retraining.facts.package import Package

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import PipelineExecutionSummaryTypeDef

JOBS: Final = ("Processing", "Training")
"""Types of steps that run a job."""

TIME_TO_MAKE_A_JOB: Final = timedelta(minutes=1)
"""The longest time that SageMaker needs to make a step's job at its first try."""

SEARCHED: Final = 100
"""Newest executions of each model among which `find_execution` looks; SageMaker's largest page."""


def newest_executions(deployment: Deployment, model: str, limit: int) -> list[Execution]:
    """The newest executions of a model's pipeline, newest first. Raises NotDeployed."""
    found = [item["PipelineExecutionArn"] for item in _summaries(deployment, model, limit)]
    return [described(deployment, arn) for arn in found]


def described(deployment: Deployment, arn: str) -> Execution:
    """The execution as SageMaker knows it now, with the reasons that only the logs of failed steps told."""
    found = pipelines.describe(deployment.sagemaker, arn)
    known = deployment.ledger.get(keys.execution(arn)) if found.failed else None
    return found.told_by(known.log_lines) if known else found


def require_pipeline(deployment: Deployment, model: str) -> None:
    """Raise NotDeployed unless the model has a pipeline."""
    _summaries(deployment, model, 1)


def find_execution(deployment: Deployment, name: str | None) -> Execution:
    """The execution with this ARN or this id; with neither, the newest of any model. Raises NotFound."""
    if name and name.startswith("arn:"):
        try:
            return described(deployment, name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in pipelines.MISSING:
                raise
            raise NotFound(
                f"SageMaker knows no execution {name}: `handsoff status` shows those it has"
            ) from None
    found = [item for model in deployment.config.models for item in _summaries(deployment, model, SEARCHED)]
    for item in sorted(found, key=lambda item: item["StartTime"], reverse=True):
        arn = item["PipelineExecutionArn"]
        if name in (None, arn.rsplit("/", 1)[-1]):
            return described(deployment, arn)
    if name:
        raise NotFound(
            f"no execution {name} among the newest {SEARCHED} of each model: give its id or ARN, as "
            "`handsoff status` shows it"
        )
    raise NotFound("no execution yet: `handsoff land` or `handsoff start` starts one")


def package_of(deployment: Deployment, execution: Execution) -> Package | None:
    """The model package that an execution registered; None where it registered none."""
    return registry.package(deployment.sagemaker, execution.package_arn) if execution.package_arn else None


def is_settled(deployment: Deployment, execution: Execution, package: Package | None) -> bool:
    """Whether nothing more happens by itself.

    That is so once the execution has ended, and its package, if it has one, has been judged or is blocked.
    """
    if not execution.terminal or package is None:
        return execution.terminal
    verdict = deployment.ledger.get(keys.verdict(package.arn))
    judged = verdict is not None and verdict.done_at is not None
    return judged or why_blocked(deployment, package) is not None


def why_blocked(deployment: Deployment, package: Package) -> str | None:
    """What keeps a candidate from being judged; None if nothing does."""
    trouble = deployment.ledger.get(keys.trouble(package.arn))
    return trouble.why if trouble and package.pending else None


def waits_for_capacity(step: Step, now: datetime) -> bool:
    """Whether SageMaker tries again and again to make a step's job, because a quota or a throttle refuses it.

    No field says so. A step names its job as soon as that exists, which takes seconds; until then its retry
    policy holds it in Starting or Executing, without an end. Where AWS has no instance to give, the job
    exists and says so itself.
    """
    if step.type not in JOBS or step.arn or step.end_time or step.start_time is None:
        return False
    return now - step.start_time > TIME_TO_MAKE_A_JOB


def evidence_of(deployment: Deployment, execution: Execution) -> evidence.Evidence:
    """The evidence of an execution, gathered now, with what only its copy in S3 knows."""
    model = execution.pipeline.removeprefix(f"{deployment.prefix}-")
    return evidence.now(sources_of(deployment), model, execution)


def kept_evidence(deployment: Deployment, name: str) -> evidence.Evidence | None:
    """The copy of the evidence of the execution with this ARN or id; None if there is none.

    It outlives what SageMaker knows: an execution is deleted together with its pipeline.
    """
    for model in deployment.config.models:
        if found := evidence.kept(sources_of(deployment), model, name.rsplit("/", 1)[-1]):
            return found
    return None


def sources_of(deployment: Deployment) -> evidence.Sources:
    """What evidence and reports are made from."""
    return evidence.Sources(deployment.sagemaker, deployment.s3, deployment.ledger, deployment.bucket)


def _summaries(deployment: Deployment, model: str, limit: int) -> list[PipelineExecutionSummaryTypeDef]:
    try:
        answer = deployment.sagemaker.list_pipeline_executions(
            PipelineName=deployment.resource_name(model),
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=limit,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in pipelines.MISSING:
            raise
        raise no_pipeline(deployment, model) from None
    return answer["PipelineExecutionSummaries"]
