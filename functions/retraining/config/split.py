"""How rows that land together are divided into training and validation rows (`data.split`)."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from retraining.config.fields import Column, Columns, Problem, Section, unexpected

SHARE: Final = "a share such as 20% or 0.2, from 1% to 90%"
"""What `validation` may be, for people."""

MOMENT: Final = "a date such as 2026-01-31, or a time such as 2026-01-31 14:05:00"
"""What `from` may be, for people."""

MIN_SHARE: Final = 0.01
"""The least share of validation rows."""

MAX_SHARE: Final = 0.9
"""The greatest share of validation rows."""


def _share(value: object) -> object:
    """`20%`, `12.5 %` or 0.2 as a number from MIN_SHARE to MAX_SHARE."""
    found: float | None = None
    if isinstance(value, str) and (percent := re.fullmatch(r"(\d{1,2}(?:\.\d{1,4})?) ?%", value.strip())):
        found = float(percent[1]) / 100
    elif isinstance(value, float):
        found = value
    if found is None or not MIN_SHARE <= found <= MAX_SHARE:
        raise unexpected(SHARE)
    return found


Share = Annotated[
    float,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "description": SHARE}),
]
"""A part of all rows, from 0 to 1."""


def _moment(value: object) -> object:
    """A date or a time as text, in UTC: `2026-01-31`, or `2026-01-31 14:05:00`. YAML reads dates itself."""
    try:
        found = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if isinstance(found, datetime) and found.tzinfo:
            found = found.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):  # in UTC it may be before the year 1 or after 9999
        raise unexpected(MOMENT) from None
    if isinstance(found, datetime):
        return found.isoformat(sep=" ").removesuffix(" 00:00:00")
    if isinstance(found, date):
        return found.isoformat()
    raise unexpected(MOMENT)


def _way(value: object) -> object:
    """One of the three ways, each in its form; the models of the union find no further error."""
    if value == "random" or isinstance(value, ByTime | ByGroup):
        return value
    match value:
        case {"time": str(column), **others} if column and not others:
            return value
        case {"group": str() | [*_] | (*_,) as names, **others} if names and not others:
            if isinstance(names, str) or all(isinstance(name, str) and name for name in names):
                return value
    raise unexpected("random, {time: COLUMN} or {group: COLUMN}")


class ByTime(Section):
    """Rows from a cut on are validation rows."""

    time: Column
    """The column that says when a row came about, which `data.date` then is, too. Rows from a cut on are
    validation rows, the others and those without a date are training rows. The first execution chooses the
    cut, so that the newest rows make up the share `validation`, and rounds it to a day, a month or a year
    where that fits. Later executions keep it: what lands later is validation."""


class ByGroup(Section):
    """Rows of one group are in one split."""

    group: Columns = Field(min_length=1)
    """The column, or the columns, that say which rows belong together, which `data.group` then is, too. All
    rows of a group are in one split, which a hash of the group chooses. A row without a group is one of its
    own."""


class Split(Section):
    """How rows are divided into training and validation rows."""

    model_config = ConfigDict(serialize_by_alias=True)

    by: Annotated[Literal["random"] | ByTime | ByGroup, BeforeValidator(_way)]
    """What decides: `random` is a hash of the row's `data.identity`, or of its features and its target if
    it has none. A row stays on its side in all executions, while its identity and this configuration do not
    change."""

    validation: Annotated[Share | None, BeforeValidator(_share)] = None
    """The share of the rows that are validation rows. It is required, unless `from` is given."""

    start: Annotated[Annotated[str, Field(description=MOMENT)] | None, BeforeValidator(_moment)] = Field(
        None, alias="from"
    )
    """With `by: {time: …}` the cut itself: rows from this date or time on, in UTC, are validation rows."""

    def problems(self) -> Iterator[Problem]:
        """Keys that do not belong together, or one that is missing."""
        if self.start is not None and not isinstance(self.by, ByTime):
            yield ("from",), "from is for by: {time: COLUMN} only: remove it"
        elif self.start is None and self.validation is None:
            yield (), "the key validation is missing: write the share of validation rows, such as 20%"


def named_by_split(values: Any) -> Any:
    """`data` with the group or the date that its split names, where it names none itself."""
    split = values.get("split") if isinstance(values, dict) else None
    by = split.get("by") if isinstance(split, dict) else None
    if not isinstance(by, dict):
        return values
    named = {"group": by["group"]} if "group" in by else {"date": by["time"]} if "time" in by else {}
    return {**named, **values}


def split_problems(split: Split, group: tuple[str, ...], date: str | None) -> Iterator[Problem]:
    """Where the split disagrees with the columns that `data` names otherwise."""
    if isinstance(split.by, ByGroup) and split.by.group != group:
        yield (
            ("group",),
            f"split.by.group names {', '.join(split.by.group)}, and group names {', '.join(group)}: "
            "name the same columns, or leave group out",
        )
    if isinstance(split.by, ByTime) and split.by.time != date:
        yield (
            ("date",),
            f"split.by.time names {split.by.time}, and date names {date}: name the same column, or leave "
            "date out",
        )
