"""Prints what a month costs on AWS: measured quantities times AWS's list prices.

    .venv/bin/python bench/cost.py            # the tables of docs/reference/cost.md, from bench/cost.json
    .venv/bin/python bench/cost.py --measure  # measures again (two minutes), and writes bench/cost.json

The quantities were measured on AWS on this machine, by bench/cost_measurement.py.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from bench.use import Use

MEASURED: Final = Path(__file__).with_suffix(".json")
"""The stored measurement."""

PRICES: Final = {
    "Lambda request": (0.20, 1e6),
    "Lambda GB-second, arm64": (0.0000133334, 1),
    "EventBridge event (of S3, of handsoff)": (1.00, 1e6),
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
    "CloudWatch dashboard-month": (3.00, 1),
    "Secrets Manager secret-month": (0.40, 1),
    "Secrets Manager call": (0.05, 1e4),
    "SageMaker ml.m5.large hour": (0.115, 1),
}
"""List prices in us-east-1 without a free tier: US dollars, and the number of units that they buy."""

SWEEPS: Final = 43_200
"""Sweeps a month: one each minute, for 30 days."""

PROCESSOR_GB: Final = 1769 / 1024
"""Memory in GB at which Lambda gives one whole processor. Measured seconds are billed at this size."""

ANSWER: Final = 0.02
"""Assumed: seconds by which AWS answers a request later than AWS on this machine."""

COLD: Final = 1.0
"""Assumed: seconds by which the first invocation of a function takes longer."""

POLLS: Final = 5 * 3 * SWEEPS
"""Assumed: receive calls a month on an empty queue; Lambda polls by five connections for 20 s each."""

MAILS: Final = 2
"""Assumed: approvers who get an e-mail for each notification."""

ALARMS: Final = 22
"""CloudWatch alarms of the stack, without the four for Slack."""

DASHBOARDS: Final = 1
"""CloudWatch dashboards of the stack."""

SECRETS: Final = 1
"""Secrets of the stack, without Slack's."""

JOBS: Final = 3
"""SageMaker jobs of an execution."""

JOB_MINUTES: Final = 3.0
"""Assumed: billed minutes of one job, most of them to load the image and to start."""

SCENARIOS: Final = {
    "1": (1, 0),
    "100": (100, 0),
    "10,000": (10_000, 0),
    "10,000, and 10 M objects": (10_000, 10_000_000),
}
"""Executions a month, and objects that land a month beyond two files and a marker per execution."""


# ---- the bill -----------------------------------------------------------------------------------------


def price(what: str, count: float) -> float:
    """US dollars for `count` units of an entry of PRICES."""
    dollars, per = PRICES[what]
    return dollars * count / per


def _lambda(use: Use, times: float, cold: float) -> float:
    seconds = use.seconds + use.requests * ANSWER + use.invocations * cold
    return price("Lambda request", use.invocations * times) + price(
        "Lambda GB-second, arm64", seconds * times * PROCESSOR_GB
    )


def bill(measured: Mapping[str, Use], executions: int, objects: int) -> dict[str, float]:
    """US dollars of one month by purpose; the last entry is the jobs' instances."""
    each, sweep, landed = measured["execution"], measured["sweep"], measured["object"]

    def total(name: str) -> float:
        mine, minute, one = (float(getattr(use, name)) for use in (each, sweep, landed))
        return mine * executions + minute * SWEEPS + one * objects

    hours = min(1.0, executions / 730)  # a metric is billed for the hours in which it was sent
    messages = total("messages")
    return {
        "Lambda, for executions and landings": _lambda(each, executions, COLD) + _lambda(landed, objects, 0),
        "Lambda, the sweep each minute": _lambda(sweep, SWEEPS, 0),
        "EventBridge": price("EventBridge event (of S3, of handsoff)", total("events")),
        "SQS, messages": price("SQS request", messages + 2 * messages / 10),
        "SQS, the empty queue": price("SQS request", POLLS),
        "SNS, with two e-mails for each notification": price("SNS publish", total("publishes"))
        + price("SNS e-mail", total("publishes") * MAILS),
        "S3 requests": price("S3 PUT, COPY, POST, LIST", total("s3_puts"))
        + price("S3 GET, HEAD", total("s3_gets")),
        "S3, what a month's executions store": price("S3 GB-month", total("stored") / 1e9),
        "DynamoDB": price("DynamoDB write unit", total("writes"))
        + price("DynamoDB read unit", total("reads")),
        "CloudWatch Logs": price("CloudWatch Logs GB", total("log_bytes") / 1e9),
        "CloudWatch metrics": price("CloudWatch metric-month", each.metrics * hours + sweep.metrics),
        "CloudWatch alarms": price("CloudWatch alarm-month", ALARMS),
        "CloudWatch dashboard": price("CloudWatch dashboard-month", DASHBOARDS),
        "Secrets Manager": price("Secrets Manager secret-month", SECRETS)
        + price("Secrets Manager call", total("secrets")),
        "SageMaker": price("SageMaker ml.m5.large hour", executions * JOBS * JOB_MINUTES / 60),
    }


def tables(stored: Mapping[str, Any]) -> str:
    """Prices, quantities and bills as Markdown tables; `stored` is the content of bench/cost.json."""
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
        f"| US$ a month, by executions | {' | '.join(SCENARIOS)} |",
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
    lines.append(f"| share of the instances | {' | '.join(shares)} |")
    return "\n".join(lines)


def _row(name: str, values: list[float]) -> str:
    return f"| {name} | {' | '.join(f'{value:,.2f}' for value in values)} |"


NAMES: Final = {
    "invocations": "invocations of functions",
    "seconds": "seconds of functions, without cold starts",
    "requests": "requests of functions to AWS",
    "events": "billed events",
    "messages": "messages to the landings queue",
    "publishes": "notifications",
    "s3_puts": "S3 PUT and LIST, jobs included",
    "s3_gets": "S3 GET and HEAD, jobs included",
    "stored": "bytes stored in S3",
    "writes": "ledger: write units",
    "reads": "ledger: read units",
    "secrets": "reads of secrets",
    "log_bytes": "bytes logged, jobs included",
    "metrics": "custom metrics",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", action="store_true", help="measure again, and write bench/cost.json")
    if parser.parse_args().measure:
        from bench.cost_measurement import measure

        MEASURED.write_text(json.dumps(measure(), indent=1) + "\n")
    print(tables(json.loads(MEASURED.read_text())))


if __name__ == "__main__":
    main()
