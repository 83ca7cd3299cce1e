"""People roll models back, pause and resume them by command, under the same faults as everybody else.

Their draws are apart from all others, so that a seed stays the same seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from retraining.aws import registry
from retraining.candidates import going_back
from retraining.collaborators import Collaborators
from retraining.starts import pausing
from tests.chaos.clock import Task

if TYPE_CHECKING:
    from tests.chaos.runner import Run

ANA = "arn:aws:sts::123456789012:assumed-role/people/ana"


@dataclass
class Steering:
    """Plans and does what people do by `handsoff rollback`, `pause` and `resume`."""

    run: Run

    def plan(self, end: float) -> None:
        """In two of three seeds people steer models until `end`, in seconds. Each pause ends."""
        rng = Random(f"steering {self.run.seed}")
        if rng.random() < 1 / 3:
            return
        for model in self.run.models:
            for _ in range(rng.randint(0, 3)):
                self.run.clock.at(rng.uniform(0.4, 1.0) * end, partial(self._roll_back, model, rng))
            if rng.random() < 0.5:
                begin = rng.uniform(0.1, 0.7) * end
                for at in (begin, begin + rng.uniform(0, 30)):  # two people at about the same time
                    self.run.clock.at(at, partial(self._pause, model))
                self.run.restore.append(partial(self._resume_for_certain, model))
                self.run.clock.at(begin + rng.uniform(300, 0.3 * end), partial(self._resume, model))

    def _roll_back(self, model: str, rng: Random) -> None:
        group = f"handsoff-{model}"
        packages = self.run.account.sagemaker.packages
        found = [arn for arn, it in packages.items() if it["ModelPackageGroupName"] == group]
        if not found:
            return
        to = rng.choice(found)

        def work(using: Collaborators) -> None:
            package = registry.find(using.sagemaker, to)
            champion = registry.champion(using.sagemaker, group)
            if package is not None:
                going_back.go_back(package, champion, who=ANA, why="by command", using=using)

        self._command("roll back", model, work)

    def _pause(self, model: str) -> None:
        self._command(
            "pause", model, lambda using: pausing.pause(model, by=ANA, why="by command", using=using)
        )

    def _resume(self, model: str) -> None:
        self._command(
            "resume", model, lambda using: pausing.resume(model, by=ANA, why="by command", using=using)
        )

    def _resume_for_certain(self, model: str) -> None:
        """Once faults have ended, nobody leaves a model paused."""
        self._resume(model)

    def _command(self, kind: str, model: str, work: Callable[[Collaborators], object]) -> None:
        functions = self.run.functions
        self.run.people.count[kind] += 1
        self.run.trace(f"somebody: {kind} ({model})")

        def body(task: Task) -> None:
            work(functions.collaborators(task))

        self.run.clock.spawn(f"{kind}-{model}", body, timeout=60.0, then=lambda _: None)
