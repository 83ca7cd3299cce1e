"""Starts a Python script by forking a process that has imported its packages already.

Importing them takes most of the processor time that a small job of SageMaker or a Lambda worker uses. What is
not a Python script gets a new process instead, and so does everything where the system is not Linux.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

FORKING: Final = Path(__file__).with_name("forking.py")
"""The program that is forked from."""


class WarmProcess:
    """A forked script, with the part of subprocess.Popen's interface that its users need."""

    def __init__(
        self, pid: int, answers: socket.socket, stdout: IO[Any], stdin: IO[Any] | None, stderr: IO[Any] | None
    ) -> None:
        self.pid = pid
        self.stdin, self.stderr = stdin, stderr
        self.stdout: IO[Any] | None = stdout
        self.returncode: int | None = None
        self._answers = answers

    def poll(self) -> int | None:
        """The exit code, None while the script runs."""
        return self._code(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the script has ended. Raises subprocess.TimeoutExpired."""
        code = self._code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def terminate(self) -> None:
        """Ask it to end, if it runs."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, if it runs."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _code(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._answers.settimeout(timeout)
            with contextlib.suppress(BlockingIOError, TimeoutError):
                self.returncode = _answer(self._answers).get("code", -9)
                self._answers.close()
        return self.returncode


class WarmPython:
    """The process that scripts are forked from. It is started for the first one, and ends with this process.

    It is `python`, and imports `packages`, from `path` first. `folder` is named in its environment: so it is
    found as a process of this endpoint (folder.strays). `kept` is a folder in which scripts keep the code
    that they have compiled, for later ones that import the same source.
    """

    def __init__(
        self,
        folder: Path,
        packages: Sequence[str],
        path: Sequence[str] = (),
        *,
        python: str = sys.executable,
        kept: Path | None = None,
    ) -> None:
        self._folder, self._packages, self._path, self._python = folder, packages, path, python
        self._kept = kept
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes]

    def prepare(self, variables: dict[str, str]) -> None:
        """Start the process before the first script, which will have these environment variables."""
        if sys.platform == "linux":
            with self._lock, contextlib.suppress(OSError):
                self._connected(variables)

    def start(
        self, arguments: list[str], variables: dict[str, str], folder: Path, *, layer: Path | None = None
    ) -> WarmProcess | None:
        """Start a script that reads nothing and whose error output goes where its output goes.

        With `layer`, an environment on top of this Python's (images/layers.py), the script is one of the
        Python of that. None if it is not a Python script or cannot be forked.
        """
        nothing = os.open(os.devnull, os.O_RDONLY)
        read, write = os.pipe()
        forked = self._fork(arguments, variables, folder, (nothing, write, write), layer)
        if forked is None:
            os.close(read)
            return None
        return WarmProcess(*forked, os.fdopen(read, "rb"), None, None)

    def converse(self, arguments: list[str], variables: dict[str, str], folder: Path) -> WarmProcess | None:
        """Start a script with pipes of text to and from it; None as above."""
        (theirs_in, ours_in), (ours_out, theirs_out), (ours_err, theirs_err) = (os.pipe() for _ in range(3))
        forked = self._fork(arguments, variables, folder, (theirs_in, theirs_out, theirs_err))
        if forked is None:
            for end in (ours_in, ours_out, ours_err):
                os.close(end)
            return None
        stdin = os.fdopen(ours_in, "w", encoding="utf-8")
        stdout, stderr = (os.fdopen(end, encoding="utf-8") for end in (ours_out, ours_err))
        return WarmProcess(*forked, stdout, stdin, stderr)

    def close(self) -> None:
        """End the process, and every script that it has forked."""
        with self._lock:
            if self._control is not None:
                self._control.close()
                self._control = None
                self._process.wait()

    def _fork(
        self,
        arguments: list[str],
        variables: dict[str, str],
        folder: Path,
        streams: tuple[int, int, int],
        layer: Path | None = None,
    ) -> tuple[int, socket.socket] | None:
        """The script's process and the socket that tells of its end. Closes `streams`, which are its own."""
        python = str(layer / "bin" / "python") if layer else self._python
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = None
        try:
            if sys.platform == "linux" and _is_script(python, arguments, folder):
                message = {
                    "arguments": arguments[1:],
                    "variables": variables,
                    "folder": str(folder),
                    "layer": str(layer) if layer else None,
                    "kept": str(self._kept) if self._kept else None,
                }
                with self._lock:
                    descriptors = [*streams, theirs.fileno()]
                    socket.send_fds(self._connected(variables), [json.dumps(message).encode()], descriptors)
                theirs.close()
                pid = _answer(ours).get("pid")
        except OSError:
            pid = None
        finally:
            theirs.close()
            for stream in set(streams):
                os.close(stream)
        if pid is None:
            ours.close()
            return None
        return pid, ours

    def _connected(self, variables: dict[str, str]) -> socket.socket:
        """The socket to the process, which is started with the first script's limits of threads."""
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            kept = ("PATH", "LANG", "PYTHONWARNINGS")
            names = (name for name in variables if name in kept or name.endswith("_NUM_THREADS"))
            self._process = subprocess.Popen(
                [self._python, str(FORKING), *self._packages],
                env={
                    **{name: variables[name] for name in names},
                    "TMPDIR": str(self._folder),
                    "PYTHONPATH": os.pathsep.join(self._path),
                },
                stdin=theirs.fileno(),
                start_new_session=True,
            )
            theirs.close()
            self._control = ours
        return self._control


def _is_script(python: str, arguments: list[str], folder: Path) -> bool:
    return (
        len(arguments) > 1
        and arguments[0] == python
        and arguments[1].endswith(".py")
        and (folder / arguments[1]).is_file()
    )


def _answer(answers: socket.socket) -> dict[str, int]:
    """The next answer; empty if the process has ended."""
    line = answers.recv(100)
    value: dict[str, int] = json.loads(line) if line else {}
    return value
