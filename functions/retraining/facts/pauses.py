"""What the ledger knows of pauses of a model: a person has stopped its starts for a while."""

from typing import Any, Final, Literal

from retraining.facts.fact import Fact, Moment

MAX_EARLIER: Final = 10
"""Earlier pauses that are kept beside the last one."""


class Resumed(Fact):
    """The end of a pause: who ended it (an IAM ARN), when, and why ("" where no reason was given)."""

    by: str
    at: Moment
    why: str = ""


class EarlierPause(Fact):
    """A pause: who paused the model (an IAM ARN), since when, why, and how it ended."""

    by: str
    since: Moment
    why: str
    resumed: Resumed | None = None


class PauseFact(EarlierPause):
    """The last pause of a model. Nothing starts while its `state` is `paused`; `earlier` has those before."""

    state: Literal["paused", "resumed"]
    earlier: tuple[EarlierPause, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether the model is paused."""
        return self.state == "paused"

    @property
    def text(self) -> str:
        """The pause in words: since when, by whom, why."""
        return f"paused since {self.since:%Y-%m-%d %H:%M:%S} UTC by {self.by}: {self.why}"

    @property
    def occurrence(self) -> str:
        """Tells this pause from others of the model."""
        return f"paused since {self.since.isoformat()}"

    def as_json(self) -> dict[str, Any]:
        """The pause as commands print it: JSON values, camelCase keys, what is not known left out."""
        return self.model_dump(by_alias=True, mode="json", exclude_none=True)

    def with_earlier(self) -> tuple[EarlierPause, ...]:
        """The earlier pauses once this one is one of them."""
        ended = EarlierPause(by=self.by, since=self.since, why=self.why, resumed=self.resumed)
        return (*self.earlier, ended)[-MAX_EARLIER:]
