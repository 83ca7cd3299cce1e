"""How a step of a command is shown."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from handsoff.showing.console import step


def test_step_outside_a_terminal_is_printed_once() -> None:
    console = Console(file=io.StringIO())
    with step(console, "Terraform plans"):
        pass
    assert re.fullmatch(r"✓ Terraform plans \d+\.\d s\n", console.file.getvalue())  # type: ignore[attr-defined]


def test_step_that_fails_outside_a_terminal_is_printed_once() -> None:
    console = Console(file=io.StringIO())
    with pytest.raises(OSError, match="disk"), step(console, "Terraform plans"):
        raise OSError("disk")
    assert console.file.getvalue() == "✗ Terraform plans\n"  # type: ignore[attr-defined]
