"""Runs the programs that deploy: quietly, and never broken off in the middle of what they write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from retraining.errors import HandsoffError

GRACE: Final = 300.0
"""Seconds that a program has to end after Ctrl-C: Terraform finishes what it is at and writes its state."""


class ToolFailed(HandsoffError):
    """A program that deploys ended with an error; what it said last is in the message."""


def run(name: str, command: list[str], *, folder: Path, environment: Mapping[str, str | None]) -> str:
    """What the command said. `name` is what it is called if it fails. Raises ToolFailed.

    The project's own programs come first on its PATH; a variable that is None is taken away from it. Ctrl-C
    reaches it once and is waited for.
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
    if process.returncode:
        tail = "\n".join([*said.splitlines(), *complained.splitlines()][-30:])
        raise ToolFailed(f"`{name}` failed with exit code {process.returncode}:\n{tail}")
    return said


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Let Ctrl-C wait until what is inside is done: a program just starting is nobody's to end yet."""
    if threading.current_thread() is not threading.main_thread():  # no signal reaches another one
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
    """Let no second Ctrl-C break off the tidying, which is bounded."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
