"""The stack: its parameters as the SAM CLI reads them, and deleting it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, WaiterError
from rich.console import Console

from handsoff.deploying import sam, stack
from handsoff.deploying.site import Site
from handsoff.deploying.stack import clear_unborn, parse_parameters
from handsoff.errors import Refused, StepFailed, UsageError

ROOT = Path(__file__).parents[2]


def test_parse_parameters_refuses_derived_parameters() -> None:
    template = ROOT / "template.yaml"
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack=1"
    assert parse_parameters([f"SlackSecret={secret}", "ReviewConcurrency=0"], template) == {
        "SlackSecret": secret,
        "ReviewConcurrency": "0",
    }
    for ours in ("Prefix", "DataBucket", "PermissionsBoundary", "DataKey"):
        with pytest.raises(UsageError, match="--parameter takes NAME=VALUE"):
            parse_parameters([f"{ours}=x"], template)


def test_sam_pairs_are_read_back_unchanged_by_the_sam_cli(tmp_path: Path) -> None:
    program = (
        "import sys; from samcli.cli.types import CfnParameterOverridesType as P, CfnTags as T;"
        "print(P().convert(tuple(sys.argv[1:3]), None, None), T().convert(tuple(sys.argv[3:]), None, None))"
    )
    parameters = sam.pairs({"DataKey": "", "SlackSecret": "a=b c"})
    tags = sam.pairs({"cost center": "a b", "team:name": ""})
    done = subprocess.run(
        [ROOT / ".venv-sam" / "bin" / "python", "-c", program, *parameters, *tags],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        "{'DataKey': '', 'SlackSecret': 'a=b c'} {'cost center': 'a b', 'team:name': ''}\n"
    )


@pytest.mark.parametrize(
    ("stack_has", "target"),
    [
        (None, {"HANDSOFF_RUNTIME": "python3.14", "HANDSOFF_ARCHITECTURE": "arm64"}),
        ({"Architecture": "x86_64"}, {"HANDSOFF_RUNTIME": "python3.14", "HANDSOFF_ARCHITECTURE": "x86_64"}),
    ],
)
def test_build_is_for_what_is_given_else_for_the_stack_else_for_the_template(
    stack_has: dict[str, str] | None, target: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/loop/builds.py builds so, too, by the SAM CLI."""
    project: Any = SimpleNamespace(template=ROOT / "template.yaml")
    site: Any = SimpleNamespace(
        project=project,
        deployment=SimpleNamespace(session=None),
        prefix="handsoff",
        build=Path("/work/handsoff/build"),
    )
    found = stack_has and SimpleNamespace(parameters=stack_has)
    monkeypatch.setattr(stack, "find_stack", lambda *_: found)
    monkeypatch.setattr(stack, "parameters", lambda _: {"Runtime": "python3.14"})
    built: list[Any] = []
    monkeypatch.setattr(sam, "build", lambda *what, **how: built.append((*what, how)))
    stack.build(site, Console(quiet=True), "/scratch")
    cache = Path("/work/handsoff/cache-{HANDSOFF_RUNTIME}-{HANDSOFF_ARCHITECTURE}".format(**target))
    how = {"cache": cache, "target": target, "scratch": "/scratch"}
    assert built == [(project, Path("/work/handsoff/build"), how)]


class CloudFormation:
    """In place of CloudFormation: one stack, which can or cannot be deleted, as no local AWS can play."""

    def __init__(self, status: str, *, change_set: str | None = None, stuck: bool = False) -> None:
        self.status: str | None = status
        self.change_set = change_set
        self.stuck = stuck

    def get_paginator(self, name: str) -> CloudFormation:
        assert name == "list_change_sets"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        made = [{"Status": self.change_set, "ChangeSetId": "arn:set"}] if self.change_set else []
        return [{"Summaries": made}]

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        if self.status is None:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "does not exist"}}, "x")
        found = {"StackId": "arn:stack", "CreationTime": "2026-11-30", "StackStatus": self.status}
        return {"Stacks": [{**found, "StackStatusReason": "the bucket is not empty"}]}

    def delete_stack(self, **_: str) -> None:
        self.status = "DELETE_FAILED" if self.stuck else None

    def get_waiter(self, name: str) -> CloudFormation:
        assert name == "stack_delete_complete"
        return self

    def wait(self, **_: object) -> None:
        if self.stuck:
            raise WaiterError(name="x", reason="terminal failure", last_response={})


def site_of(client: CloudFormation) -> Site:
    session = SimpleNamespace(client=lambda _name: client)
    deployment = SimpleNamespace(session=session)
    return cast("Site", SimpleNamespace(prefix="handsoff", endpoint=None, deployment=deployment))


@pytest.mark.parametrize(
    ("status", "change_set", "after"),
    [
        ("ROLLBACK_COMPLETE", None, None),
        ("ROLLBACK_COMPLETE", "CREATE_COMPLETE", None),  # the change set that failed
        ("REVIEW_IN_PROGRESS", None, None),
        ("REVIEW_IN_PROGRESS", "FAILED", None),
        ("UPDATE_COMPLETE", None, "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE", None, "UPDATE_ROLLBACK_COMPLETE"),
    ],
)
def test_clear_unborn_deletes_only_a_stack_that_was_never_created(
    status: str, change_set: str | None, after: str | None
) -> None:
    client = CloudFormation(status, change_set=change_set)
    clear_unborn(site_of(client))
    assert client.status == after


@pytest.mark.parametrize("change_set", ["CREATE_PENDING", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
def test_clear_unborn_refuses_a_stack_under_creation(change_set: str) -> None:
    client = CloudFormation("REVIEW_IN_PROGRESS", change_set=change_set)
    with pytest.raises(Refused, match=f"a change set of it is {change_set}.*--change-set-name arn:set"):
        clear_unborn(site_of(client))
    assert client.status == "REVIEW_IN_PROGRESS"


def test_delete_stack_failure_gives_cloudformations_reason() -> None:
    said = "the stack handsoff is DELETE_FAILED: the bucket is not empty"
    with pytest.raises(StepFailed, match=said):
        stack.delete(site_of(CloudFormation("UPDATE_COMPLETE", stuck=True)))
