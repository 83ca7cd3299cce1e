"""Pipeline executions: start one, and read what SageMaker knows about one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from retraining.aws.job_words import with_cause, with_signal, without_values

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import PipelineExecutionSummaryTypeDef

MISSING: Final = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
"""Error codes with which SageMaker answers that a pipeline or an execution does not exist."""

LISTED: Final = 100
"""Executions on one page of a listing, SageMaker's maximum."""

MAX_RUN: Final = timedelta(days=45)
"""Time in which an execution ends, with all that its jobs and their retries may take: six times the longest
training (five days and one of waiting for spare capacity), and before each job a day over a quota."""

TERMINAL: Final = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})
"""Statuses in which an execution has ended."""

LOG_LINES: Final = 20
"""The last log lines of a failed step that are kept. They must fit an item of the ledger and a message."""

LOG_LINE_LENGTH: Final = 500
"""Characters of a log line that are kept."""

_LOG_GROUPS: Final = {
    "Processing": "/aws/sagemaker/ProcessingJobs",
    "Training": "/aws/sagemaker/TrainingJobs",
}


class Logs(NamedTuple):
    """A job's output: the streams of `group` whose names begin with `stream_prefix`."""

    group: str
    stream_prefix: str


class Step(NamedTuple):
    """One step of an execution. Times are None before it has started or ended.

    `arn` names the job or the model package that it made. `failure_reason` is SageMaker's, after words for a
    signal that ended the script.
    """

    name: str
    type: str
    status: str
    start_time: datetime | None
    end_time: datetime | None
    failure_reason: str | None
    arn: str | None
    logs: Logs | None


class Execution(NamedTuple):
    """What SageMaker says about one execution, steps in the order of their start."""

    arn: str
    pipeline: str
    status: str
    failure_reason: str | None
    start_time: datetime
    last_modified: datetime
    parameters: Mapping[str, str]
    steps: tuple[Step, ...]

    @property
    def identity(self) -> str:
        """The last part of the ARN, which S3 keys carry as the execution id."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def version(self) -> str:
        """Sortable text that grows with every start or end of a step and every change of the execution."""
        times = [self.last_modified, *(t for s in self.steps for t in (s.start_time, s.end_time) if t)]
        return sortable(max(times))

    @property
    def failure(self) -> str:
        """Tells a failure or a stop from that of a later retry: when the last step ended. A new name changes
        nothing.

        Empty where no step has ended.
        """
        ends = [step.end_time for step in self.steps if step.end_time]
        return sortable(max(ends)) if ends else ""

    @property
    def package_arn(self) -> str | None:
        """The model package that this execution registered, if it got that far."""
        return next((step.arn for step in self.steps if step.type == "RegisterModel"), None)

    def told_by(self, log_lines: Mapping[str, Sequence[str]]) -> Execution:
        """The same, with the reasons that only the last log lines of its steps tell, by the steps' names."""
        steps = (
            step._replace(failure_reason=with_cause(step.failure_reason, log_lines.get(step.name, ())))
            for step in self.steps
        )
        return self._replace(steps=tuple(steps))

    @property
    def failed(self) -> list[Step]:
        return [step for step in self.steps if step.status == "Failed"]


def sortable(time: datetime) -> str:
    """The time in UTC, as text of one length: later times are greater texts."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def newest(sagemaker: SageMakerClient, pipeline: str) -> list[PipelineExecutionSummaryTypeDef]:
    """The LISTED newest executions of a pipeline, newest first, by one call; none if there is no pipeline."""
    try:
        answer = sagemaker.list_pipeline_executions(
            PipelineName=pipeline, SortBy="CreationTime", SortOrder="Descending", MaxResults=LISTED
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return []
    return answer["PipelineExecutionSummaries"]


def running(sagemaker: SageMakerClient, pipeline: str) -> str | None:
    """The ARN of an execution of the pipeline that has not ended; None if there is none.

    SageMaker cannot list by status. So executions are read from the newest one on, until one runs, or is too
    old to run beside the newest one.
    """
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=pipeline,
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": LISTED},
    )
    earliest: datetime | None = None
    try:
        for item in (item for page in pages for item in page["PipelineExecutionSummaries"]):
            if item["PipelineExecutionStatus"] not in TERMINAL:
                return item["PipelineExecutionArn"]
            earliest = earliest or item["StartTime"] - MAX_RUN
            if item["StartTime"] < earliest:
                return None
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
    return None


def changed_at(sagemaker: SageMakerClient, arn: str) -> datetime:
    """When the execution was changed last, by one call."""
    return sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["LastModifiedTime"]


def start(
    sagemaker: SageMakerClient, pipeline: str, *, token: str, display_name: str, **parameters: str
) -> str:
    """Start an execution and return its ARN. The same token starts no second one, even with other values."""
    answer = sagemaker.start_pipeline_execution(
        PipelineName=pipeline,
        ClientRequestToken=token,
        PipelineExecutionDisplayName=display_name,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
    )
    return answer["PipelineExecutionArn"]


def describe(sagemaker: SageMakerClient, arn: str) -> Execution:
    """The execution as SageMaker knows it now."""
    answer = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    steps = [
        item
        for page in sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        for item in page["PipelineExecutionSteps"]
    ]
    given = parameters(sagemaker, arn)
    ended = answer["PipelineExecutionStatus"]
    if ended in ("Failed", "Stopped") and not any(it["StepStatus"] == ended for it in steps):
        # Somebody may have retried it between the two reads: that step is no longer among its steps.
        answer = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    types = _types(sagemaker, arn) if any(not item.get("Metadata") for item in steps) else {}
    return Execution(
        arn=arn,
        pipeline=answer["PipelineArn"].rsplit("/", 1)[-1],
        status=answer["PipelineExecutionStatus"],
        failure_reason=_reason(answer.get("FailureReason")),
        start_time=answer["CreationTime"],
        last_modified=answer["LastModifiedTime"],
        parameters=given,
        steps=tuple(_step(item, types, arn) for item in steps),
    )


def parameters(sagemaker: SageMakerClient, arn: str) -> dict[str, str]:
    """The parameters of an execution by name, those with their default value included."""
    pages = sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
        PipelineExecutionArn=arn
    )
    return {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}


def find(sagemaker: SageMakerClient, arn: str) -> Execution | None:
    """The execution as SageMaker knows it now; None if it was deleted together with its pipeline."""
    try:
        return describe(sagemaker, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None


def _types(sagemaker: SageMakerClient, arn: str) -> dict[str, str]:
    """The types of an execution's steps by name, from its definition."""
    answer = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    return {step["Name"]: step["Type"] for step in json.loads(answer["PipelineDefinition"])["Steps"]}


def _step(item: Mapping[str, Any], types: Mapping[str, str], execution: str) -> Step:
    # This answer names no type. The one key of Metadata tells it, once the step has made something.
    metadata: Mapping[str, Any] = item.get("Metadata", {})
    kind = next(iter(metadata), "")
    made: Mapping[str, Any] = metadata.get(kind, {})
    type_ = kind.removesuffix("Job") or types.get(item["StepName"], "")
    arn = made.get("Arn") or None
    logs = None
    if type_ in _LOG_GROUPS and item.get("StartTime"):
        # A job is named after execution and step. Its ARN may have that name in lower case, a stream not.
        logs = Logs(_LOG_GROUPS[type_], f"pipelines-{execution.rsplit('/', 1)[-1]}-{item['StepName']}-")
    return Step(
        name=item["StepName"],
        type=type_,
        status=item["StepStatus"],
        start_time=item.get("StartTime"),
        end_time=item.get("EndTime"),
        failure_reason=with_signal(reason) if (reason := _reason(item.get("FailureReason"))) else reason,
        arn=arn,
        logs=logs,
    )


def _reason(text: str | None) -> str | None:
    return None if text is None else without_values(text)


def last_log_lines(client: CloudWatchLogsClient, logs: Logs) -> list[str]:
    """The last lines that a job wrote, oldest first; empty where it wrote none. They may hold values of rows:
    job_words.py says which of them may be told."""
    try:
        streams = client.describe_log_streams(logGroupName=logs.group, logStreamNamePrefix=logs.stream_prefix)
    except client.exceptions.ResourceNotFoundException:
        return []
    lines: list[tuple[int, str]] = []
    for stream in streams["logStreams"]:
        answer = client.get_log_events(
            logGroupName=logs.group,
            logStreamName=stream["logStreamName"],
            limit=LOG_LINES,
            startFromHead=False,
        )
        lines += [(event["timestamp"], event["message"]) for event in answer["events"]]
    newest = sorted(lines, key=lambda line: line[0])[-LOG_LINES:]
    return [message.rstrip("\n")[:LOG_LINE_LENGTH] for _, message in newest]
