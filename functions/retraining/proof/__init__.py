"""The proof of an execution's evidence."""

from __future__ import annotations

from retraining.evidence import Sources, Written


def record(sources: Sources, model: str, written: Written) -> None:
    """Record that this evidence was written. Whoever wrote it repeats the call if this raises."""
