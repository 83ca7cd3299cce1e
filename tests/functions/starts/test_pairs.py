"""A marker in each split's folder, as Spark writes them, completes a delivery as the root's marker does."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from retraining.facts.model_state import ModelState
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, MODEL, Counted, OneModel
from tests.functions.starts.test_as_of_marker import schedule, trained

MINUTE = timedelta(minutes=1)


def half(world: OneModel, split: str, number: int, marker: str = "_SUCCESS", *, event: bool = True) -> None:
    """A job writes the part of a split, then the marker into the same folder."""
    world.land(f"{split}/part-0.csv", HEADER + ROWS * (number + (2 if split == "train" else 1)))
    world.now += timedelta(seconds=2)
    world.land(f"{split}/{marker}", b"")
    if event:
        world.come("landing")
    world.now += timedelta(seconds=2)


def files(number: int) -> dict[str, bytes]:
    return {
        "train/part-0.csv": HEADER + ROWS * (number + 2),
        "validation/part-0.csv": HEADER + ROWS * (number + 1),
    }


def state_of(world: OneModel) -> ModelState:
    return world.using().states.load(MODEL)[0]


def told(world: OneModel) -> list[tuple[str, list[str]]]:
    """Kind and reasons of each notification."""
    bodies = [json.loads(json.loads(sent["Message"])["default"]) for sent in world.sns.sent]
    return [(body["kind"], body["reasons"]) for body in bodies]


@pytest.mark.parametrize("splits", [("train", "validation"), ("validation", "train")])
@pytest.mark.parametrize("marker", ["_SUCCESS", "DONE"])
def test_pair_starts_when_its_second_marker_lands(splits: tuple[str, str], marker: str) -> None:
    world = OneModel(ready={"when": "marker", "marker": marker})
    half(world, splits[0], 0, marker)
    assert world.started() == []
    assert state_of(world).reason == (
        f"{splits[0]}/{marker} has landed, and {splits[1]}/{marker} is waited for"
    )
    half(world, splits[1], 0, marker)
    assert trained(world) == [files(0)]
    assert world.sns.sent == []


def test_pair_of_the_next_delivery_starts_the_next_execution() -> None:
    world = OneModel()
    for number in (0, 1):
        half(world, "train", number)
        assert len(world.started()) == number
        half(world, "validation", number)
        world.end_all(noticed=True)
        world.now += MINUTE
    assert trained(world) == [files(0), files(1)]


@pytest.mark.parametrize("ask", ["schedule", "request"])
def test_schedule_and_person_during_a_pair_train_the_one_before(ask: str) -> None:
    world = OneModel()
    half(world, "train", 0)
    half(world, "validation", 0)
    world.end_all(noticed=True)
    half(world, "train", 1)
    world.now += MINUTE
    schedule(world) if ask == "schedule" else world.come("request-1")
    assert trained(world) == [files(0), files(0)]


def test_first_half_of_the_next_delivery_mixes_nothing_while_a_pair_waits() -> None:
    world = OneModel(paused=True)
    for number in (0, 1):
        half(world, "train", number)
        half(world, "validation", number)
    half(world, "train", 2)
    world.config = OneModel().config
    world.now += MINUTE
    world.sweep()
    assert trained(world) == [files(1)]
    superseded = state_of(world).superseded_markers
    assert [len(one.versions) for one in superseded] == [2]


def test_first_half_during_an_execution_starts_nothing_after_it() -> None:
    world = OneModel()
    half(world, "train", 0)
    half(world, "validation", 0)
    half(world, "train", 1)
    world.end_all(noticed=True)
    for _ in range(3):
        world.now += MINUTE
        world.sweep()
    assert trained(world) == [files(0)]
    half(world, "validation", 1)
    assert trained(world) == [files(0), files(1)]


def test_pair_that_spark_overwrites_hides_nothing() -> None:
    """Spark deletes the marker with the files before it writes anew."""
    world = OneModel(paused=True)
    half(world, "train", 0)
    half(world, "validation", 0)
    for name in ("train/part-0.csv", "train/_SUCCESS"):
        world.s3.delete_object(Key=f"curated/{MODEL}/{name}")
    world.config = OneModel().config
    world.now += MINUTE
    world.sweep()
    assert trained(world) == [files(0)]


@pytest.mark.parametrize("first", ["root", "pair"])
def test_newest_completion_counts_where_roots_marker_and_pairs_land(first: str) -> None:
    world = OneModel(paused=True)

    def root(number: int) -> None:
        for name, body in files(number).items():
            world.land(name, body)
        world.now += timedelta(seconds=2)
        world.land("_SUCCESS", b"")
        world.now += timedelta(seconds=2)

    def pair(number: int) -> None:
        half(world, "train", number)
        half(world, "validation", number)

    for number, deliver in enumerate((root, pair) if first == "root" else (pair, root)):
        deliver(number)
    world.come("landing")
    world.config = OneModel().config
    world.now += MINUTE
    world.sweep()
    assert trained(world) == [files(1)]


def test_roots_marker_after_a_pair_of_the_same_delivery_starts_nothing_again() -> None:
    world = OneModel()
    half(world, "train", 0)
    half(world, "validation", 0)
    world.end_all(noticed=True)
    world.now += MINUTE
    world.mark()
    assert len(world.started()) == 1
    assert (state_of(world).reason or "").startswith("the same bytes were started before")
    half(world, "train", 1)
    half(world, "validation", 1)
    assert trained(world) == [files(0), files(1)]


@pytest.mark.parametrize("number", [0, 1], ids=["the first", "a later"])
def test_pair_whose_events_are_lost_is_found(number: int) -> None:
    world = OneModel()
    for each in range(number):
        half(world, "train", each)
        half(world, "validation", each)
        world.end_all(noticed=True)
    world.sweep()
    half(world, "train", number, event=False)
    half(world, "validation", number, event=False)
    for _ in range(3 if number else 15):
        world.now += MINUTE
        world.sweep()
    assert len(world.started()) == number + 1


def test_half_a_pair_is_told_once_after_an_hour_and_starts_when_it_is_complete() -> None:
    world = OneModel()
    half(world, "train", 0)
    landed = world.now - timedelta(seconds=2)
    for minute in range(180):
        world.now += MINUTE
        world.sweep()
        assert minute > 58 or world.sns.sent == []
    assert told(world) == [
        (
            "start_blocked",
            [
                f"train/_SUCCESS has landed, and validation/_SUCCESS is waited for since {landed:%F %T} UTC: "
                "land it, or _SUCCESS at the root of curated/titanic/"
            ],
        )
    ]
    half(world, "validation", 0)
    assert trained(world) == [files(0)]


@pytest.mark.slow
def test_half_a_pair_is_told_after_a_day_where_the_roots_marker_is_in_use() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    world.end_all(noticed=True)
    half(world, "train", 0)
    for minute in range(24 * 60 + 20):
        world.now += MINUTE
        world.sweep()
        assert minute > 24 * 60 - 2 or world.sns.sent == []
    assert [kind for kind, _ in told(world)] == ["start_blocked"]


@pytest.mark.parametrize(
    ("landed", "left_out"),
    [
        (["train/a.csv", "validation/a.csv", "train/_DONE"], "1 object left out: train/_DONE ("),
        (["Train/a.csv", "Validation/a.csv"], "2 objects left out: Train/a.csv ("),
    ],
)
def test_data_whose_marker_has_another_name_is_told_once_after_an_hour(
    landed: list[str], left_out: str
) -> None:
    world = OneModel()
    for name in landed:
        world.land(name, HEADER + ROWS)
    for minute in range(180):
        world.now += MINUTE
        world.sweep()
        assert minute > 58 or world.sns.sent == []
    ((kind, reasons),) = told(world)
    assert kind == "start_blocked"
    said = "data has landed, and no marker _SUCCESS has landed: land it when the batch is complete; "
    assert reasons[0].startswith(said + left_out)
    assert world.started() == []


def test_data_without_a_marker_is_not_listed_again_once_it_is_told() -> None:
    world = OneModel()
    world.land_batch(0)
    counted = Counted(world.s3)
    world.s3 = counted  # type: ignore[assignment]
    for _ in range(240):
        world.now += MINUTE
        world.sweep()
    assert len(told(world)) == 1
    assert counted.calls.count("get_paginator list_object_versions") == 5


def test_first_half_of_the_next_delivery_lists_no_objects() -> None:
    world = OneModel()
    half(world, "train", 0)
    half(world, "validation", 0)
    world.end_all(noticed=True)
    counted = Counted(world.s3)
    world.s3 = counted  # type: ignore[assignment]
    half(world, "train", 1)
    assert "get_paginator list_object_versions" not in counted.calls
    assert counted.calls.count("list_object_versions") == 3
    half(world, "validation", 1)
    assert trained(world) == [files(0), files(1)]


def test_data_that_a_model_without_a_marker_leaves_out_is_told_once_after_an_hour() -> None:
    world = OneModel(ready={"when": "every_object"})
    world.land("train.csv", HEADER + ROWS)
    world.land("Validation/a.csv", HEADER + ROWS)
    for _ in range(180):
        world.now += MINUTE
        world.sweep()
    ((kind, reasons),) = told(world)
    assert (kind, reasons) == (
        "start_blocked",
        [
            "there is no validation data; 1 object left out: Validation/a.csv (neither below train/ or "
            "validation/ nor a file train.csv or validation.csv)"
        ],
    )


def week(world: OneModel, number: int) -> None:
    """Both splits of a delivery, a week after the one before; its first half starts nothing."""
    before = len(world.started())
    world.now += timedelta(days=7)
    half(world, "train", number)
    assert len(world.started()) == before
    world.now += 5 * MINUTE
    half(world, "validation", number)
    world.end_all(noticed=True)


def test_corrected_validation_after_quarantine_starts_by_the_roots_marker_and_shifts_no_pair() -> None:
    world = OneModel()
    half(world, "train", 0)
    world.land("validation/part-0.csv", BAD)
    world.land("validation/_SUCCESS", b"")
    world.come("landing")
    world.now += MINUTE
    world.sweep()
    half(world, "validation", 0)
    assert world.started() == []
    world.now += MINUTE
    world.mark()
    world.end_all(noticed=True)
    assert trained(world) == [files(0)]
    for number in (1, 2):
        week(world, number)
    assert trained(world) == [files(0), files(1), files(2)]


def test_corrected_validation_that_nobody_starts_shifts_no_pair() -> None:
    world = OneModel()
    week(world, 0)
    half(world, "validation", 9)
    for _ in range(70):
        world.now += MINUTE
        world.sweep()
    assert [kind for kind, _ in told(world)] == ["start_blocked"]
    for number in (1, 2, 3):
        week(world, number)
    assert trained(world) == [files(0), files(1), files(2), files(3)]


def test_sweep_finds_no_landing_where_a_split_was_written_alone() -> None:
    world = OneModel()
    week(world, 0)
    half(world, "validation", 9)
    world.now += timedelta(days=2)
    half(world, "train", 1)
    for _ in range(10):
        world.now += MINUTE
        world.sweep()
        assert state_of(world).pending == ()
    assert state_of(world).landings == 4
    half(world, "validation", 1)
    assert trained(world) == [files(0), files(1)]


def test_roots_marker_ends_a_split_that_was_written_alone() -> None:
    world = OneModel()
    week(world, 0)
    world.now += timedelta(hours=1)
    half(world, "validation", 5)
    world.mark()
    world.end_all(noticed=True)
    for number in (1, 2):
        week(world, number)
    assert trained(world)[-2:] == [files(1), files(2)]


def test_half_before_the_roots_marker_pairs_with_no_later_half() -> None:
    world = OneModel()
    half(world, "train", 0)
    world.land("validation/part-0.csv", HEADER + ROWS)
    world.now += timedelta(seconds=2)
    world.mark()
    world.end_all(noticed=True)
    world.now += timedelta(days=7)
    half(world, "validation", 1)
    assert len(world.started()) == 1


def test_half_that_is_written_anew_is_waited_for() -> None:
    """The train job runs again: it deletes marker and part, and has written one of two parts."""
    world = OneModel()
    half(world, "train", 0)
    for name in ("train/part-0.csv", "train/_SUCCESS"):
        world.s3.delete_object(Key=f"curated/{MODEL}/{name}")
    world.land("train/part-00.csv", HEADER + ROWS)
    world.now += timedelta(seconds=2)
    half(world, "validation", 0)
    assert world.started() == []
    assert state_of(world).reason == "validation/_SUCCESS has landed, and train/_SUCCESS is waited for"
    world.land("train/part-01.csv", HEADER + ROWS * 3)
    world.now += timedelta(seconds=2)
    world.land("train/_SUCCESS", b"")
    world.come("landing")
    assert [sorted(found) for found in trained(world)] == [
        ["train/part-00.csv", "train/part-01.csv", "validation/part-0.csv"]
    ]
