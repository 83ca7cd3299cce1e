"""The process that scripts are forked from: Python with the packages of its arguments already imported.

Run as a program by warm.py. On its standard input, a socket, it receives one message for each script: a JSON
object with `arguments` (the script, then its arguments), `variables`, `folder`, `layer` (the folder of an
environment on top of this Python's, or null) and `kept` (the folder of _keep_code, or null). With it come
four descriptors: the script's standard input, output and error output, and a socket on which this process
answers `{"pid": …}` at once and `{"code": …}` when the script has ended. It ends, and all scripts with it,
when its standard input is closed.
"""

import _imp
import atexit
import contextlib
import gc
import hashlib
import importlib
import importlib.machinery
import importlib.util
import io
import json
import marshal
import os
import runpy
import select
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import traceback
import warnings
from types import CodeType, TracebackType
from typing import Any, Final, NoReturn

MAX_MESSAGE: Final = 1_000_000
"""Bytes that are read of a message. A socket takes no message of this length, so none is cut."""


def main() -> None:
    """Fork for each message. Only a forked process returns: then it is the script.

    A package that is not installed is left to the scripts.

    Raises OSError before anything is forked if this kernel cannot tell of a process's end (Linux before 5.3).
    """
    os.close(os.pidfd_open(os.getpid()))
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # what is imported stays shared with the scripts
    control = socket.socket(fileno=os.dup(0))
    jobs: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor that tells of the job's end
    while True:
        ready, _, _ = select.select([control.fileno(), *jobs], [], [])
        for descriptor in ready:
            if descriptor in jobs:
                pid, answer = jobs.pop(descriptor)
                os.close(descriptor)
                _answer(answer, {"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})
                answer.close()
                continue
            message, (*streams, end), _, _ = _received(control, jobs)
            answer = socket.socket(fileno=end)
            pid = os.fork()
            if pid == 0:
                for other in (control, answer, *(known for _, known in jobs.values())):
                    other.close()
                for watched in jobs:
                    os.close(watched)
                return _become(json.loads(message), streams)
            for stream in streams:
                os.close(stream)
            jobs[os.pidfd_open(pid)] = pid, answer
            _answer(answer, {"pid": pid})


def _received(
    control: socket.socket, jobs: dict[int, tuple[int, socket.socket]]
) -> tuple[bytes, list[int], int, Any]:
    """The next message. At the end of the input this process ends, and every job with it."""
    received = socket.recv_fds(control, MAX_MESSAGE, 4)
    if received[0]:
        return received
    for pid, _ in jobs.values():
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    os._exit(0)


def _answer(to: socket.socket, value: dict[str, int]) -> None:
    with contextlib.suppress(OSError):  # the server has ended
        to.sendall(json.dumps(value).encode() + b"\n")


def _become(job: dict[str, Any], streams: list[int]) -> None:
    """Turn this forked process into the script: its session, streams, environment, folder and arguments."""
    os.setsid()
    for target, source in enumerate(streams):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(job["variables"])
    os.chdir(job["folder"])
    script = job["arguments"][0]
    sys.argv = list(job["arguments"])
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:1] = [os.path.dirname(os.path.abspath(script)), *paths]
    if job["layer"]:
        _enter(job["layer"])
    if job["kept"]:
        _keep_code(job["kept"])
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "utf-8", write_through=True)
        setattr(sys, name, stream)
    tempfile.tempdir = None  # it was found for this process's own environment
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # otherwise all jobs would draw the same numbers
    sys.excepthook = _show_error_of(os.path.abspath(script))


def _enter(layer: str) -> None:
    """Be the Python of the environment in the folder `layer`, whose packages come before this Python's."""
    packages = sysconfig.get_path("purelib", vars={"base": layer, "platbase": layer})
    own = sysconfig.get_path("purelib")
    sys.path.insert(sys.path.index(own), packages)
    sys.prefix = sys.exec_prefix = layer
    sys.executable = os.path.join(layer, "bin", "python")


def _keep_code(folder: str) -> None:
    """Compile a module once for all scripts that import it: `folder` keeps code by the hash of its source.

    A module that the compiler warns of is not kept, since each script must show the warning.
    """
    loader = importlib.machinery.SourceFileLoader
    compiled = loader.source_to_code

    def source_to_code(self: Any, data: bytes, path: str, **how: Any) -> CodeType:
        kept = os.path.join(folder, hashlib.sha256(importlib.util.MAGIC_NUMBER + data).hexdigest())
        with contextlib.suppress(OSError, EOFError, TypeError, ValueError), open(kept, "rb") as file:
            code: CodeType = marshal.load(file)  # nosec B302 # noqa: S302 - only this user writes there
            _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
            return code
        made: list[CodeType] = []
        with warnings.catch_warnings(record=True) as warned, contextlib.suppress(SyntaxError, ValueError):
            warnings.simplefilter("always")
            made.append(compiled(self, data, path, **how))
        if warned or not made:
            return compiled(self, data, path, **how)
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            with open(f"{kept}.{os.getpid()}", "wb") as draft:
                marshal.dump(made[0], draft)
            os.replace(draft.name, kept)
        return made[0]

    # Python leaves the frames of this file out of a trace: a script's error in a module looks as ever.
    of_import = compiled.__code__.co_filename
    source_to_code.__code__ = source_to_code.__code__.replace(co_filename=of_import)
    loader.source_to_code = source_to_code  # type: ignore[method-assign,assignment]


def _show_error_of(script: str) -> Any:
    """A hook that prints an error as Python does for the script alone, without the frames of this file."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        inner = trace
        while inner and os.path.abspath(inner.tb_frame.f_code.co_filename) != script:
            inner = inner.tb_next
        traceback.print_exception(kind, error, inner or trace)

    return show


def _run(script: str) -> NoReturn:
    """Run the script as Python does, and end this process with its exit code.

    As in multiprocessing, the process ends without clearing its modules: that would copy all their memory.
    """
    code: object = None
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    main()
    _run(sys.argv[0])
