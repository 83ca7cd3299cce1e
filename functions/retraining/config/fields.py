"""What the parts of handsoff.yaml share: their base class, and the types of their fields."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

Problem = tuple[tuple[str | int, ...], str]
"""A problem of a section: the path of a key below the section (empty: the section itself), and a sentence."""


class Problems(ValueError):
    """Several problems of one section, which are valid values that do not fit together."""

    def __init__(self, found: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(said for _, said in found))
        self.found = found


class Section(BaseModel):
    """A part of handsoff.yaml. It is immutable, and it refuses keys that it does not define."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    def problems(self) -> Iterator[Problem]:
        """What does not fit together in this section, all of it."""
        yield from ()

    def doubts(self) -> Iterator[Problem]:
        """What is probably not meant, or is wrong and was accepted by an earlier version.

        It is no reason to refuse a configuration that was stored, or a file that is not to be published.
        """
        yield from ()

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        found = (*self.problems(), *(() if info.context == ACCEPTED_BEFORE else self.doubts()))
        if found:
            raise Problems(found)
        return self


METRIC_RULE: Final = "<metric>"
DATA_RULE: Final = "<data>"
RANGE: Final = "<low>"
LIST: Final = "<list>"
TAGS: Final = (METRIC_RULE, DATA_RULE, RANGE, LIST)
"""How pydantic names the forms of a rule and of what is searched in an error's path, each by a key that only
this form has. They are not keys of the file."""


def unexpected(expected: str) -> PydanticCustomError:
    """The error of a value that has another form than `expected`, which is a phrase such as "a number"."""
    return PydanticCustomError("unexpected", "{expected}", {"expected": expected})


def refused(said: str) -> PydanticCustomError:
    """The error of a value that cannot be used, in a sentence that shows it."""
    return PydanticCustomError("refused", "{said}", {"said": said})


@dataclass(frozen=True)
class Form:
    """Annotates text that must match the regular expression `pattern` as a whole.

    `expected` describes the form in an error: "expected <expected>, not 'm5'".
    """

    pattern: str
    expected: str

    def __get_pydantic_core_schema__(
        self, source: type[str], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "description": self.expected}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise unexpected(self.expected)
        return value


class BareWord(str):
    """Text that stands without quotes in handsoff.yaml, and that versions of YAML read differently.

    `no` is false in YAML 1.1 and text in 1.2, `010` is 8 or 10, `1:30` is 90 or text.
    """

    __slots__ = ()


_BOOLEANS: Final = {"yes": True, "on": True, "no": False, "off": False}
"""The words, beside true and false, that YAML 1.1 reads as a boolean."""


def ambiguous(value: BareWord) -> PydanticCustomError:
    """The error of a word in whose place a text of the data is expected."""
    if (meant := _BOOLEANS.get(value.lower())) is not None:
        instead = f"write '{value}' in quotes for the text, or {str(meant).lower()} for the boolean"
    else:
        instead = f"write '{value}' in quotes for the text"
    return PydanticCustomError(
        "ambiguous",
        "versions of YAML read {word} differently: {instead}",
        {"word": value, "instead": instead},
    )


def text(value: object) -> object:
    """Numbers and booleans as text: `1` and `true` in YAML mean "1" and "true". The rest is unchanged."""
    if isinstance(value, BareWord):
        raise ambiguous(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float) else value


def scalar(value: object) -> object:
    """Text, a number, true, false or null, such as a hyperparameter's value; others are refused."""
    if isinstance(value, BareWord):
        raise ambiguous(value)
    if value is not None and not isinstance(value, bool | int | float | str):
        raise unexpected("a number, text, true, false or null")
    return value


def _class(value: object) -> object:
    """A class as text; `yes` and `no` are the booleans, which match any word for them in the data."""
    is_word = isinstance(value, BareWord) and value.lower() in ("yes", "no")
    return text(str(value).lower() == "yes" if is_word else value)


ACCEPTED_BEFORE: Final = "accepted before"
"""Validation context of a configuration that an earlier version may have accepted: one that was stored, or a
handsoff.yaml that is not to be published.

Checks that a version adds do not apply in it. Otherwise an upgrade would stop models, and the commands about
them.
"""

ALSO: Final = "x-also"
"""Key of a JSON schema: further types that are taken, and read as text."""

ALSO_NUMBERS: Final = {ALSO: ["number", "boolean"]}

ALONE: Final = "x-alone"
"""Key of a JSON schema: whether an entry of the list may stand without one."""

Column = Annotated[str, StringConstraints(min_length=1)]
"""The name of a column of the data."""


def _listed(value: object) -> object:
    """A list of one for a name that stands alone. The rest is unchanged."""
    return (value,) if isinstance(value, str) else value


Columns = Annotated[
    tuple[Column, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"type": "array", "items": {"type": "string", "minLength": 1}, ALONE: True}),
]
"""Names of columns of the data. One name may stand without a list."""

Value = Annotated[str, BeforeValidator(text), WithJsonSchema({"type": "string", **ALSO_NUMBERS})]
"""A value of a categorical or boolean column."""

Class = Annotated[
    str,
    StringConstraints(min_length=1, strip_whitespace=True),
    BeforeValidator(_class),
    WithJsonSchema({"type": "string", "minLength": 1, **ALSO_NUMBERS}),
]
"""A class that the target can have."""


def class_value(name: str) -> str | float:
    """What distinguishes classes: "1" and "1.0" are the same class."""
    try:
        return float(name)
    except ValueError:
        return name


_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
"""A share that is written in percent."""

_DIGITS: Final = re.compile(r"[-+]?[.0-9]+([_:.0-9]*|[eE][-+]?[0-9]+)|0[xob].*")
"""A number that is written as text, or in a way that versions of YAML read differently."""


def _number(value: object, info: ValidationInfo) -> object:
    """YAML's true and false are no numbers, although they are 1 and 0 in Python, and text is none either."""
    if isinstance(value, bool | str) and info.context != ACCEPTED_BEFORE:
        if isinstance(value, str) and (percent := _PERCENT.fullmatch(value.strip())):
            raise unexpected(f"a number, which is {float(percent[1]) / 100:g} for {percent[0]}")
        is_digits = isinstance(value, str) and _DIGITS.fullmatch(value)
        raise unexpected("a number in plain digits" if is_digits else "a number")
    return value


NUMBER: Final = BeforeValidator(_number)
"""Refuses what is no number as YAML writes it."""


def _flag(value: object, info: ValidationInfo) -> object:
    """true or false, or a bare word that YAML 1.1 reads so: 1 and "yes" are none."""
    if isinstance(value, BareWord) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    if not isinstance(value, bool) and info.context != ACCEPTED_BEFORE:
        raise unexpected("true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_flag)]
"""true or false."""

Limit = Annotated[float, Field(allow_inf_nan=False), NUMBER]
"""A finite number with which a measured one is compared."""

Margin = Annotated[float, Field(ge=0, allow_inf_nan=False), NUMBER]
"""A finite number from 0 with which a gain is compared."""

Leap = Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER]
"""A finite number above 0 with which a measured gain is compared."""

Confidence = Annotated[float, Field(gt=0.5, lt=1), NUMBER]
"""The confidence of a one-sided bound."""

Clusters = Annotated[int, Field(ge=1), NUMBER]
"""A number of clusters of rows, from 1."""


MAX_DURATION: Final = timedelta(days=3650)
"""The longest duration that can be configured."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""The seconds of each unit of a duration."""


_LONGER: Final = {"w": 7 * 86400, **_UNITS}
"""The seconds of the units that people write."""


def _other_units(value: object) -> str:
    """How a duration of weeks, or of several units, is written; empty for what is none."""
    if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9]{1,5} ?[wdhms] ?)+", value.lower()):
        return ""
    parts = re.findall(r"([0-9]+) ?([wdhms])", value.lower())
    seconds = sum(int(number) * _LONGER[unit] for number, unit in parts)
    unit = next((name for name in ("d", "h", "m") if seconds and seconds % _UNITS[name] == 0), "s")
    return f" (here {seconds // _UNITS[unit]}{unit})"


def _duration(value: object) -> object:
    """`90s`, `5m`, `1h` or `14d` as a timedelta."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", value) if isinstance(value, str) else None
    if found is None:
        if isinstance(value, timedelta):
            return value
        raise unexpected(f"a duration such as 90s, 5m, 1h or 14d{_other_units(value)}")
    length = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if length > MAX_DURATION:
        raise unexpected(f"a duration of at most {MAX_DURATION.days}d")
    return length


def _seconds(value: timedelta) -> str:
    """A duration as it is written to JSON: in seconds, such as 300s."""
    return f"{int(value.total_seconds())}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(_seconds, return_type=str),
    WithJsonSchema({"type": "string", "format": "duration", "pattern": "^[0-9]{1,9}[smhd]$"}),
]
"""A length of time, written as a number and a unit: s, m, h or d."""


def named_twice(names: tuple[Any, ...] | list[Any]) -> str:
    """The names that occur more than once, as a list in a sentence; empty if there are none."""
    return ", ".join(sorted({str(name) for name, times in Counter(names).items() if times > 1}))
