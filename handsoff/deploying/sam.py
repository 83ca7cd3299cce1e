"""Runs the SAM CLI: the same commands on AWS and on AWS on this machine."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from handsoff.deploying import archives, programs, tools
from handsoff.project import Project
from local.fast_yaml import FAST

BUILT_FROM: Final = ("template.yaml", "samconfig.toml", "functions", "layers")
"""What is built is made from these files and folders of handsoff."""

MARK: Final = "built-from"
"""The file in a completed build that has the digest of what it was made from."""

JSON: Final = "--use-json"
"""Lets the SAM CLI write the template with addresses of uploads as JSON. Python takes long to read YAML."""

ARCHIVED: Final = "archived.json"
"""The file in a build that has the template with archives. `sam local` needs the one with folders."""


def build(project: Project, folder: Path, *, cache: Path, target: Mapping[str, str], scratch: str) -> None:
    """Build the template's functions and layer into `folder`, unless it has a build of the same content.

    `target` is what both Makefiles read: HANDSOFF_RUNTIME and HANDSOFF_ARCHITECTURE. `scratch` is a folder
    for the SAM CLI's temporary files. The same content gives the same bytes, wherever it is built.
    The built template is JSON, which is YAML, too: the SAM CLI reads a template five times to deploy it.
    ARCHIVED is what is deployed: its archives are made here, once for all deployments of the build.
    """
    mark, digest = folder / MARK, _digest(project, target)
    archived = folder / ARCHIVED
    if archived.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return
    mark.unlink(missing_ok=True)
    _run(
        project,
        "build",
        *("--template-file", str(_source(project) / "template.yaml"), "--build-dir", str(folder)),
        *("--cached", "--cache-dir", str(cache)),
        environment={**target, "TMPDIR": scratch},
    )
    template = folder / "template.yaml"  # the SAM CLI wrote it, without short forms such as !Ref
    built = yaml.load(template.read_text(encoding="utf-8"), Loader=FAST)  # nosec B506 # noqa: S506 - it is safe
    template.write_text(json.dumps(built), encoding="utf-8")
    archived.write_text(json.dumps(archives.with_archives(built, folder)), encoding="utf-8")
    mark.write_text(digest, encoding="utf-8")


def built_from(folder: Path) -> str:
    """The digest of what a completed build was made from."""
    return (folder / MARK).read_text(encoding="utf-8")


def _digest(project: Project, target: Mapping[str, str]) -> str:
    """SHA-256 of what a build depends on: names and bytes of files, which are programs, target, SAM CLI."""
    found = hashlib.sha256(repr((sorted(target.items()), programs.sam(project).stat().st_mtime_ns)).encode())
    for path in sorted(_files(project.app)):
        name, runs = str(path.relative_to(project.app)), bool(path.stat().st_mode & 0o100)
        found.update(repr((name, runs, hashlib.sha256(path.read_bytes()).hexdigest())).encode())
    return found.hexdigest()


def _source(project: Project) -> Path:
    """The folder that is built from: a checkout's own, or a copy of what an installed wheel has.

    The SAM CLI copies folders with their modes, and cannot write into the copy of a read-only one.
    """
    if project.app == project.folder:
        return project.app
    folder = project.work / "source"
    shutil.rmtree(folder, ignore_errors=True)
    for path in _files(project.app):
        copy = folder / path.relative_to(project.app)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(path.stat().st_mode | stat.S_IWUSR)
    return folder


def _files(folder: Path) -> Iterator[Path]:
    for name in BUILT_FROM:
        place = folder / name
        for path in place.rglob("*") if place.is_dir() else [place]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def deploy(
    project: Project,
    folder: Path,
    *,
    parameters: Mapping[str, str],
    tags: Mapping[str, str] | None = None,
    environment: Mapping[str, str],
) -> None:
    """Deploy what was built into `folder` as the stack named after the prefix.

    A parameter that is not named keeps the value that the stack has. Files are uploaded even where a file of
    the same name exists: the SAM CLI would trust the content of any such file.
    """
    _deploy(project, folder / ARCHIVED, (), project.config.prefix, parameters, tags, environment)


def make_change_set(
    project: Project,
    folder: Path,
    *,
    parameters: Mapping[str, str],
    tags: Mapping[str, str] | None = None,
    environment: Mapping[str, str],
) -> str:
    """Make a change set of what `deploy` would change, and return the SAM CLI's output, which names it.

    Files are uploaded below <prefix>-plan/: nothing is deployed from there.
    """
    template = _packed_apart(project, folder, environment)
    place = f"{project.config.prefix}-plan"
    return _deploy(project, template, ("--no-execute-changeset",), place, parameters, tags, environment)


def _deploy(
    project: Project,
    template: Path,
    options: tuple[str, ...],
    place: str,
    parameters: Mapping[str, str],
    tags: Mapping[str, str] | None,
    environment: Mapping[str, str],
) -> str:
    """`sam deploy`, with files uploaded below `place` in the SAM CLI's bucket."""
    return _run(
        project,
        "deploy",
        *("--template-file", str(template), "--stack-name", project.config.prefix),
        *(f"--s3-prefix={place}", "--force-upload", "--no-progressbar", JSON, *options),
        *(["--tags", *pairs(tags)] if tags else []),
        *("--parameter-overrides", *pairs(parameters)),
        environment=environment,
    )


def _packed_apart(project: Project, folder: Path, environment: Mapping[str, str]) -> Path:
    """Upload what was built below <prefix>-plan/; the template then names it as `deploy` would.

    With other names, every comparison would say that all code changes.
    """
    prefix, packed = project.config.prefix, folder / "packed.json"
    _run(
        project,
        "package",
        *("--template-file", str(folder / ARCHIVED), "--output-template-file", str(packed)),
        *("--resolve-s3", f"--s3-prefix={prefix}-plan", "--no-progressbar", JSON),
        environment=environment,
    )
    text = re.sub(rf"(s3://[^/\s]+/{prefix})-plan/", r"\1/", packed.read_text(encoding="utf-8"))
    packed.write_text(text, encoding="utf-8")
    return packed


def pairs(values: Mapping[str, str]) -> list[str]:
    """`"NAME"="VALUE"` as the SAM CLI reads it, also where a value is empty or has blanks."""
    return [f'"{name}"="{value}"' for name, value in values.items()]


def defaults(template: Path) -> dict[str, str]:
    """The defaults of the template's parameters, by name; empty where there is none."""
    found = yaml.load(template.read_text(encoding="utf-8"), Loader=_Template)  # nosec B506 # noqa: S506 - a SafeLoader
    return {name: str(values.get("Default", "")) for name, values in found["Parameters"].items()}


class _Template(FAST):  # type: ignore[misc] # either loader
    """YAML in which CloudFormation's functions, such as !Ref, are ignored."""


_Template.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _run(project: Project, command: str, *arguments: str, environment: Mapping[str, str]) -> str:
    project.make_work()
    return tools.run(
        f"sam {command}",
        [
            str(programs.sam(project)),
            command,
            "--config-file",
            str(project.app / "samconfig.toml"),
            *arguments,
        ],
        folder=project.work,  # where the SAM CLI makes .aws-sam
        environment={"SAM_CLI_TELEMETRY": "0", **environment},
    )
