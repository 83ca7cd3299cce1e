"""What every command uses: the two consoles, and the project that --config names."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

import typer
from rich.console import Console

from handsoff.deploying import account, programs
from handsoff.deployment import Deployment
from handsoff.errors import NotConfirmed
from handsoff.project import SAMPLE, Project, load, sample
from retraining.errors import ConfigError

out = Console(highlight=False)
"""Standard output: what the command was asked for."""

err = Console(stderr=True, highlight=False)
"""Standard error: progress, and what went wrong."""


DEFAULT: Final = Path("handsoff.yaml")
"""The configuration file of commands that are given none: the one of the current folder."""


class _Chosen:
    config = DEFAULT


def choose(config: Path) -> None:
    """Make the commands of this process work on this configuration file."""
    _Chosen.config = config


def again(*words: str) -> str:
    """The command line `handsoff …` that works on the same configuration file as this process."""
    own = Path(".venv", "bin", "handsoff")  # make has it on its PATH, which the user's shell has not
    program = str(own) if own.exists() else "handsoff" if shutil.which("handsoff") else sys.argv[0]
    chosen = [] if _Chosen.config == DEFAULT else ["--config", str(_Chosen.config)]
    return shlex.join([program, *chosen, *words])


def config() -> Path:
    """The chosen configuration file."""
    return _Chosen.config


def project() -> Project:
    """The project of the chosen configuration file, for commands that publish nothing of it.

    Rules that are not published are no reason to refuse a decision, or to hide what runs. Raises ConfigError.
    """
    return load(_Chosen.config, to_publish=False)


def project_to_show() -> Project:
    """The project for the demo: the sample, unless the chosen configuration file has a model of its name.

    Raises ConfigError where the file is not valid, or was named and does not exist.
    """
    if _Chosen.config == DEFAULT and not DEFAULT.exists():
        return sample(Path.cwd())
    chosen = project_to_publish()
    return chosen if SAMPLE in chosen.config.models else sample(chosen.folder)


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


def confirm(deployment: Deployment, question: str, *, yes: bool) -> None:
    """Ask before something is changed on AWS; AWS on this machine is not asked about. Raises NotConfirmed."""
    if yes or account.endpoint(deployment.session):
        return
    if not err.is_terminal:
        raise NotConfirmed("there is no terminal to ask on, and nothing was changed: say --yes")
    if not typer.confirm(question, err=True):
        raise NotConfirmed("nothing was changed")


def need_to_build(project: Project) -> None:
    """Find or install what a build needs, before anything starts, and say what is installed."""
    programs.need_to_build(project, lambda line: err.print(line, soft_wrap=True))


def print_json(value: object) -> None:
    """Print `value` on standard output as JSON, for scripts."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))
