"""The events that this project puts on the account's default bus, for whatever serves models.

docs/reference/events/ has their JSON Schemas, made from these models and the docstrings below their fields.
An event carries a fact once; a repetition after an ambiguous answer has the same keys and values.
"""

from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from retraining.facts.fact import Moment

SOURCE: Final = "handsoff"
"""The events' source. The functions' roles may put no event of another one."""


class BusEvent(BaseModel):
    """What all events have in common: the keys of `detail`, in camelCase, and their `detail-type`."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
    )

    detail_type: ClassVar[str]

    model: str
    """The model's name in `handsoff.yaml`."""

    model_package_group_name: str
    """The model's group in the registry."""

    at: Moment
    """When it happened. Of two events about one model the later one counts, in whatever order they arrive."""

    @property
    def resource(self) -> str:
        """The ARN of the package that the event is about."""
        raise NotImplementedError


class ChampionChanged(BusEvent):
    """Another package is champion, or none is any more."""

    detail_type: ClassVar[str] = "Champion Changed"

    champion: str | None
    """ARN of the package that is champion now; null where no approved package is left."""

    previous: str | None
    """ARN of the package that was champion before; null where there was none."""

    cause: Literal["approved", "rolled back"]
    """What made the change: an approval, or a roll-back: `previous` was taken back."""

    approved_at: Moment | None
    """When `champion` was approved; null where there is none."""

    by: str
    """Who decided: `rules`, `link`, `slack`, `operator`, or `person` (in AWS)."""

    @property
    def resource(self) -> str:
        return self.champion or self.previous or ""


class ChampionRolledBack(BusEvent):
    """A champion was taken back: it was rejected, or set back to pending."""

    detail_type: ClassVar[str] = "Champion Rolled Back"

    rejected: str
    """ARN of the package that was champion."""

    champion: str | None
    """ARN of the package that is champion now; null where no approved package is left."""

    approved_at: Moment | None
    """When that one was approved; null where there is none."""

    @property
    def resource(self) -> str:
        return self.rejected


class CandidateWaiting(BusEvent):
    """A candidate waits for a person: the rules hold it, or it was set back to pending."""

    detail_type: ClassVar[str] = "Candidate Waiting"

    model_package_arn: str
    """ARN of the candidate."""

    execution_arn: str | None
    """ARN of the execution that registered it; null where the package does not say."""

    reasons: tuple[str, ...]
    """Why it waits, as in the notification."""

    @property
    def resource(self) -> str:
        return self.model_package_arn


EVENTS: Final[tuple[type[BusEvent], ...]] = (ChampionChanged, ChampionRolledBack, CandidateWaiting)
"""All of them."""
