"""An environment on top of others: it sees their packages. What is installed into it changes none of them.

So a job may call pip as in its container, and what it installs goes with it.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PROGRAM: Final = re.compile(r"(python|pip)[\d.]*")
"""Names of programs that a layer has its own of: those below it would change what lies below it."""

_PIP: Final = """#!/bin/sh
exec "$(dirname "$0")/python" -m pip "$@"
"""
"""pip as a program. It names no path, since a script's first line may be too short for one."""


def make(folder: Path, below: Sequence[Path], pip_settings: str = "") -> Path:
    """Make an environment in `folder` on top of those in the folders `below`, the nearest first; its Python.

    The last of `below` is a whole environment, which has pip. `pip_settings` is a pip.conf.
    """
    base = below[-1]
    packages = packages_of(folder, base)
    packages.mkdir(parents=True)
    shutil.copy(base / "pyvenv.cfg", folder)
    programs = folder / "bin"
    programs.mkdir()
    for found in (base / "bin").iterdir():
        if _PROGRAM.fullmatch(found.name):
            if found.name.startswith("python"):
                (programs / found.name).symlink_to(found.resolve())
            else:
                (programs / found.name).write_text(_PIP)
                (programs / found.name).chmod(0o755)
    seen = [str(packages_of(one, base)) for one in below]
    (packages / "below.pth").write_text("".join(f"{path}\n" for path in seen))
    (folder / "pip.conf").write_text(pip_settings)
    return programs / "python"


def packages_of(folder: Path, base: Path) -> Path:
    """The folder of the packages of an environment in `folder` whose Python is that of `base`."""
    (found,) = (base / "lib").glob("python*/site-packages")
    return folder / found.relative_to(base)


def remake(folder: Path, below: Sequence[Path], pip_settings: str = "") -> Path:
    """Make the environment in `folder` anew, on top of others. Returns its Python."""
    shutil.rmtree(folder)
    return make(folder, below, pip_settings)
