"""The Pythons of images that jobs run in: their environments, and what scripts are forked from."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from local.forked.warm import WarmPython
from local.images import installing, layers
from local.images.environments import Environments, Say, version
from local.images.table import Image


@dataclass(frozen=True)
class Python:
    """The Python of a job: the program, what its scripts are forked from, and the folders of its programs."""

    layer: Path
    warm: WarmPython
    programs: tuple[Path, ...]

    @property
    def program(self) -> Path:
        """The program itself."""
        return self.layer / "bin" / "python"


@dataclass(frozen=True)
class Pythons:
    """The Pythons of all images. `folder` is named in the environment of what scripts are forked from."""

    folder: Path
    environments: Environments = field(default_factory=Environments)
    _warm: dict[str, WarmPython] = field(default_factory=dict, repr=False)
    _alone: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def make(self, image: Image, layer: Path, say: Say) -> Python:
        """A Python of `image` for one job, whose own environment is made in the folder `layer`.

        `say` is told what it is, and what it is not. Raises NoEnvironment.
        """
        base = self.environments.environment(image, say)
        say(
            f"This is not the image {image.name}: it is Python {version(base)} on this machine with the "
            f"image's packages. The image has Python {image.python} and, besides, {image.besides}."
        )
        layers.make(layer, [base], installing.pip_settings(self.environments.variables))
        with self._alone:
            warm = self._warm.setdefault(
                image.name, WarmPython(self.folder, image.imported, python=str(base / "bin" / "python"))
            )
        return Python(layer, warm, (layer / "bin", base / "bin"))

    def close(self) -> None:
        """End all that scripts are forked from, and the scripts."""
        for warm in self._warm.values():
            warm.close()
