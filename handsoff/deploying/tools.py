"""Runs other programs: their output is shown only on failure, and Ctrl-C lets them finish."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from handsoff.errors import ToolFailed, ToolMissing

INSTALLING: Final = {
    "make": "Debian, Ubuntu: `sudo apt-get install make`; Fedora, Amazon Linux: `sudo dnf install make`; "
    "macOS: `xcode-select --install`",
    "terraform": "Linux: `sudo snap install terraform --classic`; macOS: "
    "`brew install hashicorp/tap/terraform`; others: https://developer.hashicorp.com/terraform/install",
}
"""How to install programs that handsoff runs and no package index has."""

GRACE: Final = 300.0
"""Seconds that a program has to end after Ctrl-C: Terraform finishes its call and writes its state."""


def run(name: str, command: list[str], *, folder: Path, environment: Mapping[str, str | None]) -> str:
    """Run `command` and return its output. Raises ToolFailed, which calls it by `name`."""
    return answer(name, command, folder=folder, environment=environment)[1]


def answer(
    name: str,
    command: list[str],
    *,
    folder: Path,
    environment: Mapping[str, str | None],
    codes: Collection[int] = (0,),
    readable: Callable[[str], str] = str,
) -> tuple[int, str]:
    """Run `command`; its exit code, one of `codes`, and its output. Raises ToolFailed for any other code.

    `readable` makes of its output what that error shows.

    The project's own programs come first on its PATH. A variable that is None is taken out of its
    environment. Ctrl-C is passed on to it once, and this waits until it has ended. Raises ToolMissing where
    there is no such program.
    """
    surroundings = {**os.environ, "PATH": search_path(), **environment}
    process = None
    try:
        with interrupted_later():
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={key: value for key, value in surroundings.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        said, complained = process.communicate()
    except FileNotFoundError as error:
        if error.filename != command[0]:  # the folder
            raise
        raise missing(command[0]) from None
    except BaseException:
        if process is not None:
            with uninterrupted():
                _end(process)
        raise
    if process.returncode not in codes:
        raise _failed(name, process.returncode, [*readable(said).splitlines(), *complained.splitlines()])
    return process.returncode, said


def _failed(name: str, code: int, output: Sequence[str]) -> ToolFailed:
    """The error for a program that ended with `code`, with the last lines of what it printed."""
    tail = "\n".join(output[-30:])
    return ToolFailed(f"`{name}` failed with exit code {code}:\n{tail}")


def search_path() -> str:
    """The PATH of programs: this Python's folder, the environment's PATH, and the folder of the own uv."""
    ours, uv = Path(sys.executable).parent, Path(find_uv_bin()).parent
    return os.pathsep.join([str(ours), os.environ.get("PATH", os.defpath), str(uv)])


def need(name: str) -> None:
    """Raise ToolMissing unless the program `name` is installed."""
    if shutil.which(name, path=search_path()) is None:
        raise missing(name)


def missing(name: str) -> ToolMissing:
    """The error for a program that is not installed, with the command that installs it."""
    how = INSTALLING.get(name)
    return ToolMissing(f"the program {name} is missing" + (f". To install it: {how}" if how else ""))


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Delay Ctrl-C until the block ends: a program that is being started has no handle by which to end it."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore INT, TERM and HUP in the block, so that cleaning up, which takes bounded time, is completed."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
