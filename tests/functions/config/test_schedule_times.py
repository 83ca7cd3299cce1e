"""When a schedule fires: days, special days, time zones and daylight saving time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from retraining.config.schedule_times import period, times

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 6 ? * MON *)", ["2026-12-07T06:00", "2026-12-14T06:00"]),
        ("cron(0 12 ? * MON *)", ["2026-12-07T12:00", "2026-12-14T12:00"]),  # not the time itself
        ("cron(1 12 ? * MON *)", ["2026-11-30T12:01", "2026-12-07T12:01"]),
        ("cron(*/30 22-23 * * ? *)", ["2026-11-30T22:00", "2026-11-30T22:30"]),
        ("cron(0 0 1 1 ? *)", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 0 L * ? *)", ["2026-12-31T00:00", "2027-01-31T00:00"]),
        ("cron(0 0 L-3 * ? *)", ["2026-12-28T00:00", "2027-01-28T00:00"]),
        ("cron(0 0 LW * ? *)", ["2026-12-31T00:00", "2027-01-29T00:00"]),  # 31 January is a Sunday
        ("cron(0 0 1W * ? *)", ["2026-12-01T00:00", "2027-01-01T00:00"]),
        ("cron(0 0 1W 5 ? *)", ["2027-05-03T00:00", "2028-05-01T00:00"]),  # 1 May 2027 is a Saturday
        ("cron(0 0 15W 8 ? *)", ["2027-08-16T00:00", "2028-08-15T00:00"]),  # 15 August 2027 is a Sunday
        ("cron(0 0 31W 1 ? *)", ["2027-01-29T00:00", "2028-01-31T00:00"]),
        ("cron(0 0 ? * L *)", ["2026-12-05T00:00", "2026-12-12T00:00"]),
        ("cron(0 0 ? * 6L *)", ["2026-12-25T00:00", "2027-01-29T00:00"]),
        ("cron(0 0 ? * friL *)", ["2026-12-25T00:00", "2027-01-29T00:00"]),
        ("cron(0 0 ? * 2#1 *)", ["2026-12-07T00:00", "2027-01-04T00:00"]),
        ("cron(0 0 ? * MON#5 *)", ["2027-03-29T00:00", "2027-05-31T00:00"]),
        ("cron(0 0 1 1 ? 2028)", ["2028-01-01T00:00"]),
        ("cron(0 0 1 1 ? 2020)", []),
        ("rate(7 days)", []),
        ("", []),
    ],
)
def test_times_are_those_at_which_the_schedule_fires_next(expression: str, expected: list[str]) -> None:
    found = islice(times(expression, "UTC", NOON), 2)
    assert [at.strftime("%Y-%m-%dT%H:%M") for at in found] == expected


def test_times_are_in_the_schedules_time_zone() -> None:
    found = next(times("cron(0 6 ? * MON *)", "Europe/Madrid", NOON))
    assert found.isoformat() == "2026-12-07T06:00:00+01:00"
    late = next(times("cron(30 13 ? * MON *)", "Europe/Madrid", NOON))
    assert late.isoformat() == "2026-11-30T13:30:00+01:00"


def test_time_that_daylight_saving_leaves_out_is_left_out() -> None:
    before = datetime(2027, 3, 27, 12, tzinfo=UTC)
    found = islice(times("cron(30 2 * * ? *)", "Europe/Madrid", before), 2)
    assert [at.isoformat() for at in found] == ["2027-03-29T02:30:00+02:00", "2027-03-30T02:30:00+02:00"]


def test_time_that_comes_twice_fires_once() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)
    found = islice(times("cron(30 2 * * ? *)", "Europe/Madrid", before), 2)
    assert [at.isoformat() for at in found] == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("rate(1 hour)", timedelta(hours=1)),
        ("rate(7 days)", timedelta(days=7)),
        ("cron(0 6 * * ? *)", timedelta(days=1)),
        ("cron(0 6 ? * MON-FRI *)", timedelta(days=3)),
        ("cron(0 6,18 ? * MON *)", timedelta(days=6, hours=12)),
        ("cron(0/20 8-10 * * ? *)", timedelta(hours=21, minutes=20)),
        ("cron(0 6 1 * ? *)", timedelta(days=31)),
        ("cron(0 6 ? * TUE#5 *)", timedelta(days=119)),  # 2029: 30 January, 29 May
        ("cron(0 6 1 12 ? 2026)", None),
    ],
)
def test_period_is_the_longest_time_between_two_firings(schedule: str, expected: timedelta | None) -> None:
    assert period(schedule, "UTC", 2026) == expected
