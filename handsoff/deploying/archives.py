"""Packs what the SAM CLI has built, so that it does not pack it again for each deployment and each plan."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "archives"
"""The folder in a build that has the archives."""

PLACES: Final = ("CodeUri", "ContentUri")
"""The properties of functions and layers that name a folder of the build."""

READABLE: Final = 0o444
"""What Lambda needs of each file's mode: its user is another."""


def with_archives(template: dict[str, Any], build: Path) -> dict[str, Any]:
    """The built template, with an archive below `build` in place of each folder that it names."""
    resources = {}
    for name, resource in template.get("Resources", {}).items():
        properties = dict(resource.get("Properties", {}))
        for place in PLACES:
            folder = properties.get(place)
            if isinstance(folder, str) and (build / folder).is_dir():
                properties[place] = str(pack(build / folder, build / FOLDER).relative_to(build))
        resources[name] = {**resource, "Properties": properties} if properties else resource
    return {**template, "Resources": resources}


def pack(folder: Path, archives: Path) -> Path:
    """The archive of `folder`, made below `archives` unless one of the same content is there.

    The same content gives the same bytes: files are sorted and have no date.
    """
    files = sorted((str(path.relative_to(folder)), path) for path in folder.rglob("*") if path.is_file())
    target = archives / f"{_digest(files)}.zip"
    if not target.exists():
        archives.mkdir(exist_ok=True)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in files:
                entry = zipfile.ZipInfo(name)  # of 1980
                entry.create_system = 3  # Unix: external_attr has a mode
                entry.external_attr = (path.stat().st_mode | READABLE) << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return target


def _digest(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 of the files' names, modes and bytes."""
    found = hashlib.sha256()
    for name, path in files:
        mode = stat.S_IMODE(path.stat().st_mode)
        found.update(repr((name, mode, hashlib.sha256(path.read_bytes()).hexdigest())).encode())
    return found.hexdigest()
