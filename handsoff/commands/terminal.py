"""What every command uses: the terminal, and the project that --config names."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from handsoff.deployment import Deployment
from handsoff.project import Project, load

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class _Chosen:
    config = Path("handsoff.yaml")


def choose(config: Path) -> None:
    """Let the commands of this process work on this file."""
    _Chosen.config = config


def config() -> Path:
    """The file that was chosen."""
    return _Chosen.config


def project() -> Project:
    """The project that was chosen. Raises ConfigError."""
    return load(_Chosen.config)


def deployment(of: Project | None = None) -> Deployment:
    """What the project's configuration deploys, on the AWS that the environment names."""
    return Deployment((of or project()).config)
