"""`sam local invoke` of what is deployed: real containers, and AWS on this machine behind them.

Nothing but the containers acts there: rules, the landings queue and the topic call no function.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from handsoff.deploying import containers
from handsoff.errors import NotInvocable
from handsoff.operating.executions import newest_executions
from handsoff.project import Project
from local.callers import CONTAINER_HOST
from retraining.aws.pipelines import Execution
from retraining.config.schema import parse_config
from tests.loop.conftest import ROOT, Loop, deployed, wait
from tests.loop.visitors import slack_app
from tests.slack.stand_in import Slack

APPROVERS = {"slack_channel": "#ml-approvals", "slack_users": ["U0123ABCD"]}
LENIENT = {"rules": [{"metric": "accuracy", "min": 0.6}]}
EVENT_EXECUTION = "p4jn9xou8a8s"
"""The execution that the event files name. The endpoint gives ids of its own: they are put in its place."""


@dataclass(frozen=True)
class Answer:
    """What a function answered, and what it logged."""

    payload: Any
    log: str


@dataclass
class Containers:
    """The deployed application, of which each function can be run in a container of its own."""

    loop: Loop
    slack: Slack
    project: Project
    template: Path
    folder: Path
    held: ExitStack = field(default_factory=ExitStack)
    invoked: set[tuple[str, str]] = field(default_factory=set)

    def invoke(self, function: str, event: str, **values: str) -> Answer:
        """`sam local invoke` with this event file: the file itself, or with other values in it.

        Each value stands for the one in `STANDS_FOR`, which must be in the file. What is not a value does not
        change.
        """
        path = ROOT / "events" / f"{event}.json"
        if values:
            text = path.read_text()
            for name, value in values.items():
                assert STANDS_FOR[name] in text, f"{path} has no {STANDS_FOR[name]}"
                text = text.replace(STANDS_FOR[name], value)
            path = self.folder / path.name
            path.write_text(text)
        done = subprocess.run(
            [
                *containers.sam(self.project, self.loop.cloud, self.template, "invoke"),
                function,
                "-e",
                str(path),
            ],
            env=containers.environment(self.loop.cloud),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.invoked.add((function, event))
        return Answer(json.loads(done.stdout), done.stderr)

    def fact(self, name: str) -> dict[str, Any] | None:
        """An item of the ledger."""
        return self.loop.items.get(name)

    def executions(self) -> list[Execution]:
        """The Titanic's, newest first."""
        return newest_executions(self.loop.deployment, "titanic", 10)

    def ended(self, arn: str) -> None:
        """Return once an execution has."""

        def look() -> bool:
            status = self.loop.deployment.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
            return status["PipelineExecutionStatus"] in ("Succeeded", "Failed", "Stopped")

        wait("the end of an execution", look)

    def run(self, **parameters: str) -> str:
        """Run the pipeline as anybody may, to its end; the execution's ARN."""
        arn: str = self.loop.cloud.client("sagemaker").start_pipeline_execution(
            PipelineName="handsoff-titanic",
            PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
        )["PipelineExecutionArn"]
        self.ended(arn)
        return arn

    def package(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.loop.cloud.client("sagemaker").describe_model_package(
            ModelPackageName=arn
        )
        return found


PRESS = json.loads((ROOT / "events" / "notify_slack.decision.json").read_text())["slackPress"]
STANDS_FOR = {
    "execution": EVENT_EXECUTION,
    "package": "model-package/handsoff-titanic/1",
    "press": PRESS["body"],
    "timestamp": PRESS["headers"]["x-slack-request-timestamp"],
    "signature": PRESS["headers"]["x-slack-signature"],
    "query": json.loads((ROOT / "events" / "review_candidate.page.json").read_text())["rawQueryString"],
    "form": json.loads((ROOT / "events" / "review_candidate.decision.json").read_text())["body"],
}
"""What in the event files cannot be the endpoint's: ids that it gives, what it signs, times that pass."""


@pytest.fixture(scope="session")
def bridge() -> str:
    """Where containers find this machine. Without Docker these tests are skipped, but not in the gate."""
    try:
        return containers.bridge()
    except NotInvocable as error:
        if "HANDSOFF_GATE" in os.environ:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def app(bridge: str, tmp_path_factory: pytest.TempPathFactory, ready_build: Path) -> Iterator[Containers]:
    """Deployed, with Slack, and with nobody there who would act on events but the containers."""
    folder = tmp_path_factory.mktemp("sam")
    story = {"titanic": {"approval": LENIENT, "approvers": APPROVERS}}
    stand_in = Slack(address=str(IPv4Interface(bridge).ip), name=CONTAINER_HOST)
    with deployed(story, folder, ready_build, bridge=bridge) as loop, slack_app(loop, stand_in) as slack:
        cut_off(loop)
        values = json.loads(loop.config.read_text())
        project = Project(ROOT, parse_config(values, source=str(loop.config)), folder / "work")
        template = containers.prepare(project, loop.cloud)
        found = Containers(loop, slack, project, template, folder)
        with found.held:
            yield found


def cut_off(loop: Loop) -> None:
    """Let no event reach a function by itself."""
    events, functions, sns = (loop.cloud.client(name) for name in ("events", "lambda", "sns"))
    for rule in events.list_rules(NamePrefix="handsoff-")["Rules"]:
        events.disable_rule(Name=rule["Name"])
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
    for subscription in sns.list_subscriptions()["Subscriptions"]:
        if subscription["Protocol"] == "lambda":
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
