"""Where each model's state is kept: one item of the ledger, swapped by version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from retraining.aws.ledger import Ledger
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.starts import ModelState

SWAPS: Final = 20
"""Times that a state is read anew because somebody else swapped it."""


class ModelStates:
    """The states by model. A model that nobody noted for has the empty state, at version 0."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def load(self, model: str) -> tuple[ModelState, int]:
        """The state and its version."""
        found = self._ledger.get(keys.model(model))
        return (found.state, found.version) if found else (ModelState(), 0)

    def swap(self, model: str, state: ModelState, version: int) -> bool:
        """Replace the state that was loaded at `version`. False if somebody else has meanwhile."""
        return self._ledger.swap(keys.model(model), state=state, version=version)

    def change(self, model: str, changed: Callable[[ModelState], ModelState]) -> None:
        """Apply a pure change to whatever the state is now. Raises NotReady if others never let go."""
        for _ in range(SWAPS):
            state, version = self.load(model)
            new = changed(state)
            if new == state or self.swap(model, new, version):
                return
        raise contended(model)


def contended(model: str) -> NotReady:
    """The error for a state that others change all the time."""
    return NotReady(f"the state of {model} is being changed by others all the time; try again")
