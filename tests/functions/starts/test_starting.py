"""Each request is served exactly once, in any order of events, and wherever an invocation dies.

Hypothesis writes scripts for one model: files land, events and requests arrive (also again), executions end,
a person starts one in SageMaker, time passes, the sweep runs. An invocation may die at any call. At the end
every request is delivered again and the sweep runs. Then each request must have been served, and none twice.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.facts import keys
from retraining.facts.starts import Quarantined, StartRequest
from retraining.starts import starting
from tests.functions.fakes import Died
from tests.functions.memory import refused
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, BEGIN, MODEL, Counted, OneModel

actions = st.lists(
    st.one_of(
        st.tuples(st.just("land"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["marker", "marker again"]), st.integers(0, 30)),
        st.tuples(st.just("raced"), st.integers(1, 30)),
        st.tuples(st.sampled_from(["request-1", "request-2"]), st.integers(0, 30)),
        st.tuples(st.just("sweep"), st.integers(0, 30)),
        st.tuples(st.just("end"), st.booleans()),
        st.tuples(st.just("by hand"), st.just(0)),
        st.tuples(st.just("time"), st.integers(1, 200)),
    ),
    max_size=25,
)


def deliver(world: OneModel, number: int) -> None:
    """A batch with its marker lands; its request is noted and not answered yet."""
    world.land_batch(number)
    world.land("_SUCCESS", b"")
    request = StartRequest(cause="landing", trigger="landing", requested_by="x", at=world.now)
    starting.note(MODEL, [request], world.using())


def play(world: OneModel, script: list[tuple[str, Any]]) -> None:
    for action, detail in script:
        if action == "land":
            world.land_batch(detail)
        elif action == "marker":
            world.wanted.add("landing")
            world.mark(detail)
        elif action == "raced":
            world.wanted.add("landing")
            world.land_batch(detail % 4)
            world.land("_SUCCESS", b"")
            world.come("landing", detail, interrupt=lambda d=detail: deliver(world, d % 3))
            starting.advance(MODEL, world.using())
        elif action == "marker again":
            world.come("landing", detail)
        elif action.startswith("request"):
            world.wanted.add(action)
            world.come(action, detail)
        elif action == "sweep":
            world.sweep(detail)
        elif action == "end":
            world.end_all(detail)
        elif action == "by hand":
            world.by_hand()
        elif action == "time":
            world.now += timedelta(seconds=detail)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(actions)
def test_each_request_is_served_once_and_one_execution_runs_at_a_time(script: list[tuple[str, Any]]) -> None:
    world = OneModel()
    world.land_batch(0)
    play(world, script)
    world.settle()
    assert world.running_at_once <= 1
    started = world.started()
    landings = Counter(item["Batch"] for item in started if item["Trigger"] == "landing")
    assert all(count == 1 for count in landings.values())
    served = [
        request["cause"]
        for fact, item in world.items.facts.items()
        if fact.startswith("start#")
        for request in item["requests"]
        if request["trigger"] == "request"
    ]
    assert Counter(served) == Counter(world.wanted - {"landing"})
    if "landing" in world.wanted:
        last = world.newest()
        assert last in {item["Batch"] for item in started}
    state, _ = world.using().states.load(MODEL)
    assert (state.pending, state.running) == ((), None)


@settings(max_examples=200, deadline=None)
@given(actions, st.integers(1, 3), st.integers(0, 30))
@pytest.mark.slow
def test_starts_keep_daily_limit_and_cooldown_in_any_order_of_events(
    script: list[tuple[str, Any]], limit: int, minutes: int
) -> None:
    world = OneModel(daily_limit=limit, cooldown=f"{minutes}m")
    world.land_batch(0)
    # A person's request ignores the cooldown. The end of an execution started by hand is known by event only.
    play(world, [step for step in script if not step[0].startswith(("request", "by hand"))])
    ended = [
        made["LastModifiedTime"]
        for made in world.sagemaker.executions.values()
        if made["PipelineExecutionStatus"] == "Succeeded"
    ]
    state, _ = world.using().states.load(MODEL)
    assert len(world.started()) <= limit
    for start in state.starts:
        assert all(start >= end + timedelta(minutes=minutes) for end in ended if BEGIN < end < start)


@pytest.mark.parametrize("call", range(1, 30))
def test_batch_that_lands_during_a_decision_is_trained(call: int) -> None:
    world = OneModel()
    world.land_batch(0)
    world.land("_SUCCESS", b"")
    world.come("landing", call, interrupt=lambda: deliver(world, 1))
    starting.advance(MODEL, world.using())
    last = world.newest()
    world.wanted = set()
    for _ in range(8):
        world.now += timedelta(minutes=3)
        world.sweep()
        world.end_all(noticed=False)
    if call < 12:
        assert last in {item["Batch"] for item in world.started()}
    assert world.running_at_once == 1
    assert len({item["Batch"] for item in world.started()}) == len(world.started()) <= 2


def test_landings_during_an_execution_become_one_follow_up() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    for number in range(1, 6):
        world.land_batch(number)
        world.mark()
        world.mark()
    assert len(world.started()) == 1
    state, _ = world.using().states.load(MODEL)
    assert state.answer == "wait"
    assert state.reason == "execution e0 is running"
    world.end_all(noticed=True)
    world.sweep()
    world.sweep()
    assert len(world.started()) == 2
    assert world.started()[1]["Batch"] == world.newest()
    world.settle()
    assert len(world.started()) == 2


def test_landing_of_a_batch_that_a_person_started_starts_nothing() -> None:
    world = OneModel()
    world.land_batch(0)
    world.come("request-1")
    world.end_all(noticed=True)
    world.mark()
    world.settle()
    assert [item["Trigger"] for item in world.started()] == ["request"]


def test_repeated_marker_event_changes_nothing_during_the_next_delivery() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    world.end_all(noticed=True)
    before, _ = world.using().states.load(MODEL)
    world.now += timedelta(hours=1)
    world.land("train.csv", HEADER + ROWS * 5)
    world.come("landing")
    state, _ = world.using().states.load(MODEL)
    assert (state.answer, state.reason, state.pending) == ("start", "started", ())
    assert state.answered_marker == before.answered_marker
    world.land("validation.csv", HEADER + ROWS * 2)
    assert len(world.started()) == 1
    world.now += timedelta(seconds=1)
    world.mark()
    assert len(world.started()) == 2


@pytest.mark.parametrize(
    ("retrain", "running", "reason"),
    [
        ({"paused": True}, False, "paused"),
        ({"cooldown": "1h"}, False, "cooldown until 2026-11-23 07:00:00 UTC"),
        ({}, True, "execution e0 is running"),
    ],
    ids=["paused", "cooling", "running"],
)
def test_advance_model_that_waits_lists_nothing_and_reads_no_earlier_starts(
    retrain: dict[str, Any], running: bool, reason: str
) -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    if not running:
        world.end_all(noticed=True)
    world.config = OneModel(**retrain).config
    deliver(world, 1)
    for key in [key for key in world.s3.versions if key.startswith("batches/")]:
        world.s3.put_object(Key=key, Body=b"not a manifest")
    s3, items = Counted(world.s3), Counted(world.items)
    world.s3, world.items = s3, items  # type: ignore[assignment]
    state = starting.advance(MODEL, world.using())
    assert (state.answer, state.reason) == ("wait", reason)
    assert s3.calls == []
    assert {call.split("#")[0].split()[1] for call in items.calls} == {"model", "paused"}


def test_advance_same_bytes_are_refused_without_their_manifest() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    world.end_all(noticed=True)
    world.s3.put_object(Key=next(key for key in world.s3.versions if key.startswith("batches/")), Body=b"{")
    world.mark()
    state, _ = world.using().states.load(MODEL)
    assert (state.reason or "").startswith("the same bytes were started before, as e0")


def test_deleted_manifest_makes_all_files_new() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    world.end_all(noticed=True)
    for key in [key for key in world.s3.versions if key.startswith("batches/")]:
        del world.s3.versions[key]
    world.land_batch(1)
    world.mark()
    assert len(world.started()) == 2


def test_sweep_starts_when_a_new_config_allows_it() -> None:
    world = OneModel(daily_limit=1)
    world.land_batch(0)
    world.mark()
    world.end_all(noticed=True)
    world.land_batch(1)
    world.mark()
    assert len(world.started()) == 1
    world.config = OneModel(daily_limit=2).config
    world.sweep()
    assert len(world.started()) == 2


@pytest.mark.parametrize("waiting", [False, True])
def test_sweep_notes_an_end_whose_event_was_lost(waiting: bool) -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    if waiting:
        world.land_batch(1)
        world.mark()
    world.end_all(noticed=False)
    world.now += timedelta(minutes=2)
    world.sweep()
    state, _ = world.using().states.load(MODEL)
    assert len(world.started()) == 1 + waiting
    assert (state.running is not None) == waiting


def test_quiet_period_starts_once_after_the_last_of_fifty_landings() -> None:
    world = OneModel(ready={"when": "quiet", "quiet_period": "60s"})
    world.land("validation/v.csv", HEADER + ROWS)
    for number in range(50):
        world.now += timedelta(seconds=30)
        world.land(f"train/{number}.csv", HEADER + ROWS)
        world.come("landing")
        world.sweep()
    assert world.started() == []
    for _ in range(3):
        world.now += timedelta(seconds=30)
        world.sweep()
    assert len(world.started()) == 1
    world.settle()
    assert len(world.started()) == 1


def test_every_object_starts_when_both_splits_are_present() -> None:
    world = OneModel(ready={"when": "every_object"})
    world.land("train.csv", HEADER + ROWS)
    world.come("landing")
    assert world.started() == []
    state, _ = world.using().states.load(MODEL)
    assert (state.answer, state.reason) == ("refuse", "there is no validation data")
    world.land("validation.csv", HEADER + ROWS)
    world.come("landing")
    assert len(world.started()) == 1


def test_min_new_rows_refuses_landings_until_rows_add_up_and_no_person() -> None:
    world = OneModel(min_new_rows=6)
    world.land("train/0.csv", HEADER + ROWS * 3)
    world.land("validation/0.csv", HEADER + ROWS)
    world.mark()
    world.end_all(noticed=True)
    world.land("train/1.csv", HEADER + ROWS * 2)
    world.mark()
    state, _ = world.using().states.load(MODEL)
    assert (state.answer, state.reason) == ("refuse", "about 4 rows in new files, min_new_rows is 6")
    assert len(world.started()) == 1
    world.land("train/2.csv", HEADER + ROWS)
    world.mark()
    assert len(world.started()) == 2
    world.end_all(noticed=True)
    world.come("request-1")
    assert len(world.started()) == 3


def bad_delivery(lives: int = 0) -> OneModel:
    """A bad and a good file for train, a good one for validation, and the marker."""
    world = OneModel()
    world.land("train/bad \u00fc.csv", BAD)
    world.land("train/good.csv", HEADER + ROWS)
    world.land("validation.csv", HEADER + ROWS)
    world.mark(lives)
    return world


def test_bad_file_goes_to_quarantine_and_nothing_starts_before_a_new_marker() -> None:
    world = bad_delivery()
    for _ in range(3):
        world.come("landing")
        world.sweep()
    assert world.started() == []
    assert len(world.sns.sent) == 1
    assert "no column age" in world.sns.sent[0]["Message"]
    latest = {key: versions[-1][1] for key, versions in world.s3.versions.items()}
    assert latest["curated/titanic/train/bad \u00fc.csv"] is None
    assert latest["quarantine/titanic/train/bad \u00fc.csv"] == BAD
    assert b"missing_column" in (latest["quarantine/titanic/train/bad \u00fc.csv.report.json"] or b"")
    kept = [body for _, body, _ in world.s3.versions["curated/titanic/train/bad \u00fc.csv"]]
    assert kept == [BAD, None]
    world.mark()
    assert len(world.started()) == 1


def test_new_request_starts_the_remaining_batch_and_a_redelivered_one_does_not() -> None:
    world = OneModel()
    world.land("train/bad.csv", BAD)
    world.land_batch(0)
    world.come("request-1")
    world.come("request-1")
    assert world.started() == []
    world.come("request-2")
    assert len(world.started()) == 1


@pytest.mark.parametrize("lives", range(1, 60))
def test_death_at_any_call_during_quarantine_loses_no_file_and_starts_nothing(lives: int) -> None:
    world = bad_delivery(lives)
    for _ in range(3):
        world.now += timedelta(minutes=3)
        world.come("landing")
        world.sweep()
    assert world.started() == []
    assert world.s3.versions["quarantine/titanic/train/bad \u00fc.csv"][-1][1] == BAD
    assert world.s3.versions["curated/titanic/train/bad \u00fc.csv"][-1][1] is None
    assert 1 <= len(world.sns.sent) <= 2


def test_a_hundred_bad_files_are_two_notifications() -> None:
    world = OneModel()
    for number in range(100):
        world.land(f"train/{number:03}.csv", BAD)
    world.land("validation.csv", HEADER + ROWS)
    world.mark()
    assert len(world.sns.sent) == 1
    assert "and 40 more files" in world.sns.sent[0]["Message"]
    world.mark()
    assert len(world.sns.sent) == 2
    assert world.started() == []


@pytest.mark.parametrize("call", range(1, 25))
@pytest.mark.parametrize("dies", [False, True])
def test_corrected_file_that_lands_during_quarantine_stays(call: int, dies: bool) -> None:
    world = OneModel()
    world.land("train.csv", BAD)
    world.land("validation.csv", HEADER + ROWS)
    world.land("_SUCCESS", b"")

    def correct() -> None:
        world.land("train.csv", HEADER + ROWS * 2)
        if dies:
            raise Died

    with contextlib.suppress(Died):
        world.come("landing", call, interrupt=correct)
    for _ in range(3):
        world.now += timedelta(minutes=3)
        world.sweep()
    assert world.s3.versions["curated/titanic/train.csv"][-1][1] in (HEADER + ROWS * 2, None)
    corrected = [b for _, b, _ in world.s3.versions["curated/titanic/train.csv"] if b not in (BAD, None)]
    if corrected:
        assert world.s3.versions["curated/titanic/train.csv"][-1][1] == HEADER + ROWS * 2


def test_start_that_sagemaker_refuses_gives_the_reason_and_is_tried_again() -> None:
    world = OneModel()
    world.land_batch(0)
    original = world.sagemaker.start_pipeline_execution

    def refuse(**_: Any) -> dict[str, str]:
        raise refused("ResourceLimitExceeded", "StartPipelineExecution")

    world.sagemaker.start_pipeline_execution = refuse  # type: ignore[method-assign]
    with pytest.raises(ClientError):
        world.mark()
    state, _ = world.using().states.load(MODEL)
    assert state.blocked is not None
    assert "SageMaker refuses the start: " in state.blocked.reason
    world.sagemaker.start_pipeline_execution = original  # type: ignore[method-assign]
    world.now += timedelta(minutes=1)
    world.sweep()
    assert len(world.started()) == 1


def test_execution_unknown_to_sagemaker_has_ended() -> None:
    world = OneModel()
    world.land_batch(0)
    world.mark()
    world.sagemaker.executions.clear()

    def unknown(**_: Any) -> dict[str, Any]:
        raise refused("ResourceNotFound", "DescribePipelineExecution")

    world.sagemaker.describe_pipeline_execution = unknown  # type: ignore[method-assign,assignment]
    world.land_batch(1)
    world.mark()
    assert len(world.started()) == 1


def test_pending_requests_stay_bounded_while_paused() -> None:
    state = OneModel().using().states.load(MODEL)[0]
    for number in range(5000):
        at = BEGIN + timedelta(minutes=number)
        state = state.requested(StartRequest(cause=f"{at}", trigger="schedule", requested_by="arn", at=at))
        state = state.requested(
            StartRequest(cause=f"request-{number}", trigger="request", requested_by="x", at=at)
        )
    assert len(state.pending) <= 101
    assert len(state.model_dump_json()) < 50_000


def test_version_that_goes_to_quarantine_is_noted_as_quarantined() -> None:
    world = bad_delivery()
    bad, _ = world.s3.versions["curated/titanic/train/bad \u00fc.csv"]
    key = keys.quarantined(MODEL, "curated/titanic/train/bad \u00fc.csv", bad[0])
    assert world.using().ledger.get(key) == Quarantined(at=BEGIN, kind="missing_column")
