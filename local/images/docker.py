"""Docker, for jobs whose image it has: the image itself runs, not an environment that stands for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local.callers import CONTAINER_HOST, LOOPBACK

ANSWER_SECONDS: Final = 10
"""Seconds in which Docker must say whether it has an image; otherwise it has none."""


@dataclass(frozen=True)
class Docker:
    """The docker program of a user. `variables` are those that it needs (installing.of_user)."""

    variables: Mapping[str, str] = field(repr=False)
    _asked: dict[str, bool] = field(default_factory=dict, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the docker program."""
        return {"PATH": os.defpath, **self.variables}

    def has(self, uri: str, *, once: bool) -> bool:
        """Whether Docker runs and has pulled the image `uri`. With `once` it is asked only the first time."""
        if not uri or shutil.which("docker", path=self.environment["PATH"]) is None:
            return False
        if not once or uri not in self._asked:
            self._asked[uri] = self._do("image", "inspect", "--format", "{{.Id}}", uri)
        return self._asked[uri]

    def run_command(
        self,
        uri: str,
        name: str,
        folder: Path,
        variables: Mapping[str, str],
        entry_point: Sequence[str],
        arguments: Sequence[str],
    ) -> list[str]:
        """The command that runs the image with `folder` as its /opt/ml, in a container of this name.

        An empty `entry_point` leaves the image's own.
        """
        network = ["--network", "host"]
        if sys.platform != "linux":  # Docker is then a machine of its own, which reaches this one by a name
            network = ["--add-host", f"{CONTAINER_HOST}:host-gateway"]
            variables = {key: value.replace(LOOPBACK, CONTAINER_HOST) for key, value in variables.items()}
        return [
            *("docker", "run", "--rm", "--name", name, *network, "--volume", f"{folder}:/opt/ml"),
            *(word for key, value in variables.items() for word in ("--env", f"{key}={value}")),
            *(("--entrypoint", entry_point[0]) if entry_point else ()),
            *(uri, *entry_point[1:], *arguments),
        ]

    def end(self, name: str) -> None:
        """Remove the container of this name, if it is still there."""
        self._do("rm", "--force", name)

    def give_back(self, uri: str, folder: Path) -> None:
        """Make this user own what a container of the image `uri` has left in `folder` as root."""
        if os.getuid() != 0:
            owner = f"{os.getuid()}:{os.getgid()}"
            volume = f"{folder}:/opt/ml"
            self._do("run", "--rm", "--volume", volume, "--entrypoint", "chown", uri, "-R", owner, "/opt/ml")

    def _do(self, *arguments: str) -> bool:
        """Whether a docker command succeeded."""
        try:
            done = subprocess.run(
                ["docker", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=ANSWER_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0
