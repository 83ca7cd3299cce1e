"""When `sam build` runs: only where the build that is there has other content."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from handsoff.deploying import sam
from handsoff.errors import ToolFailed
from handsoff.project import Project, load

ROOT = Path(__file__).parents[2]
PYTHON_13 = {"HANDSOFF_RUNTIME": "python3.13", "HANDSOFF_ARCHITECTURE": "arm64"}
SAM = """#!/bin/sh
test ! -e fails || exit 1
mkdir -p build && echo built >>builds
printf 'Version: "2012-10-17"\nRole:\n  Fn::GetAtt: [Role, Arn]\nNote: ñ\n' >build/template.yaml
"""
"""In place of the SAM CLI: it writes a template, and notes that it has built."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("template.yaml", "samconfig.toml", "functions/reconcile.py", "layers/dependencies/Makefile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    program = tmp_path / ".venv-sam" / "bin" / "sam"
    program.parent.mkdir(parents=True)
    program.write_text(SAM)
    program.chmod(0o755)
    return Project(tmp_path, load(ROOT / "handsoff.yaml").config, tmp_path, app=tmp_path)


def build(project: Project, target: dict[str, str] = PYTHON_13) -> int:
    """Build; how often the SAM CLI has built so far."""
    folder = project.folder
    sam.build(project, folder / "build", cache=folder / "cache", target=target, scratch=str(folder))
    return len((folder / "builds").read_text().splitlines())


def test_build_of_the_same_content_is_not_repeated(project: Project) -> None:
    assert build(project) == 1
    (project.folder / "functions" / "__pycache__").mkdir()
    (project.folder / "functions" / "__pycache__" / "reconcile.pyc").write_text("made by an import")
    os.utime(project.folder / "functions" / "reconcile.py", (0, 0))
    assert build(project) == 1


def test_built_template_is_what_the_sam_cli_wrote_as_json(project: Project) -> None:
    build(project)
    found = json.loads((project.folder / "build" / "template.yaml").read_text())
    assert list(found.items()) == [
        ("Version", "2012-10-17"),
        ("Role", {"Fn::GetAtt": ["Role", "Arn"]}),
        ("Note", "ñ"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "functions" / "reconcile.py").write_text("other"),
        lambda folder: (folder / "functions" / "new.py").write_text(""),
        lambda folder: (folder / "functions" / "reconcile.py").unlink(),
        lambda folder: (folder / "functions" / "reconcile.py").rename(folder / "functions" / "renamed.py"),
        lambda folder: (folder / "functions" / "reconcile.py").chmod(0o755),
        lambda folder: (folder / "layers" / "dependencies" / "Makefile").write_text("other"),
        lambda folder: (folder / "template.yaml").write_text("other"),
        lambda folder: (folder / "samconfig.toml").write_text("other"),
        lambda folder: os.utime(folder / ".venv-sam" / "bin" / "sam", (0, 0)),
        lambda folder: (folder / "build" / "built-from").unlink(),
        lambda folder: (folder / "build" / "archived.json").unlink(),
    ],
    ids=[
        "edited",
        "added",
        "removed",
        "renamed",
        "mode",
        "layer",
        "template",
        "settings",
        "SAM CLI",
        "no mark",
        "no archives",
    ],
)
def test_build_of_other_content_is_made(project: Project, change: Callable[[Path], object]) -> None:
    build(project)
    change(project.folder)
    assert build(project) == 2
    assert build(project) == 2


@pytest.mark.parametrize("name", ["HANDSOFF_RUNTIME", "HANDSOFF_ARCHITECTURE"])
def test_build_for_another_target_is_made(project: Project, name: str) -> None:
    build(project)
    assert build(project, {**PYTHON_13, name: "other"}) == 2


def test_wheel_is_built_from_a_copy_that_can_be_written(tmp_path: Path, project: Project) -> None:
    """Folders of an installed wheel may be read-only, and the SAM CLI copies them with their modes."""
    app = project.app
    (app / "functions" / "gone.py").touch()
    elsewhere = replace(project, folder=tmp_path / "mine", work=tmp_path / "mine" / ".handsoff")
    elsewhere.folder.mkdir()
    (app / ".venv-sam" / "bin" / "sam").write_text(SAM + "echo $* >>../../arguments\n")
    folder = elsewhere.work / "build"

    def build_there() -> set[str]:
        sam.build(elsewhere, folder, cache=elsewhere.work, target=PYTHON_13, scratch=str(tmp_path))
        source = elsewhere.work / "source"
        assert f"--template-file {source}/template.yaml" in (tmp_path / "arguments").read_text()
        files = [path for path in source.rglob("*") if path.is_file()]
        assert all(path.stat().st_mode & 0o200 for path in [source, *source.rglob("*")])
        return {str(path.relative_to(source)) for path in files}

    whole = {"functions/reconcile.py", "layers/dependencies/Makefile", "samconfig.toml", "template.yaml"}
    for path in (app / "functions" / "reconcile.py", app / "functions"):
        path.chmod(path.stat().st_mode & 0o555)
    assert build_there() == {*whole, "functions/gone.py"}
    (app / "functions").chmod(0o755)
    (app / "functions" / "gone.py").unlink()
    assert build_there() == whole


def test_build_after_a_failed_build_is_made(project: Project) -> None:
    build(project)
    function = project.folder / "functions" / "reconcile.py"
    function.write_text("other")
    (project.folder / "fails").touch()
    with pytest.raises(ToolFailed):
        build(project)
    (project.folder / "fails").unlink()
    function.write_text("as it was")
    assert build(project) == 2


def test_everything_that_the_template_builds_is_looked_at() -> None:
    template = yaml_parse((ROOT / "template.yaml").read_text())
    places = {template["Globals"]["Function"]["CodeUri"]}
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        places |= {properties[name] for name in ("CodeUri", "ContentUri") if name in properties}
    assert places == {"functions", "layers/dependencies"}
    assert {Path(place).parts[0] for place in places} <= set(sam.BUILT_FROM)
