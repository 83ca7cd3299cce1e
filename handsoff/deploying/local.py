"""Deploys the project to AWS on this machine in seconds: boto3 replaces Terraform, the rest is the same.

`handsoff deploy` against the same endpoint uses Terraform. Both make the same deployment.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from handsoff.deploying import render, sam
from handsoff.deploying.account import find_stack
from handsoff.deploying.proof import proof_parameters, wait_for_key
from handsoff.deploying.publishing import publish_model
from handsoff.deployment import Deployment
from handsoff.location import Location
from handsoff.project import Project
from local.images import table
from local.images.environments import Environments, Say
from local.infrastructure import provision
from local.server import Cloud

log = logging.getLogger(__name__)

_IMAGE: Final = re.compile(r'"(?:ImageUri|TrainingImage)": ?"([^"]+)"')
"""Finds the images of jobs in the text of a pipeline's definition."""

FOREIGN = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""Environment variables by which AWS clients would find other credentials."""

DEPLOYED: Final = "deployed.json"
"""The file in the cloud's folder that says what its stack was deployed from."""


def point_at(cloud: Cloud) -> None:
    """Make this process, and the programs that it starts, use `cloud` and nothing else."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(cloud.environment())


def deploy(project: Project, cloud: Cloud, say: Say = log.info) -> Deployment:
    """Provision, build, deploy and publish. Afterwards data can land. Call `point_at(cloud)` first.

    `say` is told in one line of what takes a while, once on this machine.
    """
    location = Location(cloud.account, cloud.region, "aws")
    values = render.values(project.config, location, project.folder)
    provision(cloud, values)
    scratch = cloud.folder / "tmp"  # deleted with the cloud, and so is what the SAM CLI leaves there
    folder = build(project, scratch)
    deployment = Deployment(project.config, project.folder)
    _deploy_and_publish(deployment, project, folder, cloud)
    make_environments(values, say)  # here: what fails at once has failed by now
    return deployment


def make_environments(values: Mapping[str, Any], say: Say) -> None:
    """Make the environments that stand for the images of all pipelines, unless this machine has them.

    An image that is not known has none: its jobs need Docker, or fail and say so. Raises NoEnvironment.
    """
    uris = {uri for model in values["models"].values() for uri in _IMAGE.findall(model["definition"])}
    for image in sorted({image for uri in uris if (image := table.find(uri))}, key=lambda one: one.name):
        Environments().environment(image, say)


def _deploy_and_publish(deployment: Deployment, project: Project, folder: Path, cloud: Cloud) -> None:
    """Publish all models, and deploy what was built into `folder`.

    The stack is left as it is if it came of the same, and nobody changed it since.
    """
    wait_for_key(deployment)
    runtime, architecture = this_machine()
    parameters = {
        "Prefix": project.config.prefix,
        "DataBucket": f"/{project.config.prefix}/data-bucket",
        "Runtime": runtime,
        "Architecture": architecture,
        **proof_parameters(deployment),
    }
    note, origin = cloud.folder / DEPLOYED, [sam.built_from(folder), parameters]

    def current() -> str:
        stack = find_stack(deployment.session, deployment.prefix)
        return json.dumps([*origin, stack and [stack.status, stack.version]])

    if note.exists() and note.read_text(encoding="utf-8") == current():
        _publish(deployment)
        return
    note.unlink(missing_ok=True)
    with ThreadPoolExecutor(1) as beside:  # only that thread uses the deployment's session meanwhile
        published = beside.submit(_publish, deployment)
        sam.deploy(
            project,
            folder,
            parameters=parameters,
            environment={"SAM_CLI_POLL_DELAY": "0.3", "TMPDIR": str(cloud.folder / "tmp")},
        )
        published.result()
    note.write_text(current(), encoding="utf-8")


def _publish(deployment: Deployment) -> None:
    for model in deployment.config.models:
        publish_model(deployment, model)


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
