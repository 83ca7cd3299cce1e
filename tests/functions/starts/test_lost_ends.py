"""The sweep brings each execution to its end whose event was lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from retraining.collaborators import Collaborators
from retraining.starts.lost_ends import find_ends
from tests.functions.fakes import START, Context, Down, event
from tests.functions.memory import refused
from tests.functions.world import World
from track_execution import handler

BARE = "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e0"


def sweeps(world: World, after: float, *, lasting: int = 1, **wrapped: Any) -> None:
    """Sweep each minute, from so many minutes after the beginning."""
    for minute in range(lasting):
        now = START + timedelta(minutes=after + minute)
        find_ends("titanic", world.using(Collaborators, clock=lambda now=now: now, **wrapped))


def ends(
    world: World, status: str, minutes: float, *, fails: str | None = None, last: str | None = None
) -> None:
    """Let the bare execution have ended; a step that fails, or is `last`, has ended a second before."""
    world.sagemaker.clock = lambda: START + timedelta(minutes=minutes)
    world.sagemaker.end(BARE, status)
    step = {"StepName": fails, "StepStatus": "Failed", "StartTime": START, "FailureReason": "no column a"}
    end = START + timedelta(minutes=minutes, seconds=-1)
    metadata = {"ProcessingJob": {"Arn": "arn:aws:sagemaker:us-east-1:1:processing-job/j"}}
    if last:
        step = {"StepName": last, "StepStatus": status, "StartTime": START}
    world.sagemaker.steps_of[BARE] = [{**step, "EndTime": end, "Metadata": metadata}] if fails or last else []


def fact(world: World) -> dict[str, Any]:
    return world.stored(f"execution#{BARE}")


def fact_of_sweep(world: World) -> dict[str, Any]:
    return world.stored("executions#titanic")


def evidence_of(world: World) -> dict[str, Any]:
    body = world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize(
    ("status", "fails", "told"),
    [
        ("Succeeded", None, []),
        ("Failed", "DataPreProcessing", ["DataPreProcessing: no column a"]),
        (
            "Stopped",
            None,
            ["the execution was stopped. `handsoff start titanic` trains on the newest batch"],
        ),
    ],
)
def test_find_ends_of_a_bare_start_without_any_event(
    world: World, status: str, fails: str | None, told: list[str]
) -> None:
    assert world.sagemaker.start_bare() == BARE
    sweeps(world, 1)
    ends(world, status, 5, fails=fails)
    sweeps(world, 7)
    assert (fact(world)["status"], fact(world)["final"], fact(world)["settled"]) == (status, True, True)
    assert evidence_of(world)["pipelineExecutionStatus"] == status
    assert [reason for message in world.messages() for reason in message["reasons"]] == told
    sweeps(world, 8, lasting=3)
    assert world.messages() == []


def test_find_ends_tells_of_a_stop_once_and_of_a_second_stop_after_a_retry(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Stopped", 5, last="TrainModel")
    sweeps(world, 7, lasting=3)
    ends(world, "Executing", 10)
    sweeps(world, 12)
    ends(world, "Stopped", 15, last="TrainModel")
    sweeps(world, 17, lasting=3)
    told = world.messages()
    assert [message["kind"] for message in told] == ["execution_stopped", "execution_stopped"]
    assert len({message["notificationId"] for message in told}) == 2
    assert [message["executionArn"] for message in told] == [BARE, BARE]


def test_find_ends_leaves_stops_that_an_older_version_settled(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Stopped", 5, last="TrainModel")
    version = "2026-11-23T06:05:00.000000+00:00"
    old = {"model": "titanic", "status": "Stopped", "final": True, "settled": True, "version": version}
    world.items.mark(f"execution#{BARE}", old)
    sweeps(world, 7, lasting=3)
    assert world.messages() == []


def test_find_ends_leaves_the_last_minute_to_its_event(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Succeeded", 5)
    sweeps(world, 5.5)
    assert world.items.get(f"execution#{BARE}") is None
    sweeps(world, 6.5)
    assert fact(world)["status"] == "Succeeded"


def test_find_ends_of_an_execution_whose_end_was_handled_while_it_still_ran(world: World) -> None:
    """The event of the end came, and Describe still said Executing."""
    world.sagemaker.start_bare()
    ended = event("execution_changed.failed")
    ended["detail"]["pipelineExecutionArn"] = BARE
    handler(ended, Context(), using=world.using(Collaborators))
    assert fact(world)["status"] == "Executing"
    sweeps(world, 14)
    ends(world, "Failed", 15, fails="TrainModel")
    sweeps(world, 17)
    assert [message["kind"] for message in world.messages()] == ["execution_failed"]
    assert fact(world)["status"] == "Failed"


def test_find_ends_of_a_retried_execution_tells_its_second_failure(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 7)
    ends(world, "Executing", 10)
    sweeps(world, 12)
    assert (fact(world)["status"], fact(world)["final"]) == ("Executing", False)
    ends(world, "Failed", 15, fails="TrainModel")
    sweeps(world, 17)
    told = world.messages()
    assert [message["kind"] for message in told] == ["execution_failed", "execution_failed"]
    assert len({message["notificationId"] for message in told}) == 2


def test_find_ends_of_a_retry_that_failed_between_two_sweeps(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 7)
    ends(world, "Failed", 7.5, fails="TrainModel")
    sweeps(world, 8, lasting=2)
    assert len({message["notificationId"] for message in world.messages()}) == 2


def test_find_ends_of_a_retry_whose_beginning_alone_was_told(world: World) -> None:
    """No sweep saw it run: one came before the retry, the next one after its second failure."""
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 7)
    ends(world, "Executing", 7.2)
    begun = event("execution_changed.succeeded")
    begun["detail"] |= {"pipelineExecutionArn": BARE, "currentPipelineExecutionStatus": "Executing"}
    handler(begun, Context(), using=world.using(Collaborators))
    assert (fact(world)["status"], fact(world)["final"]) == ("Executing", False)
    ends(world, "Failed", 7.5, fails="TrainModel")
    sweeps(world, 9)
    assert (fact(world)["status"], fact(world)["final"], fact(world)["settled"]) == ("Failed", True, True)
    assert len({message["notificationId"] for message in world.messages()}) == 2
    assert evidence_of(world)["pipelineExecutionStatus"] == "Failed"


def test_find_ends_finishes_a_retry_that_died_before_people_were_told(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 7)
    ends(world, "Failed", 7.5, fails="TrainModel")
    failed = event("execution_changed.failed")
    failed["detail"]["pipelineExecutionArn"] = BARE
    with pytest.raises(ConnectionError):
        handler(failed, Context(), using=world.using(Collaborators, sns=Down()))
    assert (fact(world)["final"], fact(world)["settled"]) == (True, False)
    sweeps(world, 9)
    assert len({message["notificationId"] for message in world.messages()}) == 2
    assert fact(world)["settled"]


def test_find_ends_leaves_a_retry_to_the_invocation_that_is_telling_of_it(world: World) -> None:
    class Sweeping:
        """SNS. While it takes the message, a sweep comes, and must not fail."""

        def publish(self, **message: Any) -> None:
            sweeps(world, 9)
            world.sns.publish(**message)

    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 7)
    ends(world, "Failed", 7.5, fails="TrainModel")
    failed = event("execution_changed.failed")
    failed["detail"]["pipelineExecutionArn"] = BARE
    now = START + timedelta(minutes=8.9)
    handler(failed, Context(), using=world.using(Collaborators, clock=lambda: now, sns=Sweeping()))
    assert len({message["notificationId"] for message in world.messages()}) == 2
    assert fact(world)["settled"]


def test_failure_of_a_renamed_execution_is_told_once(world: World) -> None:
    """A new display name moves LastModifiedTime, and its event tells of the failure again."""
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 7)
    made = next(iter(world.sagemaker.executions.values()))
    made["LastModifiedTime"] = START + timedelta(minutes=20)
    failed = event("execution_changed.failed")
    failed["detail"]["pipelineExecutionArn"] = BARE
    handler(failed, Context(), using=world.using(Collaborators))
    sweeps(world, 22)
    assert len(world.messages()) == 1
    assert fact(world)["settled"]


def test_find_ends_finishes_what_died_before_people_were_told(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    with pytest.raises(ExceptionGroup):
        sweeps(world, 7, sns=Down())
    assert (fact(world)["final"], fact(world)["settled"]) == (True, False)
    sweeps(world, 8)
    assert [message["kind"] for message in world.messages()] == ["execution_failed"]
    assert fact(world)["settled"]


MONTH = 30 * 24 * 60


@pytest.mark.parametrize(
    ("before", "told"), [(1, ["execution_failed"]), (59, ["execution_failed"]), (61, []), (MONTH, [])]
)
def test_find_ends_before_the_first_sweep_are_told_if_they_are_younger_than_an_hour(
    world: World, before: float, told: list[str]
) -> None:
    """Also where handsoff is deployed for the first time, onto a pipeline that ran before."""
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 5 + before, lasting=3)
    assert [message["kind"] for message in world.messages()] == told
    assert (fact(world)["status"], fact(world)["final"], fact(world)["settled"]) == ("Failed", True, True)


def test_find_ends_with_a_new_ledger_tells_no_failure_again_and_the_next_one(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 7)
    world.lose_the_ledger()
    sweeps(world, MONTH, lasting=3)
    assert world.messages() == []
    ends(world, "Failed", MONTH + 5, fails="TrainModel")  # it was retried
    sweeps(world, MONTH + 7)
    assert [message["kind"] for message in world.messages()] == ["execution_failed"]


def test_find_ends_after_an_outage_of_the_sweep_of_days_tells_them(world: World) -> None:
    sweeps(world, 0)  # no execution yet
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 3 * 24 * 60)
    assert [message["kind"] for message in world.messages()] == ["execution_failed"]


def test_find_ends_of_an_execution_that_the_ledger_knows_tells_it_however_late(world: World) -> None:
    """The first sweep of all came days after handsoff had started the execution."""
    world.sagemaker.start_bare()
    world.items.mark(f"execution#{BARE}", {"model": "titanic", "trigger": "landing", "startKey": "k"})
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 3 * 24 * 60)
    assert [message["kind"] for message in world.messages()] == ["execution_failed"]


def test_find_ends_with_the_note_of_an_older_version_tells_them(world: World) -> None:
    world.items.mark("executions#titanic", {"statuses": {}})
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    sweeps(world, 3 * 24 * 60)
    assert [message["kind"] for message in world.messages()] == ["execution_failed"]


def test_find_ends_leaves_ends_that_an_older_version_recorded(world: World) -> None:
    world.sagemaker.start_bare()
    ends(world, "Failed", 5, fails="TrainModel")
    old = {
        "model": "titanic",
        "status": "Failed",
        "final": True,
        "version": "2026-11-23T06:05:00.000000+00:00",
    }
    world.items.mark(f"execution#{BARE}", old)
    sweeps(world, 7, lasting=3)
    assert world.messages() == []


def test_end_after_a_version_in_local_time_is_recorded(world: World) -> None:
    """0.1 stored local time as text. In Madrid 08:30 is 06:30 in UTC, and sorts after it."""
    world.sagemaker.start_bare()
    old = {"model": "titanic", "status": "Executing", "final": False}
    world.items.mark(f"execution#{BARE}", {**old, "version": "2026-11-23T08:30:00.000000+02:00"})
    ends(world, "Succeeded", 31)
    sweeps(world, 33)
    stored = fact(world)
    assert (stored["status"], stored["version"]) == ("Succeeded", "2026-11-23T06:31:00.000000+00:00")


def test_find_ends_tries_a_failing_execution_ever_less_often_and_no_other_waits(world: World) -> None:
    class Broken:
        def __init__(self, arn: str) -> None:
            self.arn, self.asked = arn, 0

        def __getattr__(self, name: str) -> Any:
            found: Callable[..., Any] = getattr(world.sagemaker, name)
            if name != "get_paginator":
                return found
            self.asked += 1
            raise ConnectionError

    first = world.sagemaker.start_bare()
    ends(world, "Succeeded", 5)
    broken = Broken(first)
    failures = 0
    for minute in range(180):
        try:
            sweeps(world, 10 + minute, sagemaker=broken)
        except ExceptionGroup:
            failures += 1
    assert failures == broken.asked == 9  # after 0, 1, 2, 4, 8, 16, 32, 64 and 124 minutes


def test_find_ends_without_a_pipeline_finds_nothing(world: World) -> None:
    class NoPipeline:
        def list_pipeline_executions(self, **_: Any) -> None:
            raise refused("ResourceNotFound", "ListPipelineExecutions")

    sweeps(world, 1, sagemaker=NoPipeline())
    assert fact_of_sweep(world) == {"fact": "executions#titanic", "since": "2026-11-23T06:01:00+00:00"}


def test_track_execution_of_a_deleted_execution_has_nothing_to_record(world: World) -> None:
    world.sagemaker.deleted.add(BARE)
    ended = event("execution_changed.failed")
    ended["detail"]["pipelineExecutionArn"] = BARE
    handler(ended, Context(), using=world.using(Collaborators))
    assert world.messages() == []


def test_find_ends_of_idle_executions_costs_four_calls(world: World) -> None:
    calls: list[str] = []

    class Counted:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            return getattr(self._inner, name)

    for number in range(30):
        world.sagemaker.start_bare(f"bare-{number}")
    for made in list(world.sagemaker.executions.values()):
        made |= {"PipelineExecutionStatus": "Failed"}
    sweeps(world, 30, lasting=2)  # 20 in the first minute, 10 in the second
    sweeps(world, 32, sagemaker=Counted(world.sagemaker), table=Counted(world.table))
    assert calls == ["list_pipeline_executions", "get_item", "get_item", "describe_pipeline_execution"]
