"""A landing whose event is lost is found by the sweep, at a bounded number of calls to S3."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from retraining.facts.model_state import ModelState
from tests.functions.fakes import Died
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, MODEL, Counted, OneModel

MINUTE = timedelta(minutes=1)
QUIET: dict[str, Any] = {"ready": {"when": "quiet", "quiet_period": "60s"}}
EVERY: dict[str, Any] = {"ready": {"when": "every_object"}}


def lose(world: OneModel, number: int) -> None:
    """A delivery lands, and its events are lost."""
    world.land_batch(number)
    world.now += timedelta(seconds=1)
    world.land("_SUCCESS", b"")


def sweeps(world: OneModel, minutes: int) -> None:
    for _ in range(minutes):
        world.now += MINUTE
        world.sweep()


def state_of(world: OneModel) -> ModelState:
    return world.using().states.load(MODEL)[0]


def test_lost_marker_starts_once_it_is_a_minute_old(caplog: pytest.LogCaptureFixture) -> None:
    world = OneModel()
    lose(world, 0)
    world.now += timedelta(seconds=59)
    world.sweep()
    assert world.started() == []
    world.now += timedelta(seconds=1)
    world.sweep()
    assert [item["Trigger"] for item in world.started()] == ["landing"]
    assert caplog.messages.count("landing found without its event") == 1


def test_late_event_of_a_landing_that_was_found_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    world = OneModel()
    lose(world, 0)
    sweeps(world, 2)
    world.end_all(noticed=True)
    sweeps(world, 1)
    told = len(caplog.messages)
    before = state_of(world)
    world.come("landing")
    after = state_of(world)
    assert (after.pending, after.answer, after.reason) == (before.pending, before.answer, before.reason)
    sweeps(world, 30)
    assert len(world.started()) == 1
    assert caplog.messages[told:] == []


def test_lost_marker_that_a_delete_marker_hides_is_found_within_15_minutes() -> None:
    world = OneModel()
    world.sweep()
    lose(world, 0)
    world.s3.delete_object(Key=f"curated/{MODEL}/_SUCCESS")
    sweeps(world, 14)
    assert world.started() == []
    sweeps(world, 1)
    assert len(world.started()) == 1


def test_lost_marker_during_an_execution_starts_after_it() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    lose(world, 1)
    sweeps(world, 3)
    assert (len(world.started()), state_of(world).reason) == (1, "execution e0 is running")
    world.end_all(noticed=False)
    sweeps(world, 3)
    assert len(world.started()) == 2


def test_marker_answered_by_a_schedule_or_a_person_is_not_lost() -> None:
    world = OneModel()
    lose(world, 0)
    world.come("request-1")
    world.end_all(noticed=True)
    sweeps(world, 30)
    assert [item["Trigger"] for item in world.started()] == ["request"]


def test_marker_that_was_refused_is_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    world = OneModel()
    world.land("train.csv", BAD)
    world.land("validation.csv", HEADER + ROWS)
    world.mark()
    sweeps(world, 30)
    assert world.started() == []
    assert caplog.messages.count("start answered") == 1


@pytest.mark.parametrize("retrain", [QUIET, EVERY], ids=["quiet", "every object"])
def test_lost_objects_are_found_within_15_minutes(retrain: dict[str, Any]) -> None:
    world = OneModel(**retrain)
    world.sweep()
    world.land_batch(0)
    sweeps(world, 14)
    assert world.started() == []
    sweeps(world, 2)
    assert [item["Trigger"] for item in world.started()] == ["landing"]
    world.end_all(noticed=True)
    sweeps(world, 60)
    assert len(world.started()) == 1


@pytest.mark.parametrize("retrain", [QUIET, EVERY], ids=["quiet", "every object"])
def test_deleted_objects_are_no_landing(retrain: dict[str, Any]) -> None:
    world = OneModel(**retrain)
    world.land("train/a.csv", HEADER + ROWS)
    world.land("train/b.csv", HEADER + ROWS * 2)
    world.land("validation.csv", HEADER + ROWS)
    sweeps(world, 2)
    world.end_all(noticed=True)
    world.s3.delete_object(Key=f"curated/{MODEL}/train/b.csv")
    sweeps(world, 60)
    assert len(world.started()) == 1


def test_objects_that_were_refused_are_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    world = OneModel(**EVERY)
    world.land("train.csv", HEADER + ROWS)
    sweeps(world, 60)
    assert state_of(world).reason == "there is no validation data"
    assert caplog.messages.count("start answered") == 1
    assert caplog.messages.count("landing found without its event") == 1


def forget_markers(world: OneModel) -> None:
    """The state is as 0.1 stored it: it names the batch by ETags, and no marker."""
    item = world.items.facts[f"model#{MODEL}"]
    if item["state"]["lastBatch"] == world.newest():
        world.name_by_etags()
    for name in ("answeredBatch", "answeredMarker", "supersededMarkers", "listedAt"):
        item["state"].pop(name, None)


@pytest.mark.parametrize("retrain", [{}, QUIET, EVERY], ids=["marker", "quiet", "every object"])
def test_state_of_0_1_starts_nothing_again_and_tells_nothing(
    retrain: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    world = OneModel(**retrain)
    world.land_batch(0)
    world.mark()
    world.now += 2 * MINUTE
    world.sweep()
    world.end_all(noticed=True)
    forget_markers(world)
    assert len(world.started()) == 1
    told = caplog.messages.count("start answered")
    sweeps(world, 60)
    assert len(world.started()) == 1
    assert caplog.messages.count("start answered") == told
    assert state_of(world).answer == "start"


def test_state_of_0_1_does_not_start_an_older_batch_that_was_started() -> None:
    world = OneModel()
    for number in (0, 1, 0):
        world.land_batch(number)
        world.now += MINUTE
        world.mark()
        world.end_all(noticed=True)
    forget_markers(world)
    sweeps(world, 60)
    assert len(world.started()) == 2


def s3_calls(world: OneModel, minutes: int) -> list[str]:
    """S3's calls of this many sweeps, a minute apart."""
    counted = Counted(world.s3)
    world.s3 = counted  # type: ignore[assignment]
    sweeps(world, minutes)
    return [call.split()[0] for call in counted.calls]


@pytest.mark.parametrize("pairs", [False, True], ids=["root", "pair"])
def test_idle_model_costs_one_head_a_minute_and_three_listings_each_quarter(pairs: bool) -> None:
    world = OneModel()
    world.land_batch(0)
    if pairs:
        world.land("train/_SUCCESS", b"")
        world.land("validation/_SUCCESS", b"")
        world.come("landing")
    else:
        world.mark()
    world.end_all(noticed=True)
    sweeps(world, 2)  # the end is recorded
    assert s3_calls(world, 30) == [
        *[*["head_object"] * 13, *["list_object_versions"] * 3, "head_object"],
        *[*["head_object"] * 13, *["list_object_versions"] * 3, "head_object"],
    ]


@pytest.mark.parametrize(
    "retrain",
    [{"paused": True}, {"cooldown": "5h"}, {"daily_limit": 1}],
    ids=["paused", "cooldown", "daily limit"],
)
def test_model_that_waits_costs_no_call_to_s3(retrain: dict[str, Any]) -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    world.end_all(noticed=True)
    sweeps(world, 2)  # the end is recorded
    world.config = OneModel(**retrain).config
    world.land_batch(1)
    world.now += MINUTE
    world.mark()
    assert s3_calls(world, 30) == []


def test_model_that_runs_and_waits_costs_no_call_to_s3() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    world.land_batch(1)
    world.now += MINUTE
    world.mark()
    assert s3_calls(world, 30) == []


def test_model_without_data_costs_a_head_a_minute_and_listings_each_quarter() -> None:
    """Besides its markers, its data is listed: no marker has ever landed."""
    quarter = [*["list_object_versions"] * 3, "get_paginator", *["head_object"] * 14]
    assert s3_calls(OneModel(), 30) == [*quarter, *quarter]


@pytest.mark.parametrize("retrain", [QUIET, EVERY], ids=["quiet", "every object"])
def test_idle_model_without_marker_costs_a_listing_each_quarter(retrain: dict[str, Any]) -> None:
    world = OneModel(**retrain)
    world.land_batch(0)
    sweeps(world, 3)
    world.end_all(noticed=True)
    sweeps(world, 2)  # the end is recorded
    assert s3_calls(world, 45) == ["get_paginator"] * 3


def test_listing_that_ends_its_function_rests_a_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    world = OneModel(**EVERY)
    world.land_batch(0)
    listed: list[str] = []

    def dies(*_: Any, **__: Any) -> None:
        listed.append("listed")
        raise Died("in the listing")

    monkeypatch.setattr("retraining.starts.lost_landings.bucket.list_batch", dies)
    for minute in range(16):
        world.now += MINUTE
        with contextlib.suppress(ExceptionGroup):
            world.sweep()
        assert listed == ["listed"] * (1 if minute < 15 else 2)
