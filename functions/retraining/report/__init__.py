"""The report of an execution: its evidence and its pictures on one page."""

from __future__ import annotations

from retraining.evidence import Sources, Written


def write(sources: Sources, model: str, written: Written) -> None:
    """Write the report of this evidence beside it."""
