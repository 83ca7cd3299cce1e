"""How a step of a command is shown."""

from __future__ import annotations

import io
import re
import time

import pytest
from rich.console import Console

from handsoff.showing.console import step


def test_step_outside_a_terminal_is_printed_once() -> None:
    console = Console(file=io.StringIO())
    with step(console, "Terraform plans"):
        pass
    assert re.fullmatch(r"✓ Terraform plans \d+\.\d s\n", console.file.getvalue())  # type: ignore[attr-defined]


def test_step_that_takes_long_outside_a_terminal_says_that_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handsoff.showing.console.PATIENCE", 0.001)
    console = Console(file=io.StringIO())
    with step(console, "Terraform plans"):
        for _ in range(1000):
            if said := console.file.getvalue():  # type: ignore[attr-defined]
                break
            time.sleep(0.005)
    assert said == "Terraform plans …\n"
    assert re.fullmatch(r"✓ Terraform plans \d+\.\d s\n", console.file.getvalue()[len(said) :])  # type: ignore[attr-defined]


def test_step_that_fails_outside_a_terminal_is_printed_once() -> None:
    console = Console(file=io.StringIO())
    with pytest.raises(OSError, match="disk"), step(console, "Terraform plans"):
        raise OSError("disk")
    assert console.file.getvalue() == "✗ Terraform plans\n"  # type: ignore[attr-defined]
