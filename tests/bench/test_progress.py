"""`make bench`: what it shows while a program runs."""

from __future__ import annotations

import io
import os
import re
import time
from pathlib import Path

import pytest

from bench import progress


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_doing_leaves_its_line_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "step"))
    progress.doing("ours, run 1 of 3")
    progress.doing("ours, run 2 of 3")
    assert (tmp_path / "step").read_text() == "ours, run 2 of 3"


def test_doing_without_the_variable_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    progress.doing("ours, run 1 of 3")


def test_status_has_title_seconds_and_step(tmp_path: Path) -> None:
    step = tmp_path / "step"
    assert progress.status("[2/18] train", step, 0.4) == "[2/18] train  0 s  starts"
    step.write_text("ours, run 2 of 3")
    assert progress.status("[2/18] train", step, 75.2) == "[2/18] train  75 s  ours, run 2 of 3"


def test_shown_is_one_line_where_no_terminal_is(tmp_path: Path) -> None:
    stream = io.StringIO()
    with progress.shown("[2/18] train", tmp_path / "step", stream):
        assert stream.getvalue() == "[2/18] train\n"
    assert stream.getvalue() == "[2/18] train\n"


def test_shown_on_a_terminal_follows_the_step_and_clears_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0.01)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    stream, step = Terminal(), tmp_path / "step"
    deadline = time.monotonic() + 10
    with progress.shown("[2/18] train", step, stream):
        step.write_text("fit, run 1 of 3")
        while "fit, run 1 of 3" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert re.search(r"\r\x1b\[K\[2/18\] train  \d+ s  fit, run 1 of 3", stream.getvalue())
    assert stream.getvalue().endswith("\r\x1b[K[2/18] train\n")
