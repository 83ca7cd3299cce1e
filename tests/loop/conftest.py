"""One AWS on this machine with the template deployed by the SAM CLI, and a model for each story."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import yaml

from handsoff.deploying import programs
from handsoff.deploying.local import FOREIGN, deploy
from handsoff.deployment import Deployment
from handsoff.operating.executions import is_settled, package_of
from handsoff.project import Project
from local import server
from retraining.aws import pipelines
from retraining.aws.items import Items
from retraining.aws.pipelines import Execution
from retraining.config.schema import parse_config
from tests import commands, warm
from tests.invocations import invoke
from tests.loop.builds import provide

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
TITANIC = ROOT / "data" / "titanic"
PATIENCE = 120.0
RUNNING = ("Executing", "Stopping")
INBOX = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    },
}
"""What lets the topic into an approver's queue, where IAM is enforced."""


def wait(what: str, look: Callable[[], T | None]) -> T:
    """What `look` finds, asked again until it finds something.

    It looks a quarter of the time at most, and ever less often: each look is several requests, and what has
    taken long will take a while.
    """
    deadline, pause = time.monotonic() + PATIENCE, 0.1
    while (begun := time.monotonic()) < deadline:
        if found := look():
            return found
        time.sleep(max(pause, min(2.0, 3 * (time.monotonic() - begun))))
        pause = min(2.0, 1.5 * pause)
    raise TimeoutError(f"{what} did not come within {PATIENCE:g} s")


@dataclass
class Loop:
    """The deployed application, as any AWS client sees it."""

    deployment: Deployment
    cloud: server.Cloud
    config: Path
    inbox: str
    build: Path
    _told: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def items(self) -> Items:
        """The ledger's items as they are stored."""
        name = self.deployment.outputs["LedgerTable"]
        return Items(self.deployment.session.resource("dynamodb").Table(name))

    def land(self, model: str, train: bytes, validation: bytes | None = None) -> None:
        """Put both files and the marker where a model's data lands, with nothing but an S3 client."""
        s3, bucket = self.deployment.s3, self.deployment.bucket
        for name, body in (
            ("train.csv", train),
            ("validation.csv", validation or (TITANIC / "validation.csv").read_bytes()),
            ("_SUCCESS", b""),
        ):
            s3.put_object(Bucket=bucket, Key=f"curated/{model}/{name}", Body=body)

    def sweep(self) -> None:
        """Let the minute be over: call the function that each minute calls."""
        invoke(self.deployment.functions, "handsoff-reconcile")

    def drained(self) -> None:
        """Return once everything that has landed so far has been handled."""
        time.sleep(1)  # from S3 to the queue

        def empty() -> bool:
            counts = self.deployment.sqs.get_queue_attributes(
                QueueUrl=self.deployment.outputs["LandingsQueue"],
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
            return set(counts.values()) == {"0"}

        wait("an empty landings queue", empty)

    def settled(self, model: str, number: int) -> Execution:
        """A model's execution of this number (from 1) once nothing more is to come of it."""

        sagemaker = self.deployment.sagemaker

        def look() -> Execution | None:
            found = sagemaker.list_pipeline_executions(
                PipelineName=self.deployment.resource_name(model),
                SortBy="CreationTime",
                SortOrder="Descending",
                MaxResults=10,
            )["PipelineExecutionSummaries"]
            if len(found) < number or found[-number]["PipelineExecutionStatus"] in RUNNING:
                return None
            execution = pipelines.describe(sagemaker, found[-number]["PipelineExecutionArn"])
            package = package_of(self.deployment, execution)
            return execution if is_settled(self.deployment, execution, package) else None

        return wait(f"execution {number} of {model}", look)

    @contextmanager
    def preprocessing_held(self) -> Iterator[None]:
        """Each DataPreProcessing job that begins in here waits for its end, however slow the machine is."""
        with self.held("DataPreProcessing") as held:
            yield
            assert held, "no DataPreProcessing job has begun"

    @contextmanager
    def held(self, step: str) -> Iterator[Mapping[int, psutil.Process]]:
        """Each job of this step that begins in here waits for its end; those that do, by their pids."""
        held: dict[int, psutil.Process] = {}
        known: set[str] = set()
        released = threading.Event()

        def hold() -> None:
            while not released.wait(0.05):
                # A job runs in a folder below the one that bears its name, which names its step.
                jobs = {path.name for path in (self.cloud.folder / "jobs").glob(f"*-{step}-*")} - known
                if not jobs:
                    continue  # looking through all processes takes a while
                for process in psutil.Process(self.cloud.pid).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        if begun := jobs & set(Path(process.cwd()).parts):
                            process.suspend()
                            held[process.pid] = process
                            known.update(begun)

        thread = threading.Thread(target=hold)
        thread.start()
        try:
            yield held
        finally:
            released.set()
            thread.join()
            for process in held.values():
                with suppress(psutil.NoSuchProcess):  # it was stopped meanwhile, and waited for no more
                    process.resume()

    def told(self, model: str, kind: str) -> dict[str, Any]:
        """The notification of this kind about a model, once it has come."""

        def look() -> dict[str, Any] | None:
            got = self.deployment.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10)
            for message in got.get("Messages", []):
                self._told.append(json.loads(message["Body"]))
                self.deployment.sqs.delete_message(
                    QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"]
                )
            return next((m for m in self._told if m["model"] == model and m["kind"] == kind), None)

        return wait(f"a notification {kind} of {model}", look)


def handsoff(
    loop: Loop, *arguments: str, code: int = 0, user: str | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line in this process, in the environment that `handsoff local env` gives `user`."""
    environment = {**os.environ, **loop.cloud.environment(user)}
    done = commands.run("--config", str(loop.config), *arguments, environment=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@contextmanager
def pointed_at(cloud: server.Cloud) -> Iterator[None]:
    """This process, and what it starts, talk to `cloud` until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
        for name, value in cloud.environment().items():
            patch.setenv(name, value)
        yield


@contextmanager
def deployed(
    stories: Mapping[str, Mapping[str, Any]],
    folder: Path,
    build: Path,
    *,
    enforce_iam: bool = False,
    bridge: str | None = None,
) -> Iterator[Loop]:
    """A deployment that is not shared. This process is pointed at it until the block ends."""
    running = started(stories, folder, build, enforce_iam=enforce_iam, bridge=bridge)
    with running as loop, pointed_at(loop.cloud):
        yield loop


@contextmanager
def started(
    stories: Mapping[str, Mapping[str, Any]],
    folder: Path,
    build: Path,
    *,
    enforce_iam: bool = False,
    bridge: str | None = None,
) -> Iterator[Loop]:
    """AWS on this machine in `folder`, deployed with a model for each story. `build` saves building again."""
    titanic = yaml.safe_load((ROOT / "handsoff.yaml").read_text())["models"]["titanic"]
    models = {name: {**titanic, "retrain": {}, **story} for name, story in stories.items()}
    values = {"evidence": {"signing_key": "create"}, "models": models}
    config = folder / "handsoff.yaml"
    config.write_text(json.dumps(values))  # JSON is YAML
    project = Project(folder, parse_config(values, source=str(config)), folder / "work")
    provide(build, project.work)
    cloud = server.start(folder / "aws", port=None, enforce_iam=enforce_iam, bridge=bridge)
    try:
        with pointed_at(cloud), pytest.MonkeyPatch.context() as patch:
            patch.setattr(programs, "find_sam", lambda _app: warm.sam())
            deployment = deploy(project, cloud)
            inbox = subscribed(deployment, cloud)
        yield Loop(deployment, cloud, config, inbox, project.work / "build")
    finally:
        server.stop(folder / "aws")


def subscribed(deployment: Deployment, cloud: server.Cloud) -> str:
    """An approver's queue that gets all notifications; its address."""
    inbox = deployment.sqs.create_queue(QueueName="approver", Attributes={"Policy": json.dumps(INBOX)})
    deployment.session.client("sns").subscribe(
        TopicArn=deployment.outputs["NotificationsTopic"],
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{cloud.region}:{cloud.account}:approver",
        Attributes={"RawMessageDelivery": "true"},
    )
    return inbox["QueueUrl"]
