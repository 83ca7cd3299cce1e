"""What every command uses: the two consoles, and the project that --config names."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from rich.console import Console

from handsoff.deployment import Deployment
from handsoff.project import Project, load

out = Console(highlight=False)
"""Standard output: what the command was asked for."""

err = Console(stderr=True, highlight=False)
"""Standard error: progress, and what went wrong."""


class _Chosen:
    config = Path("handsoff.yaml")


def choose(config: Path) -> None:
    """Make the commands of this process work on this configuration file."""
    _Chosen.config = config


def config() -> Path:
    """The chosen configuration file."""
    return _Chosen.config


def project() -> Project:
    """The project of the chosen configuration file. Raises ConfigError."""
    return load(_Chosen.config)


def deployment(of: Project | None = None) -> Deployment:
    """The deployment of a project (the chosen one by default), on the AWS that the environment names."""
    return Deployment((of or project()).config)


def print_json(value: object) -> None:
    """Print `value` on standard output as JSON, for scripts."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))
