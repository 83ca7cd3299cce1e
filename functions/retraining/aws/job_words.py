"""Pure: which words of a job may leave its log, and what an exit by a signal means.

A log may hold values of rows: libraries quote them, and DataPreProcessing writes there what it found. So a
line leaves it only if it tells a place in the code, the type of an error, or what the reason says already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PLACE: Final = re.compile(r'\s*File "[\w./<> -]+", line \d+(?:, in [\w<>.]+)?')
_LIBRARIES: Final = "_csv|botocore|joblib|json|numpy|pandas|pyarrow|scipy|sklearn|zlib"
_NAME: Final = rf"(?:{_LIBRARIES})(?:\.\w+)+|[A-Za-z_]\w*(?:Error|Exception|Interrupt|Exit|Warning|Problem)"
_ERROR: Final = re.compile(rf"({_NAME})(?::\s.*)?")
_ENDS: Final = ("Traceback (most recent call last):", "Killed", "Segmentation fault", "Terminated")
_MESSAGE: Final = re.compile(r'ErrorMessage "(.*)"(?=\s+Command ")', re.DOTALL)
_LAST_MESSAGE: Final = re.compile(r'ErrorMessage "(.*)', re.DOTALL)

_SCRIPT_EXIT: Final = re.compile(r"Error:\s+ExitCode (-?\d+)\b")
_CONTAINER_EXIT: Final = re.compile(r"\bexit code: (\d+)\.?\s*$", re.IGNORECASE)

_CRASHES: Final = frozenset({4, 6, 8, 11})
"""Signals by which a process ends itself: ILL, ABRT, FPE, SEGV."""

_LARGER: Final = "choose a larger training.instance_type, or land fewer rows"
"""What to do where a job's instance is too small. Every job runs on this type."""

_FOUND: Final = " (found: "
"""What follows these words in a line of a step's log is what it found there: job.py writes them."""

OWN_CODE_FAILED: Final = "handsoff: the script failed: "
"""Begins the line in which handsoff_entry.py tells why own training code failed. The last line of a traceback
is the reason of a failure, whatever the script has written into it."""

WHOLE: Final = 1000
"""Characters of a reason that is not cut for certain. SageMaker cuts a job's reason at 1,024."""


def without_values(reason: str) -> str:
    """SageMaker's reason for a failure, without the script's own message, which it quotes: its type is left.

    The format is sagemaker-training's (`errors.py`): ExecuteUserScriptError, ExitCode, ErrorMessage, Command.
    The message may quote a Command itself: it ends before the last one. Of a reason that may be cut nothing
    is left behind the message.
    """
    found = (_MESSAGE.search(reason) if len(reason) <= WHOLE else None) or _LAST_MESSAGE.search(reason)
    if found is None:
        return reason
    return f'{reason[: found.start()]}ErrorMessage "{_types(found[1])}"{reason[found.end() :]}'


def with_signal(reason: str) -> str:
    """SageMaker's reason for the failure of a job; before it, what happened if a signal ended the script.

    The training toolkit gives the exit code of the script, which is negative for a signal (`subprocess`), or
    128 more than the signal behind a shell. Everything else gives that of the container, as a shell does.
    """
    number = _signal(reason)
    if number is None:
        return reason
    if number in _CRASHES:
        means = f"the script crashed (signal {number}): a library failed, or memory is exhausted; {_LARGER}"
    elif number == 9:
        means = f"the script was killed (signal 9): most often memory is exhausted, else the disk; {_LARGER}"
    else:
        means = f"the script was ended from outside (signal {number}): start it again, or {_LARGER}"
    return f"{means}. SageMaker says: {reason}"


def with_cause(reason: str | None, lines: Iterable[str]) -> str | None:
    """SageMaker's reason for the failure of a job; before it, why own code failed, if only the log tells.

    `lines` are the log's last lines.
    """
    causes = [line.strip() for line in lines if line.strip().startswith(OWN_CODE_FAILED)]
    cause = causes[-1].removeprefix(OWN_CODE_FAILED) if causes else None
    if reason is None or cause is None or cause in reason:
        return reason
    return f"{cause}. SageMaker says: {reason}"


def _signal(reason: str) -> int | None:
    """The signal that ended a script, from 1 to 64; None if none did."""
    found = (_SCRIPT_EXIT.search(reason), _CONTAINER_EXIT.search(reason))
    codes = [int(exited[1]) for exited in found if exited]
    signals = (-code if code < 0 else code - 128 for code in codes)
    return next((signal for signal in signals if 1 <= signal <= 64), None)


def tellable(lines: Iterable[str], reason: str | None) -> list[str]:
    """The lines of a job's log that may leave it, in their order. `reason` is SageMaker's, without values."""
    found = (_tellable(line, reason or "") for line in lines)
    return [line for line in found if line is not None]


def _tellable(line: str, reason: str) -> str | None:
    text = line.strip()
    if text.startswith(OWN_CODE_FAILED) or text in _ENDS or _PLACE.fullmatch(line):
        return line
    said = text.partition(_FOUND)[0]
    if said and said in reason:
        return line if said == text else said
    error = _ERROR.fullmatch(text)
    return error[1] if error else None


def _types(message: str) -> str:
    """The types of the errors whose messages these lines are."""
    return ", ".join(found[1] for line in message.splitlines() if (found := _ERROR.fullmatch(line.strip())))
