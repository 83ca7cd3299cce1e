"""An execution reads the data as of the newest marker, whatever lands, dies or is deleted afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from retraining.config.data import Data
from retraining.facts.starts import StartRequest
from retraining.starts import starting
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, MODEL, OneModel

MINUTE = timedelta(minutes=1)


def trained(world: OneModel) -> list[dict[str, bytes]]:
    """For each execution the bytes that its manifest names, by the file's name."""
    found = []
    for started in world.started():
        manifest = world.s3.get_object(Key=f"batches/{MODEL}/{started['Batch']}/manifest.json")["Body"].read()
        found.append(
            {
                item["key"].removeprefix(f"curated/{MODEL}/"): world.s3.get_object(
                    Key=item["key"], VersionId=item["versionId"]
                )["Body"].read()
                for item in json.loads(manifest)["objects"]
            }
        )
    return found


def delivery(number: int) -> dict[str, bytes]:
    """The files of a delivery, which differ in both splits from those of every other one."""
    return {
        "train.csv": HEADER + ROWS * (number + 2),
        "validation.csv": HEADER + ROWS * (number + 1),
    }


def deliver(world: OneModel, number: int, *, event: bool = True) -> None:
    """All files land, then the marker; its event arrives unless it is late."""
    for name, body in delivery(number).items():
        world.land(name, body)
    world.now += timedelta(seconds=1)
    world.land("_SUCCESS", b"")
    if event:
        world.come("landing")
    world.now += timedelta(seconds=1)


def schedule(world: OneModel) -> None:
    """The model's schedule asks."""
    request = StartRequest(cause=f"{world.now}", trigger="schedule", requested_by="arn:s", at=world.now)
    starting.note(MODEL, [request], world.using())
    starting.advance(MODEL, world.using())


def paused() -> OneModel:
    """A delivery has landed while the model was paused."""
    world = OneModel(paused=True)
    deliver(world, 0)
    return world


def resume(world: OneModel) -> None:
    world.config = OneModel().config
    world.now += MINUTE
    world.sweep()


def test_delivery_is_trained_if_the_next_one_dies_after_one_file() -> None:
    world = paused()
    world.land("train.csv", delivery(1)["train.csv"])
    resume(world)
    assert trained(world) == [delivery(0)]


def test_delivery_is_trained_if_a_file_lands_after_its_marker() -> None:
    world = paused()
    world.land("train/late.csv", HEADER + ROWS)
    resume(world)
    assert trained(world) == [delivery(0)]


def test_delivery_is_trained_if_its_files_are_deleted_after_its_marker() -> None:
    world = paused()
    for name in ("train.csv", "_SUCCESS"):
        world.s3.delete_object(Key=f"curated/{MODEL}/{name}")
    resume(world)
    assert trained(world) == [delivery(0)]


def test_files_deleted_before_the_marker_are_not_trained() -> None:
    world = OneModel()
    world.land("train/old.csv", HEADER + ROWS)
    world.now += MINUTE
    world.s3.delete_object(Key=f"curated/{MODEL}/train/old.csv")
    deliver(world, 0)
    assert trained(world) == [delivery(0)]


@pytest.mark.parametrize("ask", ["schedule", "request"])
def test_schedule_and_person_during_a_delivery_train_the_one_before(ask: str) -> None:
    world = OneModel()
    deliver(world, 0)
    world.end_all(noticed=True)
    world.land("train.csv", delivery(1)["train.csv"])
    world.now += MINUTE
    schedule(world) if ask == "schedule" else world.come("request-1")
    assert trained(world) == [delivery(0), delivery(0)]


def test_delivery_of_which_a_version_is_gone_for_good_is_trained_only_if_a_person_asks() -> None:
    """It has expired by the bucket's lifecycle, or somebody deleted the version."""
    world = OneModel()
    world.land("train/b.csv", HEADER + ROWS)
    deliver(world, 0)
    world.end_all(noticed=True)
    del world.s3.versions[f"curated/{MODEL}/train/b.csv"]
    world.now += MINUTE
    schedule(world)
    state, _ = world.using().states.load(MODEL)
    assert (state.answer, state.reason) == (
        "refuse",
        "versions of the newest delivery have expired or were deleted for good: land it again, or "
        "`handsoff start titanic` trains on what is left",
    )
    assert len(world.started()) == 1
    schedule(world)  # the refusal is no answer to what is left
    assert len(world.started()) == 1
    (told,) = [json.loads(json.loads(sent["Message"])["default"]) for sent in world.sns.sent]
    assert (told["kind"], told["reasons"]) == ("start_blocked", [state.reason])
    world.come("request-1")
    assert len(world.started()) == 2


@pytest.mark.parametrize("name", ["train/late.csv", "train.csv"], ids=["new", "overwritten"])
def test_file_of_the_markers_second_that_lands_after_the_start_stops_no_schedule(name: str) -> None:
    world = OneModel()
    for file, body in delivery(0).items():
        world.land(file, body)
    world.mark()
    world.land(name, HEADER + ROWS * 9)
    world.end_all(noticed=True)
    world.now += MINUTE
    schedule(world)
    assert trained(world) == [delivery(0), {**delivery(0), name: HEADER + ROWS * 9}]
    assert world.sns.sent == []


def test_schedule_mixes_no_older_version_into_a_delivery() -> None:
    """The newest version of a file was deleted for good, so the one before it is the newest now."""
    world = OneModel()
    for number in (0, 1):
        deliver(world, number)
        world.end_all(noticed=True)
        world.now += MINUTE
    key = f"curated/{MODEL}/train.csv"
    world.s3.delete_object(Key=key, VersionId=world.s3.versions[key][-1][0])
    schedule(world)
    assert len(world.started()) == 2


def test_schedule_leaves_a_refused_delivery_of_which_a_version_is_gone() -> None:
    """It has no manifest, so any other batch counts as a loss."""
    world = OneModel(min_new_rows=1000)
    world.land("train/b.csv", HEADER + ROWS)
    deliver(world, 0)
    del world.s3.versions[f"curated/{MODEL}/train/b.csv"]
    world.config = OneModel().config
    world.now += MINUTE
    schedule(world)
    assert world.started() == []
    assert len(world.sns.sent) == 1


def overwritten(world: OneModel, count: int) -> None:
    """So many files of a delivery that is not answered have newer versions."""
    for number in range(count):
        world.land(f"train/{number:03}.csv", HEADER + ROWS)
    world.land("validation.csv", HEADER + ROWS)
    world.mark()
    world.now += MINUTE
    for number in range(count):
        world.land(f"train/{number:03}.csv", HEADER + ROWS * 2)
    world.config = OneModel().config
    world.now += MINUTE


def test_versions_are_looked_up_in_quarantine_by_many_threads() -> None:
    world = OneModel(paused=True)
    overwritten(world, 40)
    together, original = Barrier(8, timeout=5), world.items.get

    def get(fact: str) -> Any:
        if fact.startswith("quarantined#"):
            together.wait()  # raises unless eight are here at once
        return original(fact)

    world.items.get = get  # type: ignore[method-assign]
    world.sweep()
    assert len(trained(world)[0]) == 41


def test_lookup_in_quarantine_ends_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retraining.starts.reading.MAX_ASKED", 10)
    world = OneModel(paused=True)
    overwritten(world, 40)
    original, asked = world.items.get, list[str]()

    def get(fact: str) -> Any:
        if fact.startswith("quarantined#"):
            asked.append(fact)
            world.now += timedelta(seconds=60)
        return original(fact)

    world.items.get = get  # type: ignore[method-assign]
    world.sweep()
    assert len(asked) == 10
    assert world.started() == []


def test_late_file_is_trained_with_the_next_marker() -> None:
    world = OneModel()
    deliver(world, 0)
    world.land("train/late.csv", HEADER + ROWS)
    world.end_all(noticed=True)
    world.now += MINUTE
    world.mark()
    assert trained(world) == [delivery(0), {**delivery(0), "train/late.csv": HEADER + ROWS}]


def test_schedule_without_a_marker_is_refused_in_words() -> None:
    world = OneModel()
    world.land_batch(0)
    schedule(world)
    state, _ = world.using().states.load(MODEL)
    assert (state.answer, state.reason) == (
        "refuse",
        "no marker _SUCCESS has landed: land it when the batch is complete",
    )
    assert world.started() == []


def test_person_without_a_marker_trains_what_is_listed() -> None:
    world = OneModel()
    for name, body in delivery(0).items():
        world.land(name, body)
    world.come("request-1")
    assert trained(world) == [delivery(0)]


def test_marker_that_a_newer_one_supersedes_is_recorded(caplog: pytest.LogCaptureFixture) -> None:
    world = paused()
    first = world.s3.versions[f"curated/{MODEL}/_SUCCESS"][-1][0]
    deliver(world, 1)
    resume(world)
    assert trained(world) == [delivery(1)]
    state, _ = world.using().states.load(MODEL)
    assert [one.version_id for one in state.superseded_markers] == [first]
    assert caplog.messages.count("marker superseded") == 1
    world.end_all(noticed=True)
    world.come("landing")
    assert caplog.messages.count("marker superseded") == 1


def spark_overwrites(world: OneModel, number: int) -> None:
    """Spark's mode "overwrite": all is deleted, then parts with new names land, then the marker."""
    for key in [key for key in world.s3.versions if key.startswith(f"curated/{MODEL}/")]:
        world.s3.delete_object(Key=key)
    world.now += timedelta(seconds=5)
    world.land(f"train/part-{number}.csv", HEADER + ROWS * (number + 2))
    world.land(f"validation/part-{number}.csv", HEADER + ROWS)
    world.now += timedelta(seconds=5)


def test_overwrite_by_spark_mixes_no_deliveries() -> None:
    world = OneModel(paused=True)
    spark_overwrites(world, 0)
    world.mark()
    world.now += MINUTE
    spark_overwrites(world, 1)  # dies before its marker, which it has deleted
    resume(world)
    assert [sorted(files) for files in trained(world)] == [["train/part-0.csv", "validation/part-0.csv"]]
    world.end_all(noticed=True)
    world.now += MINUTE
    spark_overwrites(world, 2)
    world.mark()
    assert [sorted(files) for files in trained(world)][1:] == [["train/part-2.csv", "validation/part-2.csv"]]


def test_quarantined_version_is_in_no_batch_any_more() -> None:
    world = OneModel()
    world.land("train/bad.csv", BAD)
    deliver(world, 0, event=False)
    world.now += timedelta(seconds=3)  # the delete marker is younger than the marker, and covers the version
    world.come("landing")
    assert world.started() == []
    world.now += MINUTE
    schedule(world)
    state, _ = world.using().states.load(MODEL)
    assert state.reason == "bad files were moved to quarantine: land what is missing"
    world.come("request-1")
    assert trained(world) == [delivery(0)]
    copies = world.s3.versions[f"quarantine/{MODEL}/train/bad.csv"]
    assert len(copies) == 1


def test_next_marker_trains_without_a_quarantined_file_and_its_earlier_versions() -> None:
    world = OneModel()
    world.land("train/more.csv", HEADER + ROWS)
    deliver(world, 0)
    world.end_all(noticed=True)
    comma = HEADER + b'1,1,female,"29,5",0,0,211.3,S\n'
    world.land("train/more.csv", comma)
    deliver(world, 1)
    world.now += MINUTE
    deliver(world, 2)
    whole = delivery(0) | {"train/more.csv": HEADER + ROWS}
    assert trained(world) == [whole, delivery(2)]
    world.end_all(noticed=True)
    world.config = world.config.model_copy(update={"data": Data(decimal=",")})
    world.now += MINUTE
    world.land("train/more.csv", comma)  # the same bytes under the same name
    deliver(world, 3)
    assert trained(world)[2:] == [delivery(3) | {"train/more.csv": comma}]


def test_started_versions_are_not_looked_up_in_quarantine() -> None:
    world = OneModel()
    deliver(world, 0)
    world.end_all(noticed=True)
    for name in delivery(0):
        world.s3.delete_object(Key=f"curated/{MODEL}/{name}")
    asked: list[str] = []
    original = world.items.get

    def get(fact: str) -> Any:
        asked.append(fact)
        return original(fact)

    world.items.get = get  # type: ignore[method-assign]
    world.now += MINUTE
    schedule(world)
    assert trained(world) == [delivery(0), delivery(0)]
    assert [fact for fact in asked if fact.startswith("quarantined#")] == []
