"""From a landing to the started execution, on AWS on this machine.

    python -m bench.landing_to_start

Twenty deliveries land, one after the other; each execution is stopped once it has started. A delivery has
landed when the PUT of its marker is answered. Its execution has started when StartPipelineExecution arrives.

The endpoint logs its requests, which tells what passes outside of this project: the time until the function's
first request, and the time in which one of its requests is answered. On AWS that is S3, EventBridge, SQS,
Lambda and SageMaker. The window of the queue is part of it: messages gather for two seconds.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from bench.cost_measurement import ROOT, Running, running
from bench.progress import doing
from bench.row import Row, at_most, print_rows
from handsoff.operating.executions import newest_executions

LANDINGS: Final = 20
"""Deliveries that are measured; one before them makes caches and the function's process."""

TIMEOUT: Final = 60.0
"""Seconds in which an execution must start and stop."""


@dataclass(frozen=True)
class Request:
    """A request that the endpoint has answered: its path, operation, whether a function made it, and when."""

    path: str
    operation: str
    of_function: bool
    began: float
    ended: float


@dataclass(frozen=True)
class Start:
    """Seconds from a landing to the started execution, and those of them outside of this project's code."""

    seconds: float
    outside: float


def rows() -> list[Row]:
    """The half of the starts that is fastest takes at most so long, and nineteen of twenty."""
    doing("AWS starts on this machine")
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as here:
        starts = [land(here, number) for number in range(LANDINGS + 1)][1:]
    total, outside = [one.seconds for one in starts], median(one.outside for one in starts)
    half, most = median(total), quantiles(total, n=20)[-1]
    share = median(one.outside / one.seconds for one in starts)
    told = (
        f"{share:.0%} of it, {outside:.2f} s, passes outside of the functions: in the window of two seconds "
        "in which the queue gathers messages, and in the endpoint."
    )
    return [
        Row("landing to started execution, p50", half, "wall s", at_most(3), "wall s", half, reason=told),
        Row("landing to started execution, p95", most, "wall s", at_most(4), "wall s", most),
    ]


def land(here: Running, number: int) -> Start:
    """Land a delivery that was not there yet; wait for its execution, and stop that."""
    doing(f"landing {number} of {LANDINGS}")
    deployment, past = here.deployment, len(requests(here))
    for name in ("train.csv", "validation.csv", "_SUCCESS"):
        lines = (ROOT / "data/titanic" / name).read_bytes().splitlines(True) if name != "_SUCCESS" else []
        body = b"".join(lines[: len(lines) - number - 1])
        deployment.s3.put_object(Bucket=deployment.bucket, Key=f"curated/titanic/{name}", Body=body)
    deadline = time.monotonic() + TIMEOUT
    while not any(one.operation == "StartPipelineExecution" for one in requests(here)[past:]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"delivery {number} started nothing within {TIMEOUT:g} s")
        time.sleep(0.2)
    start = start_of(requests(here)[past:])
    stop(here, deadline)
    return start


def start_of(answered: Sequence[Request]) -> Start:
    """How long the first start among these requests took, from the marker on."""
    landed = next(one.ended for one in answered if one.path.endswith("/_SUCCESS") and not one.of_function)
    calls = sorted(
        (one for one in answered if one.of_function and one.began >= landed), key=attrgetter("began")
    )
    started = next(one.began for one in calls if one.operation == "StartPipelineExecution")
    until, outside = calls[0].began, calls[0].began - landed
    for one in calls:
        ends = min(one.ended, started)
        outside += max(0.0, ends - max(one.began, until))
        until = max(until, ends)
    return Start(started - landed, outside)


def stop(here: Running, deadline: float) -> None:
    """Stop the newest execution, and wait until it has ended and nothing more is asked."""
    deployment = here.deployment
    (execution,) = newest_executions(deployment, "titanic", 1)
    deployment.sagemaker.stop_pipeline_execution(
        PipelineExecutionArn=execution.arn, ClientRequestToken=execution.arn[-12:] + "0" * 24
    )
    while not newest_executions(deployment, "titanic", 1)[0].terminal and time.monotonic() < deadline:
        time.sleep(0.3)
    while time.time() - requests(here)[-1].ended < 1.0 and time.monotonic() < deadline:
        time.sleep(0.2)


def requests(here: Running) -> list[Request]:
    """The requests that the endpoint has answered so far."""
    found = []
    for line in here.log.read_text().splitlines():
        _, path, _, authorization, target, _, began, ended = json.loads(line)
        of_function = f"Credential={here.cloud.account}/" in authorization
        found.append(Request(path, target.rpartition(".")[2], of_function, began, ended))
    return found


if __name__ == "__main__":
    print_rows(rows())
