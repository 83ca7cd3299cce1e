"""The SAM CLI, run in the project's folder: the same two commands on AWS and on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from handsoff import tools
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
    *arguments: str,
    parameters: Mapping[str, str],
    tags: Mapping[str, str] | None = None,
    environment: Mapping[str, str],
) -> str:
    """Deploy what was built into `folder` as the stack named as the prefix; what the SAM CLI said.

    A parameter that is not named keeps the value that the stack has.
    """
    return _run(
        project,
        "deploy",
        *("--template-file", str(folder / "template.yaml"), "--stack-name", project.config.prefix),
        *("--s3-prefix", project.config.prefix, "--no-progressbar", *arguments),
        *(["--tags", *pairs(tags)] if tags else []),
        *("--parameter-overrides", *pairs(parameters)),
        environment=environment,
    )


def pairs(values: Mapping[str, str]) -> list[str]:
    """Names and values as the SAM CLI reads them, blanks and empty values included."""
    return [f'"{name}"="{value}"' for name, value in values.items()]


def defaults(template: Path) -> dict[str, str]:
    """The template's parameters and their defaults."""
    found = yaml.load(template.read_text(encoding="utf-8"), Loader=_Template)  # nosec B506 # noqa: S506 - a SafeLoader
    return {name: str(values.get("Default", "")) for name, values in found["Parameters"].items()}


class _Template(yaml.SafeLoader):
    """YAML whose CloudFormation functions are not looked at."""


_Template.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _run(project: Project, command: str, *arguments: str, environment: Mapping[str, str]) -> str:
    return tools.run(
        f"sam {command}",
        [str(project.sam()), command, "--config-file", str(project.folder / "samconfig.toml"), *arguments],
        folder=project.folder,
        environment={"SAM_CLI_TELEMETRY": "0", **environment},
    )
