"""A project: one handsoff.yaml, the folder that it lies in, and the files of handsoff that deploy it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handsoff.errors import ToolMissing
from handsoff.yaml_file import read
from retraining.config.fields import ACCEPTED_BEFORE
from retraining.config.schema import Config, parse_config
from retraining.errors import ConfigError

PACKAGED: Final = Path(__file__).with_name("app")
"""The folder of handsoff's own files in an installed wheel; a checkout has no such folder."""

APP: Final = PACKAGED if PACKAGED.is_dir() else Path(__file__).parents[1]
"""The folder of handsoff's own files: those of the wheel, or the checkout that this module lies in."""


TERRAFORM: Final = "handsoff-terraform"
"""The folder beside handsoff.yaml in which Terraform works, unless the project is a checkout."""


@dataclass(frozen=True)
class Project:
    """One configuration and the folder that it lies in."""

    folder: Path
    """The folder of the configuration's file. The user's data, their code and all state lie in it."""

    config: Config
    work: Path
    """Where builds, logs and AWS on this machine go; git ignores it."""

    file: Path | None = None
    """The configuration's file; None for a configuration that was read from no file."""

    app: Path = APP
    """The folder of handsoff's own files, which nothing is written to: template.yaml, samconfig.toml,
    functions/, layers/, pipeline_def/, terraform/, events/, data/titanic. `folder` is the same one in a
    checkout."""

    @property
    def template(self) -> Path:
        """The CloudFormation template of everything that runs in Lambda."""
        return self.app / "template.yaml"

    @property
    def terraform(self) -> Path:
        """The folder that Terraform works in, with its state: a checkout's terraform/, else one of its own.

        A folder named terraform may be the user's, with resources that are none of handsoff's.
        """
        return self.folder / ("terraform" if self.app == self.folder else TERRAFORM)

    @property
    def local(self) -> Path:
        """The folder of the local AWS's state. It exists only while the local AWS runs."""
        return self.work / "local"

    def sam(self) -> Path:
        """The SAM CLI that make installed, or else the one on the PATH. Raises ToolMissing."""
        return sam_program(self.app)

    def model(self, name: str) -> str:
        """`name`, where it is a model of this project. Raises ConfigError, which lists the models."""
        if name not in self.config.models:
            known = ", ".join(sorted(self.config.models))
            raise ConfigError(f"no model {name} in {self.file or 'the configuration'}; it has: {known}")
        return name


def app_of(folder: Path) -> Path:
    """The folder of handsoff's own files for a project in `folder`: a checkout's are its own."""
    return folder if (folder / "pipeline_def" / "publish.py").is_file() else APP


def sam_program(app: Path) -> Path:
    """The SAM CLI that make installed in `app`, or else the one on the PATH. Raises ToolMissing."""
    own = app / ".venv-sam" / "bin" / "sam"
    found = own if own.exists() else shutil.which("sam")
    if found is None:
        raise ToolMissing("the SAM CLI is missing: run `make setup`")
    return Path(found)


def load(path: Path, *, to_publish: bool = True) -> Project:
    """Read a handsoff.yaml. Raises ConfigError, which names the file and each wrong key.

    If it is not `to_publish`, a file that an earlier version accepted is not refused for its rules.
    """
    written = read(path, to_publish=to_publish)
    if not isinstance(written.values, dict):
        raise ConfigError(f"{path} is empty or no mapping: it must have the key models")
    file = path.resolve()
    context = None if to_publish else ACCEPTED_BEFORE
    config = parse_config(written.values, source=str(path), context=context, where=written.at)
    return Project(file.parent, config, file.parent / ".handsoff", file, app_of(file.parent))
