"""The SAM CLI, run in the project's folder: the same two commands on AWS and on this machine."""

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
    *arguments: str,
    parameters: Mapping[str, str],
    tags: Mapping[str, str] | None = None,
    environment: Mapping[str, str],
) -> str:
    """Deploy what was built into `folder` as the stack named as the prefix; what the SAM CLI said.

    A parameter that is not named keeps the value that the stack has. What is uploaded replaces what lies
    there: the SAM CLI would trust a file by its name, and whoever put it there. What only looks, with
    --no-execute-changeset, uploads to a place of its own, which nothing is deployed from.
    """
    prefix = project.config.prefix
    template, where = folder / "template.yaml", [f"--s3-prefix={prefix}", "--force-upload"]
    if "--no-execute-changeset" in arguments:
        template, where = _packed_apart(project, folder, environment), [f"--s3-prefix={prefix}-plan"]
    return _run(
        project,
        "deploy",
        *("--template-file", str(template), "--stack-name", prefix),
        *(*where, "--no-progressbar", *arguments),
        *(["--tags", *pairs(tags)] if tags else []),
        *("--parameter-overrides", *pairs(parameters)),
        environment=environment,
    )


def _packed_apart(project: Project, folder: Path, environment: Mapping[str, str]) -> Path:
    """The template with what was built uploaded below <prefix>-plan/, and named as `deploy` would name it.

    Else every comparison would say that all code changes.
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
