"""A person pauses a model, and resumes it: until then its start requests wait in the ledger.

What was taken before a pause is not held back: an execution goes on, and so does a start that is being
decided at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from retraining.aws.observability import logger
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.pauses import PauseFact, Resumed
from retraining.text import shorten

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators

MAX_WHO: Final = 200
"""Characters of what is recorded as the person."""


@dataclass(frozen=True)
class Outcome:
    """The pause that stands, or ended last (None: there never was one), and whether this call made it so."""

    pause: PauseFact | None
    ours: bool


def pause(model: str, *, by: str, why: str, using: Collaborators) -> Outcome:
    """Pause the model. A pause that stands already stays as it is.

    Raises NotReady if somebody has paused it at the same time.
    """
    fact = PauseFact(by=shorten(by, MAX_WHO), since=using.clock(), why=why, state="paused")
    known = using.ledger.take(keys.paused(model), fact)
    if known is not None and known.stands:
        return Outcome(known, ours=False)
    if known is not None:
        fact = fact.model_copy(update={"earlier": known.with_earlier()})
        where = {"since": known.since, "state": "resumed"}
        if not using.ledger.replace(keys.paused(model), fact, where=where):
            raise NotReady(f"somebody has just paused {model}; look again")
    logger.info("model paused", model=model, by=fact.by, why=fact.why)
    return Outcome(fact, ours=True)


def resume(model: str, *, by: str, why: str, using: Collaborators) -> Outcome:
    """End the pause of the model; what waits starts with the next sweep. Without a pause nothing changes.

    Raises NotReady if somebody has resumed or paused it at the same time.
    """
    ended = Resumed(by=shorten(by, MAX_WHO), at=using.clock(), why=why)
    known = using.ledger.get(keys.paused(model))
    if known is None or not known.stands:
        return Outcome(known, ours=False)
    fact = known.model_copy(update={"state": "resumed", "resumed": ended})
    where = {"since": known.since, "state": "paused"}
    if not using.ledger.replace(keys.paused(model), fact, where=where):
        raise NotReady(f"somebody has just resumed {model}; look again")
    logger.info("model resumed", model=model, by=ended.by, why=ended.why)
    return Outcome(fact, ours=True)
