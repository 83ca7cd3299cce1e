"""The Pythons of images that jobs run in: their environments, and what scripts are forked from."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from local.forked.warm import WarmPython
from local.images import installing, layers
from local.images.environments import KEPT, Environments, Say, version
from local.images.table import Image


@dataclass(frozen=True)
class Python:
    """The Python of a job: its own environment in `layer`, on top of those in `below`, the nearest first.

    Its scripts are forked from `warm`; without one each is a new process.
    """

    layer: Path
    below: tuple[Path, ...]
    warm: WarmPython | None = field(default=None, repr=False)

    @property
    def base(self) -> Path:
        """The folder of the image's environment."""
        return self.below[-1]

    @property
    def programs(self) -> list[Path]:
        """The folders of its programs."""
        return [folder / "bin" for folder in (self.layer, *self.below)]


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
        layers.make(layer, [base], self.pip_settings)
        return Python(layer, (base,), self._forked_from(image, base))

    def prepare(self, image: Image, variables: dict[str, str]) -> None:
        """Start what the image's scripts are forked from before the first of them, if its environment exists.

        They will have these environment variables.
        """
        if self.environments.has(image):
            self._forked_from(image, self.environments.environment(image)).prepare(variables)

    def _forked_from(self, image: Image, base: Path) -> WarmPython:
        with self._alone:
            python = str(base / "bin" / "python")
            return self._warm.setdefault(
                image.name, WarmPython(self.folder, image.imported, python=python, kept=base / KEPT)
            )

    @property
    def pip_settings(self) -> str:
        """The pip.conf of the environments of jobs."""
        return installing.pip_settings(self.environments.variables)

    def close(self) -> None:
        """End all that scripts are forked from, and the scripts."""
        for warm in self._warm.values():
            warm.close()
