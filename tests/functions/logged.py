"""What the functions log in a test, as CloudWatch Logs gets it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest

from retraining.aws.observability import JOINED, logger


class Logged:
    """The lines that the functions have logged."""

    def __init__(self) -> None:
        self._written = io.StringIO()

    @classmethod
    @contextmanager
    def collected(cls) -> Iterator[Self]:
        """Collect the lines until the block ends.

        The first line has no keys of an earlier test that called a function without its handler's scope.
        """
        found = cls()
        logger.remove_keys(JOINED)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(logger.registered_handler, "stream", found._written)
            yield found

    def lines(self) -> list[dict[str, Any]]:
        """The lines so far, oldest first."""
        return [json.loads(line) for line in self._written.getvalue().splitlines()]
