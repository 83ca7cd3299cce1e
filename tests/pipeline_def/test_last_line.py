"""The reason that is told of an error in a model's code."""

from __future__ import annotations

import pytest

from handsoff_calls import last_line


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("[1] a.cc:7: no model.\nStack trace:\n  [bt] (0) libx.so", "OSError: [1] a.cc:7: no model."),
        ("two\nlines", "OSError: two lines"),
        (
            "no file\nException raised from f at a.cpp:1 (most recent call first):\nframe #0: c10",
            "OSError: no file",
        ),
    ],
)
def test_last_line_leaves_a_librarys_calls_out(message: str, expected: str) -> None:
    assert last_line(OSError(message)) == expected
