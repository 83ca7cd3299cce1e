"""Measures what an execution, an idle minute and one more object use, on AWS on this machine.

`bench/cost.py --measure` runs it. It deploys the project to an AWS of its own that logs each request. Three
differences are measured: a second execution (there is a champion by then), a sweep without work, and each of
1,000 objects more. Credentials tell requests of functions, of jobs and of landings apart.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from bench.sweep_requests import idle_minute
from bench.use import Use
from handsoff.deploying.local import deploy, point_at
from handsoff.deployment import Deployment
from handsoff.operating.executions import is_settled, newest_executions, package_of
from handsoff.project import Project
from local import server
from local.server import Cloud
from retraining.config.schema import parse_config

ROOT: Final = Path(__file__).parents[1]

OBJECTS: Final = 1000
"""Objects that land in the batch of the third execution beyond two files and the marker."""

SWEEPS: Final = 10
"""Sweeps without work whose mean is taken."""

TIMEOUT: Final = 180
"""Seconds that an execution may take."""

EVENT_OVERHEAD: Final = 26
"""Bytes that CloudWatch Logs bills for each event beyond its text."""


def serve(log: Path, arguments: list[str]) -> None:
    """Run AWS on this machine, and write a line of JSON to `log` for each request that is answered.

    It ends with the times, in seconds since 1970, at which the request came and the answer went.
    """
    from local import cloud

    build = cloud.build_app

    def build_app(*args: Any, **kwargs: Any) -> Any:
        app, close = build(*args, **kwargs)
        lines = log.open("a", buffering=1)

        async def noting(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
                line = [scope["method"], scope["path"], scope["query_string"].decode()]
                names = ("authorization", "x-amz-target", "content-length")
                line += [headers.get(name, "") for name in names]
                began = time.time()
                await app(scope, receive, send)
                lines.write(json.dumps([*line, began, time.time()]) + "\n")
            else:
                await app(scope, receive, send)

        return noting, close

    cloud.build_app = build_app
    sys.argv = ["local.cloud", *arguments]
    cloud.main()


def requests_of(log: Path, account: str) -> Use:
    """Requests so far of functions, of jobs and of landings, counted as AWS bills them."""
    count: Counter[str] = Counter()
    for line in log.read_text().splitlines():
        method, path, query, authorization, target, length, *_ = json.loads(line)
        who, _, _, service, *_ = (authorization.partition("Credential=")[2] + "/////").split("/")
        ours, operation = who == account or who.startswith("ASIA"), target.rpartition(".")[2]
        count["requests"] += who == account
        if service == "s3":
            listing = method == "GET" and ("list-type=" in query or query.startswith("versions"))
            written = method == "PUT" and path.count("/") > 1
            count["events"] += written
            count["messages"] += written and path.split("/")[2] == "curated"
            count["s3_puts"] += ours and (written or listing)
            count["s3_gets"] += ours and method in ("GET", "HEAD") and not listing
            count["stored"] += int(length or 0) if ours and written else 0
        elif ours and operation in ("PutItem", "UpdateItem", "DeleteItem"):
            count["writes"] += -(-int(length or 0) // 1024)
        elif ours and operation == "GetItem":
            count["reads"] += 1
        count["events"] += ours and operation == "PutEvents"
        count["publishes"] += ours and service == "sns"
        count["secrets"] += ours and operation == "GetSecretValue"
    return Use(**count)


def logged(client: Any) -> tuple[Use, set[str]]:
    """What the logs hold so far: bytes, invocations and their seconds; and the metrics that were sent."""
    count: Counter[str] = Counter()
    seconds = 0.0
    metrics: set[str] = set()
    for group in client.describe_log_groups()["logGroups"]:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for text in (event["message"] for page in pages for event in page["events"]):
            count["log_bytes"] += len(text.encode()) + EVENT_OVERHEAD
            if text.startswith("REPORT"):
                count["invocations"] += 1
                seconds += float(text.partition("Billed Duration: ")[2].split()[0]) / 1000
            elif '"_aws"' in text:
                found = json.loads(text)
                for one in found["_aws"]["CloudWatchMetrics"]:
                    for names in one["Dimensions"]:
                        values = [str(found[name]) for name in names]
                        metrics |= {"/".join([*values, metric["Name"]]) for metric in one["Metrics"]}
    return Use(**count, seconds=seconds), metrics


@dataclass(frozen=True)
class Running:
    """A deployment on an AWS that logs its requests to `log`."""

    deployment: Deployment
    cloud: Cloud
    log: Path

    def land(self, files: Mapping[str, bytes], number: int) -> None:
        """Land files; wait until execution `number` of the model is settled and its evidence is written."""
        deployment = self.deployment
        for name, body in files.items():
            deployment.s3.put_object(Bucket=deployment.bucket, Key=f"curated/titanic/{name}", Body=body)
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            found = newest_executions(deployment, "titanic", 5)
            settled = [is_settled(deployment, item, package_of(deployment, item)) for item in found[:1]]
            if len(found) == number and all(settled):
                time.sleep(5)  # for the notification and the evidence
                return
            time.sleep(0.5)
        raise TimeoutError(f"execution {number} did not end within {TIMEOUT} s")

    def sweep(self) -> None:
        """Invoke the function that otherwise runs each minute."""
        self.deployment.session.client("lambda").invoke(FunctionName="handsoff-reconcile")

    def used(self) -> tuple[Use, set[str]]:
        """What was used so far, and the metrics that were sent."""
        requested = requests_of(self.log, self.cloud.account)
        logs, metrics = logged(self.deployment.session.client("logs"))
        both = {one.name: getattr(requested, one.name) + getattr(logs, one.name) for one in fields(Use)}
        return Use(**both), metrics


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """The project, deployed to an AWS that logs its requests. The sweep runs only when it is invoked."""
    config = parse_config(yaml.safe_load((ROOT / "handsoff.yaml").read_text()), source="handsoff.yaml")
    log, python = folder / "requests", folder / "python"
    log.touch()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} {log} "$@"\n')
    python.chmod(0o755)
    cloud = server.start(folder / "aws", port=None, python=str(python))
    try:
        point_at(cloud)
        deployment = deploy(Project(ROOT, config, folder / "work"), cloud)
        deployment.session.client("events").disable_rule(Name="handsoff-each-minute")
        yield Running(deployment, cloud, log)
    finally:
        server.stop(folder / "aws")
        os.environ.pop("AWS_ENDPOINT_URL", None)


def idle_requests() -> dict[str, float]:
    """The requests of one idle minute. The model of `measure` is not idle yet: it has just trained."""
    counted = idle_minute(1)
    keys = counted.pop("keys")
    return {
        "requests": round(sum(counted.values()), 4),
        "reads": round(counted["GetItem"] + keys, 4),
        "writes": round(counted["UpdateItem"], 4),
        "s3_gets": round(counted["HeadObject"], 4),
        "s3_puts": round(counted["ListObjectVersions"], 4),
    }


def measure() -> dict[str, Any]:
    """What one execution, one sweep without work, and one more object use; and the seconds of each step."""
    data = ROOT / "data" / "titanic"
    header, *rows = train = (data / "train.csv").read_bytes().splitlines(keepends=True)
    batch = {"validation.csv": (data / "validation.csv").read_bytes(), "_SUCCESS": b""}
    many = {
        f"train/{number:04}.csv": header + rows[number % len(rows)] + rows[-number]
        for number in range(OBJECTS)
    }
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as here:
        here.land({"train.csv": b"".join(train), **batch}, 1)
        before, _ = here.used()
        here.land({"train.csv": b"".join(train[:-1]), **batch}, 2)
        after, of_executions = here.used()
        execution = after.less(before)
        steps = {
            step.name: (step.end_time - step.start_time).total_seconds()
            for step in newest_executions(here.deployment, "titanic", 1)[0].steps
            if step.start_time and step.end_time
        }
        here.sweep()
        before, of_sweeps = here.used()
        for _ in range(SWEEPS):
            here.sweep()
        after, _ = here.used()
        sweep = replace(after.less(before, SWEEPS), **idle_requests())
        before, _ = here.used()
        here.land({**many, **batch}, 3)
        after, _ = here.used()
        objects = after.less(before).less(execution, OBJECTS)
    return {
        "measured": date.today().isoformat(),
        "execution": asdict(execution) | {"metrics": len(of_executions)},
        "sweep": asdict(sweep) | {"metrics": len(of_sweeps - of_executions)},
        "object": asdict(objects) | {"metrics": 0},
        "steps": steps,
    }


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[4:])  # the server's interpreter is called with: -m local.cloud …
