"""Functions and layer for this machine, built once in a test run for the deployments that may share them."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from handsoff.deploying import local, programs
from handsoff.project import Project, load
from tests import warm

ROOT = Path(__file__).parents[2]


def build_once(folder: Path) -> Path:
    """Build into `folder`, unless another worker has; where the build is. Others wait meanwhile."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(programs, "find_sam", lambda _app: warm.sam())
            return local.build(Project(ROOT, load(ROOT / "handsoff.yaml").config, folder), folder)


def provide(build: Path, work: Path) -> None:
    """Put a build where a deployment looks for one. It builds again if its own content is other."""
    shutil.copytree(build, work / "build", copy_function=os.link)
