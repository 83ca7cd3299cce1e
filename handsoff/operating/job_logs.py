"""The logs of an execution's jobs: reads each line of their CloudWatch streams once.

A stream is read by its forward token, which stands behind the last line that was read. So reading again
neither repeats a line nor leaves one out (CloudWatch Logs API reference, GetLogEvents).
"""

from __future__ import annotations

import heapq
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.errors import NotFound
from handsoff.operating.executions import JOBS, described, waits_for_capacity
from retraining.aws.pipelines import Execution, Logs, Step, last_log_lines
from retraining.aws.refusals import is_refusal
from retraining.facts import keys

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

POLL: Final = 2.0
"""Seconds between two reads of logs that are followed. A read makes two calls for each step, and CloudWatch
takes 25 in a second from all callers of an account."""

SETTLED: Final = 5.0
"""Seconds without a new line after which the log of an ended execution is whole. CloudWatch shows a line some
seconds after a job wrote it."""

WHOLE: Final = timedelta(minutes=1)
"""The age of an execution's end from which its log is whole at the first read."""

TRACEBACK: Final = "Traceback (most recent call last):"
"""Begins a traceback of Python."""

_FRAME: Final = re.compile(r'  File ".*", line \d+')
"""The first line of a frame of a traceback."""


@dataclass(frozen=True)
class LogLine:
    """One line of a step's job. `stream` names its log stream; a step that is retried has several."""

    at: datetime
    step: str
    stream: str
    text: str


@dataclass(frozen=True)
class NoLog:
    """Says why a step has no line to show."""

    step: str
    why: str


class JobLogs:
    """Reads what jobs have written since it read last."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client
        self._tokens: dict[tuple[str, str], str] = {}

    def new_lines(self, step: Step) -> Iterator[LogLine]:
        """The lines of the step's jobs that have not been read yet, by time. Raises ClientError."""
        if step.logs is None:
            return iter(())
        streams = [self._lines(step.name, step.logs.group, name) for name in self._streams(step.logs)]
        return heapq.merge(*streams, key=lambda line: line.at)

    def _streams(self, logs: Logs) -> list[str]:
        """The names of the log streams of a step's jobs; none where the log group does not exist."""
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=logs.group, logStreamNamePrefix=logs.stream_prefix
        )
        try:
            return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except self._client.exceptions.ResourceNotFoundException:
            return []

    def _lines(self, step: str, group: str, stream: str) -> Iterator[LogLine]:
        """The lines of a stream behind the last one that was read. A page may be empty before the end: only
        a token that does not change says that nothing is left."""
        read = partial(
            self._client.get_log_events, logGroupName=group, logStreamName=stream, startFromHead=True
        )
        while True:
            token = self._tokens.get((group, stream))
            page = read(nextToken=token) if token else read()
            self._tokens[group, stream] = page["nextForwardToken"]
            for event in page["events"]:
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                yield LogLine(at, step, stream, event["message"].rstrip("\n"))
            if page["nextForwardToken"] == token:
                return


def read_logs(deployment: Deployment, execution: Execution, step: str | None) -> Iterator[LogLine | NoLog]:
    """All lines of the execution's jobs so far, step by step, and why a step has none.

    With `step`, of that step alone. Raises NotFound where the execution has no such step.
    """
    names = _wanted(deployment, execution, step)
    return _round(JobLogs(deployment.logs), execution, names, set())


def follow_logs(
    deployment: Deployment,
    execution: Execution,
    step: str | None,
    *,
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[LogLine | NoLog]:
    """`read_logs`, and then what the jobs write until the execution has ended; each line and each NoLog once.

    With `step`, it ends with that step. Raises NotFound where the execution has no such step.
    """
    logs, said = JobLogs(deployment.logs), set[LogLine | NoLog | str]()
    over = _over(execution, step)
    whole_at = clock() + SETTLED
    while True:
        any_line = False
        for item in _round(logs, execution, _wanted(deployment, execution, step), said):
            any_line = any_line or isinstance(item, LogLine)
            yield item
        if over and (_long_ago(execution) or (not any_line and clock() >= whole_at)):
            return
        if any_line or not over:
            whole_at = clock() + SETTLED
        pause(POLL)
        if not over:
            execution = described(deployment, execution.arn)
            over = _over(execution, step)


def _round(
    logs: JobLogs, execution: Execution, names: Sequence[str], said: set[LogLine | NoLog | str]
) -> Iterator[LogLine | NoLog]:
    """What has not been said of these steps yet. `said` holds the steps with a line, and each NoLog."""
    for name in names:
        step = next((one for one in execution.steps if one.name == name), None)
        for line in logs.new_lines(step) if step else ():
            said.add(name)
            yield line
        nothing = NoLog(name, why_no_log(step))
        if name not in said and nothing not in said:
            said.add(nothing)
            yield nothing


def why_no_log(step: Step | None) -> str:
    """Why a step has no line to show, in words that follow its name. None is a step that has not begun."""
    if step is not None and step.type not in JOBS:
        return "has no log: it runs no job"
    if step is None or step.start_time is None:
        return "has no log yet: it has not started"
    if waits_for_capacity(step, datetime.now(UTC)):
        return "has no log yet: it waits for capacity"
    if step.end_time is None:
        return "has no log yet: its job is being made, or has written nothing"
    return "has no log: its job wrote nothing, or the log was deleted"


def _over(execution: Execution, step: str | None) -> bool:
    """Whether nothing more is written: the execution has ended, or the one step that is asked for."""
    ended = any(one.name == step and one.end_time for one in execution.steps)
    return execution.terminal or ended


def _long_ago(execution: Execution) -> bool:
    """Whether the execution ended so long ago that its log is whole."""
    return execution.terminal and datetime.now(UTC) - execution.last_modified > WHOLE


def _wanted(deployment: Deployment, execution: Execution, step: str | None) -> list[str]:
    """The names of the steps to read, in the order of their start. Raises NotFound."""
    begun = [one.name for one in execution.steps]
    if step is None or step in begun:
        return begun if step is None else [step]
    answer = deployment.sagemaker.describe_pipeline_definition_for_execution(
        PipelineExecutionArn=execution.arn
    )
    names = [str(one["Name"]) for one in json.loads(answer["PipelineDefinition"])["Steps"]]
    if step not in names:
        raise NotFound(
            f"execution {execution.identity} has no step {step}; its steps are: {', '.join(names)}"
        )
    return [step]


# ---- the end of a traceback ------------------------------------------------------------------------------


def traceback_ends(deployment: Deployment, execution: Execution) -> dict[str, str]:
    """The last line of the traceback in the log of each failed step, by the step's name.

    A step whose log has no traceback, or whose reason says the line already, is left out. Where the caller
    may not read the log, the line is what the ledger keeps of it: the type of the error.
    """
    found = {}
    for step in execution.failed:
        line = traceback_end(_last_lines(deployment, execution, step))
        if line and line not in (step.failure_reason or ""):
            found[step.name] = line
    return found


def _last_lines(deployment: Deployment, execution: Execution, step: Step) -> list[str]:
    if step.logs is None:
        return []
    try:
        return last_log_lines(deployment.logs, step.logs)
    except ClientError as error:
        if not is_refusal(error):
            raise
    known = deployment.ledger.get(keys.execution(execution.arn))
    return known.log_lines.get(step.name, []) if known else []


def traceback_end(lines: Sequence[str]) -> str | None:
    """The line with which the last traceback in a log ends, such as `KeyError: 'fare'`; None without one.

    It is the first line behind the frames, which are indented. Where the log is cut, its beginning may be
    missing: a frame is enough then.
    """
    last = None
    for number, line in enumerate(lines):
        if line.strip() == TRACEBACK or _FRAME.match(line):
            last = number
    behind = lines[last + 1 :] if last is not None else ()
    return next((line.strip() for line in behind if line.strip() and not line[:1].isspace()), None)
