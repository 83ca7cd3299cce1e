"""A burst of landings on AWS on this machine: 10,000 objects and a marker are one execution.

    python -m bench.ten_thousand_objects

The objects land, then the marker. Once all messages are handled and nothing waits, it counts executions,
invocations of start_retraining, and what was lost: objects that the execution's batch does not name, events
that no invocation received, and messages in the failure queues.
"""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.cost_measurement import ROOT, running
from bench.progress import doing
from bench.row import Row, at_most, print_rows
from handsoff.deployment import Deployment
from handsoff.operating.executions import newest_executions
from retraining.starts.bucket import read_manifest

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

OBJECTS: Final = 10_000
"""Objects that land beside the validation file and the marker."""

WRITERS: Final = 8
"""Threads that land objects."""

BATCH: Final = 1_000
"""Messages of an invocation at most (template.yaml)."""

TIMEOUT: Final = 900
"""Seconds after which the measurement stops waiting."""


def rows() -> list[Row]:
    """How many executions and invocations the burst is, and what was lost."""
    doing("AWS starts on this machine")
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as here:
        deployment = here.deployment
        deployment.session.client("events").enable_rule(Name="handsoff-each-minute")
        began = time.monotonic()
        land(deployment)
        landed = time.monotonic() - began
        wait_until_handled(deployment)
        executions = newest_executions(deployment, "titanic", 50)
        received, invocations = handled_events(deployment.session.client("logs"))
        if not executions:
            raise RuntimeError("the marker started no execution")
        batch = executions[-1].parameters["Batch"]
        trained = read_manifest(deployment.s3, deployment.bucket, "titanic", batch)
        unnamed = OBJECTS + 1 - len(trained)  # validation.csv is one object more
        unheard = max(0, OBJECTS + 2 - received)  # the marker is another
        queues = (deployment.outputs["FailuresQueue"], deployment.outputs["LandingsFailuresQueue"])
        lost = unnamed + unheard + sum(waiting(deployment, url) for url in queues)
    what, least = f"{OBJECTS:,} objects and a marker", -(-(OBJECTS + 2) // BATCH)
    speed = f"They landed in {landed:.0f} s; messages gather for two seconds, or until there are {BATCH:,}."

    def row(unit: str, found: int, most: int, limit: int, reason: str = "") -> Row:
        return Row(f"{what}: {unit}", found, unit, at_most(most), unit, found, limit, reason=reason)

    return [
        row("executions", len(executions), 1, 1),
        row("invocations", invocations, 40, least, speed),
        row("lost", lost, 0, 0),
    ]


def land(deployment: Deployment) -> None:
    """Land the objects by several writers, then the marker."""
    header, *lines = (ROOT / "data/titanic/train.csv").read_bytes().splitlines(keepends=True)

    def put(name: str, body: bytes) -> None:
        deployment.s3.put_object(Bucket=deployment.bucket, Key=f"curated/titanic/{name}", Body=body)

    put("validation.csv", (ROOT / "data/titanic/validation.csv").read_bytes())
    with ThreadPoolExecutor(WRITERS) as writers:
        doing(f"{OBJECTS:,} objects land")
        for number in range(OBJECTS):
            body = header + lines[number % len(lines)] + lines[(number + 1) % len(lines)]
            writers.submit(put, f"train/{number:06}.csv", body)
    put("_SUCCESS", b"")


def waiting(deployment: Deployment, url: str) -> int:
    """Messages in a queue, those in flight included."""
    counts = deployment.sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )
    return sum(int(value) for value in counts["Attributes"].values())


def wait_until_handled(deployment: Deployment) -> None:
    """Wait until every message is handled, stop what runs then, and wait until nothing waits for its end."""
    doing("the landings are handled")
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        time.sleep(2)
        executions = newest_executions(deployment, "titanic", 50)
        if not executions or waiting(deployment, deployment.outputs["LandingsQueue"]):
            continue
        for one in executions:
            if not one.terminal:
                deployment.sagemaker.stop_pipeline_execution(
                    PipelineExecutionArn=one.arn, ClientRequestToken="bench" + one.arn[-12:] * 3
                )
        state, _ = deployment.collaborators.states.load("titanic")
        if all(one.terminal for one in executions) and not (state.pending or state.running):
            return
    raise TimeoutError(f"the landings were not handled within {TIMEOUT} s")


def handled_events(logs: CloudWatchLogsClient) -> tuple[int, int]:
    """Events that start_retraining handled, by its own metric, and the number of its invocations."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/aws/lambda/handsoff-start-retraining"
    )
    messages = [event["message"] for page in pages for event in page["events"]]
    metrics = [json.loads(text) for text in messages if '"MessagesHandled"' in text]
    handled = sum(sum(item["MessagesHandled"]) for item in metrics)
    return int(handled), sum(text.startswith("REPORT") for text in messages)


if __name__ == "__main__":
    print_rows(rows())
