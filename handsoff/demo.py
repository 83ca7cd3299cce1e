"""The whole loop in front of somebody's eyes, on an AWS of its own that ends with it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.markup import escape

from handsoff import show
from handsoff.deploying.local import deploy, point_at
from handsoff.deploying.tools import uninterrupted
from handsoff.deployment import Deployment
from handsoff.project import Project
from local import server
from retraining.aws import pipelines
from retraining.aws.pipelines import Execution
from retraining.aws.registry import Package

T = TypeVar("T")

MODEL: Final = "titanic"
TIMEOUT: Final = 120.0
"""Seconds that each wait may take before the demo gives up."""


def run(project: Project, console: Console) -> bool:
    """Start, deploy, land, follow, show. True if a model package was registered and decided."""
    project.model(MODEL)
    project.sam()
    with _cloud(project, project.work / f"demo-{os.getpid()}", console) as deployment:
        return _loop(project, deployment, console)


@contextmanager
def _cloud(project: Project, folder: Path, console: Console) -> Iterator[Deployment]:
    for old in project.work.glob("demo-*/"):  # of a demo that was killed with its cloud
        if server.running(old) is None:
            server.stop(old)
    log = project.work / "demo.log"
    log.unlink(missing_ok=True)
    try:
        with show.step(console, "AWS starts on this machine"):
            cloud = server.start(folder, port=None)
        point_at(cloud)
        with show.step(
            console, "template.yaml is deployed through CloudFormation, the pipeline is published"
        ):
            deployment = deploy(project, cloud)
        yield deployment
    except Exception:
        if (folder / "server.log").exists():
            shutil.copyfile(folder / "server.log", log)
            console.print(f"what AWS on this machine logged: {log}", soft_wrap=True)
        raise
    finally:
        with uninterrupted(), console.status("stopping AWS on this machine"):
            server.stop(folder)


def _loop(project: Project, deployment: Deployment, console: Console) -> bool:
    inbox = _subscribe(deployment)
    data = project.folder / "data" / MODEL
    with show.step(console, f"train.csv, validation.csv and the marker land in curated/{MODEL}/"):
        files = [(data / name, name) for name in ("train.csv", "validation.csv")]
        deployment.land(MODEL, files, progress=lambda _path, _sent: None, marker=True)
    with show.step(console, "the S3 event starts an execution"):
        execution = _wait("an execution", lambda: next(iter(deployment.executions(MODEL, 1)), None))

    def look() -> tuple[Execution, Package | None]:
        now = pipelines.describe(deployment.sagemaker, execution.arn)
        return now, deployment.package(now)

    execution, package = show.follow(console, look, deployment.settled, timeout=TIMEOUT)
    with show.step(console, "the notification goes out"):
        notification = _wait("a notification", lambda: _receive(deployment, inbox))
    console.print(f"  to approvers: {notification['model']} {notification['kind']}, because", soft_wrap=True)
    for reason in notification["reasons"]:
        console.print(f"    {escape(reason)}", soft_wrap=True)

    found = deployment.evidence(execution)
    target = project.work / "evidence.json"
    target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print("\n[bold]evidence[/]")
    show.evidence(console, found)
    console.print(f"\nthe whole of it: {target.relative_to(project.folder)}")
    return package is not None and package.approval_status in ("Approved", "Rejected")


def _subscribe(deployment: Deployment) -> str:
    """A queue that gets what approvers get; returns its URL."""
    url = deployment.sqs.create_queue(QueueName=f"{deployment.prefix}-demo-approver")["QueueUrl"]
    attributes = deployment.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    deployment.session.client("sns").subscribe(
        TopicArn=deployment.outputs["NotificationsTopic"],
        Protocol="sqs",
        Endpoint=attributes["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    return url


def _receive(deployment: Deployment, url: str) -> dict[str, Any] | None:
    messages = deployment.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
    return json.loads(messages[0]["Body"]) if messages else None


def _wait(what: str, look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)
    raise TimeoutError(f"{what} did not come within {TIMEOUT:g} s")
