"""Evidence compared with its published JSON Schema, and each version of a copy with the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "reference" / "evidence.schema.json").read_text("utf-8")
)

VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)


def misfits(evidence: Any) -> list[str]:
    """What the JSON Schema says against evidence: place and reason; empty where it fits."""
    return [
        f"{'.'.join(map(str, error.instance_path))}: {error.message}"
        for error in VALIDATOR.iter_errors(evidence)
    ]


def lost(bodies: Iterable[bytes]) -> Iterator[str]:
    """Facts that a version of one copy has and a later one has not; `bodies` are the versions in order."""
    known: list[Any] = []
    for body in bodies:
        facts = json.loads(body)["facts"]
        yield from (f"lost: {fact}" for fact in known if fact not in facts)
        times = [fact["at"] for fact in facts]
        if times != sorted(times):
            yield f"not in order of time: {times}"
        known = facts
