"""What an installed wheel needs and has: the dependencies in pyproject.toml, and the wheel's files."""

from __future__ import annotations

import ast
import functools
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

OURS = {"handsoff", "local", "pipeline_def", "retraining"}
"""The packages of the wheel."""

OF_OTHERS = {
    "botocore": "boto3",
    "markupsafe": "jinja2",
    "packageurl-python": "cyclonedx-python-lib",
    "pydantic-core": "pydantic",
}
"""Distributions that are imported and come with a declared one, which pins them."""

NOT_IMPORTED = {"drawsvg", "httptools", "uv"}
"""Declared distributions that are used as programs, by uvicorn, or by step scripts, which get its files."""

IN_IMAGES = (
    "handsoff/operating/answer.py",
    "handsoff/operating/rows.py",
    "local/images/xgboost",
    "pipeline_def/offline",
    "pipeline_def/own_code",
    "pipeline_def/scoring",
    "pipeline_def/steps",
)
"""Scripts that run in SageMaker's images, or in environments of these, with their packages."""


STRAY = (
    "functions/.env",
    "functions/retraining/notes.tmp",
    "terraform/terraform.tfvars",
    "pipeline_def/notes.tmp",
    "handsoff/mine.py",
    "data/titanic/mine.csv",
)
"""Files that nobody has added to git."""


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in project["dependencies"]]


def locked() -> list[Requirement]:
    """Each package of dev.txt with its exact version."""
    lines = (ROOT / "requirements" / "dev.txt").read_text().splitlines()
    return [
        Requirement(line.rstrip(" \\")) for line in lines if "==" in line and not line.startswith((" ", "#"))
    ]


@pytest.mark.parametrize("wanted", declared(), ids=lambda wanted: wanted.name)
def test_checkout_has_a_version_that_the_wheel_accepts(wanted: Requirement) -> None:
    name = canonicalize_name(wanted.name)
    found = [one for one in locked() if canonicalize_name(one.name) == name]
    assert found
    for one in found:
        (pin,) = one.specifier
        assert wanted.specifier.contains(pin.version)


def test_each_dependency_has_a_lowest_and_an_excluded_version() -> None:
    """A version that is a date, such as 2026.11, says nothing of what changed: it has no highest one."""
    for wanted in declared():
        operators = {specifier.operator for specifier in wanted.specifier}
        assert operators == {"=="} or ">=" in operators
        if wanted.name not in ("regex", "packaging"):
            assert operators & {"<", "=="}, wanted


def test_what_runs_in_lambda_is_declared() -> None:
    lines = (ROOT / "layers" / "dependencies" / "requirements.in").read_text().splitlines()
    wanted = {
        canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")
    }
    assert wanted <= {canonicalize_name(one.name) for one in declared()}


def imports(module: ast.AST) -> Iterator[str]:
    """The top-level names that a module imports when it runs, so not those for type checkers."""
    for node in ast.iter_child_nodes(module):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
        yield from imports(node)


@functools.cache
def imported() -> set[str]:
    """The distributions whose modules the wheel's packages import, with normalized names."""
    folders = [ROOT / name for name in ("handsoff", "local", "pipeline_def", "functions")]
    in_images = [ROOT / name for name in IN_IMAGES]
    names = {
        name
        for folder in folders
        for path in folder.rglob("*.py")
        if not any(path.is_relative_to(place) for place in in_images)
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
    }
    known = packages_distributions()
    outside = names - OURS - set(sys.stdlib_module_names)
    return {canonicalize_name(known[name][0]) for name in outside}


@pytest.mark.slow
def test_each_import_is_of_a_declared_dependency() -> None:
    names = {canonicalize_name(one.name) for one in declared()}
    assert set(OF_OTHERS.values()) <= names
    assert {OF_OTHERS.get(name, name) for name in imported()} - names == set()


def test_each_declared_dependency_is_used() -> None:
    names = {canonicalize_name(one.name) for one in declared()}
    assert names - imported() - NOT_IMPORTED == set()


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel of a checkout that also holds files that git does not track."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in tracked("."):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, checkout / name)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=checkout, check=True)
    for name in STRAY:
        (checkout / name).write_text("secret")
    (checkout / ".venv").symlink_to(Path(sys.prefix))
    made = {**os.environ, "UV_OFFLINE": "1"}
    subprocess.run(["make", "--assume-old=setup", "wheel"], cwd=checkout, env=made, check=True, timeout=120)
    (wheel,) = (checkout / "dist").glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def tracked(*places: str) -> set[str]:
    """The files of the repository below some places, without those that git ignores."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *places],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


@pytest.mark.slow
def test_wheel_has_nothing_that_git_does_not_track(names: set[str]) -> None:
    """Such as secrets and notes beside the code."""
    assert {name for name in names if Path(name).name in {Path(stray).name for stray in STRAY}} == set()


@pytest.mark.slow
def test_wheel_has_all_that_is_deployed(names: set[str]) -> None:
    single = ("template.yaml", "samconfig.toml", "handsoff.yaml", "requirements/sam.txt", "docs/glossary.md")
    docs = ("docs/how-to", "docs/reference", "docs/explanation")
    folders = ("functions", "layers", "pipeline_def", "terraform", "events", "data/titanic")
    wanted = {f"handsoff/app/{name}" for name in tracked(*single, *folders, *docs, ":!terraform/tests")}
    assert {name for name in names if name.startswith("handsoff/app/")} == wanted


@pytest.mark.slow
def test_wheel_has_the_packages_with_their_data(names: set[str]) -> None:
    wanted = tracked("handsoff", "local", "pipeline_def")
    wanted |= {name.removeprefix("functions/") for name in tracked("functions/retraining")}
    wanted |= {f"local/policies/{Path(name).name}" for name in tracked("terraform/policies")}
    app = "handsoff/app/"
    assert {name for name in names if not name.startswith(app) and ".dist-info/" not in name} == wanted
