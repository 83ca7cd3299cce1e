"""Programs that many commands of a test run, each forked from a process that has imported what they need.

Importing takes most of the processor time of one command of `aws`, `sam` or `handsoff`. This is for Linux:
elsewhere `program` gives the program itself. tests/docs/test_operator.py starts `aws` itself, as a user does,
and tests/loop/test_installed.py `sam`, and `handsoff` three times.
"""

from __future__ import annotations

import atexit
import functools
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENTS: Final = {"aws": ".venv-sam", "sam": ".venv-sam", "handsoff": ".venv"}
"""The environment of each program, which make makes."""


def itself(name: str) -> Path:
    """The program as it is installed."""
    return ROOT / ENVIRONMENTS[name] / "bin" / name


@contextmanager
def program(
    name: str, environment: Mapping[str, str] = os.environ, installed: Path | None = None
) -> Iterator[Path]:
    """A program of this name that works as long as the block lasts. It was changed when `installed` was.

    `installed` is the program that it stands for, `itself` where none is named. What it imports sees
    `environment`, without variables of AWS; each command sees its own.
    """
    installed = installed or itself(name)
    if sys.platform != "linux":
        yield installed
        return
    python, ours = installed.with_name("python"), Path(__file__).parent
    with (
        tempfile.TemporaryDirectory(prefix=f"{name}-") as folder,
        subprocess.Popen(
            [python, ours / "serving.py", name, f"{folder}/socket"],
            env={variable: value for variable, value in environment.items() if variable[:4] != "AWS_"},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            found = Path(folder) / name
            asking = [str(python), "-I", "-S", str(ours / "asking.py"), f"{folder}/socket"]
            found.write_text(f'#!/bin/sh\nexec {shlex.join(asking)} "$@"\n')
            found.chmod(0o755)
            changed = installed.stat().st_mtime_ns
            os.utime(found, ns=(changed, changed))
            yield found
        finally:
            process.stdin.close()


@functools.cache
def sam() -> Path:
    """The SAM CLI that this process deploys with. It ends with this process."""
    until_exit = ExitStack()
    atexit.register(until_exit.close)
    return until_exit.enter_context(program("sam"))
