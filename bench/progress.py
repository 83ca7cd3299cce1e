"""Shows on a terminal what `make bench` does now: the program, which of how many, its step, and the seconds.

A program of bench/ runs in a process of its own. It leaves a line about its step in the file that VARIABLE
names, and the process that started it shows that line.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

VARIABLE: Final = "HANDSOFF_BENCH_STEP"
"""The environment variable with the path of the file for the step. Without it, `doing` does nothing."""

PAUSE: Final = 1.0
"""Seconds between two looks at that file."""

CLEAR: Final = "\r\x1b[K"
"""Clears the line of a terminal (ECMA-48: erase in line)."""


def doing(step: str) -> None:
    """Note what this program does from now on, in a few words on one line."""
    if path := os.environ.get(VARIABLE):
        draft = Path(f"{path}.new")
        draft.write_text(step, encoding="utf-8")
        draft.replace(path)  # a reader sees the step before or this one, whole


@contextmanager
def shown(title: str, step: Path, stream: TextIO) -> Iterator[None]:
    """Show the title, the step in the file, and the seconds so far, until the block ends.

    On a terminal that is one line, which is written anew each second and cleared at the end. Elsewhere it is
    the title, once.
    """
    if not stream.isatty():
        print(title, file=stream, flush=True)
        yield
        return
    began, ended = time.monotonic(), threading.Event()

    def show() -> None:
        while True:
            line = status(title, step, time.monotonic() - began)
            stream.write(CLEAR + line[: shutil.get_terminal_size().columns - 1])
            stream.flush()
            if ended.wait(PAUSE):
                return

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        print(f"{CLEAR}{title}", file=stream, flush=True)


def status(title: str, step: Path, seconds: float) -> str:
    """The line that is shown: "[2/18] comparison  75 s  regression, 1,000,000 rows, run 2 of 3"."""
    text = step.read_text(encoding="utf-8") if step.exists() else ""
    return f"{title}  {seconds:.0f} s  {text or 'starts'}"
