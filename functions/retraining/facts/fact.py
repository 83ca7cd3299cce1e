"""What every fact of the ledger has in common."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

Moment = Annotated[datetime, PlainSerializer(datetime.isoformat, return_type=str)]
"""A time with its zone, kept as ISO 8601 text: the same moment is always the same text."""


class Fact(BaseModel):
    """A frozen fact. Attributes of the item have the field's name in camelCase; None is not stored.

    Fields that only a newer version of handsoff knows are kept, and written back with the others: while a
    deployment is updated, functions of both versions write the same facts.
    """

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )

    any_name: ClassVar[bool] = False
    """Whether a writer may set attributes that are no fields."""


F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Key(Generic[F]):
    """Where a fact stands in the ledger (`text`, the partition key `fact`), and of which kind it is."""

    text: str
    kind: type[F]

    def __str__(self) -> str:
        return self.text
