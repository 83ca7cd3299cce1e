"""Field types that the parts of handsoff.yaml share: columns, values, classes and durations."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints


class Section(BaseModel):
    """A part of handsoff.yaml: it cannot be changed, and a key that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def text(value: object) -> object:
    """Categories and classes are text; who writes `1` or `true` in YAML means "1" or "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float) else value


Column = Annotated[str, StringConstraints(min_length=1)]
Value = Annotated[str, BeforeValidator(text)]
Class = Annotated[str, BeforeValidator(text), StringConstraints(min_length=1, strip_whitespace=True)]


MAX_DURATION: Final = timedelta(days=3650)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
    """`90s`, `5m`, `1h`, `14d`."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", value) if isinstance(value, str) else None
    if found is None:
        if isinstance(value, timedelta):
            return value
        raise ValueError("a duration such as 90s, 5m, 1h or 14d")
    length = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if length > MAX_DURATION:
        raise ValueError(f"a duration of at most {MAX_DURATION.days}d")
    return length


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda value: f"{int(value.total_seconds())}s", return_type=str),
]


def class_value(name: str) -> str | float:
    """What tells classes apart: 1 and 1.0 are the same."""
    try:
        return float(name)
    except ValueError:
        return name
