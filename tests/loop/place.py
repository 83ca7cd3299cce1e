"""A copy of the project, its own command line in it, and the AWS on this machine that it is deployed to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import server
from local.server import Cloud
from tests import commands, providers, warm

ROOT = Path(__file__).parents[2]

WHAT_DEPLOYS = (
    "handsoff.yaml",
    "template.yaml",
    "samconfig.toml",
    "functions",
    "layers",
    "pipeline_def",
    "terraform",
    "data",
)
MADE = shutil.ignore_patterns("__pycache__", ".terraform", "*.tfstate*", "*.tfvars.json", "*.tfplan")
BUCKET = "handsoff-data-123456789012-us-east-1"


@dataclass
class Place:
    """A copy of the project, and the AWS that it is deployed to."""

    folder: Path
    variables: dict[str, str]
    cloud: Cloud | None = None

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """The command line in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", "from handsoff.cli import main; main()", *arguments],
            cwd=self.folder,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def handsoff(self, *arguments: str, code: int = 0, **variables: str) -> tuple[str, str]:
        """What the command line, which runs in this process, said on both channels."""
        environment = {**self.variables, **variables}
        done = commands.run(*arguments, environment=environment, folder=self.folder)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

    def client(self, name: str) -> Any:
        assert self.cloud is not None
        return self.cloud.client(name)

    def parameters(self) -> dict[str, str]:
        """Those of the stack."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName="handsoff")["Stacks"]
        return {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}


def copied(folder: Path) -> Path:
    """A copy of the project in `folder`, with the SAM CLI that this process deploys with."""
    folder.mkdir()
    for name in WHAT_DEPLOYS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=MADE)
        else:
            shutil.copyfile(ROOT / name, folder / name)
    (folder / ".venv-sam" / "bin").mkdir(parents=True)
    (folder / ".venv-sam" / "bin" / "sam").symlink_to(warm.sam())
    return folder


@contextmanager
def deployed_to(cloud: Path, folder: Path) -> Iterator[Place]:
    """A copy of the project in `folder`, and an AWS of its own, with a Terraform provider."""
    running = server.start(cloud, port=None)
    ours = {name: value for name, value in providers.environment().items() if not name.startswith("AWS_")}
    aws = running.environment()
    try:
        with providers.running(folder.with_name("provider"), aws) as provider:
            yield Place(copied(folder), {**ours, **aws, **provider}, running)
    finally:
        server.stop(cloud)
