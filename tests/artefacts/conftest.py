"""What `sam build` makes of functions and layer, built by the same two Makefiles."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.template import TEMPLATE

ROOT = Path(__file__).parents[2]
PARAMETERS = TEMPLATE["Parameters"]
UV = Path(sys.executable).with_name("uv")
HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
MACHINE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


@dataclass(frozen=True)
class Built:
    """Both artefacts, and the Python that their byte-code is for."""

    code: Path
    layer: Path
    python: str

    @property
    def packages(self) -> Path:
        """Where the layer's packages are, which Lambda mounts at /opt/python."""
        return self.layer / "python"


def build(project: Path, to: Path, *, runtime: str, architecture: str) -> Built:
    """Build what lies in `project`. Skips the test where there is no Python of that runtime."""
    python = interpreter(runtime)
    for folder, target, name in (
        (project / "functions", "build-StartRetraining", "code"),
        (project / "layers" / "dependencies", "build-Dependencies", "layer"),
    ):
        (to / name).mkdir(parents=True)
        subprocess.run(
            ["make", "-s", "-C", str(folder), target, f"ARTIFACTS_DIR={to / name}"],
            env={
                **os.environ,
                "PATH": os.pathsep.join([str(UV.parent), os.environ["PATH"]]),
                "HANDSOFF_RUNTIME": runtime,
                "HANDSOFF_ARCHITECTURE": architecture,
            },
            check=True,
            timeout=120,
        )
    return Built(to / "code", to / "layer", python)


def interpreter(runtime: str) -> str:
    """The path of a Python of this runtime. Skips the test where there is none, but not in the gate."""
    version = runtime.removeprefix("python")
    found = subprocess.run(
        [str(UV), "python", "find", "--no-project", "--no-python-downloads", version],
        env={**os.environ, "PYENV_VERSION": version},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        assert "HANDSOFF_GATE" not in os.environ, found.stderr
        pytest.skip(f"there is no Python {version} here")
    return found.stdout.strip()


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Built]:
    """Builds for this machine's processor, each runtime once."""

    @cache
    def for_runtime(runtime: str) -> Built:
        return build(ROOT, tmp_path_factory.mktemp("built"), runtime=runtime, architecture=MACHINE)

    return for_runtime


@pytest.fixture(params=[HERE, PARAMETERS["Runtime"]["Default"]])
def built(request: pytest.FixtureRequest, builds: Callable[[str], Built]) -> Built:
    """Built for this machine's Python, and for the template's."""
    return builds(request.param)


@pytest.fixture
def without(builds: Callable[[str], Built], tmp_path: Path) -> Callable[[str], Built]:
    """Built for this machine's Python, with one package less in the layer."""

    def take_out(package: str) -> Built:
        whole, layer = builds(HERE), tmp_path / "layer"
        shutil.copytree(whole.layer, layer, copy_function=os.link)
        gone = layer / "python" / package
        shutil.rmtree(gone) if gone.is_dir() else gone.with_suffix(".py").unlink()
        return Built(whole.code, layer, whole.python)

    return take_out
