"""Lays out the folder that Terraform works in: a copy of handsoff's configuration, unless it is a checkout's.

The copy keeps what Terraform and the user put beside it: state, providers, overrides that name a backend.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from handsoff.project import Project
from retraining.errors import ConfigError

COPIED: Final = ("*.tf", "policies/*.json")
"""Patterns of the files that are copied. *override.tf is the user's own: it names the state's backend."""

LOCK: Final = ".terraform.lock.hcl"
"""Terraform's lock of its providers."""

LAID_OUT: Final = ".laid-out"
"""The file in a copy that lists what was copied, so that a later version removes what it no longer has."""

IGNORED: Final = f"*\n!.gitignore\n!{LOCK}\n!*override.tf\n"
"""The .gitignore of a copy: git keeps the lock of the providers and the user's own backend."""


def lay_out(project: Project, folder: Path) -> None:
    """Copy Terraform's configuration into `folder`, unless it is the one of the checkout.

    Raises ConfigError where there is no configuration.
    """
    source = project.app / "terraform"
    if not source.is_dir():
        raise ConfigError(f"{source} does not exist: handsoff is installed only in part. Install it again")
    if folder == source:
        return
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    found = {path for pattern in COPIED for path in source.glob(pattern) if not _is_override(path)}
    names = sorted(str(path.relative_to(source)) for path in found)
    for old in set(_laid_out(folder)) - set(names):
        (folder / old).unlink(missing_ok=True)
    for name in names:
        replace(folder / name, (source / name).read_bytes())
    replace(folder / LAID_OUT, "".join(f"{name}\n" for name in names).encode())
    if not (folder / ".gitignore").exists():
        replace(folder / ".gitignore", IGNORED.encode())
    lock = project.terraform / LOCK
    if folder != project.terraform and lock.exists():
        shutil.copyfile(lock, folder / LOCK)


def replace(path: Path, content: bytes) -> bool:
    """Write a file, whole or not at all, unless it has this content; whether it was written."""
    if path.exists() and path.read_bytes() == content:
        return False
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
    return True


def _is_override(path: Path) -> bool:
    return path.name.endswith("override.tf")


def _laid_out(folder: Path) -> list[str]:
    listed = folder / LAID_OUT
    return listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
