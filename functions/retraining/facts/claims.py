"""Something that must be done once, or by one invocation at a time."""

from datetime import timedelta
from typing import Final, Literal

from retraining.facts.fact import Fact, Moment

LEASE: Final = timedelta(seconds=90)
"""How long a claim is held. It is longer than a function lives, and shorter than the time until Lambda's
second retry (3 minutes): that retry replaces an invocation that died."""


class Claim(Fact):
    """A claim passes on after `until`. A claim that is `done` stays: it is never done again."""

    state: Literal["claimed", "done"]
    until: Moment | None = None
    done_at: Moment | None = None
