"""A deployment of the last landed version is upgraded to this one while executions run and a candidate waits.

That version's own code deploys it, from this clone's history, to AWS on this machine. HANDSOFF_FROM names
another version. Nothing may be lost, and nothing may be done twice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

from handsoff.deploying import programs, render
from handsoff.deploying.local import deploy
from handsoff.deployment import Deployment
from handsoff.location import Location
from handsoff.operating.executions import evidence_of, find_execution, newest_executions, package_of
from handsoff.project import Project
from local import server
from local.infrastructure import provision
from retraining.aws.pipelines import Execution
from retraining.config.schema import parse_config
from retraining.facts import keys
from tests import warm
from tests.loop.builds import provide
from tests.loop.conftest import ROOT, TITANIC, Loop, handsoff, pointed_at, subscribed, wait
from tests.loop.visitors import fields, send

pytestmark = pytest.mark.story

LAST: Final = os.environ.get("HANDSOFF_FROM") or "13c17396d3bd02a1bcfa8c445176888658f85ae8"
"""The commit of the version that is deployed first."""

STORIES: Final[dict[str, Any]] = {
    "champion": {},
    "held": {"approval": {"first_model": "hold", "rules": [{"metric": "accuracy", "min": 0.6}]}},
    "running": {"approval": {"rules": [{"metric": "accuracy", "min": 0.6}]}},
}
"""What differs from the Titanic's configuration, for each model."""

TRAIN: Final = (TITANIC / "train.csv").read_bytes()
HEADER, ROWS = TRAIN.split(b"\n", 1)
LARGE: Final = HEADER + b"\n" + ROWS * 40
"""The same rows many times: a job that reads them is seen, and held, on a busy machine, too."""

FAILED: Final = {
    "source": "handsoff",
    "detail": {"model": "held", "cause": "request-1", "trigger": "request", "requestedBy": "Ana"},
}
"""A start request as the earlier version sends it, and as SQS moves it to the failure queue: unchanged."""


def checkout(commit: str, folder: Path) -> Path:
    """The tree of a commit of this clone, with this clone's environments; its SAM CLI is a warm one."""
    known = subprocess.run(
        ["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, check=False
    )
    if known.returncode:
        pytest.skip(f"this clone has no commit {commit}: `git fetch --unshallow` gets it")
    tree = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    folder.mkdir()
    subprocess.run(["tar", "x"], cwd=folder, input=tree.stdout, check=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".venv-sam" / "bin").mkdir(parents=True)
    (folder / ".venv-sam" / "bin" / "sam").symlink_to(warm.sam())
    return folder


def deploy_earlier(tree: Path, values: dict[str, Any], cloud: server.Cloud) -> None:
    """Deploy the earlier version with its own code."""
    config = tree / "handsoff.yaml"
    config.write_text(json.dumps(values))  # JSON is YAML
    script = shutil.copy(Path(__file__).with_name("deploy_earlier.py"), tree)
    done = subprocess.run(
        [sys.executable, "-P", script, str(config), str(cloud.folder)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'functions'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@dataclass(frozen=True)
class Upgraded:
    """The deployment after the upgrade, and what there was before it."""

    loop: Loop
    champion: Execution
    waiting: dict[str, Any]
    page_between: tuple[int, str]
    """Status and text of the earlier version's page, once what this version publishes is there."""


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory, ready_build: Path) -> Iterator[Upgraded]:
    """Upgraded while two executions run, one landing is pending, and a candidate waits for a person."""
    folder = tmp_path_factory.mktemp("upgrade")
    tree = checkout(LAST, folder / "earlier")
    titanic = yaml.safe_load((tree / "handsoff.yaml").read_text())["models"]["titanic"]
    values = {"models": {name: {**titanic, "retrain": {}, **story} for name, story in STORIES.items()}}
    config = folder / "handsoff.yaml"
    config.write_text(json.dumps(values))
    project = Project(ROOT, parse_config(values, source=str(config)), folder / "work")
    provide(ready_build, project.work)
    cloud = server.start(folder / "aws", port=None)
    try:
        with pointed_at(cloud):
            deploy_earlier(tree, values, cloud)
            deployment = Deployment(project.config)
            loop = Loop(deployment, cloud, config, subscribed(deployment, cloud), project.work / "build")
            yield _upgrade(loop, project)
    finally:
        server.stop(folder / "aws")


def _upgrade(loop: Loop, project: Project) -> Upgraded:
    loop.land("champion", TRAIN)
    loop.land("held", TRAIN)
    champion = loop.settled("champion", 1)
    loop.settled("held", 1)
    waiting = loop.told("held", "waiting")
    with loop.preprocessing_held():
        loop.land("running", LARGE)
        wait("an execution of running", lambda: _executions(loop, "running"))
        loop.land("running", LARGE + ROWS)
        handsoff(loop, "start", "champion")
        wait("an execution that was asked for", lambda: len(_executions(loop, "champion")) == 2 or None)
        loop.drained()
        sqs = loop.deployment.sqs  # that version's stack does not say where this queue is
        queue = sqs.get_queue_url(QueueName="handsoff-landings-failures")["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(FAILED))
        # Terraform does this, and minutes may pass until the functions are updated.
        location = Location(loop.cloud.account, loop.cloud.region, "aws")
        provision(loop.cloud, render.values(project.config, location))
        loop.sweep()
        # No page was asked for before: its function knows no configuration yet.
        status, _, page = send(loop, "GET", waiting["reviewUrl"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(programs, "find_sam", lambda _app: warm.sam())
            deploy(project, loop.cloud)
        loop.sweep()
        assert len(_executions(loop, "running")) == 1
    return Upgraded(loop, champion, waiting, (status, page))


def _executions(loop: Loop, model: str) -> list[Any]:
    return newest_executions(loop.deployment, model, 10)


def test_functions_of_the_earlier_version_read_what_this_one_publishes(upgraded: Upgraded) -> None:
    status, page = upgraded.page_between
    assert status == 200, page


def test_upgrade_adds_what_the_earlier_version_lacked(upgraded: Upgraded) -> None:
    cloudwatch = upgraded.loop.deployment.session.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=["handsoff-failures-age"])["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == ["handsoff-failures-age"]


def test_execution_that_ran_ends_once_and_its_candidate_is_judged(upgraded: Upgraded) -> None:
    loop = upgraded.loop
    first = loop.settled("running", 1)
    assert first.status == "Succeeded"
    package = package_of(loop.deployment, first)
    assert package is not None
    assert package.approval_status == "Approved"
    found = evidence_of(loop.deployment, first)
    assert [step["name"] for step in found["steps"]] == [
        "DataPreProcessing",
        "TrainModel",
        "ModelEvaluation",
        "RegisterModel",
    ]
    assert found["trigger"]["kind"] == "landing"
    assert found["verdict"]["decision"] == "APPROVE"
    fact = loop.deployment.ledger.get(keys.execution(first.arn))
    assert fact is not None
    assert (fact.final, fact.status) == (True, "Succeeded")


def test_landing_that_was_pending_starts_once_after_the_execution(upgraded: Upgraded) -> None:
    loop = upgraded.loop
    first, second = loop.settled("running", 1), loop.settled("running", 2)
    assert second.start_time >= first.last_modified
    assert second.parameters["Batch"] != first.parameters["Batch"]
    assert second.parameters["Trigger"] == "landing"
    assert len(_executions(loop, "running")) == 2


def test_execution_that_a_person_asked_for_is_compared_with_the_champion(upgraded: Upgraded) -> None:
    loop, champion = upgraded.loop, package_of(upgraded.loop.deployment, upgraded.champion)
    assert champion is not None
    second = loop.settled("champion", 2)
    assert second.parameters["Trigger"] == "request"
    assert second.parameters["Champion"] == champion.arn
    assert evidence_of(loop.deployment, second)["verdict"]["champion"] == champion.arn


def test_candidate_that_waited_is_approved_by_its_old_link(upgraded: Upgraded) -> None:
    loop, url = upgraded.loop, upgraded.waiting["reviewUrl"]
    status, _, page = send(loop, "GET", url)
    assert status == 200, page
    place = urlsplit(url)
    origin = f"{place.scheme}://{place.netloc}"
    form = fields(page) | {"decision": "Approved", "name": "Ana", "reason": "it looks right"}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": origin,
        "Sec-Fetch-Site": "same-origin",
    }
    status, _, page = send(loop, "POST", f"{origin}{place.path}", urlencode(form).encode(), headers)
    assert status in (200, 303), page
    arn = upgraded.waiting["modelPackageArn"]
    assert loop.told("held", "approved")["modelPackageArn"] == arn

    def recorded() -> Any:
        decision = loop.deployment.ledger.get(keys.decision(arn))
        return decision if decision and decision.recorded_at else None

    decision = wait("the decision in the ledger", recorded)
    assert (decision.by, decision.status) == ("link", "Approved")
    execution = find_execution(loop.deployment, upgraded.waiting["executionArn"])
    assert evidence_of(loop.deployment, execution)["modelApprovalStatus"] == "Approved"


def test_bytes_that_the_earlier_version_trained_start_nothing(upgraded: Upgraded) -> None:
    loop = upgraded.loop
    before = len(_executions(loop, "champion"))
    loop.land("champion", TRAIN)
    loop.drained()
    loop.sweep()
    assert len(_executions(loop, "champion")) == before


def test_commands_read_what_the_earlier_version_stored(upgraded: Upgraded) -> None:
    loop = upgraded.loop
    found = json.loads(handsoff(loop, "evidence", upgraded.champion.arn, "--json").stdout)
    assert found["verdict"]["decision"] == "APPROVE"
    handsoff(loop, "status")


def test_start_request_that_failed_before_the_upgrade_is_sent_again_after_it(upgraded: Upgraded) -> None:
    loop = upgraded.loop
    found = json.loads(handsoff(loop, "failures", "--json").stdout)
    (id_,) = [it["id"] for it in found if it["what"] == "a start request for held by Ana (request request-1)"]
    handsoff(loop, "redrive", id_)
    wait("the execution that was asked for", lambda: len(_executions(loop, "held")) == 2 or None)
    assert loop.settled("held", 2).parameters["Trigger"] == "request"


def test_no_message_is_in_a_failure_queue(upgraded: Upgraded) -> None:
    assert json.loads(handsoff(upgraded.loop, "failures", "--json").stdout) == []
