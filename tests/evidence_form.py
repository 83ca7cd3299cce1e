"""Evidence compared with its published JSON Schema, and each version of a copy with the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "reference" / "evidence.schema.json").read_text("utf-8")
)

_FITTING: set[tuple[str, str]] = set()
"""What was found to fit: a part of SCHEMA, and what is at its place, as JSON. Copies share most of theirs."""


def _ref(validator: Any, ref: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Follow a reference into SCHEMA, but not again with what was found to fit there."""
    seen = (ref, json.dumps(instance))
    if seen not in _FITTING:
        errors = list(Draft202012Validator.VALIDATORS["$ref"](validator, ref, instance, schema))
        yield from errors
        if not errors:
            _FITTING.add(seen)


VALIDATOR = extend(Draft202012Validator, {"$ref": _ref})(SCHEMA)


def misfits(evidence: Any) -> list[str]:
    """What the JSON Schema says against evidence: place and reason; empty where it fits."""
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _ref(VALIDATOR, "#", evidence, SCHEMA)
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
