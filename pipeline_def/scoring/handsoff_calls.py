"""How a function of the model's code is called, and what is told of an error in it. Python 3.8."""

from __future__ import annotations

import inspect
import os
import re
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from handsoff_defaults import NoDefault
from handsoff_rows import NoNumber
from handsoff_words import Words, print_traceback

SHOWN = 60
"""Characters of an error of the model's code that a reason shows where it may quote a cell."""

IMAGES_OWN = "the image's own"
"""Begins the name of a function that the model's code does not have."""

CALLS = re.compile(r"\n\s*(?:C\+\+ )?Stack ?trace:|\n\s*Exception raised from |\n\s*frame #0:", re.IGNORECASE)
"""Begins the C++ calls within a message."""


class OwnCode(Exception):
    """The model's code failed. The message is one line: the function, and the last line of the traceback."""


class Telling(NamedTuple):
    """What of an error is told: all of its message, `shown` characters of it, or what the code itself says.

    `quote` is about the reason, `show` about the log; `words` are those of the model's code.
    """

    quote: bool
    show: bool
    words: Words
    shown: int | None = None

    @classmethod
    def of(cls, task: dict[str, Any]) -> Telling:
        return cls(task["quote"], task["show"], Words(os.path.join(task["model"], "code")))

    def reason(self, error: BaseException) -> str:
        """The type of the error, as much of its message as is told, and the place where that is not all.

        The place is where in the model's code the error was raised.
        """
        if self.quote and self.shown is None:
            return last_line(error)
        places = [
            f" ({os.path.basename(frame.filename)}, line {frame.lineno})"
            for frame in traceback.extract_tb(error.__traceback__)
            if f"{os.sep}model{os.sep}code{os.sep}" in frame.filename
        ]
        place = places[-1] if places else ""
        if self.quote:
            message = cut(" ".join(str(error).split()), self.shown)
            return type(error).__name__ + (f": {message}" if message else "") + place
        return self.words.said(*last_line(error).partition(": ")[::2], place)

    def exit(self, code: object) -> str:
        """The argument of sys.exit."""
        text = repr(code)
        told = self.quote or code is None or isinstance(code, int) or self.words.may_tell(str(code))
        return cut(text, self.shown) if told else "…"


def called(
    what: str, function: Callable[..., Any], *given: Any, context: Any = None, telling: Telling
) -> Any:
    """What the function returns. Raises OwnCode for everything that it raises, and for sys.exit."""
    if context is not None and takes(function) == len(given) + 1:
        given = (*given, context)
    try:
        return function(*given)
    except (NoDefault, NoNumber):
        raise
    except SystemExit as error:
        print_traceback(error, telling.words, show=telling.show)
        raise OwnCode(
            f"{what} called sys.exit({telling.exit(error.code)}); it must return its result"
        ) from None
    except BaseException as error:  # the model's code may raise anything
        print_traceback(error, telling.words, show=telling.show)
        raise OwnCode(f"{what} failed: {telling.reason(error)}{advice(what, error)}") from None


def cut(text: str, shown: int | None) -> str:
    """As much of the text as a reason shows."""
    return text if shown is None or len(text) <= shown else text[:shown] + "…"


def advice(what: str, error: BaseException) -> str:
    """What to do about the error of the function `what`, where that is not in its message."""
    if what.startswith(IMAGES_OWN):
        return f"; write {what.split()[-1]} in the entry point if these rows need another one"
    if isinstance(error, AttributeError) and "Can't get attribute" in str(error) and "__main__" in str(error):
        return (
            "; the pickle needs a class or function that the training script itself defines: move it to a "
            "module of training.source_dir that both scripts import, and train again"
        )
    return ""


def takes(function: Callable[..., Any]) -> int:
    """How many arguments the function takes."""
    try:
        return len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return 0


def last_line(error: BaseException) -> str:
    """The last line of the error's traceback, with the lines of its message joined.

    The C++ calls that libraries such as XGBoost and PyTorch append to a message are left out.
    """
    parts = traceback.format_exception_only(type(error), error)
    message = next(part for part in parts if not part.startswith(" "))
    return " ".join(CALLS.split(message)[0].split())
