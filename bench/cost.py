"""What a month costs on AWS: quantities measured on AWS on this machine, times AWS's list prices.

    .venv/bin/python bench/cost.py            # the tables of docs/reference/cost.md, from bench/cost.json
    .venv/bin/python bench/cost.py --measure  # measures again (two minutes) and writes bench/cost.json

The measurement deploys the project to an AWS of its own that notes each request. What a second execution
uses (there is a champion by then), a minute in which nothing happens, and each of 1,000 objects more, are
differences. Functions, jobs and whoever lands files are told apart by their credentials.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[1]
MEASURED = Path(__file__).with_suffix(".json")

PRICES: Final = {
    "Lambda request": (0.20, 1e6),
    "Lambda GB-second, arm64": (0.0000133334, 1),
    "EventBridge event (S3's, our own)": (1.00, 1e6),
    "SQS request": (0.40, 1e6),
    "SNS publish": (0.50, 1e6),
    "SNS e-mail": (2.00, 1e5),
    "S3 PUT, COPY, POST, LIST": (0.005, 1e3),
    "S3 GET, HEAD": (0.0004, 1e3),
    "S3 GB-month": (0.023, 1),
    "DynamoDB write unit": (0.625, 1e6),
    "DynamoDB read unit": (0.125, 1e6),
    "CloudWatch Logs GB": (0.50, 1),
    "CloudWatch metric-month": (0.30, 1),
    "CloudWatch alarm-month": (0.10, 1),
    "Secrets Manager secret-month": (0.40, 1),
    "Secrets Manager call": (0.05, 1e4),
    "SageMaker ml.m5.large hour": (0.115, 1),
}
"""US dollars for so many; us-east-1, without any free tier."""

SWEEPS: Final = 43_200
"""Minutes of a month of 30 days."""

PROCESSOR_GB: Final = 1769 / 1024
"""Memory at which Lambda gives one whole processor; this machine's seconds are billed as if at this size."""

ANSWER: Final = 0.02
COLD: Final = 1.0
"""Assumed seconds: what AWS takes longer for an answer; what a function's first call takes longer."""

POLLS: Final = 5 * 3 * SWEEPS
"""Assumed: Lambda asks an empty queue by five connections, each for 20 seconds."""

MAILS: Final = 2
"""Assumed: approvers who get a mail for each notification."""

ALARMS: Final = 4
SECRETS: Final = 1
JOBS: Final = 3
JOB_MINUTES: Final = 3.0
"""Assumed: billed minutes of one job, nearly all of them to load the image and start."""

SCENARIOS: Final = {
    "1": (1, 0),
    "100": (100, 0),
    "10,000": (10_000, 0),
    "and 10 M objects": (10_000, 10_000_000),
}
"""Executions a month, and the objects that land in all of their batches beyond two files and the marker."""


@dataclass(frozen=True)
class Use:
    """What one thing uses. Bytes and seconds as measured, `units` of DynamoDB by the size of each request."""

    invocations: float = 0
    seconds: float = 0
    requests: float = 0
    events: float = 0
    messages: float = 0
    publishes: float = 0
    s3_puts: float = 0
    s3_gets: float = 0
    stored: float = 0
    writes: float = 0
    reads: float = 0
    secrets: float = 0
    log_bytes: float = 0
    metrics: float = 0

    def less(self, other: Use, over: float = 1) -> Use:
        """What is left without `other`, for each of `over`; never below nothing."""
        mine, theirs = asdict(self), asdict(other)
        return Use(**{name: max(0.0, round((mine[name] - theirs[name]) / over, 4)) for name in mine})


# ---- the bill -----------------------------------------------------------------------------------------


def price(what: str, count: float) -> float:
    dollars, per = PRICES[what]
    return dollars * count / per


def _lambda(use: Use, times: float, cold: float) -> float:
    seconds = use.seconds + use.requests * ANSWER + use.invocations * cold
    return price("Lambda request", use.invocations * times) + price(
        "Lambda GB-second, arm64", seconds * times * PROCESSOR_GB
    )


def bill(measured: Mapping[str, Use], executions: int, objects: int) -> dict[str, float]:
    """US dollars of one month by what they are for; the last line is the jobs' instances."""
    each, sweep, landed = measured["execution"], measured["sweep"], measured["object"]

    def total(name: str) -> float:
        mine, minute, one = (float(getattr(use, name)) for use in (each, sweep, landed))
        return mine * executions + minute * SWEEPS + one * objects

    hours = min(1.0, executions / 730)  # a metric is billed for the hours in which it was sent
    messages = total("messages")
    return {
        "Lambda, for executions and landings": _lambda(each, executions, COLD) + _lambda(landed, objects, 0),
        "Lambda, the sweep each minute": _lambda(sweep, SWEEPS, 0),
        "EventBridge": price("EventBridge event (S3's, our own)", total("events")),
        "SQS, messages": price("SQS request", messages + 2 * messages / 10),
        "SQS, the empty queue": price("SQS request", POLLS),
        "SNS, with two mails each": price("SNS publish", total("publishes"))
        + price("SNS e-mail", total("publishes") * MAILS),
        "S3 requests": price("S3 PUT, COPY, POST, LIST", total("s3_puts"))
        + price("S3 GET, HEAD", total("s3_gets")),
        "S3, what a month's executions leave": price("S3 GB-month", total("stored") / 1e9),
        "DynamoDB": price("DynamoDB write unit", total("writes"))
        + price("DynamoDB read unit", total("reads")),
        "CloudWatch Logs": price("CloudWatch Logs GB", total("log_bytes") / 1e9),
        "CloudWatch metrics": price("CloudWatch metric-month", each.metrics * hours + sweep.metrics),
        "CloudWatch alarms": price("CloudWatch alarm-month", ALARMS),
        "Secrets Manager": price("Secrets Manager secret-month", SECRETS)
        + price("Secrets Manager call", total("secrets")),
        "SageMaker": price("SageMaker ml.m5.large hour", executions * JOBS * JOB_MINUTES / 60),
    }


def tables(stored: Mapping[str, Any]) -> str:
    """Prices, quantities and bills as Markdown."""
    measured = {name: Use(**stored[name]) for name in ("execution", "sweep", "object")}
    lines = ["| list price, us-east-1 | US$ | for |", "| --- | ---: | ---: |"]
    lines += [f"| {what} | {dollars:.10g} | {per:,.0f} |" for what, (dollars, per) in PRICES.items()]
    lines += [
        "",
        "| measured | one execution | one idle minute | one more object |",
        "| --- | ---: | ---: | ---: |",
    ]
    for one in fields(Use):
        values = [getattr(measured[name], one.name) for name in ("execution", "sweep", "object")]
        lines.append(f"| {NAMES[one.name]} | {' | '.join(f'{value:,.6g}' for value in values)} |")
    bills = [bill(measured, *scenario) for scenario in SCENARIOS.values()]
    lines += [
        "",
        f"| US$ a month at executions | {' | '.join(SCENARIOS)} |",
        f"| --- |{' ---: |' * len(bills)}",
    ]
    for line in bills[0]:
        if line != "SageMaker":
            lines.append(_row(line, [one[line] for one in bills]))
    jobs = [one["SageMaker"] for one in bills]
    serverless = [sum(one.values()) - job for one, job in zip(bills, jobs, strict=True)]
    lines.append(_row("**the serverless part**", serverless))
    lines.append(_row("**SageMaker's instances**", jobs))
    shares = [f"{job / (job + rest):.0%}" for job, rest in zip(jobs, serverless, strict=True)]
    lines.append(f"| their share of both | {' | '.join(shares)} |")
    return "\n".join(lines)


def _row(name: str, values: list[float]) -> str:
    return f"| {name} | {' | '.join(f'{value:,.2f}' for value in values)} |"


NAMES: Final = {
    "invocations": "invocations of functions",
    "seconds": "their seconds, all processes warm",
    "requests": "their requests to AWS",
    "events": "events that are billed",
    "messages": "messages to the landings queue",
    "publishes": "notifications",
    "s3_puts": "S3 PUT and LIST, jobs included",
    "s3_gets": "S3 GET and HEAD, jobs included",
    "stored": "bytes left in S3",
    "writes": "ledger: write units",
    "reads": "ledger: read units",
    "secrets": "secrets read",
    "log_bytes": "bytes logged, jobs included",
    "metrics": "metrics of their own",
}

# ---- the measurement ----------------------------------------------------------------------------------


def serve(log: Path, arguments: list[str]) -> None:
    """AWS on this machine, which writes a line for each request that it gets."""
    sys.path.insert(0, str(ROOT))
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
                lines.write(json.dumps([*line, *(headers.get(name, "") for name in names)]) + "\n")
            await app(scope, receive, send)

        return noting, close

    cloud.build_app = build_app
    sys.argv = ["local.cloud", *arguments]
    cloud.main()


def requests_of(log: Path, account: str) -> Use:
    """What functions and jobs, and whoever lands files, have asked for so far."""
    count: Counter[str] = Counter()
    for line in log.read_text().splitlines():
        method, path, query, authorization, target, length = json.loads(line)
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
    """What stands in the logs so far, and which metrics."""
    count: Counter[str] = Counter()
    seconds = 0.0
    metrics: set[str] = set()
    for group in client.describe_log_groups()["logGroups"]:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for text in (event["message"] for page in pages for event in page["events"]):
            count["log_bytes"] += len(text.encode()) + 26  # AWS's own overhead of an event
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


def measure() -> dict[str, Any]:
    """Quantities of one execution, one idle sweep and one more object."""
    import yaml

    from handsoff.deploying.local import deploy, point_at
    from handsoff.project import Project
    from local import server
    from retraining.config.schema import parse_config

    values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
    config = parse_config(values, source="handsoff.yaml")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, python = folder / "requests", folder / "python"
        log.touch()
        python.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} --serve {log} "$@"\n')
        python.chmod(0o755)
        cloud = server.start(folder / "aws", port=None, python=str(python))
        try:
            point_at(cloud)
            deployment = deploy(Project(ROOT, config, folder / "work"), cloud)
            client = deployment.session.client
            client("events").disable_rule(Name="handsoff-each-minute")
            train = (ROOT / "data/titanic/train.csv").read_bytes().splitlines(keepends=True)
            batch = {"validation.csv": (ROOT / "data/titanic/validation.csv").read_bytes(), "_SUCCESS": b""}

            def land(files: Mapping[str, bytes], number: int) -> None:
                for name, body in files.items():
                    deployment.s3.put_object(
                        Bucket=deployment.bucket, Key=f"curated/titanic/{name}", Body=body
                    )
                deadline = time.monotonic() + 180
                while time.monotonic() < deadline:
                    found = deployment.executions("titanic", 5)
                    if len(found) == number and deployment.settled(found[0], deployment.package(found[0])):
                        break
                    time.sleep(0.5)
                else:
                    raise TimeoutError(f"execution {number} did not end")
                time.sleep(5)  # the notification, the evidence

            def so_far() -> tuple[Use, set[str]]:
                asked, (said, metrics) = requests_of(log, cloud.account), logged(client("logs"))
                return Use(
                    **{
                        field.name: getattr(asked, field.name) + getattr(said, field.name)
                        for field in fields(Use)
                    }
                ), metrics

            def idle() -> None:
                client("lambda").invoke(FunctionName="handsoff-reconcile")

            land({"train.csv": b"".join(train), **batch}, 1)
            before, _ = so_far()
            land({"train.csv": b"".join(train[:-1]), **batch}, 2)
            after, of_executions = so_far()
            execution = after.less(before)
            steps = {
                step.name: (step.end_time - step.start_time).total_seconds()
                for step in deployment.executions("titanic", 1)[0].steps
                if step.start_time and step.end_time
            }
            idle()
            before, of_sweeps = so_far()
            for _ in range(10):
                idle()
            after, _ = so_far()
            sweep = after.less(before, 10)
            before, _ = so_far()
            header, *rows = train
            many = {
                f"train/{number:04}.csv": header + rows[number % len(rows)] + rows[-number]
                for number in range(1000)
            }
            land({**many, **batch}, 3)
            after, _ = so_far()
            objects = after.less(before).less(execution, 1000)
        finally:
            server.stop(folder / "aws")
            os.environ.pop("AWS_ENDPOINT_URL", None)
    return {
        "measured": date.today().isoformat(),
        "execution": asdict(execution) | {"metrics": len(of_executions)},
        "sweep": asdict(sweep) | {"metrics": len(of_sweeps - of_executions)},
        "object": asdict(objects) | {"metrics": 0},
        "steps": steps,
    }


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]), sys.argv[5:])  # between them: -m local.cloud
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", action="store_true")
    if parser.parse_args().measure:
        MEASURED.write_text(json.dumps(measure(), indent=1) + "\n")
    print(tables(json.loads(MEASURED.read_text())))


if __name__ == "__main__":
    main()
