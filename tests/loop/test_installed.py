"""The wheel, installed into an empty environment: the whole loop from a folder outside the checkout.

The user has an empty folder first, then one with handsoff.yaml only, which other folders name by --config.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from uv import find_uv_bin

from local.images import installing
from tests import warm

pytestmark = pytest.mark.story

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, its program, a folder of the user's, and the variables of a shell."""

    environment: Path
    program: Path
    folder: Path
    variables: dict[str, str]

    @property
    def app(self) -> Path:
        (found,) = self.environment.glob("lib/python*/site-packages/handsoff/app")
        return found

    def __call__(
        self, *arguments: str, folder: Path | None = None, code: int = 0, aws: Mapping[str, str] | None = None
    ) -> str:
        """What `handsoff` says on standard output, with the variables `aws`."""
        done = subprocess.run(
            [self.program, *arguments],
            cwd=folder or self.folder,
            env={**self.variables, **(aws or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
        assert "Traceback" not in done.stderr
        return done.stdout

    def files(self) -> set[str]:
        """What lies in the environment, without byte-code."""
        found = {str(path) for path in self.environment.rglob("*") if path.is_file()}
        return {name for name in found if "__pycache__" not in name}


def exported(lines: str) -> dict[str, str]:
    """The variables that lines of a shell export."""
    found = [line.removeprefix("export ") for line in lines.splitlines() if line.startswith("export ")]
    return dict(line.split("=", 1) for line in found)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("installed")
    uv, environment = find_uv_bin(), place / "environment"
    build = ["build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([uv, *build, "--out-dir", place, ROOT], check=True)
    (wheel,) = place.glob("*.whl")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    # The versions of the lock are in uv's cache.
    lock = ROOT / "requirements" / "dev.txt"
    install = [
        "pip",
        "install",
        "--quiet",
        "--python",
        str(environment),
        "--constraint",
        str(lock),
        str(wheel),
    ]
    subprocess.run([uv, *install], check=True)
    for name in ("home", "bin", "mine"):
        (place / name).mkdir()
    if shutil.which("sam") is None:
        (place / "bin" / "sam").symlink_to(
            ROOT / ".venv-sam" / "bin" / "sam"
        )  # installing one takes a minute
    ours = installing.of_user(os.environ)
    variables = {
        **ours,
        "HOME": str(place / "home"),
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(installing.cache(ours).parent),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_COLOR": "1",
    }
    return Installed(environment, environment / "bin" / "handsoff", place / "mine", variables)


@pytest.fixture(scope="module")
def forked(installed: Installed) -> Iterator[Installed]:
    """The same environment. Its commands are forked from a process that has imported the wheel."""
    with warm.program("handsoff", installed.variables, installed.program) as program:
        yield replace(installed, program=program)


@pytest.fixture(scope="module")
def config(forked: Installed) -> Iterator[Path]:
    """A folder with nothing but handsoff.yaml, to which AWS on this machine belongs."""
    path = forked.folder / "handsoff.yaml"
    yield path
    forked("local", "down", folder=path.parent)


def test_version_is_that_of_the_wheel(installed: Installed) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert installed("--version") == f"handsoff {declared}\n"
    assert installed.app.is_relative_to(installed.environment)


def test_demo_shows_the_loop_in_an_empty_folder(installed: Installed) -> None:
    before = installed.files()
    said = installed("demo")
    assert "model package      Approved              handsoff-titanic/1" in said
    assert "all of it: .handsoff/evidence.json" in said
    report = installed.folder / ".handsoff" / "report.html"
    assert f"with pictures: {report.resolve().as_uri()}" in said
    assert report.read_text().startswith("<!doctype html>")
    assert [path.name for path in installed.folder.iterdir()] == [".handsoff"]
    assert installed.files() == before


def test_doctor_finds_the_programs(forked: Installed, config: Path) -> None:
    shutil.copyfile(ROOT / "handsoff.yaml", config)
    found = json.loads(forked("doctor", "--json", code=1, aws={"AWS_REGION": "eu-west-1"}))["findings"]
    outcomes = {item["what"]: item["outcome"] for item in found}
    assert {outcomes[name] for name in ("configuration", "SAM CLI", "uv", "make")} == {"ok"}
    assert outcomes["credentials"] == "error"


def test_landing_is_approved_in_a_folder_with_only_a_config(
    installed: Installed, forked: Installed, config: Path, tmp_path: Path
) -> None:
    """All commands are run elsewhere and name the file: state lies beside it."""
    before, named = installed.files(), ("--config", str(config))
    port = str(random.randrange(20_000, 32_000))  # below those that the system chooses
    installed(*named, "local", "up", "--detach", "--port", port, folder=tmp_path)
    assert (config.parent / ".handsoff" / "local").is_dir()
    aws = exported(forked(*named, "local", "env", folder=tmp_path))
    assert aws["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"

    data = [str(installed.app / "data" / "titanic" / name) for name in ("train.csv", "validation.csv")]
    forked(*named, "land", "titanic", *data, folder=tmp_path, aws=aws)
    forked(*named, "status", "--watch", folder=tmp_path, aws=aws)
    evidence = json.loads(forked(*named, "evidence", "--json", folder=tmp_path, aws=aws))
    assert evidence["modelApprovalStatus"] == "Approved"
    assert list(tmp_path.iterdir()) == []
    assert installed.files() == before


def test_publish_and_update_need_no_checkout(forked: Installed, config: Path) -> None:
    aws = exported(forked("local", "env"))
    assert "titanic: pipeline unchanged, rules and settings unchanged" in forked("publish", aws=aws)
    config.write_text(config.read_text().replace("min: 0.78", "min: 0.77"))
    forked("local", "update")
    assert "titanic: pipeline unchanged, rules and settings unchanged" in forked("publish", aws=aws)
    assert forked("render", aws=aws) == "handsoff-terraform/handsoff.auto.tfvars.json: written\n"
    names = {path.name for path in config.parent.iterdir()}
    assert names == {".handsoff", "handsoff-terraform", "handsoff.yaml"}


def test_down_leaves_nothing_running(forked: Installed, config: Path) -> None:
    forked("local", "down")
    time.sleep(0.1)
    assert not (config.parent / ".handsoff" / "local").exists()
