"""Reads and replaces the models' states: one item of the ledger for each model."""

from __future__ import annotations

from collections.abc import Callable

from retraining.aws.ledger import MAX_SWAPS, Ledger
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.model_state import ModelState


class ModelStates:
    """The states by model. A model without an item has the empty state, at version 0."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def load(self, model: str) -> tuple[ModelState, int]:
        """The state and its version."""
        found = self._ledger.get(keys.model(model))
        return (found.state, found.version) if found else (ModelState(), 0)

    def swap(self, model: str, state: ModelState, version: int) -> bool:
        """Replace the state that was loaded at `version`. False if it has been replaced meanwhile."""
        return self._ledger.swap(keys.model(model), state=state, version=version)

    def change(self, model: str, changed: Callable[[ModelState], ModelState]) -> None:
        """Apply a pure change to the state as it is now.

        Raises NotReady if other invocations replace the state MAX_SWAPS times meanwhile.
        """
        for _ in range(MAX_SWAPS):
            state, version = self.load(model)
            new = changed(state)
            if new == state or self.swap(model, new, version):
                return
        raise contended(model)


def contended(model: str) -> NotReady:
    """The error for a state that other invocations replace all the time."""
    return NotReady(
        f"other invocations have replaced the state of model {model} {MAX_SWAPS} times in a row; try again"
    )
