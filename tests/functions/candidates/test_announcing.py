"""The bus is told of another champion, and of a candidate that waits: each fact once, whatever dies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import judge_candidate
import record_decision
from retraining.aws import registry
from retraining.candidates.decisions import decide
from retraining.candidates.judging import carry_out
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.facts.candidates import JudgedAgain
from tests.functions.fakes import START, Context, Died, Mortal, about, arn_of, in_console, register, was_held
from tests.functions.world import World

ALL = ("sagemaker", "s3", "sns", "events", "table")
ANOTHER = arn_of(99)
Act = Callable[..., None]


def judge(world: World, version: int = 1, **wrapped: Any) -> None:
    told = about("candidate_registered.pending", arn_of(version))
    judge_candidate.handler(told, Context(), using=world.using(Collaborators, **wrapped))


def come(world: World, version: int = 1, **wrapped: Any) -> None:
    """Handle the event of a decision, as the registry shows it."""
    told = about("package_decided.approved", arn_of(version))
    package = world.sagemaker.packages[arn_of(version)]
    told["detail"] |= {
        "ModelApprovalStatus": package["ModelApprovalStatus"],
        "LastModifiedTime": package.get("LastModifiedTime", START).isoformat(),
    }
    record_decision.handler(told, Context(), using=world.using(Collaborators, **wrapped))


def approve(world: World, version: int, by: Any = "operator") -> None:
    """Approve a new candidate, and handle the event."""
    register(world, version)
    decide(arn_of(version), "Approved", by=by, why="seen", who="Ana", using=world.using(Collaborators))
    come(world, version)


def changed(world: World) -> list[tuple[str | None, str | None, str, str]]:
    """Champion, the one before, cause and who, of each event."""
    return [
        (it["champion"], it["previous"], it["cause"], it["by"])
        for it in world.events.details("Champion Changed")
    ]


def test_first_approval_makes_a_champion_without_one_before(world: World) -> None:
    register(world)
    judge(world)
    come(world)
    assert changed(world) == [(arn_of(1), None, "approved", "rules")]
    (detail,) = world.events.details("Champion Changed")
    metadata = world.sagemaker.packages[arn_of(1)]["CustomerMetadataProperties"]
    assert detail["approvedAt"] == metadata["approvedAt"]
    assert world.events.details("Candidate Waiting") == []


def test_next_approval_names_the_champion_before(world: World) -> None:
    approve(world, 1)
    approve(world, 2)
    come(world, 2)
    come(world, 1)
    assert changed(world) == [
        (arn_of(1), None, "approved", "operator"),
        (arn_of(2), arn_of(1), "approved", "operator"),
    ]


def test_approval_that_a_later_one_has_passed_is_not_told(world: World) -> None:
    for version in (1, 2):
        register(world, version)
        decide(arn_of(version), "Approved", by="operator", why="seen", using=world.using(Collaborators))
    come(world, 1)
    come(world, 2)
    assert changed(world) == [(arn_of(2), arn_of(1), "approved", "operator")]


def test_approval_in_the_console_is_a_persons(world: World) -> None:
    register(world, champion=ANOTHER)
    in_console(world, arn_of(1), "Approved")
    come(world)
    assert changed(world) == [(arn_of(1), None, "approved", "person")]


def test_rejection_of_a_candidate_changes_no_champion(world: World) -> None:
    approve(world, 1)
    register(world, 2)
    decide(arn_of(2), "Rejected", by="operator", why="seen", using=world.using(Collaborators))
    come(world, 2)
    assert len(changed(world)) == 1


def test_champion_that_is_taken_back_and_approved_again_is_told_each_time(world: World) -> None:
    approve(world, 1)
    approve(world, 2)
    for status, minutes in (("Rejected", 10**6), ("Approved", 10**7)):
        in_console(world, arn_of(2), status, minutes=minutes)
        come(world, 2)
    assert changed(world)[2:] == [
        (arn_of(1), arn_of(2), "rolled back", "person"),
        (arn_of(2), arn_of(1), "approved", "person"),
    ]


def test_held_candidate_waits_since_its_verdict(world: World) -> None:
    register(world, champion=ANOTHER)
    now = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
    judge(world, clock=lambda: now)
    (detail,) = world.events.details("Candidate Waiting")
    assert (detail["model"], detail["modelPackageArn"]) == ("titanic", arn_of(1))
    assert detail["at"] == "2026-11-23T06:05:00+00:00"
    assert detail["executionArn"] == "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"
    (message,) = world.messages()
    assert detail["reasons"] == message["reasons"]
    assert changed(world) == []


def test_candidate_that_is_judged_again_and_held_again_has_waited_before(world: World) -> None:
    register(world)
    was_held(world, arn_of(1))
    using = world.using(Collaborators)
    known = using.ledger.get(keys.verdict(arn_of(1)))
    assert known is not None
    again = JudgedAgain(by="Ana", at=START, why="the champion is broken")
    package = registry.package(using.sagemaker, arn_of(1))
    carry_out(package, known.model_copy(update={"again": again, "done_at": None}), using)
    assert world.events.taken == []
    carry_out(package, known.model_copy(update={"done_at": None}), using)
    assert len(world.events.details("Candidate Waiting")) == 1


def test_candidate_that_is_set_back_waits_again(world: World) -> None:
    approve(world, 1)
    in_console(world, arn_of(1), "PendingManualApproval", minutes=10**6, why="not sure")
    come(world)
    (detail,) = world.events.details("Candidate Waiting")
    assert detail["at"] == (START + timedelta(minutes=10**6)).isoformat()
    assert changed(world)[1:] == [(None, arn_of(1), "rolled back", "person")]


def approval(world: World) -> Act:
    register(world)
    decide(arn_of(1), "Approved", by="operator", why="seen", using=world.using(Collaborators))
    return come


def hold(world: World) -> Act:
    register(world, champion=ANOTHER)
    return judge


def roll_back(world: World) -> Act:
    approve(world, 1)
    in_console(world, arn_of(1), "Rejected", minutes=10**6)
    world.events.taken.clear()
    return come


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 61))
@pytest.mark.parametrize(
    ("happens", "kind"),
    [(approval, "Champion Changed"), (hold, "Candidate Waiting"), (roll_back, "Champion Changed")],
)
def test_event_is_put_wherever_the_function_dies(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[World], Act],
    kind: str,
    lives: int,
    after: bool,
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    act, left = happens(world), [lives]
    try:
        act(world, **{name: Mortal(getattr(world, name), left, after=after) for name in ALL})
    except Died:
        assert lives < 60, "more calls than lives: try more"
    for _ in range(2):
        act(world)
    events = world.events.details(kind)
    assert events in ([events[0]], [events[0]] * 2)  # twice only if the answer was lost


@pytest.mark.parametrize("happens", [approval, hold, roll_back])
def test_event_that_the_bus_refuses_is_put_on_retry(world: World, happens: Callable[[World], Act]) -> None:
    act = happens(world)
    world.events.refuses = 1
    with pytest.raises(Exception, match="InternalFailure"):
        act(world)
    assert world.events.taken == []
    act(world)
    assert len(world.events.taken) in (1, 2)  # a roll-back has two
