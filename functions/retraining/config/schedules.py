"""Schedules and time zones that EventBridge Scheduler takes.

Source: "Schedule types on EventBridge Scheduler" in the user guide of EventBridge Scheduler, and for what it
leaves out (`5L`, `L-3`, ranges such as FRI-MON) the reference of Quartz' CronTrigger, whose expressions AWS
takes. The libraries of PyPI match one regular expression; they cannot say which field is wrong.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

EXAMPLES: Final = "rate(7 days) or cron(0 6 ? * MON *), as EventBridge Scheduler takes them"
"""What a schedule looks like."""

_RATE: Final = re.compile(r"rate\((0|[1-9][0-9]{0,4}) (minute|hour|day)(s?)\)")
_CRON: Final = re.compile(r"cron\((.*)\)")
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""The most days of each month."""


@dataclass(frozen=True)
class _Field:
    """One of the six fields of a cron expression: its name, its values, and the names that stand for them."""

    name: str
    lowest: int
    highest: int
    names: Sequence[str] = ()
    special: Mapping[str, str] = field(default_factory=dict)
    """Regular expressions of what may stand alone in the field, with what each says."""

    @property
    def expected(self) -> str:
        """The values that the field takes, in words."""
        named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"the {self.name} is {self.lowest} to {self.highest}{named}"

    def value(self, said: str) -> int | None:
        """The number that a value of the field means; None if it is none."""
        if said.upper() in self.names:
            return self.lowest + self.names.index(said.upper())
        known = re.fullmatch(r"[0-9]{1,4}", said) and self.lowest <= int(said) <= self.highest
        return int(said) if known else None


_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WEEKDAY: Final = rf"(?:[1-7]|{'|'.join(_WEEKDAYS)})"
_DAY: Final = "(?:[1-9]|[12][0-9]|3[01])"
_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field(
        "day of the month", 1, 31, (), {r"L|LW|L-([1-9]|[12][0-9]|30)|([1-9]|[12][0-9]|3[01])W": "L, LW, 15W"}
    ),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 1, 7, _WEEKDAYS, {rf"{_WEEKDAY}?L|{_WEEKDAY}#[1-5]": "L, 6L, 2#1"}),
    _Field("year", 1970, 2199),
)
"""The fields of a cron expression, in their order."""


def _cases(word: str) -> str:
    """A regular expression of a word in any case."""
    return "".join(f"[{sign}{sign.lower()}]" if sign.isalpha() else sign for sign in word)


def _pattern(kind: _Field, numbers: str, special: str = "") -> str:
    """A regular expression of what a field holds beside `?`."""
    value = f"(?:{'|'.join([numbers, *map(_cases, kind.names)])})"
    part = f"(?:[*]|{value}(?:-{value})?)(?:/[1-9][0-9]{{0,3}})?"
    return f"(?:{part}(?:,{part})*{f'|{special}' if special else ''})"


_DAY_PATTERN: Final = _pattern(_FIELDS[2], "0?[1-9]|[12][0-9]|3[01]", rf"[Ll][Ww]?|[Ll]-[0-9]+|{_DAY}[Ww]")
_WEEKDAY_CASES: Final = f"(?:[1-7]|{'|'.join(map(_cases, _WEEKDAYS))})"
_WEEKDAY_PATTERN: Final = _pattern(_FIELDS[4], "0{0,3}[1-7]", f"{_WEEKDAY_CASES}?[Ll]|{_WEEKDAY_CASES}#[1-5]")
_CRON_PATTERN: Final = " ".join(
    (
        _pattern(_FIELDS[0], "0{0,2}[0-9]|0{0,2}[1-5][0-9]"),
        _pattern(_FIELDS[1], "0{0,2}[0-9]|0{0,2}1[0-9]|0{0,2}2[0-3]"),
        f"(?:DAY {_pattern(_FIELDS[3], '0{0,3}[1-9]|0{0,2}1[0-2]')} [?]|"
        f"[?] {_pattern(_FIELDS[3], '0{0,3}[1-9]|0{0,2}1[0-2]')} WEEKDAY)",
        _pattern(_FIELDS[5], "19[789][0-9]|2[01][0-9]{2}"),
    )
)
SCHEDULE_PATTERN: Final = (
    r"^(?:rate\((?:1 (?:minute|hour|day)|(?:[2-9]|[1-9][0-9]{1,4}) (?:minutes|hours|days))\)"
    rf"|cron\({_CRON_PATTERN.replace('WEEKDAY', _WEEKDAY_PATTERN).replace('DAY', _DAY_PATTERN)}\))$"
)
"""The form of a schedule, for editors. `schedule_problem` also refuses days that never come."""


def unusable(said: str, this_year: int) -> str | None:
    """What is wrong with the schedule, as the end of a sentence about it; None if nothing is."""
    if problem := schedule_problem(said):
        return f"is not a schedule that AWS takes: {problem}"
    problem = never_fires(said, this_year)
    return f"never fires: {problem}" if problem else None


def schedule_problem(said: str) -> str | None:
    """Why EventBridge Scheduler would refuse the schedule, and what to write; None if it takes it."""
    if rate := _RATE.fullmatch(said):
        return _rate_problem(int(rate[1]), rate[2], bool(rate[3]))
    if cron := _CRON.fullmatch(said):
        return next(_cron_problems(cron[1].split(" ")), None)
    if said.startswith("at("):
        return f"at() fires once, and a schedule repeats: expected {EXAMPLES}"
    if len(said.split()) in (5, 6):
        return f"a cron expression stands within cron(…): expected {EXAMPLES}"
    return f"expected {EXAMPLES}"


def never_fires(said: str, this_year: int) -> str | None:
    """Why a valid schedule fires neither in `this_year` nor later; None if it does."""
    fields = cron_fields(said)
    if fields is None:
        return None
    (_, days), (_, months), (year_said, all_years) = fields[2], fields[3], fields[5]
    years = [year for year in sorted(all_years) if year >= this_year]
    if not years:
        return f"the year {year_said} is over; for each year, write *"
    if any(min(days) <= monthrange(year, month)[1] for year in years for month in months):
        return None
    return f"29 February does not come in the year {year_said}; for each year, write *"


def cron_fields(said: str) -> list[tuple[str, set[int]]] | None:
    """The six fields of a valid cron(): each as it is written, with the values that it means.

    L, W, # and ? mean all values. None for another schedule.
    """
    cron = _CRON.fullmatch(said)
    if cron is None:
        return None
    return [
        (value, set(range(kind.lowest, kind.highest + 1)) if value == "?" else _values(kind, value)[0])
        for kind, value in zip(_FIELDS, cron[1].split(" "), strict=True)
    ]


def rate_of(said: str) -> timedelta | None:
    """The interval of a valid rate(); None for another schedule."""
    rate = _RATE.fullmatch(said)
    return timedelta(**{f"{rate[2]}s": int(rate[1])}) if rate else None


def _rate_problem(number: int, unit: str, plural: bool) -> str | None:
    if number == 0:
        return f"a rate is at least 1: expected {EXAMPLES}"
    if plural is (number == 1):
        right = f"rate({number} {unit}{'' if number == 1 else 's'})"
        return f"the unit of {number} is {'singular' if number == 1 else 'plural'}: write {right}"
    return None


def _cron_problems(fields: Sequence[str]) -> Iterator[str]:
    """What is wrong with the fields of a cron expression, the first one first."""
    if len(fields) != len(_FIELDS) or "" in fields:
        found = len([said for said in fields if said])
        names = ", ".join(each.name for each in _FIELDS)
        year = " (the year is missing: add * at the end)" if found == 5 else ""
        count = f"not {found}{year}" if found != len(_FIELDS) else "and no further space"
        yield f"cron() takes six fields with one space between them, {names}, {count}"
        return
    day, weekday = fields[2], fields[4]
    values = []
    for kind, said in zip(_FIELDS, fields, strict=True):
        if said == "?" and kind in (_FIELDS[2], _FIELDS[4]):
            values.append(set(range(kind.lowest, kind.highest + 1)))
            continue
        found_values, problem = _values(kind, said)
        if problem:
            yield problem
        values.append(found_values)
    if (day == "?") is (weekday == "?"):
        both = "both are" if day == "?" else "none is"
        yield (
            "either the day of the month (third field) or the day of the week (fifth field) must be ?, "
            f"and {both}"
        )
    if all(part.isdigit() for part in re.split("[,-]", day)):
        dates = [(number, month) for number in values[2] for month in values[3]]
        if not [number for number, month in dates if number <= _DAYS[month - 1]]:
            yield f"the day {day} never comes in the month {fields[3]}"


def _values(kind: _Field, said: str) -> tuple[set[int], str | None]:
    """The values that a field means (all of them for L, W and #), and what is wrong with it."""
    every = set(range(kind.lowest, kind.highest + 1))
    for pattern in kind.special:
        if re.fullmatch(pattern, said.upper()):
            return every, None
    values: set[int] = set()
    for part in said.split(","):
        found = _part(kind, part)
        if found is None:
            return every, f"{part!r} is no {kind.name}: {kind.expected}; {_forms(kind)}"
        values |= found
    return values, None


def _forms(kind: _Field) -> str:
    """The ways to write a field, with examples."""
    one, two = kind.names[1:3] if kind.names else (kind.lowest + 1, kind.lowest + 2)
    alone = "".join(f", ? or {examples}" for examples in kind.special.values())
    return f"it takes {one}, a list {one},{two}, a range {one}-{two}, a step */2, *{alone}"


def _part(kind: _Field, part: str) -> set[int] | None:
    """The values of one entry of a list, such as 5, MON, 1-5, *, */15, 10/5 or 1-20/3; None if it is none.

    A range may pass the end (22-6, FRI-MON), but not in years.
    """
    span, slash, step = part.partition("/")
    width = kind.highest - kind.lowest + 1
    if slash and not (re.fullmatch(r"[0-9]{1,4}", step) and 1 <= int(step) <= kind.highest):
        return None
    first, dash, last = span.partition("-")
    if span == "*":
        low, high = kind.lowest, kind.highest
    else:
        begin, end = kind.value(first), kind.value(last) if dash else None
        if begin is None or (dash and end is None):
            return None
        low, high = begin, end if end is not None else (kind.highest if slash else begin)
    if low > high:
        if kind.name == "year":
            return None
        high += width
    return {(number - kind.lowest) % width + kind.lowest for number in range(low, high + 1, int(step or 1))}


@cache
def zones() -> frozenset[str]:
    """The time zones of the IANA's database. Read once: it is a walk through hundreds of files."""
    return frozenset(available_timezones() - {"Factory", "localtime"})


def is_zone(said: str, *, exactly: bool) -> bool:
    """Whether this is a time zone of the IANA's database; `exactly`: written as it is there.

    Without `exactly`, whatever Python finds is one, such as posix/UTC.
    """
    if exactly:
        return said in zones()
    try:
        ZoneInfo(said)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name is too long for a file's
        return False
    return True
