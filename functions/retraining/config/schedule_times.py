"""Pure: when a schedule of EventBridge Scheduler fires.

Source: "Schedule types on EventBridge Scheduler" in its user guide, also for the change to and from daylight
saving time: a time that does not exist is left out, and one that comes twice fires once. L, W and # mean what
they do in Quartz' CronTrigger.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice, pairwise, product
from typing import Final
from zoneinfo import ZoneInfo

from retraining.config.schedules import cron_fields, rate_of

LOOKS_AHEAD: Final = timedelta(days=9 * 366)
"""The time in which the next firing is looked for: 29 February may be eight years away."""

COMPARED: Final = 600
"""Firings among which the longest wait is looked for: those of a daily schedule in more than a year."""

SATURDAY: Final = 7
"""The last day of the week; the first one is Sunday, 1."""


def times(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The times after `after` at which a valid cron() fires, earliest first, in its time zone.

    None for a rate(): it counts from when the schedule was made.
    """
    fields = cron_fields(expression)
    if fields is None:
        return
    place = ZoneInfo(zone)
    minutes, hours, _, months, _, years = (values for _, values in fields)
    on_day = _day_test(fields[2][0], fields[2][1], fields[4][0], fields[4][1])
    day = after.astimezone(place).date()
    for _ in range(LOOKS_AHEAD.days):
        if day.year in years and day.month in months and on_day(day):
            for hour, minute in product(sorted(hours), sorted(minutes)):
                at = datetime.combine(day, time(hour, minute), place)
                if at > after and at.astimezone(UTC).astimezone(place).time() == at.time():
                    yield at
        day += timedelta(days=1)


@cache
def period(expression: str, zone: str, year: int) -> timedelta | None:
    """The longest time between two firings from this year on; None for what fires once at most."""
    if (rate := rate_of(expression)) is not None:
        return rate
    begin = datetime(year, 1, 1, tzinfo=ZoneInfo(zone))
    found = islice(times(expression, zone, begin), COMPARED)
    return max((later - earlier for earlier, later in pairwise(found)), default=None)


def _day_test(day: str, days: set[int], weekday: str, weekdays: set[int]) -> Callable[[date], bool]:
    """Whether a date fulfils the fields of the day of the month and of the day of the week."""
    if day != "?":
        found = _special_day(day.upper())
        return found or (lambda on: on.day in days)
    return _special_weekday(weekday.upper()) or (lambda on: _weekday(on) in weekdays)


def _special_day(said: str) -> Callable[[date], bool] | None:
    """The test of L, L-3, LW and 15W; None for other values."""
    if said == "LW":
        return lambda on: on.day == _nearest_weekday(on, _last(on))
    if near := re.fullmatch(r"(\d+)W", said):
        return lambda on: on.day == _nearest_weekday(on, min(int(near[1]), _last(on)))
    if last := re.fullmatch(r"L(?:-(\d+))?", said):
        return lambda on: on.day == _last(on) - int(last[1] or 0)
    return None


def _special_weekday(said: str) -> Callable[[date], bool] | None:
    """The test of L, 6L (the last Friday) and 2#1 (the first Monday); None for other values."""
    if said == "L":
        return lambda on: _weekday(on) == SATURDAY
    if last := re.fullmatch(r"(\w+)L", said):
        return lambda on: _weekday(on) == _number(last[1]) and on.day + 7 > _last(on)
    if nth := re.fullmatch(r"(\w+)#(\d)", said):
        return lambda on: _weekday(on) == _number(nth[1]) and (on.day - 1) // 7 + 1 == int(nth[2])
    return None


def _number(weekday: str) -> int:
    """The number of a weekday that is given as a number or a name."""
    names = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
    return int(weekday) if weekday.isdigit() else names.index(weekday) + 1


def _weekday(on: date) -> int:
    return (on.weekday() + 1) % 7 + 1


def _last(on: date) -> int:
    """The last day of the month."""
    return monthrange(on.year, on.month)[1]


def _nearest_weekday(on: date, day: int) -> int:
    """The day from Monday to Friday of this month that is nearest to `day`."""
    there = on.replace(day=day)
    if there.weekday() == 5:  # Saturday
        return day - 1 if day > 1 else 3
    if there.weekday() == 6:  # Sunday
        return day + 1 if day < _last(on) else day - 2
    return day
