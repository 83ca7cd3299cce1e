"""Something that must be done once, or by one invocation at a time."""

from __future__ import annotations

from typing import Literal

from retraining.facts.fact import Fact, Moment


class Claim(Fact):
    """A claim passes on after `until`. A claim that is `done` stays: it is never done again."""

    state: Literal["claimed", "done"]
    until: Moment | None = None
    done_at: Moment | None = None
