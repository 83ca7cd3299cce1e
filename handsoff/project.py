"""A project: one handsoff.yaml, the folder that it lies in, and the files of handsoff that deploy it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from handsoff.errors import ProjectReadOnly
from handsoff.yaml_file import read
from retraining.config.fields import ACCEPTED_BEFORE
from retraining.config.schema import Config, parse_config
from retraining.errors import ConfigError

PACKAGED: Final = Path(__file__).with_name("app")
"""The folder of handsoff's own files in an installed wheel; a checkout has no such folder."""

APP: Final = PACKAGED if PACKAGED.is_dir() else Path(__file__).parents[1]
"""The folder of handsoff's own files: those of the wheel, or the checkout that this module lies in."""


SAMPLE: Final = "titanic"
"""The model of the sample project, and the folder below data/ that has its data."""

WORK: Final = ".handsoff"
"""The folder beside handsoff.yaml for builds, logs and AWS on this machine."""

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

    def make_work(self) -> None:
        """Make the folder `work`, which git ignores. Raises ProjectReadOnly."""
        try:
            self.work.mkdir(exist_ok=True)
            if self.folder != self.app:  # a checkout ignores it already
                (self.work / ".gitignore").write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise ProjectReadOnly(
                f"{self.work} cannot be written ({error.strerror}): state lies beside the configuration, so "
                "copy that file to a folder of yours, or name another one by --config"
            ) from None

    def model(self, name: str) -> str:
        """`name`, where it is a model of this project. Raises ConfigError, which lists the models."""
        if name not in self.config.models:
            known = ", ".join(sorted(self.config.models))
            raise ConfigError(f"no model {name} in {self.file or 'the configuration'}; it has: {known}")
        return name


def app_of(folder: Path) -> Path:
    """The folder of handsoff's own files for a project in `folder`: a checkout's are its own."""
    return folder if (folder / "pipeline_def" / "publish.py").is_file() else APP


def sample(folder: Path) -> Project:
    """The sample project, the Titanic's, with its state in `folder`."""
    file = APP / "handsoff.yaml"
    return replace(load(file), folder=folder, work=folder / WORK)


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
    return Project(file.parent, config, file.parent / WORK, file, app_of(file.parent))
