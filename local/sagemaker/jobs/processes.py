"""Runs a job's program as a process group of its own, until it ends, is stopped or reaches its time limit."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from local import folder as folders
from local.forked.warm import WarmProcess
from local.images.pythons import Python
from local.images.table import Image
from local.sagemaker.errors import ClientError
from local.sagemaker.jobs.api import Job
from local.sagemaker.jobs.container import Command, Place
from local.sagemaker.jobs.logs import JobLog

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

End = Literal["exited", "stopped", "too long"]
"""Why a program ended: by itself, by a stop, or at the time limit."""

LOOK_SECONDS: Final = 0.1
"""Seconds between two looks whether a job is to be stopped, or has reached its time limit."""

GRACE_SECONDS: Final = 5.0
"""Seconds between TERM and KILL for a job that is stopped. AWS gives 120."""


def search_path(python: Python) -> str:
    """The PATH of a job: the programs of its Python, then those of this machine.

    The environment that this process runs in is not among them: an image does not have its programs.
    """
    own = [os.path.join(sys.prefix, "bin")] if sys.prefix != sys.base_prefix else []
    system = [path for path in os.environ.get("PATH", os.defpath).split(os.pathsep) if path not in own]
    return os.pathsep.join([*map(str, python.programs), *system])


@dataclass(frozen=True)
class Started:
    """A job that is being run: its folder, a client of S3 for its role, its log.

    `variables` are those of every program of the job. At `deadline`, of time.monotonic, it is ended.
    """

    job: Job
    place: Place
    s3: "S3Client" = field(repr=False)
    output: JobLog
    variables: dict[str, str] = field(repr=False)
    deadline: float

    def watch(self, process: "WarmProcess | subprocess.Popen[bytes]") -> tuple[End, int]:
        """Log what a program says until it exits, is stopped or reaches the time limit.

        All processes that it started end with it, as in a container. Returns why it ended and its exit code.
        """
        assert process.stdout is not None  # nosec B101 # noqa: S101 - a pipe was asked for
        self.output.follow(process.stdout)
        ended: End = "exited"
        try:
            while not _has_ended(process):
                if self.job.stop_requested.is_set():
                    ended = "stopped"
                    break
                if time.monotonic() > self.deadline:
                    ended = "too long"
                    break
        finally:
            _end_group(process)
            folders.end_strays(self.place.root)
        return ended, process.wait()


@dataclass(frozen=True)
class Running(Started):
    """A job that is being run by a Python that stands for its image's."""

    image: Image
    python: Python

    def run(self, command: Command) -> tuple[End, int]:
        """Run a program in a process group of its own; why it ended, and its exit code.

        Raises ClientError if it cannot be started.
        """
        environment = self.variables | command.variables
        warm, layer = self.python.warm, self.python.layer
        forked = warm.start(command.arguments, environment, command.folder, layer=layer) if warm else None
        return self.watch(forked or start(command.arguments, environment, command.folder))


def start(arguments: list[str], environment: dict[str, str], folder: Path) -> "subprocess.Popen[bytes]":
    """Start a program in a new process. Raises ClientError if it cannot be run."""
    try:
        return subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ClientError(f"Cannot run {arguments[0]}: {error.strerror}") from error


def _has_ended(process: "subprocess.Popen[bytes] | WarmProcess") -> bool:
    """Whether the program ends within LOOK_SECONDS. The end of a forked one is seen at once."""
    try:
        process.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end_group(process: "subprocess.Popen[bytes] | WarmProcess") -> None:
    """End the program if it runs: TERM to its group, KILL after GRACE_SECONDS. KILL what it leaves there."""
    if process.poll() is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
