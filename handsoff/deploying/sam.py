"""Runs the SAM CLI in the project's folder: the same commands on AWS and on AWS on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from handsoff.deploying import tools
from handsoff.project import Project


def build(project: Project, folder: Path, *, cache: Path, environment: Mapping[str, str]) -> None:
    """Build the template's functions and layer into `folder`."""
    _run(
        project,
        "build",
        *("--template-file", str(project.template), "--build-dir", str(folder)),
        *("--cached", "--cache-dir", str(cache)),
        environment=environment,
    )


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
    _deploy(project, folder / "template.yaml", (), project.config.prefix, parameters, tags, environment)


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
        *(f"--s3-prefix={place}", "--force-upload", "--no-progressbar", *options),
        *(["--tags", *pairs(tags)] if tags else []),
        *("--parameter-overrides", *pairs(parameters)),
        environment=environment,
    )


def _packed_apart(project: Project, folder: Path, environment: Mapping[str, str]) -> Path:
    """Upload what was built below <prefix>-plan/; the template then names it as `deploy` would.

    With other names, every comparison would say that all code changes.
    """
    prefix, packed = project.config.prefix, folder / "packed.yaml"
    _run(
        project,
        "package",
        *("--template-file", str(folder / "template.yaml"), "--output-template-file", str(packed)),
        *("--resolve-s3", f"--s3-prefix={prefix}-plan", "--no-progressbar"),
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


class _Template(yaml.SafeLoader):
    """YAML in which CloudFormation's functions, such as !Ref, are ignored."""


_Template.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _run(project: Project, command: str, *arguments: str, environment: Mapping[str, str]) -> str:
    return tools.run(
        f"sam {command}",
        [str(project.sam()), command, "--config-file", str(project.folder / "samconfig.toml"), *arguments],
        folder=project.folder,
        environment={"SAM_CLI_TELEMETRY": "0", **environment},
    )
