"""Which commands of Terraform a plan takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handsoff.deploying.terraform import Plan, Terraform
from handsoff.errors import ToolFailed

TERRAFORM = """#!/bin/sh
echo "$1 $2" >>commands
case $1 in
plan) cat said; exit $(cat code) ;;
show) cat shown ;;
esac
"""
"""In place of Terraform: it notes its commands, and ends a plan with the exit code that the file names."""

SHOWN = """
{"resource_changes": [
  {"address": "aws_scheduler_schedule.retrain[\\"m\\"]", "mode": "managed", "type": "aws_scheduler_schedule",
   "change": {"actions": ["update"], "before": {"state": "DISABLED"}, "after": {"state": "ENABLED"}}},
  {"address": "aws_iam_role.pipeline", "mode": "managed", "change": {"actions": ["no-op"]}}
]}
"""


def planned(address: str, action: str) -> str:
    """A message of Terraform that it plans to do `action` with a resource."""
    change = {"resource": {"addr": address}, "action": action}
    return json.dumps(
        {"@message": f"{address}: Plan to {action}", "type": "planned_change", "change": change}
    )


@pytest.fixture
def faked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terraform:
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(TERRAFORM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (tmp_path / "said").write_text("")
    (tmp_path / "shown").write_text(SHOWN)
    return Terraform(tmp_path, "default", tmp_path / "work")


def commands(faked: Terraform) -> list[str]:
    return (faked.folder / "commands").read_text().splitlines()


def test_plan_without_changes_is_not_read(faked: Terraform) -> None:
    (faked.folder / "code").write_text("0")
    assert faked.plan() == Plan({})
    assert commands(faked) == ["plan -detailed-exitcode"]


def test_plan_with_changes_is_known_by_terraforms_messages(faked: Terraform) -> None:
    (faked.folder / "code").write_text("2")
    said = [
        '{"@message": "Terraform 1.11.4", "type": "version"}',
        planned('aws_s3_object.code["m"]', "replace"),
        planned("aws_s3_bucket.data[0]", "create"),
        planned('aws_scheduler_schedule.retrain["m"]', "create"),
        planned("aws_iam_role.old", "delete"),
        planned("aws_iam_role.moved", "move"),
        planned("data.aws_iam_policy_document.events", "read"),
        planned("aws_iam_role.pipeline", "update"),
        '{"@message": "Plan: 2 to add, 1 to change, 1 to destroy.", "type": "change_summary", "changes": {}}',
    ]
    (faked.folder / "said").write_text("\n".join(said))
    assert faked.plan() == Plan(
        {
            "aws_iam_role.old": "-",
            "aws_iam_role.pipeline": "~",
            "aws_s3_bucket.data[0]": "+",
            'aws_s3_object.code["m"]': "±",
            'aws_scheduler_schedule.retrain["m"]': "+",
        }
    )
    assert commands(faked) == ["plan -detailed-exitcode"]


@pytest.mark.parametrize("action", ["update", "replace"])
def test_plan_that_changes_a_schedule_is_read_for_its_values(faked: Terraform, action: str) -> None:
    (faked.folder / "code").write_text("2")
    (faked.folder / "said").write_text(planned('aws_scheduler_schedule.retrain["m"]', action))
    plan = faked.plan()
    assert plan.changes == {'aws_scheduler_schedule.retrain["m"]': "~"}
    assert plan.notes['aws_scheduler_schedule.retrain["m"]'][0] == "state: DISABLED → ENABLED"
    assert commands(faked) == ["plan -detailed-exitcode", "show -json"]


def test_plan_that_fails_shows_what_terraform_said(faked: Terraform) -> None:
    (faked.folder / "code").write_text("1")
    (faked.folder / "said").write_text("what it plans, for people")
    with pytest.raises(
        ToolFailed, match="`terraform plan` failed with exit code 1:\nwhat it plans, for people"
    ):
        faked.plan()
    assert commands(faked) == ["plan -detailed-exitcode"]


def test_plan_that_fails_shows_terraforms_diagnostics_with_their_places(faked: Terraform) -> None:
    (faked.folder / "code").write_text("1")
    place = {"filename": "main.tf", "start": {"line": 10, "column": 1}}
    diagnostics: list[dict[str, object]] = [
        {"severity": "error", "summary": "No value", "detail": "The variable v\nis not set.", "range": place},
        {"severity": "error", "summary": "Locked", "detail": ""},
    ]
    said = [
        {"@message": "Terraform 1.11.4", "type": "version"},
        *({"@message": f"Error: {each['summary']}", "diagnostic": each} for each in diagnostics),
    ]
    (faked.folder / "said").write_text("\n".join(map(json.dumps, said)))
    with pytest.raises(ToolFailed) as error:
        faked.plan()
    assert str(error.value) == (
        "`terraform plan` failed with exit code 1:\n"
        "Error: No value (main.tf, line 10)\n"
        "The variable v\n"
        "is not set.\n"
        "Error: Locked"
    )
