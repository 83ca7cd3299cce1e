"""When approvers are reminded of a candidate that waits, and when it is rejected for waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retraining.candidates.waiting import Expire, Remind, next_step, notice
from retraining.config.rules import Approval
from retraining.facts.candidates import Reminded

SINCE = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def played(rules: Approval, *, days: int, told: Reminded | None = None) -> tuple[list[float], float | None]:
    """The hours after SINCE at which approvers are reminded, and at which the candidate is rejected."""
    told, reminders = told or Reminded(), []
    for minute in range(days * 24 * 60 + 1):
        now = SINCE + timedelta(minutes=minute)
        match next_step(SINCE, told, rules, now):
            case Remind(_, expires_at):
                told = Reminded(reminded=SINCE, reminded_at=now, expires_at=expires_at)
                reminders.append(minute / 60)
            case Expire():
                return reminders, minute / 60
    return reminders, None


@pytest.mark.parametrize(
    ("link", "remind", "expire", "reminders", "rejected"),
    [
        # the defaults: 72 h, 24 h, 14 days
        (72, 24, 336, [24, 95, 166, 237, 308], 336),
        (72, 24, None, [24, 95, 166, 237, 308, 379, 450], None),
        (72, None, 336, [312], 336),
        (72, None, None, [], None),
        (168, 24, 336, [24, 191], 336),
        (24, 24, 72, [23, 46, 69], 72),
        (1, 24, 72, [23, 46, 69], 72),
        (72, 200, 336, [71, 142, 213, 284], 336),  # links live for 72 hours: 200 is too late
        (72, 1, 3, [1], 3),
        (72, 0.5, 1, [0.5], 1),
        (72, None, 1, [0.5], 1),
        (1000, 24, 336, [24], 336),
    ],
)
def test_next_step_over_the_whole_wait(
    link: float, remind: float | None, expire: float | None, reminders: list[float], rejected: float | None
) -> None:
    rules = Approval(
        link_expires_after=HOUR * link,
        remind_after=None if remind is None else HOUR * remind,
        expire_after=None if expire is None else HOUR * expire,
    )
    assert played(rules, days=20) == (reminders, rejected)


def test_next_step_by_default_leaves_no_minute_without_a_link_that_decides() -> None:
    reminders, rejected = played(Approval(), days=20)
    made = [0.0, *reminders]
    assert rejected == 336
    for minute in range(336 * 60):
        assert 0 <= minute / 60 - max(at for at in made if at <= minute / 60) < 72


@pytest.mark.parametrize(
    ("told", "step"),
    [
        # never reminded, or in an earlier wait
        (Reminded(), Remind(SINCE + 13 * DAY, SINCE + 21 * DAY)),
        (
            Reminded(reminded=SINCE - DAY, reminded_at=SINCE, expires_at=SINCE + 14 * DAY),
            Remind(SINCE + 13 * DAY, SINCE + 21 * DAY),
        ),
        # reminded by 0.1, which did not note when
        (Reminded(reminded=SINCE), Remind(SINCE + 13 * DAY, SINCE + 21 * DAY)),
        # told the right time
        (Reminded(reminded=SINCE, reminded_at=SINCE + 13 * DAY, expires_at=SINCE + 14 * DAY), Expire()),
        # told a later time, and expire_after was shortened since
        (
            Reminded(reminded=SINCE, reminded_at=SINCE + 19 * DAY, expires_at=SINCE + 30 * DAY),
            Remind(SINCE + 13 * DAY, SINCE + 21 * DAY, after=SINCE + 19 * DAY),
        ),
        # told an earlier time, and expire_after was lengthened since
        (
            Reminded(reminded=SINCE, reminded_at=SINCE + 9 * DAY, expires_at=SINCE + 10 * DAY),
            Remind(SINCE + 13 * DAY, SINCE + 21 * DAY, after=SINCE + 9 * DAY),
        ),
        # told of the shortened time half a day ago
        (
            Reminded(reminded=SINCE, reminded_at=SINCE + 19.5 * DAY, expires_at=SINCE + 20.5 * DAY),
            None,
        ),
        (Reminded(reminded=SINCE, reminded_at=SINCE + 19 * DAY, expires_at=SINCE + 20 * DAY), Expire()),
    ],
)
def test_next_step_after_twenty_days_rejects_only_at_a_time_that_was_told(
    told: Reminded, step: Remind | Expire | None
) -> None:
    assert next_step(SINCE, told, Approval(), SINCE + 20 * DAY) == step


@pytest.mark.parametrize(
    ("remind", "expire", "hours"),
    [(24, 336, 24), (24, 30, 6), (None, 336, 24), (None, 10, 5), (1, 3, 2), (24, None, 24)],
)
def test_notice_is_a_day_unless_the_whole_wait_is_too_short(
    remind: float | None, expire: float | None, hours: float
) -> None:
    rules = Approval(
        remind_after=None if remind is None else HOUR * remind,
        expire_after=None if expire is None else HOUR * expire,
    )
    assert notice(rules) == HOUR * hours


def test_occurrence_of_two_reminders_that_are_due_at_the_same_time_differs() -> None:
    first = Remind(SINCE + DAY, SINCE + 14 * DAY)
    second = Remind(SINCE + DAY, SINCE + 4 * DAY, after=SINCE + DAY + HOUR)
    assert first.occurrence == "2026-11-24T06:00:00+00:00"
    assert second.occurrence == "2026-11-24T06:00:00+00:00 after 2026-11-24T07:00:00+00:00"


def test_occurrence_of_the_first_reminder_is_not_the_one_that_0_1_used() -> None:
    """0.1 told its one reminder apart by the beginning of the wait."""
    step = next_step(SINCE, Reminded(), Approval(), SINCE + DAY)
    assert isinstance(step, Remind)
    assert step.occurrence != SINCE.isoformat()
