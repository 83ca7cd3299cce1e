"""Candidates whose wait is shortened in the config are reminded of before they are rejected."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest

from tests.functions.candidates.sweeping import DAY, held, sweep, told
from tests.functions.fakes import (
    Died,
    Mortal,
)
from tests.functions.world import World


def expire_after(world: World, days: int) -> None:
    titanic = world.configs.known["titanic"]
    approval = titanic.approval.model_copy(update={"expire_after": timedelta(days=days)})
    world.configs.known["titanic"] = titanic.model_copy(update={"approval": approval})


def told_daily(world: World, days: range) -> list[tuple[int, str]]:
    """Sweep each noon and midnight of these days; what people were told, and on which day."""
    found = []
    for half in range(days.start * 2, days.stop * 2):
        sweep(world, half * DAY / 2 + 2)
        found += [(half // 2, kind) for kind, _ in told(world)]
    return found


def test_sweep_shortened_wait_is_reminded_of_before_the_rejection(world: World) -> None:
    """The reminder before the new end is due when the first one was."""
    held(world)
    assert told_daily(world, range(2)) == [(1, "overdue")]
    expire_after(world, 2)
    assert told_daily(world, range(3, 6)) == [(3, "overdue"), (4, "rejected")]


def test_sweep_wait_that_is_lengthened_and_shortened_is_reminded_of_before_the_rejection(
    world: World,
) -> None:
    held(world)
    sweep(world, 13 * DAY + 2)
    assert told(world) == [("overdue", None)]
    expire_after(world, 30)
    assert told_daily(world, range(13, 20)) == [(16, "overdue"), (19, "overdue")]
    expire_after(world, 14)
    assert told_daily(world, range(20, 23)) == [(20, "overdue"), (21, "rejected")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 12))
def test_sweep_death_while_a_shortened_wait_is_told_tells_it_once(
    world: World, lives: int, after: bool
) -> None:
    held(world)
    sweep(world, DAY + 2)
    world.messages()
    expire_after(world, 2)
    left = [lives]
    with contextlib.suppress(Died, ExceptionGroup):
        sweep(
            world,
            3 * DAY,
            table=Mortal(world.table, left, after=after),
            sns=Mortal(world.sns, left, after=after),
        )
    for minutes in (2, 4, 6):
        sweep(world, 3 * DAY + minutes)
    found = world.messages()
    assert {message["kind"] for message in found} == {"overdue"}
    assert len({message["notificationId"] for message in found}) == 1
