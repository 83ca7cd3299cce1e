"""Fixtures of the field cases: each notes what it gave, so that `python -m tests.field` can print it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.field.play import Played
from tests.pipeline_def.conftest import one_thread

__all__ = ["one_thread"]

Gives = Callable[[Played], Played]
"""Notes what a case gave, and returns it."""


@pytest.fixture
def gives(record_property: Callable[[str, object], None]) -> Gives:
    """Note what the case gave: the last one counts."""

    def note(played: Played) -> Played:
        record_property("gives", str(played))
        return played

    return note
