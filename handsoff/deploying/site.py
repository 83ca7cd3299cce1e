"""A deployment together with the project and the Terraform folder that it is deployed from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from handsoff.deploying import account, terraform
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
    """The site of a project. Against an endpoint that is not AWS, Terraform works in a folder apart."""
    deployment = Deployment(project.config, project.folder)
    endpoint = account.endpoint(deployment.session)
    place = project.work if endpoint is None else _place_for(project, endpoint)
    folder = project.terraform if endpoint is None else place / "terraform"
    return Site(
        project,
        deployment,
        Terraform(folder, terraform.workspace(project.config.prefix), place / "plan"),
        endpoint,
        parameters or {},
    )


def _place_for(project: Project, endpoint: str) -> Path:
    """Where Terraform works for an endpoint that is not AWS: the user's own state is never used there.

    The place for AWS on this machine lies in that AWS's folder, and is deleted with it.
    """
    cloud = server.running(project.local)
    if cloud is not None and cloud.endpoint == endpoint.rstrip("/"):
        return project.local / "terraform"
    return project.work / "terraform" / re.sub(r"[^\w.]+", "-", urlsplit(endpoint).netloc)


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
