"""What a check found."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One thing that was found about a model: `stage` is what was looked at, `text` one sentence."""

    stage: str
    outcome: Literal["ok", "fails", "note"]
    text: str


def fine(stage: str, text: str) -> Finding:
    """Something is as it must be."""
    return Finding(stage, "ok", text)


def fails(stage: str, text: str) -> Finding:
    """An execution would fail, or would not start."""
    return Finding(stage, "fails", text)


def note(stage: str, text: str) -> Finding:
    """Something to know that makes nothing fail."""
    return Finding(stage, "note", text)
