"""A person makes an earlier version champion again: registry, ledger, messages, event and evidence agree."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from retraining import history
from retraining.aws import registry
from retraining.candidates import going_back, judging
from retraining.candidates.decisions import ChampionChanged, decide
from retraining.candidates.going_back import CannotGoBack, why_not
from retraining.candidates.state import BeingDecided, candidate_state
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, EarlierDecision, GoneBack
from tests.functions.candidates.packages import a_decision, a_package, at
from tests.functions.candidates.sweeping import PENDING, decided, sweep, using
from tests.functions.fakes import Before, Died, Mortal, arn_of, in_console, register, was_held
from tests.functions.world import World

ANA, BEN = "arn:aws:iam::123456789012:user/ana", "arn:aws:iam::123456789012:user/ben"
WHY = "precision fell in production"
GROUP = "handsoff-titanic"


def approved(world: World, *versions: int) -> None:
    """Versions that people approved, one after another, each at its own minute times ten; all recorded."""
    for version in versions:
        register(world, version)
        was_held(world, arn_of(version))
        person(world, version, "Approved", version * 10)


def person(world: World, version: int, status: Any, minutes: float, why: str = "good") -> None:
    """Let a person have decided, and that be recorded."""
    decide(arn_of(version), status, by="operator", who=BEN, why=why, using=using(world, minutes))
    decided(world, version, minutes + 0.1)
    world.messages()


def back(world: World, to: int, gone: int | None, minutes: float = 60, who: str = ANA, why: str = WHY,
         **wrapped: Any) -> DecisionFact:  # fmt: skip
    """Roll back, as the command line does."""
    look = using(world, minutes)
    champion = registry.package(look.sagemaker, arn_of(gone)) if gone else None
    package = registry.package(look.sagemaker, arn_of(to))
    return going_back.go_back(package, champion, who=who, why=why, using=using(world, minutes, **wrapped))


def champion(world: World, minutes: float = 90) -> str | None:
    found = registry.champion(using(world, minutes).sagemaker, GROUP)
    return found.name if found else None


def status(world: World, version: int) -> str:
    return str(world.sagemaker.packages[arn_of(version)]["ModelApprovalStatus"])


def settled(world: World, *minutes: float) -> None:
    """Events of both packages arrive, and sweeps run."""
    for minute in minutes:
        sweep(world, minute)


def told(world: World) -> list[tuple[str, str]]:
    return sorted(
        (message["kind"], message["modelPackageArn"].rsplit("/", 1)[-1]) for message in world.messages()
    )


ALL_TOLD = [("approved", "1"), ("rejected", "3"), ("rolled_back", "3")]
"""What approvers read of a roll-back from version 3 to version 1, by kind and version."""


# ---- clocks that are wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [26, 29, 31, 45])
def test_roll_back_by_a_clock_that_is_behind_makes_the_version_champion(world: World, minutes: float) -> None:
    approved(world, 1, 2, 3)  # version 3 at minute 30
    back(world, 1, 3, minutes)
    assert (champion(world), status(world, 1), status(world, 3)) == (f"{GROUP}/1", "Approved", "Rejected")
    settled(world, 50, 60)
    assert (champion(world), status(world, 3)) == (f"{GROUP}/1", "Rejected")
    assert told(world) == ALL_TOLD


def test_approval_after_one_by_a_clock_that_is_ahead_makes_a_champion(world: World) -> None:
    approved(world, 1, 2)
    back(world, 1, 2, minutes=70)  # the time is minute 61
    register(world, 4)
    was_held(world, arn_of(4))
    person(world, 4, "Approved", 62)
    assert champion(world) == f"{GROUP}/4"


def test_reigns_are_known_after_many_roll_backs(world: World) -> None:
    approved(world, 1, 2)
    to, gone = 1, 2
    for times in range(12):
        back(world, to, gone, 60 + times * 10, why=f"again {times}")
        settled(world, 63 + times * 10, 64 + times * 10)
        to, gone = gone, to
    found = {item.number: item.reigns for item in history.versions(using(world, 300), GROUP, 10)}
    assert (len(found[1]), len(found[2])) == (7, 7)
    firsts = [found[number][0].since.strftime("%H:%M") for number in (1, 2)]
    assert firsts == ["06:10", "06:20"]


# ---- what is written ------------------------------------------------------------------------------------


def test_go_back_approves_the_earlier_version_and_rejects_the_champion(world: World) -> None:
    approved(world, 1, 2, 3)
    decision = back(world, 1, 3)
    assert champion(world) == "handsoff-titanic/1"
    assert [status(world, version) for version in (1, 2, 3)] == ["Approved", "Approved", "Rejected"]
    assert (decision.status, decision.by, decision.who) == ("Approved", "operator", ANA)
    assert decision.why == "rolled back from version 3: precision fell in production"
    gone = world.ledger.get(keys.decision(arn_of(3)))
    assert gone is not None
    assert (gone.status, gone.by, gone.who) == ("Rejected", "operator", ANA)
    assert gone.why == "rolled back to version 1: precision fell in production"
    assert gone.rollback == decision.rollback == GoneBack(to=arn_of(1), gone=arn_of(3))
    assert [it.status for it in (*decision.earlier, *gone.earlier)] == ["Approved", "Approved"]
    metadata = world.sagemaker.packages[arn_of(1)]["CustomerMetadataProperties"]
    assert metadata["approvedAt"] == "2026-11-23T07:00:00+00:00"


def test_go_back_is_told_and_announced_once(world: World) -> None:
    approved(world, 1, 2, 3)
    back(world, 1, 3)
    decided(world, 3, 61)
    for minute in range(62, 80):
        sweep(world, minute)
    decided(world, 3, 80)
    decided(world, 1, 81)
    assert told(world) == ALL_TOLD
    (event,) = world.events.details("Champion Rolled Back")
    assert (event["rejected"], event["champion"]) == (arn_of(3), arn_of(1))
    (change,) = [it for it in world.events.details("Champion Changed") if it["cause"] == "rolled back"]
    assert (change["previous"], change["champion"]) == (arn_of(3), arn_of(1))
    for version in (1, 3):
        assert "recordedAt" in world.stored(f"decision#{arn_of(version)}")


def test_go_back_message_names_both_versions_and_the_reason(world: World) -> None:
    approved(world, 1, 2)
    back(world, 1, 2)
    decided(world, 2, 61)
    (message,) = [it for it in world.messages() if it["kind"] == "rolled_back"]
    assert message["reasons"][:2] == [
        "version 2, approved 2026-11-23 06:20 UTC, was rejected: rolled back to version 1: "
        "precision fell in production",
        "version 1, approved 2026-11-23 07:00 UTC, is champion again",
    ]
    assert message["decidedWho"] == ANA


def test_go_back_is_seen_in_the_history(world: World) -> None:
    approved(world, 1, 2, 3)
    back(world, 1, 3)
    settled(world, 63, 64)
    found = {it.number: it for it in history.versions(using(world, 65), GROUP, 10)}
    assert [(reign.since.minute, reign.until and reign.until.minute) for reign in found[1].reigns] == [
        (10, 20),
        (0, None),
    ]
    assert [(reign.since.minute, reign.until and reign.until.minute) for reign in found[3].reigns] == [
        (30, 0)
    ]
    assert found[1].is_champion


def test_go_back_to_a_version_that_was_rolled_back_before(world: World) -> None:
    approved(world, 1, 2)
    back(world, 1, 2, 60)
    settled(world, 63, 64)
    world.messages()
    back(world, 2, 1, 70, why="it was right after all")
    settled(world, 73, 74)
    assert champion(world) == "handsoff-titanic/2"
    assert [status(world, version) for version in (1, 2)] == ["Rejected", "Approved"]
    assert told(world) == [("approved", "2"), ("rejected", "1"), ("rolled_back", "1")]


def test_go_back_where_no_champion_is_left_approves_alone(world: World) -> None:
    approved(world, 1, 2)
    in_console(world, arn_of(2), "Rejected", minutes=30)
    in_console(world, arn_of(1), "Rejected", minutes=31)
    for version in (1, 2):
        decided(world, version, 32)
    world.messages()
    world.events.taken.clear()
    decision = back(world, 1, None)
    settled(world, 63, 64)
    assert decision.why == "made champion again: precision fell in production"
    assert champion(world) == "handsoff-titanic/1"
    assert told(world) == [("approved", "1")]
    ((_, kind, detail),) = world.events.taken
    assert (kind, detail["champion"], detail["previous"]) == ("Champion Changed", arn_of(1), None)


def test_go_back_supersedes_older_candidates_and_leaves_newer_ones_waiting(world: World) -> None:
    approved(world, 2, 3)
    register(world, 1)
    was_held(world, arn_of(1))
    register(world, 4)
    was_held(world, arn_of(4))
    back(world, 2, 3)
    settled(world, 63, 64)
    assert [status(world, version) for version in (1, 4)] == ["Rejected", PENDING]


def test_go_back_then_a_candidate_compared_with_the_former_champion_is_held(world: World) -> None:
    approved(world, 1, 2)
    register(world, 3, champion=arn_of(2), gain=0.01)
    back(world, 1, 2)
    judging.settle(arn_of(3), using(world, 62))
    assert status(world, 3) == PENDING
    verdict = world.ledger.get(keys.verdict(arn_of(3)))
    assert verdict is not None
    assert verdict.verdict.decision == "HOLD"


# ---- asked for again, and at the same time ----------------------------------------------------------------


def test_go_back_asked_for_again_changes_nothing(world: World) -> None:
    approved(world, 1, 2)
    first = back(world, 1, 2)
    updates = len(world.sagemaker.updates)
    again = back(world, 1, 1, 70)
    assert (again.at, again.why) == (first.at, first.why)
    assert len(world.sagemaker.updates) == updates


def test_go_back_by_two_people_at_once_is_one_roll_back(world: World) -> None:
    approved(world, 1, 2, 3)
    sagemaker = Before(world.sagemaker, "list_model_packages", lambda: held_off(world))
    back(world, 1, 3, sagemaker=sagemaker)
    with pytest.raises(ChampionChanged):
        back(world, 2, 3, 61, who=BEN)
    settled(world, 64, 65)
    assert champion(world) == "handsoff-titanic/1"
    assert status(world, 2) == "Approved"
    assert told(world) == ALL_TOLD


def held_off(world: World) -> None:
    """Another person's roll-back comes while the lease is held."""
    with pytest.raises(NotReady):
        back(world, 2, 3, who=BEN)


def test_go_back_while_a_candidate_is_approved_changes_nothing(world: World) -> None:
    """Version 4 became champion after the person had looked."""
    approved(world, 1, 2, 3, 4)
    with pytest.raises(ChampionChanged, match=r"the champion is now .*handsoff-titanic/4"):
        back(world, 1, 3)
    assert champion(world) == "handsoff-titanic/4"
    assert world.stored(f"decision#{arn_of(1)}")["why"] == "good"


def deaths() -> list[tuple[int, bool]]:
    return [(lives, after) for lives in range(1, 30) for after in (False, True)]


@pytest.mark.parametrize(("lives", "after"), deaths())
@pytest.mark.parametrize("again", [True, False], ids=["asked again", "left to the sweep"])
def test_go_back_death_between_any_two_calls_ends_whole_or_not_at_all(
    world: World, lives: int, after: bool, again: bool
) -> None:
    approved(world, 1, 2, 3)
    world.events.taken.clear()
    left = [lives]
    clients = {name: Mortal(getattr(world, name), left, after=after) for name in ("sagemaker", "table", "s3")}
    with contextlib.suppress(Died):
        back(world, 1, 3, 60, ANA, WHY, **clients)
    if again:
        with contextlib.suppress(ChampionChanged):
            back(world, 1, 3, 63)
    for minute in range(63, 75):
        sweep(world, minute)
    decided(world, 3, 76)
    if champion(world) == "handsoff-titanic/3":
        assert not again
        assert told(world) == []
        assert status(world, 1) == "Approved"
        assert world.stored(f"decision#{arn_of(1)}")["why"] == "good"
        return
    assert champion(world) == "handsoff-titanic/1"
    assert [status(world, version) for version in (1, 2, 3)] == ["Approved", "Approved", "Rejected"]
    assert told(world) == ALL_TOLD
    assert sorted(event[1] for event in world.events.taken) == ["Champion Changed", "Champion Rolled Back"]
    assert all("recordedAt" in world.stored(f"decision#{arn_of(version)}") for version in (1, 3))


def half_done(world: World, calls: int) -> None:
    """The command died at this call to the registry's UpdateModelPackage."""
    approved(world, 1, 2, 3)
    left = [calls]
    with contextlib.suppress(Died):
        back(world, 1, 3, sagemaker=Mortal(world.sagemaker, left, after=False, only="update_model_package"))


def test_half_done_roll_back_is_being_decided_and_nobody_else_decides(world: World) -> None:
    half_done(world, 1)
    look = using(world, 60.5)
    package = registry.package(look.sagemaker, arn_of(1))
    fact = world.ledger.get(keys.decision(arn_of(1)))
    assert isinstance(candidate_state(package, fact, look.clock()), BeingDecided)
    decided(world, 1, 60.5)  # an event that comes again
    assert world.ledger.get(keys.decision(arn_of(1))) == fact
    with pytest.raises(
        CannotGoBack, match=r"handsoff-titanic/1 is being approved by .*user/ana \(operator\)"
    ):
        back(world, 1, 3, 63, who=BEN)


def test_half_done_roll_back_gives_way_to_a_champion_that_came_since(world: World) -> None:
    half_done(world, 1)
    register(world, 4)
    was_held(world, arn_of(4))
    person(world, 4, "Approved", 62)
    for minute in range(63, 70):  # no error: the roll-back was given up, as it should be
        sweep(world, minute)
    assert champion(world) == "handsoff-titanic/4"
    assert [status(world, version) for version in (1, 3)] == ["Approved", "Approved"]
    assert world.stored(f"decision#{arn_of(1)}")["why"] == "good"


def test_half_done_roll_back_leaves_a_former_champion_that_was_approved_again(world: World) -> None:
    """Version 1 is approved; before version 3 is rejected, a person approves that one anew in AWS."""
    half_done(world, 2)
    in_console(world, arn_of(3), PENDING, minutes=61)
    decided(world, 3, 61.1)
    in_console(world, arn_of(3), "Approved", minutes=62)
    decided(world, 3, 62.1)
    for minute in range(63, 70):
        sweep(world, minute)
    assert status(world, 3) == "Approved"
    assert champion(world) == "handsoff-titanic/3"


# ---- what is refused --------------------------------------------------------------------------------------

CHAMPION = a_package("Approved", arn=arn_of(3), created=3, approvedAt=at(30).isoformat())
EARLIER = a_package("Approved", arn=arn_of(1), created=1, approvedAt=at(10).isoformat())


@pytest.mark.parametrize(
    ("to", "known", "of_champion", "words"),
    [
        (EARLIER, None, None, None),
        (CHAMPION, None, None, "handsoff-titanic/3 is the champion already, since 2026-11-23T12:30:00+00:00"),
        (
            a_package(PENDING, arn=arn_of(1)),
            None,
            None,
            "handsoff-titanic/1 waits for a decision: approve or reject it as any other candidate",
        ),
        (
            a_package("Rejected", arn=arn_of(1)),
            None,
            None,
            "handsoff-titanic/1 was never approved, and only an approved version may be made champion again",
        ),
        (
            a_package("Rejected", arn=arn_of(1), changed=20, decidedAt=at(20).isoformat()),
            a_decision("Rejected", minutes=20, done_at=at(20),
                       earlier=(EarlierDecision(status="Approved", by="link", at=at(10)),)),
            None,
            None,
        ),
        (
            EARLIER,
            None,
            a_decision("Rejected", minutes=40, who="Ben"),
            "handsoff-titanic/3 is being rejected by Ben (link): try again in two minutes",
        ),
        (
            EARLIER,
            None,
            a_decision("Rejected", minutes=40, done_at=at(40)),
            "handsoff-titanic/3 was decided in AWS just now, which is not recorded yet: "
            "try again in two minutes",
        ),
    ],
    ids=["may", "the champion", "pending", "never approved", "approved before", "deciding", "not recorded"],
)  # fmt: skip
def test_why_not_says_what_may_be_made_champion_again(
    to: Any, known: Any, of_champion: Any, words: str | None
) -> None:
    assert why_not(to, CHAMPION, [CHAMPION, EARLIER], known, of_champion) == words


def test_why_not_refuses_a_version_that_no_search_for_the_champion_reaches() -> None:
    newer = [a_package("Approved", arn=arn_of(n), created=n) for n in range(31, 1, -1)]
    words = why_not(EARLIER, newer[0], newer, None, None)
    assert words == (
        "handsoff-titanic/1 is older than the 30 newest approved versions, among which the champion is "
        "found: reject newer ones, or register its model anew"
    )
