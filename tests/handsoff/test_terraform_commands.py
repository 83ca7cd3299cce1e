"""Which commands of Terraform a plan takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from handsoff.deploying.terraform import Plan, Terraform
from handsoff.errors import ToolFailed

TERRAFORM = """#!/bin/sh
echo "$1 $2" >>commands
case $1 in
plan) echo "what it plans, for people"; exit $(cat code) ;;
show) cat shown ;;
esac
"""
"""In place of Terraform: it notes its commands, and ends a plan with the exit code that the file names."""

SHOWN = """
{"resource_changes": [
  {"address": "aws_s3_bucket.data[0]", "mode": "managed", "change": {"actions": ["create"]}},
  {"address": "aws_iam_role.pipeline", "mode": "managed", "change": {"actions": ["no-op"]}}
]}
"""


@pytest.fixture
def faked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terraform:
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(TERRAFORM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (tmp_path / "shown").write_text(SHOWN)
    return Terraform(tmp_path, "default", tmp_path / "work")


def commands(faked: Terraform) -> list[str]:
    return (faked.folder / "commands").read_text().splitlines()


def test_plan_without_changes_is_not_read(faked: Terraform) -> None:
    (faked.folder / "code").write_text("0")
    assert faked.plan() == Plan({})
    assert commands(faked) == ["plan -detailed-exitcode"]


def test_plan_with_changes_is_read(faked: Terraform) -> None:
    (faked.folder / "code").write_text("2")
    assert faked.plan() == Plan({"aws_s3_bucket.data[0]": "+"})
    assert commands(faked) == ["plan -detailed-exitcode", "show -json"]


def test_plan_that_fails_shows_what_terraform_said(faked: Terraform) -> None:
    (faked.folder / "code").write_text("1")
    with pytest.raises(
        ToolFailed, match="`terraform plan` failed with exit code 1:\nwhat it plans, for people"
    ):
        faked.plan()
    assert commands(faked) == ["plan -detailed-exitcode"]
