"""Which schedules and time zones are taken, as EventBridge Scheduler takes them."""

from __future__ import annotations

import re

import pytest

from retraining.config.schedules import SCHEDULE_PATTERN, is_zone, never_fires, schedule_problem

TAKEN = [
    "rate(1 minute)",
    "rate(1 day)",
    "rate(2 hours)",
    "rate(365 days)",
    "cron(0 6 ? * MON *)",
    "cron(15 10 ? * 6L 2022-2027)",
    "cron(15 12 * * ? *)",
    "cron(0 18 ? * MON-FRI *)",
    "cron(0/15 * * * ? *)",
    "cron(*/10 * ? * MON-FRI *)",
    "cron(0/5 8-17 ? * 2-6 *)",
    "cron(0 9 ? * 2#1 *)",
    "cron(0 9 ? * TUE#5 *)",
    "cron(0 9 ? * L *)",
    "cron(0 9 ? * FRIL *)",
    "cron(0 9 L * ? *)",
    "cron(0 9 LW * ? *)",
    "cron(0 9 L-3 * ? *)",
    "cron(0 9 15W * ? *)",
    "cron(0 9 1,15,31 JAN,MAR-JUN ? *)",
    "cron(0 9 29 2 ? *)",
    "cron(0 22-6 ? * FRI-MON *)",
    "cron(0 6 ? * mon *)",
    "cron(0 0 1 1/3 ? 2026/2)",
]
REFUSED = [
    ("rate(1 minutes)", "write rate(1 minute)"),
    ("rate(5 minute)", "write rate(5 minutes)"),
    ("rate(0 minutes)", "a rate is at least 1"),
    ("rate(-1 days)", "expected rate"),
    ("rate(07 days)", "expected rate"),
    ("rate(7 seconds)", "expected rate"),
    ("rate(7  days)", "expected rate"),
    ("Rate(7 days)", "expected rate"),
    ("rate(7 days) ", "expected rate"),
    ("rate(\u0667 days)", "expected rate"),
    ("cron()", "six fields"),
    ("cron(0 6 ? * MON * *)", "six fields"),
    ("cron( 0 6 ? * MON *)", "six fields"),
    ("cron(0 6 * * * *)", "and none is"),
    ("cron(0 6 1 * MON *)", "and none is"),
    ("cron(0 6 ? * ? *)", "and both are"),
    ("cron(-1 6 ? * MON *)", "'-1' is no minute"),
    ("cron(5- 6 ? * MON *)", "'5-' is no minute"),
    ("cron(5,,6 6 ? * MON *)", "'' is no minute"),
    ("cron(0/60 6 ? * MON *)", "'0/60' is no minute"),
    ("cron(/5 6 ? * MON *)", "'/5' is no minute"),
    ("cron(\u0665 6 ? * MON *)", "is no minute"),
    ("cron(0 6 0 * ? *)", "'0' is no day of the month"),
    ("cron(0 6 32 * ? *)", "'32' is no day of the month"),
    ("cron(0 6 32W * ? *)", "'32W' is no day of the month"),
    ("cron(0 6 ?/2 * MON *)", "'?/2' is no day of the month"),
    ("cron(0 6 L-31 * ? *)", "'L-31' is no day of the month"),
    ("cron(0 6 1 JANUARY ? *)", "'JANUARY' is no month"),
    ("cron(0 6 1 L ? *)", "'L' is no month"),
    ("cron(0 6 ? * 8 *)", "'8' is no day of the week"),
    ("cron(0 6 ? * 2W *)", "'2W' is no day of the week"),
    ("cron(0 6 ? * 2#0 *)", "'2#0' is no day of the week"),
    ("cron(0 6 ? * MON 2200)", "'2200' is no year"),
    ("cron(0 6 ? * MON 2030-2026)", "'2030-2026' is no year"),
    ("cron(0 6 ? * MON ?)", "'?' is no year"),
    ("cron(0 6 31 4,6,9,11 ? *)", "the day 31 never comes in the month 4,6,9,11"),
    ("cron(0 6 30-31 FEB ? *)", "the day 30-31 never comes in the month FEB"),
]


@pytest.mark.parametrize("said", TAKEN)
def test_schedule_that_aws_takes_has_no_problem(said: str) -> None:
    assert schedule_problem(said) is None
    assert re.search(SCHEDULE_PATTERN, said)


@pytest.mark.parametrize(("said", "why"), REFUSED)
def test_schedule_that_aws_refuses_has_a_problem(said: str, why: str) -> None:
    assert why in (schedule_problem(said) or "")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("cron(0 6 29 2 ? 2027)", "29 February does not come in the year 2027; for each year, write *"),
        ("cron(0 6 29,30 FEB ? 2025-2027)", "29 February does not come in the year 2025-2027"),
        ("cron(0 6 29 2 ? 2024-2027)", "29 February does not come in the year 2024-2027"),
        ("cron(0 6 29 2 ? 2100)", "29 February does not come in the year 2100"),
        ("cron(0 6 ? * MON 2020)", "the year 2020 is over; for each year, write *"),
        ("cron(0 6 ? * MON 2020-2025)", "the year 2020-2025 is over"),
        ("cron(0 6 L * ? 1999,2001)", "the year 1999,2001 is over"),
    ],
)
def test_schedule_that_does_not_come_again_never_fires(said: str, why: str) -> None:
    assert schedule_problem(said) is None
    assert (never_fires(said, 2026) or "").startswith(why)


@pytest.mark.parametrize(
    "said",
    [
        *TAKEN,
        "cron(0 6 29 2 ? 2028)",
        "cron(0 6 29 2,3 ? 2027)",
        "cron(0 6 28-29 2 ? 2027)",
        "cron(0 6 ? 2 2#5 2027)",
        "cron(0 6 L 2 ? 2027)",
        "cron(0 6 ? * MON 2020-2026)",
        "cron(0 6 * 2 ? 2027)",
    ],
)
def test_schedule_that_comes_again_fires(said: str) -> None:
    assert never_fires(said, 2026) is None


@pytest.mark.parametrize(
    "said", ["UTC", "Europe/Madrid", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "EST"]
)
def test_zone_of_the_database_is_one(said: str) -> None:
    assert is_zone(said, exactly=True)


@pytest.mark.parametrize(
    "said",
    ["", "Madrid", "europe/madrid", "posix/UTC", "right/UTC", "localtime", "Factory", "../UTC", "x" * 300],
)
def test_zone_that_aws_does_not_know_is_none(said: str) -> None:
    assert not is_zone(said, exactly=True)
