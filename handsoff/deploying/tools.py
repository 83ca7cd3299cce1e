"""Runs other programs: their output is shown only on failure, and Ctrl-C lets them finish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from handsoff.errors import ToolFailed

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
) -> tuple[int, str]:
    """Run `command`; its exit code, one of `codes`, and its output. Raises ToolFailed for any other code.

    The project's own programs come first on its PATH. A variable that is None is taken out of its
    environment. Ctrl-C is passed on to it once, and this waits until it has ended.
    """
    surroundings = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        **environment,
    }
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
    except BaseException:
        if process is not None:
            with uninterrupted():
                _end(process)
        raise
    if process.returncode not in codes:
        tail = "\n".join([*said.splitlines(), *complained.splitlines()][-30:])
        raise ToolFailed(f"`{name}` failed with exit code {process.returncode}:\n{tail}")
    return process.returncode, said


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
