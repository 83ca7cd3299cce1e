"""What an idle minute of the sweep asks of AWS, for each model and for the sweep itself.

    .venv/bin/python -m bench.sweep_requests

The function runs in a process of its own against AWS on this machine, on a clock that goes on by a minute for
each sweep. Each request that botocore sends is counted. Every model has a marker that was answered and a
champion that was recorded. The mean is taken over an hour, so that what happens every 15 minutes counts.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from bench.row import Row, at_most, measured, print_rows
from local import server
from retraining.aws import clients
from retraining.collaborators import Collaborators
from retraining.config.schema import dump_model, parse_config

ROOT: Final = Path(__file__).parents[1]

MODELS: Final = 20
"""Models of the larger of the two deployments; the smaller one has a single model."""

SETTLE: Final = 20
"""Minutes after which all models are idle."""

MINUTES: Final = 60
"""Minutes whose mean is taken."""


@contextlib.contextmanager
def deployment(models: int) -> Iterator[None]:
    """What the sweep works with, and so many models that are about to become idle."""
    config = parse_config(yaml.safe_load((ROOT / "handsoff.yaml").read_text()), source="handsoff.yaml")
    text = dump_model(config.models["titanic"])
    with tempfile.TemporaryDirectory() as name:
        cloud = server.start(Path(name) / "aws", port=None)
        try:
            s3, sagemaker, ssm = (cloud.client(service) for service in ("s3", "sagemaker", "ssm"))
            topic = cloud.client("sns").create_topic(Name="notifications")["TopicArn"]
            os.environ |= {**cloud.environment(), "PREFIX": "handsoff", "DATA_BUCKET": "data"}
            os.environ |= {"NOTIFICATIONS_TOPIC": topic, "LEDGER_TABLE": "ledger"}
            cloud.client("dynamodb").create_table(
                TableName="ledger",
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "fact", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "fact", "KeyType": "HASH"}],
            )
            s3.create_bucket(Bucket="data")
            s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
            for model in (f"model-{number:02}" for number in range(models)):
                ssm.put_parameter(Name=f"/handsoff/models/{model}", Value=text, Type="String")
                s3.put_object(Bucket="data", Key=f"curated/{model}/_SUCCESS", Body=b"")
                group = {"ModelPackageGroupName": f"handsoff-{model}"}
                sagemaker.create_model_package_group(**group)
                sagemaker.create_model_package(**group, ModelApprovalStatus="Approved")
            yield
        finally:
            server.stop(Path(name) / "aws")


def sweeps(models: int) -> dict[str, float]:
    """What `idle_minute` returns, measured in this process, whose environment and session it changes."""
    sys.path.insert(0, str(ROOT / "functions"))
    import reconcile
    from tests.functions.fakes import Context

    sent, now = Counter[str](), datetime.now(UTC)

    def note(**event: Any) -> None:
        operation = event["event_name"].rpartition(".")[2]
        sent[operation] += 1
        if operation == "BatchGetItem":
            sent["keys"] += len(json.loads(event["request"].body)["RequestItems"]["ledger"]["Keys"])

    with deployment(models):
        clients._session().register("before-send", note)
        using = replace(Collaborators.real(), clock=lambda: now)
        for minute in range(SETTLE + MINUTES):
            now += timedelta(minutes=1)
            if minute == SETTLE:
                sent.clear()
            reconcile.handler({}, Context(), using=using)
    return {operation: number / MINUTES for operation, number in sorted(sent.items())}


def idle_minute(models: int) -> dict[str, float]:
    """The requests of one idle minute by operation, and the `keys` that BatchGetItem reads."""
    command = [sys.executable, "-m", "bench.sweep_requests", str(models)]
    found: dict[str, float] = json.loads(measured(command, 1, cwd=ROOT).output.splitlines()[-1])
    return found


def rows() -> list[Row]:
    """Requests for each idle model: the slope between one model and MODELS."""
    one, many = (
        sum(number for operation, number in idle_minute(models).items() if operation != "keys")
        for models in (1, MODELS)
    )
    each = (many - one) / (MODELS - 1)
    return [
        Row(
            f"one idle minute of the sweep, for each of {MODELS} models",
            each,
            "requests to AWS",
            at_most(2),
            "requests",
            ours=each,
            limit=1.0,  # a look at the marker
            reason=f"The sweep itself makes {one - each:.1f} more, for any number of models. Each execution "
            "among a model's newest 100 that failed or was stopped adds 0.13, and all of them 2 at most.",
        )
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        logging.disable()
        print(json.dumps(sweeps(int(sys.argv[1]))))
    else:
        print_rows(rows())
