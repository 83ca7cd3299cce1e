"""Environments with a job's requirements on top of its image's, kept for later jobs that ask for the same.

    CACHE/requirements/<hash>/    an environment; <hash> is of the requirements and of the image's environment

It has the marks of images/environments.py. What names files, such as `-r more.txt`, is not kept: only what it
says would be known, not what lies there.
"""

import hashlib
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.images import layers
from local.images.environments import COMPLETE

_PLAIN: Final = re.compile(r"(?:[A-Za-z0-9][^/]*|--hash=\S+)(?<!\.whl|\.zip|\.tgz)(?<!\.tar\.gz)")
"""A line that names a package of an index, or the hash of one."""


@dataclass(frozen=True)
class Kept:
    """The environment of some requirements, in `folder`, on top of the image's in `base`."""

    folder: Path
    base: Path

    @property
    def lock(self) -> Path:
        """The file that is locked by who makes it or looks whether it is complete."""
        return self.folder.with_suffix(".lock")

    @property
    def since(self) -> str | None:
        """The day it was made, None if it is not complete."""
        mark = self.folder / COMPLETE
        return time.strftime("%Y-%m-%d", time.localtime(mark.stat().st_mtime)) if mark.exists() else None

    def make(self, pip_settings: str, install: Callable[[Path], bool]) -> bool:
        """Make it anew: `install` runs pip with the Python that it is given. Whether that succeeded."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if not install(layers.make(self.folder, [self.base], pip_settings)):
            shutil.rmtree(self.folder)
            return False
        (self.folder / COMPLETE).touch()
        return True


def kept(cache: Path, base: Path, text: str) -> Kept | None:
    """Where the environment of the requirements `text` is kept, None if they name more than packages.

    `cache` is the folder of installing.cache, `base` the image's environment.
    """
    lines = [line.split(" #")[0].strip().rstrip("\\").strip() for line in text.splitlines()]
    asked = [line for line in lines if line and not line.startswith("#")]
    if not all(_PLAIN.fullmatch(line) for line in asked):
        return None
    name = hashlib.sha256("\n".join([base.name, *asked]).encode()).hexdigest()[:16]
    return Kept(cache / "requirements" / name, base)
