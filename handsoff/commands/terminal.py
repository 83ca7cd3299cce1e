"""What every command uses: the two consoles, and the project that --config names."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from rich.console import Console

from handsoff.deployment import Deployment
from handsoff.project import Project, load
from retraining.errors import ConfigError

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
    """The project of the chosen configuration file, for commands that publish nothing of it.

    Rules that are not published are no reason to refuse a decision, or to hide what runs. Raises ConfigError.
    """
    return load(_Chosen.config, to_publish=False)


def project_to_publish() -> Project:
    """The project of the chosen configuration file, for commands that publish rules or judge by them.

    Raises ConfigError.
    """
    return load(_Chosen.config)


def doubt() -> str | None:
    """Why the chosen configuration file, which `project` reads, cannot be published; None if it can."""
    try:
        load(_Chosen.config)
    except ConfigError as error:
        return f"{_Chosen.config} cannot be published: {str(error).splitlines()[-1].strip()}"
    return None


def deployment(of: Project | None = None) -> Deployment:
    """The deployment of a project (the chosen one by default), on the AWS that the environment names."""
    chosen = of or project()
    return Deployment(chosen.config, chosen.folder)


def print_json(value: object) -> None:
    """Print `value` on standard output as JSON, for scripts."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))
