"""A burst of landings on AWS on this machine: 10,000 objects and a marker are one execution.

    .venv/bin/python bench/landings.py [--objects 10000]

Deploys the project to an AWS of its own, lands the objects and then the marker, and counts what followed:
events a second (from the first object to the last event handled), invocations of start_retraining,
executions, and what was lost (objects that the execution's batch does not name, events that no invocation
got, messages in the failure queues).
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
from handsoff.project import Project
from local import server
from retraining.config.schema import parse_config
from retraining.starts.batches import read_manifest

ROOT = Path(__file__).parents[1]
TITANIC = ROOT / "data" / "titanic"
WRITERS = 8


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
            header, *rows = (TITANIC / "train.csv").read_bytes().splitlines(keepends=True)
            s3, bucket = deployment.s3, deployment.bucket

            def put(name: str, body: bytes) -> None:
                s3.put_object(Bucket=bucket, Key=f"curated/titanic/{name}", Body=body)

            put("validation.csv", (TITANIC / "validation.csv").read_bytes())
            began = time.monotonic()
            with ThreadPoolExecutor(WRITERS) as writers:
                for number in range(objects):
                    body = header + rows[number % len(rows)] + rows[(number + 1) % len(rows)]
                    writers.submit(put, f"train/{number:06}.csv", body)
            put("_SUCCESS", b"")
            landed = time.monotonic() - began

            queue = deployment.outputs["LandingsQueue"]
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

            def waiting(url: str) -> int:
                counts = deployment.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)  # type: ignore[arg-type]
                return sum(int(value) for value in counts["Attributes"].values())

            deadline = time.monotonic() + 600
            while not deployment.executions("titanic", 1) and time.monotonic() < deadline:
                time.sleep(0.5)
            while waiting(queue) and time.monotonic() < deadline:
                time.sleep(0.5)
            handled = time.monotonic() - began
            received, invocations = handled_events(deployment.session.client("logs"))
            executions = deployment.executions("titanic", 50)
            failures = deployment.outputs["FailuresQueue"]
            batch = executions[0].parameters["Batch"] if executions else ""
            trained = read_manifest(s3, bucket, "titanic", batch) if batch else []
            missing = objects + 1 - len(trained)  # of the execution's own batch; validation.csv is one more
            unheard = max(0, objects + 2 - received)
            lost = missing + unheard + waiting(failures) + waiting(f"{queue}-failures")
            print(f"objects landed     {objects} and a marker in {landed:.1f} s, by {WRITERS} writers")
            print(f"events a second    {received / handled:.0f}")
            print(f"invocations        {invocations}")
            print(f"executions         {len(executions)}")
            print(f"lost               {lost}")
        finally:
            server.stop(Path(folder) / "aws")
            os.environ.pop("AWS_ENDPOINT_URL", None)


def handled_events(logs) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """Events that start_retraining was given, by its own metric, and the invocations that it took."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/aws/lambda/handsoff-start-retraining"
    )
    messages = [event["message"] for page in pages for event in page["events"]]
    metrics = [json.loads(text) for text in messages if '"MessagesHandled"' in text]
    handled = sum(sum(item["MessagesHandled"]) for item in metrics)
    return int(handled), sum(text.startswith("REPORT") for text in messages)


if __name__ == "__main__":
    main()
