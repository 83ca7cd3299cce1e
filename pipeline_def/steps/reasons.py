"""How a job says why it failed: in its log and where SageMaker looks, without a value of a row.

publish.py puts it beside the processing scripts and into the archive of the training script.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from job import HERE, DataProblem, one_line, read_config

HIDDEN: Final = "its message may quote a row and is left out; with approvers.show_values the log has it"
"""What stands for the message of a library's error."""


def write_reason(text: str, file: Literal["message", "failure"]) -> None:
    """Leave the reason why the job failed where SageMaker looks for it.

    SageMaker shows the first kilobyte of `message` as the ExitMessage of a processing job, and of `failure`
    as the FailureReason of a training job. The image's training toolkit (sagemaker-training 4.8.0) writes its
    own `failure`, which names no cause, only where the script has written none.
    """
    path = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "output", file)
    with suppress(OSError):  # the log has the reason as well
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one_line(text), encoding="utf-8")


@contextmanager
def reason_written(file: Literal["message", "failure"], config: Path) -> Iterator[None]:
    """Write the reason of any exception to `file` (see `write_reason`) and let the exception pass.

    The traceback by which it ends the process has no messages, as they may quote rows, unless the model.json
    at `config` says that values are shown.
    """
    try:
        yield
    except Exception as error:
        write_reason(reason_of(error), file)
        if not shows_values(config):
            sys.excepthook = lambda _kind, error, _trace: print(without_messages(error), file=sys.stderr)
        raise


def shows_values(config: Path) -> bool:
    """Whether the model.json at `config` says that values are shown; not, if it cannot be read."""
    try:
        return read_config(config).show_values
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def without_messages(error: BaseException) -> str:
    """The traceback of the error and of those before it: places, types, and messages without values."""
    lines: list[str] = []
    at: BaseException | None = error
    while at is not None:
        said = reason_of(at) if isinstance(at, Exception) else type(at).__name__
        lines = [
            "Traceback (most recent call last):\n",
            *traceback.format_tb(at.__traceback__),
            said,
            "\n",
            *lines,
        ]
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return "".join(lines).rstrip()


def print_error(error: BaseException, *, show: bool) -> None:
    """Write the error's traceback to the log; without `show`, each message as `reason_of` tells it."""
    text = "".join(traceback.format_exception(error)) if show else without_messages(error)
    print(text, file=sys.stderr, flush=True)


def reason_of(error: Exception) -> str:
    """What may be told of an exception, also in the job's log.

    Libraries quote values of rows in their messages, so that of an unexpected exception is left out: its type
    and its place in these scripts are told. AWS's answers, the operating system's words and the messages of
    these scripts hold no values.
    """
    if isinstance(error, DataProblem | ClientError | BotoCoreError):
        name = "" if isinstance(error, DataProblem) else f"{type(error).__name__}: "
        return f"{name}{error}"
    if isinstance(error, OSError) and error.errno:
        return f"{type(error).__name__}: {os.strerror(error.errno)}"
    ours = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == HERE
    ]
    place = f" in {Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{place}; {HIDDEN}"
