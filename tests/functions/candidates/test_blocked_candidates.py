"""Candidates that are blocked, and links that cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from retraining.candidates import sweep as sweeping
from retraining.candidates.decisions import decide
from retraining.errors import OutOfTime
from tests.functions.candidates.sweeping import (
    ANOTHER,
    DAY,
    EVALUATION,
    PENDING,
    Unreadable,
    decided,
    judge,
    kinds,
    status,
    sweep,
    using,
)
from tests.functions.fakes import Before, arn_of, register
from tests.functions.memory import refused
from tests.functions.world import World

ARN = arn_of(1)


def gone(world: World) -> Any:
    world.s3.delete_object(Bucket="data", Key=EVALUATION)
    return world.s3


def nonsense(world: World) -> Any:
    world.s3.put_object(Bucket="data", Key=EVALUATION, Body=b"{")
    return world.s3


def denied(world: World) -> Any:
    return Unreadable(world.s3, lambda: refused("AccessDenied", "GetObject", 403))


def archived(world: World) -> Any:
    return Unreadable(world.s3, lambda: refused("InvalidObjectState", "GetObject", 403))


# ---- an evaluation that cannot be read --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (gone, "s3://data/models/titanic/e0/evaluation.json does not exist"),
        (denied, "s3://data/models/titanic/e0/evaluation.json cannot be read: AccessDenied"),
        (archived, "s3://data/models/titanic/e0/evaluation.json cannot be read: InvalidObjectState"),
        (nonsense, "s3://data/models/titanic/e0/evaluation.json"),
    ],
)
@pytest.mark.slow
def test_sweep_candidate_without_a_readable_evaluation_is_told_once_and_expires_after_reminders(
    world: World, break_it: Callable[[World], Any], why: str
) -> None:
    register(world)
    s3 = break_it(world)
    sweep(world, *range(10, 130), s3=s3)  # raises nothing: approvers know
    (told,) = world.messages()
    assert (told["kind"], told["modelPackageArn"], told["decision"]) == ("candidate_blocked", ARN, None)
    assert told["reasons"][0].startswith(f"handsoff-titanic/1 cannot be judged, decided or recorded: {why}")
    assert told["reasons"][1:] == ["it is tried again, at least once an hour; a person may decide meanwhile"]
    assert world.stored(f"trouble#{ARN}")["why"].startswith(why)
    sweep(world, *range(130, 14 * DAY + 9, 60), s3=s3)
    found = world.messages()
    assert [message["kind"] for message in found] == ["overdue"] * 5
    assert found[0]["reasons"][0] == "it has waited 1 day for a person; in 13 days it is rejected"
    assert found[0]["reasons"][1].startswith(f"it is blocked: {why}")
    assert status(world) == PENDING
    sweep(world, 14 * DAY + 10, s3=s3)
    assert (status(world), world.stored(f"decision#{ARN}")["by"]) == ("Rejected", "expired")
    assert kinds(world) == ["rejected"]
    sweep(world, *range(14 * DAY + 11, 14 * DAY + 100), s3=s3)
    assert world.messages() == []
    assert "recordedAt" in world.stored(f"decision#{ARN}")


def test_sweep_candidate_that_is_repaired_is_judged_within_the_hour(world: World) -> None:
    register(world)
    sweep(world, *range(10, 10 + 12 * 60), s3=denied(world))
    world.messages()
    sweep(world, *range(10 + 12 * 60, 10 + 13 * 60 + 1))
    assert (status(world), kinds(world)) == ("Approved", ["approved"])
    assert world.items.get(f"trouble#{ARN}") is None


def test_sweep_blocked_candidate_that_a_person_decides_is_told_and_reminded_of_no_more(world: World) -> None:
    register(world)
    s3 = gone(world)
    sweep(world, 10, s3=s3)
    world.messages()
    assert decide(ARN, "Rejected", by="link", who="Ana", why="no", using=using(world, 20)).ours
    sweep(world, *range(22, 5 * DAY, 60), s3=s3)
    assert kinds(world) == ["rejected"]


# ---- failures that may pass -------------------------------------------------------------------------------


def test_sweep_after_twelve_hours_without_an_answer_judges_within_the_hour(world: World) -> None:
    register(world)
    silent = Unreadable(world.s3, lambda: refused("InternalError", "GetObject", 500))
    raised = []
    for minute in range(10, 10 + 12 * 60):
        try:
            sweep(world, minute, s3=silent)
        except ExceptionGroup:
            raised.append(minute - 10)
    assert raised == [0, 1, 2, 4, 8, 16, 32]  # then approvers are told
    (told,) = world.messages()
    assert told["kind"] == "candidate_blocked"
    assert told["reasons"][0].endswith("InternalError")
    sweep(world, *range(10 + 12 * 60, 10 + 13 * 60 + 1))
    assert (status(world), kinds(world)) == ("Approved", ["approved"])


def test_sweep_many_candidates_without_evaluation_delay_no_other(world: World) -> None:
    for version in range(1, 40):
        register(world, version)
        if version != 39:
            world.s3.delete_object(Bucket="data", Key=f"models/titanic/e{version - 1}/evaluation.json")
    sweep(world, 60)
    assert status(world, 39) == "Approved"
    assert kinds(world).count("candidate_blocked") == 38


# ---- links that cannot be made ----------------------------------------------------------------------------


class Deleted:
    """Links whose secret was deleted."""

    def url(self, _arn: str) -> str:
        raise refused("ResourceNotFoundException", "GetSecretValue")


class Links:
    """Links to a page."""

    def url(self, arn: str) -> str:
        return f"https://page.example/{arn.rsplit('/', 1)[-1]}"


def test_messages_without_the_links_secret_say_so_and_have_links_again_later(world: World) -> None:
    register(world, champion=ANOTHER)
    judge(world, 1, 2, links=Deleted())
    (told,) = world.messages()
    assert (told["kind"], told["reviewUrl"]) == ("waiting", None)
    assert told["reasons"][-1] == (
        "there is no link, as the secret that signs links cannot be read: "
        "`handsoff approve` and `handsoff reject` decide"
    )
    sweep(world, DAY + 2, links=Links())
    (told,) = world.messages()
    assert (told["kind"], told["reviewUrl"]) == ("overdue", "https://page.example/1")
    assert not any("secret" in reason for reason in told["reasons"])


# ---- packages that are gone, and the end of the sweep's time ----------------------------------------------


def test_events_about_a_deleted_package_ask_for_nothing(world: World) -> None:
    register(world)
    del world.sagemaker.packages[ARN]
    judge(world, 1, 2)
    decided(world, 1, 3)
    assert world.messages() == []
    assert world.items.get(f"trouble#{ARN}") is None


def test_decision_on_a_package_that_was_deleted_meanwhile_is_swept_up_without_failure(world: World) -> None:
    register(world)
    judge(world, 1, 2)
    world.messages()
    listed = Before(world.sagemaker, "describe_model_package", lambda: world.sagemaker.packages.pop(ARN))
    sweep(world, 10, sagemaker=listed)
    sweep(world, 11, 12)
    assert world.messages() == []


def test_sweep_out_of_time_goes_on_the_next_minute(world: World) -> None:
    for version in range(1, 4):
        register(world, version, accuracy=0.5)
    left = [timedelta(1), timedelta(1), timedelta(0)]
    timed = replace(using(world, 60), time_left=lambda: left.pop(0) if left else timedelta(0))
    with pytest.raises(OutOfTime):
        sweeping.sweep("titanic", timed)
    assert [status(world, version) for version in range(1, 4)] == ["Rejected", "Rejected", PENDING]
    sweep(world, 61)
    assert status(world, 3) == "Rejected"


def test_sweep_of_many_slow_candidates_reaches_all_of_them(world: World) -> None:
    """Each sweep has time for one of them, and the first 20 can never be judged."""
    for version in range(1, 26):
        register(world, version)
        if version <= 20:
            world.s3.delete_object(Bucket="data", Key=f"models/titanic/e{version - 1}/evaluation.json")
    for minute in range(60, 60 + 25):
        left = iter([timedelta(1)])
        timed = replace(using(world, minute), time_left=partial(next, left, timedelta(0)))
        with pytest.raises(OutOfTime):
            sweeping.sweep("titanic", timed)
    assert "Approved" in {status(world, version) for version in range(21, 26)}
    assert [status(world, version) for version in range(1, 21)] == [PENDING] * 20


def test_event_of_a_blocked_candidate_is_judged_at_once_when_somebody_sends_it_again(world: World) -> None:
    """The sweep waits longer after each failure; an event that is redriven does not."""
    register(world)
    body = world.s3.get_object(Bucket="data", Key=EVALUATION)["Body"].read()
    world.s3.delete_object(Bucket="data", Key=EVALUATION)
    for minute in range(2, 20):
        sweep(world, minute)
    assert status(world) == PENDING
    world.s3.put_object(Bucket="data", Key=EVALUATION, Body=body)
    judge(world, 1, 20)
    assert status(world) == "Approved"


def test_blocked_candidate_is_measured_as_one_that_waits(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    register(world)
    s3 = denied(world)
    sweep(world, *range(10, 130), s3=s3)
    sweep(world, *range(130, 3 * DAY, 60), s3=s3)
    written = capsys.readouterr().out
    assert "OldestCandidate" in written
    assert "CandidatesOverdue" in written
