"""The commands: each parses its arguments, calls one thing and prints the answer."""

from __future__ import annotations

from typing import Final

MARKUP: Final = "markdown"
"""How the help of commands is written: paragraphs flow to the terminal's width."""
