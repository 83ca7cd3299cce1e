"""The command line inside the process of the tests: a process of its own imports for a second first.

`tests/handsoff/test_cli.py` and `tests/docs/test_tutorial.py` also run it in processes of their own.
"""

from __future__ import annotations

import functools
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import typer.main

from handsoff import cli

get_command = typer.main.get_command = functools.cache(typer.main.get_command)
"""All commands with their options. Typer would read their signatures each time that the command line runs."""


def run(
    *arguments: str, environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What `handsoff` with these arguments says and returns, with nothing but `environment`, in `folder`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "argv", ["handsoff", *arguments]),
        chdir(folder or Path.cwd()),
        signals_kept(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextmanager
def signals_kept() -> Iterator[None]:
    """Give the signals that the command line handles back to this process at the end of the block."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
