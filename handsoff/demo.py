"""Shows the whole loop, from landing to a decided model package, on an AWS of its own."""

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

from handsoff.deploying import programs
from handsoff.deploying.local import deploy, point_at
from handsoff.deploying.tools import uninterrupted
from handsoff.deployment import Deployment
from handsoff.operating.executions import evidence_of, is_settled, newest_executions, package_of
from handsoff.operating.landing import land
from handsoff.operating.reports import made, save
from handsoff.project import SAMPLE, Project
from handsoff.showing.console import escape, step
from handsoff.showing.evidence import show_evidence
from handsoff.showing.executions import follow
from local import server
from retraining.aws import pipelines
from retraining.aws.pipelines import Execution
from retraining.facts import keys
from retraining.facts.package import Package

T = TypeVar("T")

IMAGE: Final = "scikit-learn:1.9-0"
"""The image of the sample's jobs, in local/images/table.py."""

TIMEOUT: Final = 120.0
"""Seconds that each wait may take; then the demo fails."""


def run(project: Project, console: Console) -> bool:
    """Run the demo. Returns whether a model package was registered and decided."""
    project.model(SAMPLE)
    programs.need_to_build(project, lambda line: console.print(line, soft_wrap=True))
    with _cloud(project, project.work / f"demo-{os.getpid()}", console) as deployment:
        return _loop(project, deployment, console)


@contextmanager
def _cloud(project: Project, folder: Path, console: Console) -> Iterator[Deployment]:
    """An AWS of the demo's own, deployed to, and stopped at the end."""
    for old in project.work.glob("demo-*/"):  # left by a demo that was killed
        if server.running(old) is None:
            server.stop(old)
    log = project.work / "demo.log"
    log.unlink(missing_ok=True)
    try:
        with step(console, "AWS starts on this machine"):
            cloud = server.start(folder, port=None, prepare=[IMAGE])
        point_at(cloud)
        with step(console, "template.yaml is deployed by CloudFormation, the pipeline is published"):
            deployment = deploy(project, cloud, console.print)
        yield deployment
    except Exception:
        if (folder / "server.log").exists():
            shutil.copyfile(folder / "server.log", log)
            console.print(f"the log of AWS on this machine: {log}", soft_wrap=True)
        raise
    finally:
        with uninterrupted(), console.status("stopping AWS on this machine"):
            server.stop(folder)


def _loop(project: Project, deployment: Deployment, console: Console) -> bool:
    inbox = _subscribe(deployment)
    execution, package = _follow_landing(project, deployment, console)
    with step(console, "the notification is sent"):
        notification = _wait("a notification", lambda: _receive(deployment, inbox))
    console.print(f"  to approvers: {notification['model']} {notification['kind']}, because", soft_wrap=True)
    for reason in notification["reasons"]:
        console.print(f"    {escape(reason)}", soft_wrap=True)

    with step(console, "the decision is recorded"):
        found = _wait("the record of the decision", lambda: _recorded(deployment, execution, package))
    target = project.work / "evidence.json"
    target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print("\n[bold]evidence[/]")
    show_evidence(console, found)
    console.print(f"\nall of it: {target.relative_to(project.folder)}")
    address = save(made(deployment, execution, found), project.work / "report.html")
    console.print(f"with pictures: {address}", soft_wrap=True)
    return package is not None and package.approval_status in ("Approved", "Rejected")


def _follow_landing(
    project: Project, deployment: Deployment, console: Console
) -> tuple[Execution, Package | None]:
    """Land the sample data, and follow the execution that the landing starts until it is settled."""
    data = project.app / "data" / SAMPLE
    with step(console, f"train.csv, validation.csv and the marker land in curated/{SAMPLE}/"):
        files = [(data / name, name) for name in ("train.csv", "validation.csv")]
        land(deployment, SAMPLE, files, progress=lambda _path, _sent: None, marker=True)
    with step(console, "the S3 event starts an execution"):
        execution = _wait("an execution", lambda: next(iter(newest_executions(deployment, SAMPLE, 1)), None))

    def look() -> tuple[Execution, Package | None]:
        now = pipelines.describe(deployment.sagemaker, execution.arn)
        return now, package_of(deployment, now)

    def finished(now: Execution, package: Package | None) -> bool:
        return is_settled(deployment, now, package)

    return follow(console, look, finished, timeout=TIMEOUT)


def _subscribe(deployment: Deployment) -> str:
    """Make a queue that receives the approvers' notifications; its URL."""
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


def _recorded(deployment: Deployment, execution: Execution, package: Package | None) -> dict[str, Any] | None:
    """The evidence once what follows from the decision is in it, too; None before."""
    decision = deployment.ledger.get(keys.decision(package.arn)) if package else None
    return evidence_of(deployment, execution) if decision and decision.recorded_at else None


def _wait(what: str, look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)
    raise TimeoutError(f"{what} did not arrive within {TIMEOUT:g} s: .handsoff/demo.log may say why")
