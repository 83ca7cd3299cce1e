"""What the ledger knows of the sweep that runs each minute."""

from datetime import timedelta
from typing import Final

from retraining.facts.fact import Fact, Moment

SWEEP_LEASE: Final = timedelta(seconds=150)
"""How long a sweep holds its lease after the last turn that it began. It is longer than the function lives
(template.yaml), so two sweeps never run at the same time."""

EVENT_DELAY: Final = timedelta(minutes=1)
"""The time that an event may take. The sweep leaves younger changes to their events."""


class SweepFact(Fact):
    """The sweep over all models. One runs at a time.

    `until` is when the sweep that runs counts as dead; None if none runs. `after` is the name of the turn
    that was begun last; the next sweep begins with the turn after it.
    """

    until: Moment | None = None
    after: str | None = None
    version: int = 0
