"""Starts a job's Python script by forking a process that has imported the image's packages already.

Importing them takes two seconds of processor time, which is most of what a small job uses. A job that is not
a Python script gets a new process instead, and so does every job where the system is not Linux.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Final

FORKING: Final = Path(__file__).with_name("forking.py")
"""The program that is forked from."""


class WarmJob:
    """A forked job, with the part of subprocess.Popen's interface that runner.py uses."""

    def __init__(self, pid: int, stdout: IO[bytes], answers: socket.socket) -> None:
        self.pid = pid
        self.stdout: IO[bytes] | None = stdout
        self.returncode: int | None = None
        self._answers = answers

    def poll(self) -> int | None:
        """The exit code, None while the job runs."""
        return self._code(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the job has ended. Raises subprocess.TimeoutExpired."""
        code = self._code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def _code(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._answers.settimeout(timeout)
            with contextlib.suppress(BlockingIOError, TimeoutError):
                self.returncode = _answer(self._answers).get("code", -9)
                self._answers.close()
        return self.returncode


class WarmPython:
    """The process that jobs are forked from. It is started for the first job, and ends with this process.

    `folder` is named in its environment: so it is found as a process of this endpoint (folder.strays).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes]

    def start(self, arguments: list[str], variables: dict[str, str], folder: Path) -> WarmJob | None:
        """Start the job; None if it is not a Python script or cannot be forked."""
        if sys.platform != "linux" or not _is_script(arguments, folder):
            return None
        message = {"arguments": arguments[1:], "variables": variables, "folder": str(folder)}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        read, write = os.pipe()
        try:
            with self._lock:
                descriptors = [write, theirs.fileno()]
                socket.send_fds(self._connected(variables), [json.dumps(message).encode()], descriptors)
            pid = _answer(ours).get("pid")
        except OSError:
            pid = None
        finally:
            os.close(write)
            theirs.close()
        if pid is None:
            os.close(read)
            ours.close()
            return None
        return WarmJob(pid, os.fdopen(read, "rb"), ours)

    def close(self) -> None:
        """End the process, and every job that it has forked."""
        with self._lock:
            if self._control is not None:
                self._control.close()
                self._control = None
                self._process.wait()

    def _connected(self, variables: dict[str, str]) -> socket.socket:
        """The socket to the process, which is started with the first job's thread limits."""
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            names = ("PATH", "LANG", *(name for name in variables if name.endswith("_NUM_THREADS")))
            self._process = subprocess.Popen(
                [sys.executable, str(FORKING)],
                env={**{name: variables[name] for name in names}, "TMPDIR": str(self._folder)},
                stdin=theirs.fileno(),
                start_new_session=True,
            )
            theirs.close()
            self._control = ours
        return self._control


def _is_script(arguments: list[str], folder: Path) -> bool:
    return (
        len(arguments) > 1
        and arguments[0] == sys.executable
        and arguments[1].endswith(".py")
        and (folder / arguments[1]).is_file()
    )


def _answer(answers: socket.socket) -> dict[str, int]:
    """The next answer; empty if the process has ended."""
    line = answers.recv(100)
    value: dict[str, int] = json.loads(line) if line else {}
    return value
