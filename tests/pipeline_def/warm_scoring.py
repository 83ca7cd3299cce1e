"""Imported by the process that tests fork score.py from (own_code.score): keeps packages ready for it.

Importing scikit-learn and pandas takes most of the processor time of a small scoring. They are imported here
and put aside; a forked script that imports one gets it back, and sees no other. Modules of the standard
library that they import stay imported. handsoff_serving.py, which score.py starts, is forked, too.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

forking: Final[Any] = sys.modules["__main__"]
"""local/forked/forking.py, which imports this module before it forks anything."""

PACKAGES: Final = {
    "numpy": ("numpy",),
    "joblib": ("joblib", "numpy"),
    "scipy": ("scipy.stats", "numpy"),
    "pandas": ("pandas", "numpy", "scipy"),
    "sklearn": ("sklearn.linear_model", "sklearn.pipeline", "numpy", "joblib", "scipy", "pandas"),
}
"""What is put aside, in this order: of each package what is imported, and the packages that it imports."""


class PutAside:
    """Finds a package that is put aside, and brings back all that was imported with it."""

    def __init__(self) -> None:
        self.modules: dict[str, dict[str, ModuleType]] = {}
        for package, names in PACKAGES.items():
            before = set(sys.modules)
            for name in names:
                importlib.import_module(name)
            new = [name for name in sys.modules.keys() - before if _is_installed(_top(name))]
            self.modules[package] = {name: sys.modules[name] for name in new}
        first = reversed(
            self.modules.items()
        )  # where two packages brought a module in, the earlier one counts
        self.came_with = {_top(name): package for package, new in first for name in new}
        for modules in self.modules.values():
            for name in modules:
                del sys.modules[name]

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        """The finder of Python's imports. What it brings back is imported as it is."""
        del path, target
        if name not in self.came_with:
            return None
        self._bring_back(self.came_with.pop(name))
        module = sys.modules.pop(name)  # Python would read it again where it finds it itself
        return importlib.util.spec_from_loader(name, AsItIs(module))

    def _bring_back(self, package: str) -> None:
        for name, module in self.modules.pop(package, {}).items():
            sys.modules.setdefault(name, module)
        for name in map(_top, PACKAGES[package]):
            if name in self.modules:
                self._bring_back(name)


def _is_installed(top: str) -> bool:
    return top not in sys.stdlib_module_names and not top.startswith("__")


def _top(name: str) -> str:
    return name.partition(".")[0]


class AsItIs(Loader):
    """Loads a module that is imported already."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself."""
        del spec
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own specification back."""
        module.__spec__ = self.spec
        module.__loader__ = self.spec.loader if self.spec else None
        if module.__name__ == "numpy":
            module.random.seed()  # otherwise all scripts would draw the same numbers


class ForkingPopen(subprocess.Popen[Any]):
    """Popen that forks handsoff_serving.py from this process. It starts all else as ever."""

    def _execute_child(self, args: Any, *rest: Any) -> None:
        if not (isinstance(args, list) and os.path.basename(args[-2:][0]) == "handsoff_serving.py"):
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        new_session = rest[20]
        if args[0] != sys.executable or not new_session:  # a fork always leads its session
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        folder, variables = rest[4:6]
        theirs = rest[9], rest[12], rest[14]
        self.pid = os.fork()
        if self.pid == 0:
            streams = [os.dup(number if stream == -1 else stream) for number, stream in enumerate(theirs)]
            _become_serving(args[1:], variables, str(folder), streams)
        self._child_created = True
        self._closed_child_pipe_fds = True
        for stream in {*theirs, getattr(self, "_devnull", -1)} - {-1}:
            os.close(stream)


def _become_serving(arguments: list[str], variables: dict[str, str], folder: str, streams: list[int]) -> None:
    """Turn this fork of score.py into the script; it does not return."""
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    atexit._clear()  # score.py removes its own folders
    for name in [name for name in sys.modules if name.startswith("handsoff_")]:
        del sys.modules[name]
    message = {"arguments": arguments, "variables": dict(variables), "folder": folder}
    forking._become({**message, "layer": None, "kept": None}, streams)
    os.closerange(3, 256)
    forking._run(arguments[0])


sys.meta_path.insert(0, PutAside())
subprocess.Popen = ForkingPopen  # type: ignore[misc]
