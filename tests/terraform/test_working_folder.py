"""The folder that Terraform works in, where handsoff's own files lie elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from handsoff.deploying import render
from handsoff.location import Location
from handsoff.project import APP, Project, load
from tests import providers

IRELAND = Location("123456789012", "eu-west-1", "aws")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in a folder of the user's, which has Terraform files of theirs."""
    folder = tmp_path / "mine"
    (folder / "terraform").mkdir(parents=True)
    (folder / "terraform" / "main.tf").write_text('resource "aws_s3_bucket" "mine" {}\n')
    shutil.copyfile(APP / "handsoff.yaml", folder / "handsoff.yaml")
    return load(folder / "handsoff.yaml")


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_users_terraform_folder_is_left_alone(project: Project) -> None:
    path, changed = render.write(project, IRELAND)
    assert (path, changed) == (project.folder / "handsoff-terraform" / "handsoff.auto.tfvars.json", True)
    assert names(project.folder / "terraform") == {"main.tf"}


def test_folder_has_the_configuration_and_no_state_of_the_checkout(project: Project) -> None:
    render.write(project, IRELAND)
    policies = {f"policies/{path.name}" for path in (APP / "terraform" / "policies").iterdir()}
    files = {
        "bucket.tf",
        "evidence.tf",
        "iam.tf",
        "main.tf",
        "models.tf",
        "operator.tf",
        "outputs.tf",
        "variables.tf",
    }
    made = {".gitignore", ".laid-out", "handsoff.auto.tfvars.json", "versions.tf"}
    assert names(project.terraform) == policies | files | made


def test_git_keeps_only_what_is_the_users(project: Project) -> None:
    render.write(project, IRELAND)
    for name in (".terraform.lock.hcl", "backend_override.tf", "terraform.tfstate", ".terraform/providers"):
        (project.terraform / name).parent.mkdir(exist_ok=True)
        (project.terraform / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
    subprocess.run(["git", "add", "handsoff-terraform"], cwd=project.folder, check=True)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=project.terraform, check=True, capture_output=True, text=True
    )
    assert listed.stdout.split() == [".gitignore", ".terraform.lock.hcl", "backend_override.tf"]


def test_update_replaces_what_was_laid_out_and_keeps_what_was_not(project: Project) -> None:
    """What an earlier version laid out and this one does not have would be configured twice."""
    render.write(project, IRELAND)
    (project.terraform / ".laid-out").write_text("main.tf\nqueues.tf\n")
    for name in (
        "main.tf",
        "queues.tf",
        "terraform.tfstate",
        "backend_override.tf",
        "extra.tf",
        ".gitignore",
    ):
        (project.terraform / name).write_text("of an earlier version, or the user's")
    render.write(project, IRELAND)
    assert (project.terraform / "main.tf").read_bytes() == (APP / "terraform" / "main.tf").read_bytes()
    assert not (project.terraform / "queues.tf").exists()
    for name in ("terraform.tfstate", "backend_override.tf", "extra.tf", ".gitignore"):
        assert (project.terraform / name).read_text() == "of an earlier version, or the user's"


def test_second_write_writes_nothing(project: Project) -> None:
    render.write(project, IRELAND)
    before = {path: path.stat().st_mtime_ns for path in project.terraform.rglob("*")}
    assert render.write(project, IRELAND)[1] is False
    assert {path: path.stat().st_mtime_ns for path in project.terraform.rglob("*")} == before


def test_sources_are_named_from_the_users_folder(project: Project, tmp_path: Path) -> None:
    """Also where the folder is reached by a link: Terraform resolves links, and reads the same files."""
    (tmp_path / "link").symlink_to(project.folder)
    path, _ = render.write(load(tmp_path / "link" / "handsoff.yaml"), IRELAND)
    sources = json.loads(path.read_text())["rendered_from"]
    found = {(project.folder / name).resolve() for name in sources}
    assert {project.folder / "handsoff.yaml", APP / "pipeline_def" / "publish.py"} <= found
    assert all(path.is_file() for path in found)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed")
def test_terraform_refuses_values_that_are_older_than_their_sources(project: Project) -> None:
    """Only the locals are evaluated, without a provider. A pipeline_def of the user's is not handsoff's."""
    (project.folder / "pipeline_def").mkdir()
    (project.folder / "pipeline_def" / "mine.py").touch()
    path, _ = render.write(project, IRELAND)
    main = (project.terraform / "main.tf").read_text()
    begin = main.index("locals {")
    body = main[begin : main.index("\n  # Values of the placeholders", begin)]
    kept = [
        line for line in body.splitlines() if not line.startswith(("  partition", "  account", "  region"))
    ]
    alone = project.folder / "alone"
    alone.mkdir()
    lines = [*kept, "}", 'variable "rendered_from" {', "  type = map(string)", "}"]
    wanted = [line for line in lines if not line.startswith(("  bucket ", "  role ", "  tags "))]
    (alone / "main.tf").write_text("\n".join(wanted))

    def stale() -> str:
        values = {"rendered_from": json.loads(path.read_text())["rendered_from"]}
        (alone / "terraform.tfvars.json").write_text(json.dumps(values))
        done = subprocess.run(
            ["terraform", "console"],
            cwd=alone,
            env=providers.environment(),
            input="jsonencode(local.stale)",
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    assert stale() == '"[]"'
    with project.file.open("a") as file:  # type: ignore[union-attr]
        file.write("# changed\n")
    assert stale() == r'"[\"handsoff.yaml\"]"'
