"""Finds the programs that a deployment is built with; the SAM CLI is installed where there is none."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from handsoff.deploying import tools
from handsoff.errors import ToolMissing
from handsoff.project import PACKAGED, Project
from local.errors import NoEnvironment
from local.images.environments import Environments, Say

log = logging.getLogger(__name__)


def need_to_build(project: Project, say: Say = log.info) -> None:
    """Find what a build needs, and make the folder of its results, before anything starts.

    `say` is told that the SAM CLI is installed, which takes a while. Raises ToolMissing, ProjectReadOnly.
    """
    tools.need("make")
    sam(project, say)
    project.make_work()


def sam(project: Project, say: Say = log.info) -> Path:
    """The SAM CLI: the one that is found, else one that is installed into the user's cache.

    Raises ToolMissing.
    """
    if found := find_sam(project.app):
        return found
    if project.app != PACKAGED:
        raise ToolMissing("the SAM CLI is missing: run `make setup`")
    try:
        folder = Environments().made(
            "sam",
            project.app / "requirements" / "sam.txt",
            lambda: say("installing the SAM CLI, once on this machine: it takes a minute"),
        )
    except NoEnvironment as error:
        raise ToolMissing(
            f"the SAM CLI is missing, and could not be installed: {error}\nTo install it yourself: "
            "`pipx install aws-sam-cli`, or `uv tool install aws-sam-cli`"
        ) from None
    return folder / "bin" / "sam"


def find_sam(app: Path) -> Path | None:
    """The SAM CLI that make installed in the checkout `app`, else the one on the PATH, else None."""
    own = app / ".venv-sam" / "bin" / "sam"
    found = own if own.exists() else shutil.which("sam")
    return Path(found) if found else None
