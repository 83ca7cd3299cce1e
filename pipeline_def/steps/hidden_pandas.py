"""Keeps pyarrow from importing pandas in DataPreProcessing, which needs none.

pyarrow imports pandas by itself when it makes the first array or scalar, to know pandas' values if it meets
one. That takes a quarter of a second. While pandas is hidden, an import of it fails as if it were not
installed, and pyarrow goes on without. The step hides it only around its own function: no code of a user
runs there, and none of another package that needs pandas.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Final


class _Hidden(MetaPathFinder):
    """Finds no pandas, but in threads that are in `shown`."""

    def find_spec(self, fullname: str, *_: object) -> None:
        """Raises ModuleNotFoundError for pandas. None leaves other modules to Python."""
        if fullname == "pandas" and not getattr(_here, "shown", False):
            raise ModuleNotFoundError("pandas is hidden here; import it in shown()", name=fullname)


_here: Final = threading.local()


@contextmanager
def hidden() -> Iterator[None]:
    """Hide pandas in all threads. One that is imported already stays, for those who import it, too."""
    finder = _Hidden()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def shown() -> Iterator[None]:
    """Let this thread import pandas even where it is hidden."""
    before, _here.shown = getattr(_here, "shown", False), True
    try:
        yield
    finally:
        _here.shown = before
