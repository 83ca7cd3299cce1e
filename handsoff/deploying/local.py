"""Deploys the project to AWS on this machine in seconds: boto3 stands in for Terraform, the rest is the same.

`handsoff deploy` against the same endpoint uses Terraform, and leads to the same loop.
"""

from __future__ import annotations

import os
import platform
import sys

from handsoff.deploying import render, sam
from handsoff.deployment import Deployment
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
"""Variables by which AWS clients would find other credentials."""


def point_at(cloud: Cloud) -> None:
    """Let this process, and what it starts, talk to `cloud` and to nobody else."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(cloud.environment())


def deploy(project: Project, cloud: Cloud) -> Deployment:
    """Provision, build, deploy and publish; when this returns, data may land. `cloud` must be pointed at."""
    where = render.Where(cloud.account, cloud.region, "aws")
    provision(cloud, render.values(project.config, where))
    runtime, architecture = this_machine()
    build = project.work / "build"
    scratch = str(cloud.folder / "tmp")  # what the SAM CLI leaves there, and itself, ends with the cloud
    sam.build(
        project,
        build,
        # A cached layer does not know for which runtime it was built.
        cache=project.work / "cache" / f"{runtime}-{architecture}",
        environment={
            "HANDSOFF_RUNTIME": runtime,
            "HANDSOFF_ARCHITECTURE": architecture,
            "TMPDIR": scratch,
        },
    )
    sam.deploy(
        project,
        build,
        parameters={
            "Prefix": project.config.prefix,
            "DataBucket": f"/{project.config.prefix}/data-bucket",
            "Runtime": runtime,
            "Architecture": architecture,
        },
        environment={"SAM_CLI_POLL_DELAY": "0.3", "TMPDIR": scratch},
    )
    deployment = Deployment(project.config)
    for model in project.config.models:
        deployment.publish(model)
    return deployment


def this_machine() -> tuple[str, str]:
    """The runtime and the architecture that functions have on AWS on this machine: this Python's."""
    return (
        f"python{sys.version_info.major}.{sys.version_info.minor}",
        "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
    )
