"""Deploys the project to AWS on this machine by the same two commands that deploy it to AWS."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from retraining.errors import HandsoffError

from handsoff.deployment import Deployment
from handsoff.project import Project
from local.infrastructure import provision
from local.server import Cloud


class DeployFailed(HandsoffError):
    """The SAM CLI could not build or deploy the template."""


def point_at(cloud: Cloud) -> None:
    """Let this process, and what it starts, talk to `cloud` and to nobody else."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(cloud.environment())


FOREIGN = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""Variables by which AWS clients would find other credentials."""


def deploy(project: Project, cloud: Cloud) -> Deployment:
    """Provision, build, deploy and publish; when this returns, data may land. `cloud` must be pointed at."""
    provision(cloud, prefix=project.config.prefix, models=project.config.models)
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    build = project.work / "build"
    _sam(
        project,
        "build",
        *("--template-file", str(project.template)),
        *("--build-dir", str(build), "--cache-dir", str(project.work / "cache")),
        HANDSOFF_RUNTIME=runtime,
        HANDSOFF_ARCHITECTURE=architecture,
    )
    _sam(
        project,
        "deploy",
        *("--template-file", str(build / "template.yaml"), "--stack-name", project.config.prefix),
        "--no-progressbar",
        "--parameter-overrides",
        f"Prefix={project.config.prefix}",
        f"DataBucket=/{project.config.prefix}/data-bucket",
        f"Runtime={runtime}",
        f"Architecture={architecture}",
        SAM_CLI_POLL_DELAY="0.3",
    )
    deployment = Deployment(project.config)
    for model in project.config.models:
        deployment.publish(model)
    return deployment


def _sam(project: Project, command: str, *arguments: str, **environment: str) -> None:
    """Run the SAM CLI in the project's folder; its output is shown only if it fails."""
    done = subprocess.run(
        [str(project.sam()), command, "--config-file", str(project.folder / "samconfig.toml"), *arguments],
        cwd=project.folder,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "SAM_CLI_TELEMETRY": "0",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise DeployFailed(f"`sam {command}` failed with exit code {done.returncode}:\n{tail}")
