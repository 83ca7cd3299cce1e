"""The checks before the turns of the sweep: whether there may be work for a model.

A model is idle while nothing waits, runs or is half done. The facts of all models are read together, at the
sweep's first check. What they cannot tell is looked for at an idle model every 15 minutes: an execution that
was started or retried in SageMaker directly, and a package that was registered or decided there, if the event
of it was lost. A check that cannot tell lets the work be done. The work reads all facts anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from retraining.aws import pipelines
from retraining.aws.ledger import Facts
from retraining.aws.observability import logger, scope
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.facts.candidates import InView
from retraining.facts.model_state import ModelState
from retraining.facts.starts import KnownExecutions
from retraining.starts import overdue, starting
from retraining.turns import Check, Work

LOOKS_EVERY: Final = timedelta(minutes=15)
"""Time between two looks at the executions and packages of an idle model, at most. So long after the end of
its last execution it does not count as idle."""

STARTS: Final = "starts"
"""The turn that starts what is due, and looks for landings."""

ENDS: Final = "ends"
"""The turn that looks at a model's executions."""

CANDIDATES: Final = "candidates"
"""The turn that looks at a model's packages."""

LOOKS: Final = (ENDS, CANDIDATES)
"""The turns that an idle model has every LOOKS_EVERY. One that finds something lets the other look, too."""


def noted(kind: str, look: Callable[[str, Collaborators], bool]) -> Work:
    """The look of a turn, which says whether it found nothing to do; that is noted for the next checks."""

    def work(model: str, using: Collaborators) -> None:
        began, idle = using.clock(), False
        try:
            idle = look(model, using)
        finally:
            if idle:
                using.idle[f"{model} {kind}"] = began
            else:
                for one in LOOKS:
                    using.idle.pop(f"{model} {one}", None)

    return work


class Checks:
    """The checks of one sweep over these models."""

    def __init__(self, models: Sequence[str], using: Collaborators) -> None:
        self._models, self._using = models, using
        for name in using.idle.keys() - {f"{model} {kind}" for model in models for kind in LOOKS}:
            del using.idle[name]

    @property
    def by_kind(self) -> Mapping[str, Check]:
        """The checks by the kind of turn."""
        return {STARTS: self._starts, ENDS: self._ends, CANDIDATES: self._candidates}

    def _starts(self, model: str, using: Collaborators) -> bool:
        return self._checked(model, lambda facts: self._may_start(model, facts, using))

    def _ends(self, model: str, using: Collaborators) -> bool:
        return self._checked(model, lambda facts: self._may_have_ended(model, facts, using))

    def _candidates(self, model: str, using: Collaborators) -> bool:
        return self._checked(model, lambda facts: self._is_look_due(model, facts, using))

    def _checked(self, model: str, check: Callable[[Facts], bool]) -> bool:
        """What the check says; True if it cannot tell."""
        try:
            return self._facts is None or check(self._facts)
        except Exception as error:
            with scope(model=model):
                logger.info("model cannot be checked, and is looked at", why=str(error))
            return True

    @cached_property
    def _facts(self) -> Facts | None:
        """What the ledger knew of all models at the first check; None if it could not be read."""
        try:
            return self._using.ledger.get_all(
                key
                for model in self._models
                for key in (
                    keys.model(model),
                    keys.paused(model),
                    keys.known_executions(model),
                    keys.in_view(self._using.settings.resource_name(model)),
                )
            )
        except Exception as error:
            logger.warning("facts cannot be read together, and all models are looked at", why=str(error))
            return None

    def _may_start(self, model: str, facts: Facts, using: Collaborators) -> bool:
        """Whether a start may be due, or a landing be lost. What is overdue is measured either way."""
        state = _state(model, facts)
        if starting.may_have_work(model, state, using):
            return True
        overdue.measure_landings(model, state, using, facts)
        return False

    def _may_have_ended(self, model: str, facts: Facts, using: Collaborators) -> bool:
        """Whether executions are to be looked at. What is overdue is measured either way."""
        if self._is_look_due(model, facts, using):
            return True
        known = facts.get(keys.known_executions(model)) or KnownExecutions()
        overdue.measure_successes(model, known, using, facts)
        return False

    def _is_look_due(self, model: str, facts: Facts, using: Collaborators) -> bool:
        """Whether the model is not idle, or was not looked at in this period of LOOKS_EVERY."""
        now, state = using.clock(), _state(model, facts)
        known = facts.get(keys.known_executions(model))
        view = facts.get(keys.in_view(using.settings.resource_name(model))) or InView()
        if not state.idle or known is None or view.notes.keys() - {"champion"}:
            return True
        ended_lately = state.ended_at is not None and now - state.ended_at < LOOKS_EVERY
        if ended_lately or not pipelines.TERMINAL.issuperset(known.statuses.values()):
            return True
        looks = [using.idle.get(f"{model} {kind}") for kind in LOOKS]
        return any(look is None or _period(model, look) != _period(model, now) for look in looks)


def _state(model: str, facts: Facts) -> ModelState:
    found = facts.get(keys.model(model))
    return found.state if found else ModelState()


def _period(model: str, now: datetime) -> int:
    """The number of the period of LOOKS_EVERY. Each model's periods begin at another second, so that a sweep
    does not look at all of them."""
    seconds = int(LOOKS_EVERY.total_seconds())
    return (int(now.timestamp()) + zlib.crc32(model.encode()) % seconds) // seconds
