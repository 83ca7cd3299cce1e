"""Terraform on AWS on this machine: one copy of the project, one server, one apply for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from handsoff import project
from handsoff.deploying import render
from handsoff.deploying.publishing import publish_model
from handsoff.deployment import Deployment
from local import server
from local.server import Cloud
from tests import providers
from tests.loop.conftest import pointed_at

ROOT = Path(__file__).parents[2]
READ = ("handsoff.yaml", "functions/retraining/config/*.py", "pipeline_def/**/*.py")
OURS = ("terraform/*.tf", "terraform/policies/*", "terraform/tests/*")


@dataclass(frozen=True)
class Terraform:
    """A copy of the project, and Terraform itself in it, without handsoff's commands."""

    folder: Path
    provider: Mapping[str, str]
    """The variable by which Terraform finds the provider that runs already."""

    @property
    def config(self) -> Path:
        return self.folder / "handsoff.yaml"

    def start(self, *arguments: str, out: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        return subprocess.Popen(
            ["terraform", *arguments, "-no-color"],
            cwd=self.folder / "terraform",
            env={**providers.environment(), **aws, **self.provider, "TF_IN_AUTOMATION": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What `terraform …` said, on one line. Fails unless it ends with this exit code."""
        with self.start(*arguments) as running:
            said, _ = running.communicate(timeout=300)
        assert running.returncode == code, said
        return " ".join(said.split())

    def deployment(self) -> Deployment:
        return Deployment(project.load(self.config).config)

    def render(self) -> None:
        render.write(project.load(self.config), self.deployment().location)

    def publish(self) -> list[tuple[str, bool]]:
        """Publish as `handsoff publish` does; each pipeline's change, and whether its config changed."""
        deployment = self.deployment()
        done = [publish_model(deployment, model) for model in deployment.config.models]
        self.render()
        return [(published.pipeline.change, published.config_changed) for published in done]


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Iterator[Terraform]:
    """Terraform, initialised in a copy of the project: its state stays out of the project."""
    folder = tmp_path_factory.mktemp("project")
    for path in (path for pattern in (*READ, *OURS) for path in ROOT.glob(pattern)):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    with providers.running(tmp_path_factory.mktemp("provider") / "aws", cloud.environment()) as provider:
        made = Terraform(folder, provider)
        sample = made.config.read_text()
        assert "schedule: cron(0 6 ? * MON *)" in sample
        made.config.write_text(sample.replace("cron(0 6 ? * MON *)", "rate(7 days)"))
        with made.config.open("a") as config:
            config.write("aws: {operator: data-science-user, tags: {team: ml}}\n")
        made("init", "-input=false")
        yield made


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """AWS on this machine, named by the environment variables."""
    folder = tmp_path_factory.mktemp("aws") / "cloud"
    running = server.start(folder, port=None)
    try:
        with pointed_at(running):
            yield running
    finally:
        server.stop(folder)


@pytest.fixture(scope="session")
def applying(terraform: Terraform, cloud: Cloud) -> Iterator[subprocess.Popen[str]]:
    """A running apply. It takes a minute, mostly waiting for the bucket's lifecycle configuration."""
    assert cloud.endpoint
    terraform.render()
    with (
        (terraform.folder / "apply.log").open("w") as log,
        terraform.start("apply", "-auto-approve", "-input=false", out=log) as running,
    ):
        yield running
        running.terminate()


@pytest.fixture(scope="session")
def applied(terraform: Terraform, applying: subprocess.Popen[str]) -> Terraform:
    """The project after a completed apply on AWS on this machine."""
    assert applying.wait(timeout=300) == 0, (terraform.folder / "apply.log").read_text()
    return terraform
