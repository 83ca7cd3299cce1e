"""Configurations for the tests of handsoff.yaml."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from tests.functions.fakes import ROOT

VALID: dict[str, Any] = yaml.safe_load((ROOT / "handsoff.yaml").read_text())


PENGUINS: dict[str, Any] = {
    "task": "multiclass_classification",
    "target": "species",
    "classes": ["Adelie", "Chinstrap", "Gentoo"],
    "features": {"numeric": ["mass"], "boolean": ["tagged"]},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The project's own handsoff.yaml with one key changed; `...` deletes it."""
    values = copy.deepcopy(VALID)
    *parents, last = path.split(".")
    at = values
    for parent in parents:
        at = at.setdefault(parent, {})
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return values
