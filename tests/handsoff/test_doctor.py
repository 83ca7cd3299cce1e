"""`handsoff doctor` and the checks before `handsoff deploy`, on the command line."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import commands

ROOT = Path(__file__).parents[2]
ME = {"Arn": "arn:aws:iam::123456789012:user/data-science-user", "Account": "123456789012"}
BUCKET = "handsoff-data-123456789012-eu-west-1"


def handsoff(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line without AWS and profile."""
    nowhere = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
    return commands.run(*arguments, environment={**nowhere, **environment}, folder=folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("handsoff.yaml", "template.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "versions.tf").symlink_to(ROOT / "terraform" / "versions.tf")
    return tmp_path


def test_doctor_without_credentials_says_what_to_do(project: Path) -> None:
    done = handsoff(project, "doctor", AWS_REGION="eu-west-1")
    assert done.returncode == 1
    assert "✓ region: eu-west-1 hosts 141502667606." in done.stdout
    assert "✗ credentials: there are none: Unable to locate credentials" in done.stdout
    assert "    → aws configure --profile data-science-user" in done.stdout


def test_doctor_names_a_missing_profile(project: Path) -> None:
    done = handsoff(project, "doctor", AWS_PROFILE="nobody", AWS_REGION="eu-west-1")
    assert done.returncode == 1
    assert "✗ credentials: AWS_PROFILE is nobody, and there is no such profile" in done.stdout


def test_doctor_json_has_all_findings(project: Path) -> None:
    (project / "handsoff.yaml").unlink()
    (project / "handsoff.yaml").write_text("models: {}")
    done = handsoff(project, "doctor", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["fit"] is False
    by_what = {item["what"]: item for item in found["findings"]}
    assert by_what["configuration"]["outcome"] == "error"
    assert "models" in by_what["configuration"]["why"]
    assert by_what["region"] == {
        "what": "region",
        "outcome": "error",
        "why": "none is set",
        "way_out": "export AWS_DEFAULT_REGION=…, or set it in the profile",
    }


def test_deploy_with_a_failed_check_changes_nothing(project: Path) -> None:
    done = handsoff(project, "deploy", AWS_REGION="eu-west-1")
    assert done.returncode == 1
    assert "✗ credentials: there are none" in done.stdout
    assert "handsoff: nothing was changed: see the errors above" in done.stderr
    assert not (project / ".handsoff").exists()


@pytest.mark.parametrize("wrong", ["SlackSecret", "Slacksecret=x", "Prefix=other"])
def test_deploy_refuses_an_unknown_parameter(project: Path, wrong: str) -> None:
    done = handsoff(project, "deploy", "--parameter", wrong)
    assert done.returncode == 1
    assert f"--parameter takes NAME=VALUE, not {wrong}; names are Runtime, " in done.stderr
