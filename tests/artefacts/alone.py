"""Runs a handler with nothing on the path but what was built: python -I -S alone.py CODE LAYER HANDLER EVENT…

Prints one line of JSON: for each event the names of the errors that came of it and what was logged, and the
modules that came from elsewhere. It imports nothing of the project, whose packages are not there.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace


def main(code: str, layer: str, handler: str, *events: str) -> dict[str, object]:
    """What came of these event files."""
    sys.path[:] = [code, layer, *(path for path in sys.path if "site-packages" not in path)]
    sys.dont_write_bytecode = True
    return {
        "events": {event: invoked(handler, json.loads(Path(event).read_text())) for event in events},
        "foreign": foreign(code, layer),
    }


WRITTEN = io.StringIO()
"""What all invocations write: a logger keeps the stream that it found at first."""


def invoked(handler: str, event: object) -> dict[str, object]:
    """The errors of one invocation, if there were any, and what it wrote."""
    errors: list[str] = []
    begin = len(WRITTEN.getvalue())
    with contextlib.redirect_stdout(WRITTEN):
        try:
            importlib.import_module(handler).handler(event, context())
        except Exception as error:
            errors = names(error)
    return {"errors": errors, "said": WRITTEN.getvalue()[begin:]}


def context() -> SimpleNamespace:
    """What Lambda tells a function of itself, as far as ours ask."""
    return SimpleNamespace(
        function_name="function",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
        aws_request_id="11111111-2222-3333-4444-555555555555",
        get_remaining_time_in_millis=lambda: 60_000,
    )


def names(error: BaseException) -> list[str]:
    """The names of an error, of those in its group and of what it came from; an ImportError's text, too."""
    own = [f"{type(error).__name__}: {error}" if isinstance(error, ImportError) else type(error).__name__]
    inner = [*getattr(error, "exceptions", ()), error.__cause__ or error.__context__]
    return own + [name for one in inner if one is not None for name in names(one)]


def foreign(code: str, layer: str) -> list[str]:
    """The modules that are of neither the code, nor the layer, nor Python itself."""
    ours = tuple(os.path.realpath(path) + os.sep for path in (code, layer, sysconfig.get_path("stdlib")))
    files = {name: getattr(module, "__file__", None) or __file__ for name, module in sys.modules.items()}
    return sorted(
        n for n, file in files.items() if file != __file__ and not os.path.realpath(file).startswith(ours)
    )


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
