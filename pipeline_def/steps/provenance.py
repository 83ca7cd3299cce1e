"""What was evaluated and with what: the digest of the model's artifact, and the versions of packages."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from job import Json

PACKAGES: Final = ("boto3", "joblib", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
"""The distributions whose versions are recorded: all that the steps import."""


def of_artifact(path: Path) -> Json:
    """What evaluation.json says of a model that this job has loaded, whose model.tar.gz is at `path`."""
    return {"artifact": digest(path), "packages": packages()}


def of_scoring(scoring: Mapping[str, Any]) -> Json:
    """The same of a model that score.py has asked in its own image: from its scoring.json.

    That of an earlier version has no digest.
    """
    known = {"python": scoring["python"]} if scoring.get("python") else {}
    return {"artifact": scoring.get("artifact"), "packages": {**known, **scoring.get("packages", {})}}


def digest(path: Path) -> Json:
    """The SHA-256 of a file in hexadecimal, and its size in bytes."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def packages() -> dict[str, str]:
    """The versions of Python and of the PACKAGES that are installed here."""
    return {"python": platform.python_version(), **_installed()}


@cache  # each version parses the metadata of its distribution, which does not change while a job runs
def _installed() -> Mapping[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
