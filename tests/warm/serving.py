"""Serves a program: each command is forked from this process, which has imported what it needs.

`python serving.py PROGRAM SOCKET`, with the Python that has the program, serves SOCKET until standard input
ends. What connects sends its standard streams as descriptors, and then a line of JSON with arguments,
variables and folder; it gets the exit code, as text. asking.py does that.
"""

from __future__ import annotations

import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

PROGRAMS: Final = {
    "aws": ("awscli.clidriver:main", ["awscli.handlers", "awscli.customizations.s3.subcommands"]),
    "handsoff": (
        "handsoff.cli:main",
        [
            f"handsoff.commands.{file.stem}"
            for file in Path(__file__).parents[2].glob("handsoff/commands/*.py")
        ],
    ),
    "sam": (
        "samcli.cli.main:cli",
        [
            *(f"samcli.commands.{name}.command" for name in ("build", "package", "deploy")),
            *(f"samcli.commands.{name}.{name}_context" for name in ("build", "package", "deploy")),
        ],
    ),
}
"""What a program calls first, and what else its commands import."""


def main() -> None:
    """Serve, and say so with a line."""
    name, address = sys.argv[1:]
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    (module, _, function), others = PROGRAMS[name][0].partition(":"), PROGRAMS[name][1]
    begin = getattr(importlib.import_module(module), function)
    for other in others:
        importlib.import_module(other)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as selector:
        server.bind(address)
        server.listen()
        selector.register(server, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        print("ready", flush=True)
        while sys.stdin not in [key.fileobj for key, _ in selector.select()]:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                selector.close()
                _become(name, begin, connection)
            connection.close()


def _become(name: str, begin: Callable[[], Any], connection: socket.socket) -> None:
    """Be the command that was asked for; this does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, *_ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as rest:
        asked = json.loads(rest.readline())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    _open_streams()
    own = {name: value for name, value in os.environ.items() if name == "AWS_DATA_PATH"}  # set by awscli
    os.environ.clear()
    os.environ.update({**asked["variables"], **own})
    os.chdir(asked["folder"])
    sys.argv = [name, *asked["arguments"]]
    tempfile.tempdir = None  # it is of these variables
    try:
        code = begin()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(str(code or 0).encode())
    os._exit(0)


def _open_streams() -> None:
    """Open the standard streams as Python does: those of this process may be files, these pipes."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        was, mode = getattr(sys, name), "r" if number == 0 else "w"
        buffering = 1 if name == "stderr" else -1
        now = open(number, mode, buffering, was.encoding, was.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, now)
        setattr(sys, f"__{name}__", now)


if __name__ == "__main__":
    main()
