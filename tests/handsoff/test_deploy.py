"""The order of a deployment's steps, and how a failed step is reported."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console

from handsoff.deploying import deploy, stack
from handsoff.deploying.site import Site, step
from handsoff.deploying.terraform import Plan
from handsoff.errors import NotConfirmed, StepFailed, ToolFailed


@pytest.mark.parametrize(
    "error",
    [
        ToolFailed("why"),
        ClientError({"Error": {"Code": "Throttling", "Message": "why"}}, "CreateRole"),
        EndpointConnectionError(endpoint_url="why"),
    ],
)
def test_step_failure_names_step_cause_and_next_command(error: Exception) -> None:
    with pytest.raises(StepFailed) as failed, step(Console(quiet=True), "Terraform applies: 1 to make"):
        raise error
    said = str(failed.value)
    assert said.startswith("Terraform applies: 1 to make: ")
    assert "why" in said
    assert said.endswith("\nWhat was done before stands. Fix the cause, then run the same command again")


class Terraform:
    """In place of Terraform: plans one resource, and notes when it applies. The test is about the order."""

    def __init__(self, done: list[str]) -> None:
        self.done = done

    def plan(self) -> Plan:
        return Plan({"aws_iam_role.x": "+"})

    def apply(self) -> None:
        self.done.append("applied")


@pytest.mark.parametrize(
    ("answer", "outcome", "done"),
    [
        (False, pytest.raises(NotConfirmed, match="nothing was changed"), []),
        (True, nullcontext(), ["uploaded", "applied", "published"]),
    ],
)
def test_deploy_uploads_code_after_confirmation_and_before_apply(
    answer: bool, outcome: AbstractContextManager[object], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []
    project = SimpleNamespace(config=SimpleNamespace(models={"titanic": None}))
    here = SimpleNamespace(project=project, deployment=None, terraform=Terraform(did), prefix="handsoff")
    for name in ("prepare", "refuse"):
        monkeypatch.setattr(deploy, name, lambda *_: None)
    for name in ("build", "clear_unborn", "deploy"):
        monkeypatch.setattr(stack, name, lambda *_: None)
    monkeypatch.setattr(deploy, "upload_code", lambda *_: did.append("uploaded"))
    monkeypatch.setattr(deploy, "publish_model", lambda *_: did.append("published"))
    monkeypatch.setattr(deploy, "_bucket_exists", lambda _site: True)
    with outcome:
        deploy.deploy(cast("Site", here), Console(quiet=True), confirm=lambda _plan: answer)
    assert did == done
