"""Deploys the project to AWS on this machine by the same two commands that deploy it to AWS."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from handsoff.deployment import Deployment
from handsoff.project import Project
from local.infrastructure import Schedule, provision
from local.server import Cloud
from retraining.errors import HandsoffError


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
    schedules = {
        name: Schedule(model.retrain.schedule, model.retrain.schedule_timezone)
        if model.retrain.schedule
        else None
        for name, model in project.config.models.items()
    }
    provision(cloud, prefix=project.config.prefix, models=schedules)
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    build = project.work / "build"
    scratch = str(cloud.folder / "tmp")  # what the SAM CLI leaves there, and itself, ends with the cloud
    _sam(
        project,
        "build",
        *("--template-file", str(project.template)),
        *("--build-dir", str(build), "--cached"),
        # A cached layer does not know for which runtime it was built.
        *("--cache-dir", str(project.work / "cache" / f"{runtime}-{architecture}")),
        HANDSOFF_RUNTIME=runtime,
        HANDSOFF_ARCHITECTURE=architecture,
        TMPDIR=scratch,
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
        TMPDIR=scratch,
    )
    deployment = Deployment(project.config)
    for model in project.config.models:
        deployment.publish(model)
    return deployment


def _sam(project: Project, command: str, *arguments: str, **environment: str) -> None:
    """Run the SAM CLI in the project's folder; its output is shown only if it fails."""
    done = _run(project, command, arguments, environment)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise DeployFailed(f"`sam {command}` failed with exit code {done.returncode}:\n{tail}")


def _run(
    project: Project, command: str, arguments: tuple[str, ...], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
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
