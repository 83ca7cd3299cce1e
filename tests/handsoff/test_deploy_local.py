"""AWS on this machine: a stack is deployed only where it is not as the last deployment left it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from handsoff.deploying import local, proof, sam
from handsoff.deploying.account import Stack
from handsoff.deployment import Deployment
from handsoff.errors import ToolFailed
from handsoff.project import Project, load
from local.server import Cloud

ROOT = Path(__file__).parents[2]


KEYS = "arn:aws:kms:us-east-1:000000000000:key"


@dataclass
class Machine:
    """A build, a stack, the parameters of each `sam deploy`, what was published, and the key that signs."""

    project: Project
    cloud: Cloud
    stack: Stack | None = None
    deployed: list[Any] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    fails: bool = False
    key: dict[str, str] = field(default_factory=lambda: {"Arn": f"{KEYS}/1"})

    def build(self, digest: str) -> None:
        (self.cloud.folder / sam.MARK).write_text(digest)

    def sam_deploy(self, *_: Any, parameters: dict[str, str], **__: Any) -> None:
        self.deployed.append(parameters["Prefix"])
        if self.fails:
            raise ToolFailed("sam deploy failed")
        self.stack = Stack("UPDATE_COMPLETE", {}, {}, f"id {len(self.deployed)}")

    def update(self) -> int:
        """Deploy as `handsoff local update` does; how often `sam deploy` has run by now."""
        deployment = Deployment(self.project.config)
        local._deploy_and_publish(deployment, self.project, self.cloud.folder, self.cloud)
        return len(self.deployed)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    project = load(ROOT / "handsoff.yaml")
    found = Machine(project, Cloud("http://127.0.0.1:1", "us-east-1", 1, tmp_path, ("key", "secret")))
    found.build("a")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(sam, "deploy", found.sam_deploy)
    monkeypatch.setattr(local, "publish_model", lambda _, model: found.published.append(model))
    monkeypatch.setattr(local, "find_stack", lambda _session, _name: found.stack)
    monkeypatch.setattr(proof, "_described", lambda _kms, _name: found.key)
    return found


def test_deploy_the_same_again_leaves_the_stack_alone(machine: Machine) -> None:
    assert [machine.update(), machine.update(), machine.update()] == [1, 1, 1]
    assert machine.published == ["titanic"] * 3


def other_code(machine: Machine) -> None:
    machine.build("b")


def other_prefix(machine: Machine) -> None:
    config = machine.project.config.model_copy(update={"prefix": "other"})
    machine.project = replace(machine.project, config=config)


def another_key_that_signs(machine: Machine) -> None:
    machine.key = {"Arn": f"{KEYS}/2"}


def changed_by_hand(machine: Machine) -> None:
    assert machine.stack
    machine.stack = replace(machine.stack, version="id by hand")


def failed_by_hand(machine: Machine) -> None:
    assert machine.stack
    machine.stack = replace(machine.stack, status="UPDATE_ROLLBACK_FAILED")


def deleted(machine: Machine) -> None:
    machine.stack = None


@pytest.mark.parametrize(
    "change", [other_code, other_prefix, another_key_that_signs, changed_by_hand, failed_by_hand, deleted]
)
def test_deploy_after_a_change_deploys_the_stack_once(
    machine: Machine, change: Callable[[Machine], None]
) -> None:
    machine.update()
    change(machine)
    assert [machine.update(), machine.update()] == [2, 2]


def test_deploy_after_a_deployment_that_failed_deploys_again(machine: Machine) -> None:
    machine.update()
    machine.build("b")
    machine.fails = True
    with pytest.raises(ToolFailed):
        machine.update()
    machine.build("a")  # what the stack was deployed from before
    machine.fails = False
    assert machine.update() == 3
