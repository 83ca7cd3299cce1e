"""Environments of Python with the packages of an image, or of another lock, made by uv once per machine.

    CACHE/images/<hash>/            an environment; <hash> is of its locked packages and of this Python
    CACHE/images/<hash>/complete    written when it is complete: one without it is made again
    CACHE/images/<hash>/kept/       code that jobs have compiled, by the hash of its source
    CACHE/images/<hash>.lock        locked while one process makes it

CACHE is $XDG_CACHE_HOME/handsoff, else ~/.cache/handsoff. It may be deleted while nothing uses it.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from local.errors import NoEnvironment
from local.images import installing, layers
from local.images.table import Image

log = logging.getLogger(__name__)

COMPLETE: Final = "complete"
"""The file in an environment that marks it as complete."""

KEPT: Final = "kept"
"""The folder in an environment in which jobs keep the code that they have compiled."""

_NEVER_IMPORTED: Final = "site-packages/.*/tests?/"
"""Finds the files of packages that no job imports: their own tests, half of all code."""

_OWN_VERSION: Final = "{}.{}".format(*sys.version_info)
"""The version of this Python, such as 3.12."""

Say = Callable[[str], None]
"""Is told in one line what is being made, because it takes a while."""


@dataclass(frozen=True)
class Environments:
    """The environments of a user. `variables` are what pip and uv need of his (installing.of_user)."""

    variables: Mapping[str, str] = field(default_factory=lambda: installing.of_user(os.environ), repr=False)

    def environment(self, image: Image, say: Say = log.info) -> Path:
        """The folder of `image`'s environment, which is made first if there is none.

        Any number of processes may ask at the same time. Raises NoEnvironment.
        """
        what = (
            f"making an environment with the packages of {image.name}, once on this machine: "
            "that takes a minute where they must be downloaded"
        )
        folder = self.made("images", image.lock, lambda: say(what), python=image.python)
        if image.modules:
            _bring(image.modules, layers.packages_of(folder, folder))
        return folder

    def made(self, kind: str, lock: Path, begin: Callable[[], None], *, python: str = _OWN_VERSION) -> Path:
        """The folder of an environment with the packages of a locked requirement file, made if there is none.

        `kind` is its place in the cache, `python` the version of Python that it should have. `begin` is
        called before it is made. Any number of processes may ask at the same time. Raises NoEnvironment.
        """
        folder = self._folder(kind, lock)
        if not _is_complete(folder):
            with locked(folder.with_suffix(".lock")):
                if not _is_complete(folder):
                    begin()
                    self._make(lock, folder, python)
        return folder

    def has(self, image: Image) -> bool:
        """Whether this machine has the environment of this image."""
        return _is_complete(self._folder("images", image.lock))

    def _folder(self, kind: str, lock: Path) -> Path:
        parts = (lock.read_text(), sys.version, os.path.realpath(sys.executable), platform.machine())
        name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
        return installing.cache(self.variables) / kind / name

    def _make(self, lock: Path, folder: Path, version: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # a process that was killed has left it
        self._uv("venv", "--quiet", "--no-project", "--python", self._base(version), str(folder))
        python = str(folder / "bin" / "python")
        self._uv("pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock))
        _compile(python, folder / "lib")
        (folder / COMPLETE).write_text(f"{lock.name}\n")

    def _base(self, version: str) -> str:
        """The Python to make it with: one of this version if this machine has it, else this one."""
        if version != _OWN_VERSION:
            with contextlib.suppress(NoEnvironment):
                return self._uv(
                    *("python", "find", "--no-project", "--system", "--no-python-downloads", version)
                ).strip()
        return sys.executable

    def _uv(self, *arguments: str) -> str:
        """The output of uv. Raises NoEnvironment."""
        done = subprocess.run(
            [find_uv_bin(), *arguments],
            cwd="/",
            env={"PATH": os.defpath, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NoEnvironment(
                f"no environment for the image's packages: `uv {' '.join(arguments)}` failed. "
                f"It said: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout


def _compile(python: str, packages: Path) -> None:
    """Write the byte-code of the packages, since jobs write none. A file that is no Python stays without."""
    subprocess.run(
        [python, "-I", "-m", "compileall", "-q", "-j", "0", "-x", _NEVER_IMPORTED, str(packages)],
        cwd="/",
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` in the block: wait for other processes and threads that hold it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_complete(folder: Path) -> bool:
    """Whether the environment is whole, and the Python that it was made with still exists."""
    return (folder / COMPLETE).exists() and (folder / "bin" / "python").exists()


def _bring(modules: Path, packages: Path) -> None:
    """Copy the Python files below `modules` to the folder `packages`, each as a whole, where they differ."""
    for source in modules.rglob("*.py"):
        target = packages / source.relative_to(modules)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("wb", dir=target.parent, delete=False) as draft:
                draft.write(source.read_bytes())
            Path(draft.name).replace(target)


def version(folder: Path) -> str:
    """The version of the Python of an environment, such as 3.12.1."""
    lines = (folder / "pyvenv.cfg").read_text().splitlines()
    return next(line.partition("=")[2].strip() for line in lines if line.startswith("version"))
