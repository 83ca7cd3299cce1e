"""A deployment together with the project and the Terraform folder that it is deployed from."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from handsoff.deploying import account, render, terraform
from handsoff.deploying.terraform import Terraform
from handsoff.deployment import Deployment
from handsoff.errors import StepFailed
from handsoff.project import Project
from handsoff.showing import console as showing
from local import server
from retraining.errors import HandsoffError


@dataclass(frozen=True)
class Site:
    """One deployment with what deploys it."""

    project: Project
    rendered: Project
    """The project as Terraform reads it: `project` itself, or a copy."""

    deployment: Deployment
    terraform: Terraform
    endpoint: str | None
    """The endpoint's URL where it is not AWS's own."""

    parameters: Mapping[str, str]
    """Parameters of the template that the user has given, by name."""

    @property
    def prefix(self) -> str:
        """Begins the name of everything that belongs to the deployment; the stack's name."""
        return self.project.config.prefix

    @property
    def build(self) -> Path:
        """Where the stack is built; one for each deployment: the SAM CLI deletes what it does not know."""
        return self.project.work / "deploy" / self.prefix / "build"


def site(project: Project, parameters: Mapping[str, str] | None = None) -> Site:
    """The site of a project. Against an endpoint that is not AWS, Terraform works in a copy."""
    deployment = Deployment(project.config, project.folder)
    endpoint = account.endpoint(deployment.session)
    rendered = project if endpoint is None else _copy_for(project, endpoint)
    work = (project.work if endpoint is None else rendered.folder) / "plan"
    return Site(
        project,
        rendered,
        deployment,
        Terraform(rendered.terraform, terraform.workspace(project.config.prefix), work),
        endpoint,
        parameters or {},
    )


def _copy_for(project: Project, endpoint: str) -> Project:
    """Copy what Terraform reads, for an endpoint that is not AWS: the user's own state is never used there.

    The copy for AWS on this machine lies in that AWS's folder, and is deleted with it.
    """
    cloud = server.running(project.local)
    if cloud is not None and cloud.endpoint == endpoint.rstrip("/"):
        folder = project.local / "terraform"
    else:
        folder = project.work / "terraform" / re.sub(r"[^\w.]+", "-", urlsplit(endpoint).netloc)
    shutil.rmtree(folder / "pipeline_def", ignore_errors=True)
    for name in render.made_from(project):
        _copy(project.folder / name, folder / name)
    target = folder / "terraform"
    for old in (*target.glob("*.tf"), *target.glob("policies/*")):
        old.unlink()
    for path in (*project.terraform.glob("*.tf"), *project.terraform.glob("policies/*")):
        if not path.name.endswith("override.tf"):  # it configures the backend of the user's own state
            _copy(path, target / path.relative_to(project.terraform))
    if (lock := project.terraform / ".terraform.lock.hcl").exists():
        _copy(lock, target / lock.name)
    return replace(project, folder=folder, file=project.file and folder / project.file.name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


@contextmanager
def step(console: Console, text: str) -> Iterator[None]:
    """Show a step of a deployment while it runs. Raises StepFailed, which names the step and the cause."""
    try:
        with showing.step(console, text):
            yield
    except (HandsoffError, ClientError, BotoCoreError) as error:
        raise StepFailed(
            f"{text}: {error}\nWhat was done before stands. Fix the cause, then run the same command again"
        ) from error
