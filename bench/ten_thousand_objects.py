"""Measures a burst of landings on AWS on this machine: 10,000 objects and a marker are one execution.

    .venv/bin/python bench/landings.py [--objects 10000]

It deploys the project to an AWS of its own, lands the objects and then the marker, and prints: events per
second (from the first object to the last handled event), invocations of start_retraining, executions, and
what was lost. Lost are objects that the execution's batch does not name, events that no invocation received,
and messages in the failure queues.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from handsoff.deploying.local import deploy, point_at
from handsoff.deployment import Deployment
from handsoff.operating.executions import newest_executions
from handsoff.project import Project
from local import server
from retraining.config.schema import parse_config
from retraining.starts.bucket import read_manifest

ROOT = Path(__file__).parents[1]
TITANIC = ROOT / "data" / "titanic"
WRITERS = 8
"""Threads that land objects."""

TIMEOUT = 600
"""Seconds after which the measurement stops waiting."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=10_000)
    objects: int = parser.parse_args().objects
    config = parse_config(yaml.safe_load((ROOT / "handsoff.yaml").read_text()), source="handsoff.yaml")
    with tempfile.TemporaryDirectory() as folder:
        cloud = server.start(Path(folder) / "aws", port=None)
        try:
            point_at(cloud)
            deployment = deploy(Project(ROOT, config, Path(folder) / "work"), cloud)
            began = time.monotonic()
            landed = land(deployment, objects)
            wait_until_handled(deployment)
            handled = time.monotonic() - began
            print(f"objects landed     {objects} and a marker in {landed:.1f} s, by {WRITERS} writers")
            report(deployment, objects, handled)
        finally:
            server.stop(Path(folder) / "aws")
            os.environ.pop("AWS_ENDPOINT_URL", None)


def land(deployment: Deployment, objects: int) -> float:
    """Land the objects by several writers, then the marker; the seconds from the first to the last."""
    header, *rows = (TITANIC / "train.csv").read_bytes().splitlines(keepends=True)

    def put(name: str, body: bytes) -> None:
        deployment.s3.put_object(Bucket=deployment.bucket, Key=f"curated/titanic/{name}", Body=body)

    put("validation.csv", (TITANIC / "validation.csv").read_bytes())
    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as writers:
        for number in range(objects):
            body = header + rows[number % len(rows)] + rows[(number + 1) % len(rows)]
            writers.submit(put, f"train/{number:06}.csv", body)
    put("_SUCCESS", b"")
    return time.monotonic() - began


def waiting(deployment: Deployment, url: str) -> int:
    """Messages in a queue, those in flight included."""
    counts = deployment.sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )
    return sum(int(value) for value in counts["Attributes"].values())


def wait_until_handled(deployment: Deployment) -> None:
    """Wait until an execution has started and the landings queue is empty."""
    deadline = time.monotonic() + TIMEOUT
    while not newest_executions(deployment, "titanic", 1) and time.monotonic() < deadline:
        time.sleep(0.5)
    while waiting(deployment, deployment.outputs["LandingsQueue"]) and time.monotonic() < deadline:
        time.sleep(0.5)


def report(deployment: Deployment, objects: int, seconds: float) -> None:
    """Print events per second, invocations, executions, and what was lost."""
    received, invocations = handled_events(deployment.session.client("logs"))
    executions = newest_executions(deployment, "titanic", 50)
    batch = executions[0].parameters["Batch"] if executions else ""
    trained = read_manifest(deployment.s3, deployment.bucket, "titanic", batch) if batch else []
    missing = objects + 1 - len(trained)  # validation.csv is one object more
    unheard = max(0, objects + 2 - received)  # the marker is another
    queues = (deployment.outputs["FailuresQueue"], f"{deployment.outputs['LandingsQueue']}-failures")
    lost = missing + unheard + sum(waiting(deployment, url) for url in queues)
    print(f"events a second    {received / seconds:.0f}")
    print(f"invocations        {invocations}")
    print(f"executions         {len(executions)}")
    print(f"lost               {lost}")


def handled_events(logs) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """Events that start_retraining handled, by its own metric, and the number of its invocations."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/aws/lambda/handsoff-start-retraining"
    )
    messages = [event["message"] for page in pages for event in page["events"]]
    metrics = [json.loads(text) for text in messages if '"MessagesHandled"' in text]
    handled = sum(sum(item["MessagesHandled"]) for item in metrics)
    return int(handled), sum(text.startswith("REPORT") for text in messages)


if __name__ == "__main__":
    main()
