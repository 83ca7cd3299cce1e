"""Deploys the project to AWS on this machine in seconds: boto3 replaces Terraform, the rest is the same.

`handsoff deploy` against the same endpoint uses Terraform. Both make the same deployment.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from handsoff.deploying import render, sam
from handsoff.deploying.publishing import publish_model
from handsoff.deployment import Deployment
from handsoff.location import Location
from handsoff.project import Project
from local.infrastructure import provision
from local.server import Cloud

FOREIGN = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""Environment variables by which AWS clients would find other credentials."""


def point_at(cloud: Cloud) -> None:
    """Make this process, and the programs that it starts, use `cloud` and nothing else."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(cloud.environment())


def deploy(project: Project, cloud: Cloud) -> Deployment:
    """Provision, build, deploy and publish. Afterwards data can land. Call `point_at(cloud)` first."""
    location = Location(cloud.account, cloud.region, "aws")
    provision(cloud, render.values(project.config, location, project.folder))
    scratch = cloud.folder / "tmp"  # deleted with the cloud, and so is what the SAM CLI leaves there
    folder = build(project, scratch)
    runtime, architecture = this_machine()
    sam.deploy(
        project,
        folder,
        parameters={
            "Prefix": project.config.prefix,
            "DataBucket": f"/{project.config.prefix}/data-bucket",
            "Runtime": runtime,
            "Architecture": architecture,
        },
        environment={"SAM_CLI_POLL_DELAY": "0.3", "TMPDIR": str(scratch)},
    )
    deployment = Deployment(project.config, project.folder)
    for model in project.config.models:
        publish_model(deployment, model)
    return deployment


def build(project: Project, scratch: Path) -> Path:
    """Build functions and layer for this machine; the folder. `scratch` is for the SAM CLI's own files."""
    runtime, architecture = this_machine()
    folder = project.work / "build"
    sam.build(
        project,
        folder,
        # One cache for each runtime: a cached layer does not say for which one it was built.
        cache=project.work / "cache" / f"{runtime}-{architecture}",
        target={"HANDSOFF_RUNTIME": runtime, "HANDSOFF_ARCHITECTURE": architecture},
        scratch=str(scratch),
    )
    return folder


def this_machine() -> tuple[str, str]:
    """The runtime and architecture of functions on AWS on this machine: those of this Python."""
    return (
        f"python{sys.version_info.major}.{sys.version_info.minor}",
        "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
    )
