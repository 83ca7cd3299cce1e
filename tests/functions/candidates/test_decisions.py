"""Approvals and rejections are written once, in order, and never over another decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retraining.aws.ledger import alone
from retraining.candidates.decision_actions import Compared, Standing
from retraining.candidates.decisions import ChampionChanged, NoReason, decide, reason
from retraining.collaborators import Collaborators
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.candidates import By
from retraining.facts.claims import LEASE
from tests.functions.fakes import CONSOLE, Before, Died, Mortal, arn_of, in_console, register, was_held
from tests.functions.world import World

ARN = arn_of(1)
ALL = ("sagemaker", "s3", "sns", "table")


def using(world: World, **wrapped: Any) -> Collaborators:
    return world.using(Collaborators, **wrapped)


def approve(world: World, arn: str = ARN, compared: Compared | None = None, **wrapped: Any) -> Standing:
    return decide(arn, "Approved", by="rules", why="good", compared=compared, using=using(world, **wrapped))


def status(world: World, arn: str = ARN) -> str:
    return str(world.sagemaker.packages[arn]["ModelApprovalStatus"])


def test_decide_writes_the_ledger_before_the_registry(world: World) -> None:
    register(world)
    with pytest.raises(Died):
        approve(world, sagemaker=Mortal(world.sagemaker, [1], after=False, only="update_model_package"))
    fact = world.stored(f"decision#{ARN}")
    assert (fact["status"], fact["by"], fact["why"]) == ("Approved", "rules", "good")
    assert "doneAt" not in fact
    assert status(world) == "PendingManualApproval"


def test_decide_twice_writes_once_with_who_when_and_why(world: World) -> None:
    register(world)
    first, second = approve(world), approve(world)
    assert first == second
    assert (first.status, first.by, first.why, first.ours) == ("Approved", "rules", "good", True)
    (update,) = world.sagemaker.updates
    assert (update["ModelApprovalStatus"], update["ApprovalDescription"]) == ("Approved", "good")
    metadata = update["CustomerMetadataProperties"]
    assert (metadata["decidedBy"], metadata["decidedAt"]) == ("rules", first.at.isoformat())
    assert metadata["approvedAt"] >= first.at.isoformat()
    assert metadata["execution"].endswith("/execution/e0")
    assert "doneAt" in world.stored(f"decision#{ARN}")
    assert world.items.get("lease#handsoff-titanic") is None


def test_decide_rejection_writes_no_time_of_approval(world: World) -> None:
    register(world)
    decide(ARN, "Rejected", by="rules", why="bad", using=using(world))
    assert status(world) == "Rejected"
    assert "approvedAt" not in world.sagemaker.packages[ARN]["CustomerMetadataProperties"]


@pytest.mark.parametrize("wanted", ["Approved", "Rejected"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 10))
def test_decide_death_at_any_call_and_retry_end_in_the_same_state(
    world: World, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool, wanted: Any
) -> None:
    register(world)
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    left = [lives]
    dying = using(world, **{name: Mortal(getattr(world, name), left, after=after) for name in ALL})
    try:
        decide(ARN, wanted, by="rules", why="why", compared=Compared(None), using=dying)
    except Died:
        pass
    else:
        assert left[0] > 0
    for _ in range(2):
        standing = decide(ARN, wanted, by="rules", why="why", compared=Compared(None), using=using(world))
        assert (standing.status, standing.ours) == (wanted, True)
    assert status(world) == wanted
    assert len(world.sagemaker.updates) == 1
    assert "doneAt" in world.stored(f"decision#{ARN}")
    assert world.items.get("lease#handsoff-titanic") is None


@pytest.mark.parametrize("theirs", ["Approved", "Rejected"])
def test_decide_after_a_console_decision_changes_nothing(world: World, theirs: str) -> None:
    register(world)
    in_console(world, ARN, theirs)
    standing = approve(world)
    assert standing == Standing.model_validate(
        {
            "status": theirs,
            "by": "person",
            "why": "because",
            "at": "2026-11-23T07:00:00+00:00",
            "ours": False,
            "who": CONSOLE,
        }
    )
    assert world.sagemaker.updates == []
    known = world.stored(f"decision#{ARN}")  # theirs, and not yet recorded
    assert (known["status"], known["by"], known["who"]) == (theirs, "person", CONSOLE)
    assert "recordedAt" not in known


@pytest.mark.parametrize("theirs", ["Approved", "Rejected"])
def test_decide_console_decision_before_the_second_read_stands(world: World, theirs: str) -> None:
    register(world)
    package = Before(world.sagemaker, "describe_model_package", lambda: in_console(world, ARN, theirs))
    standing = approve(world, sagemaker=package)
    assert (standing.status, standing.by, standing.ours) == (theirs, "person", False)
    assert world.sagemaker.updates == []
    assert status(world) == theirs


def test_decide_after_a_decision_in_the_ledger_changes_nothing(world: World) -> None:
    register(world)
    theirs = {"status": "Rejected", "by": "link", "why": "no", "at": "2026-11-23T07:00:00+00:00"}
    world.items.take(f"decision#{ARN}", theirs)
    assert approve(world) == Standing.model_validate({**theirs, "ours": False})
    assert world.sagemaker.updates == []
    assert status(world) == "PendingManualApproval"


def test_decide_loser_takes_back_only_its_own_decision(world: World) -> None:
    """A person's decision is recorded after ours was taken and before ours is removed."""
    register(world)
    theirs = {"status": "Rejected", "by": "person", "why": "no", "at": "2026-11-23T07:00:00+00:00"}

    def decided() -> None:
        in_console(world, ARN, "Rejected")
        world.items.mark(f"decision#{ARN}", theirs)

    standing = approve(world, sagemaker=Before(world.sagemaker, "describe_model_package", decided))
    assert not standing.ours
    assert world.stored(f"decision#{ARN}").items() >= theirs.items()


def test_decide_approval_after_the_champion_changed_is_refused(world: World) -> None:
    register(world, 1)
    register(world, 2)
    assert approve(world, arn_of(1), Compared(None)).ours
    with pytest.raises(ChampionChanged) as changed:
        approve(world, arn_of(2), Compared(None))
    assert changed.value.champion == arn_of(1)
    assert status(world, arn_of(2)) == "PendingManualApproval"
    assert world.items.get(f"decision#{arn_of(2)}") is None
    assert world.items.get("lease#handsoff-titanic") is None
    assert approve(world, arn_of(2), Compared(arn_of(1))).ours


def test_decide_approval_without_a_comparison_ignores_the_champion(world: World) -> None:
    register(world, 1)
    register(world, 2)
    assert approve(world, arn_of(1)).ours
    assert approve(world, arn_of(2)).ours


def test_decide_delayed_approval_is_dated_when_it_is_written(world: World) -> None:
    """An approval dies before its write. Another version is approved. The retried one is champion."""
    register(world, 1)
    register(world, 2)
    with pytest.raises(Died):
        approve(world, sagemaker=Mortal(world.sagemaker, [1], after=False, only="update_model_package"))
    world.items.release("lease#handsoff-titanic")
    approve(world, arn_of(2))
    approve(world, arn_of(1))
    noted = [world.sagemaker.packages[arn_of(n)]["CustomerMetadataProperties"]["approvedAt"] for n in (1, 2)]
    assert noted[0] > noted[1]


def test_decide_two_approvals_in_one_group_second_must_retry(world: World) -> None:
    register(world, 1)
    register(world, 2)

    def other() -> None:
        with pytest.raises(NotReady, match="lease#handsoff-titanic"):
            approve(world, arn_of(2), Compared(None))

    between = Before(world.sagemaker, "update_model_package", other)
    assert approve(world, arn_of(1), Compared(None), sagemaker=between).ours
    with pytest.raises(ChampionChanged):
        approve(world, arn_of(2), Compared(None))


def test_decide_rejection_during_an_approval_does_not_wait(world: World) -> None:
    register(world, 1)
    register(world, 2)

    def other() -> None:
        assert decide(arn_of(2), "Rejected", by="rules", why="bad", using=using(world)).ours

    approve(world, arn_of(1), sagemaker=Before(world.sagemaker, "update_model_package", other))
    assert (status(world, arn_of(1)), status(world, arn_of(2))) == ("Approved", "Rejected")


def test_decide_failure_releases_the_lease_at_once(world: World) -> None:
    register(world)

    def fails() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        approve(world, sagemaker=Before(world.sagemaker, "update_model_package", fails))
    assert approve(world).ours


# ---- people ---------------------------------------------------------------------------------------------


def person(
    world: World, wanted: Any = "Rejected", who: str = "Ana", why: str = "no", **wrapped: Any
) -> Standing:
    return decide(ARN, wanted, by="link", who=who, why=why, using=using(world, **wrapped))


def test_decide_by_a_person_writes_who_and_why_everywhere(world: World) -> None:
    register(world)
    standing = person(world)
    assert (standing.status, standing.by, standing.who, standing.why) == ("Rejected", "link", "Ana", "no")
    fact = world.stored(f"decision#{ARN}")
    assert (fact["by"], fact["who"], fact["why"], fact["at"]) == (
        "link",
        "Ana",
        "no",
        standing.at.isoformat(),
    )
    (update,) = world.sagemaker.updates
    assert update["CustomerMetadataProperties"].items() >= {"decidedBy": "link", "decidedWho": "Ana"}.items()
    assert update["ApprovalDescription"] == "no"


def test_decide_two_people_at_once_second_gets_the_first_decision(world: World) -> None:
    register(world)
    lost: list[Standing] = []

    def other() -> None:
        lost.append(person(world, "Approved", "Ben", "yes"))

    won = person(world, sagemaker=Before(world.sagemaker, "update_model_package", other))
    assert (won.ours, won.who) == (True, "Ana")
    (standing,) = lost
    assert (standing.ours, standing.status, standing.who, standing.why) == (False, "Rejected", "Ana", "no")
    late = person(world, "Rejected", "Ben", "no, too")  # the same status is not the same decision
    assert (late.ours, late.who, late.why) == (False, "Ana", "no")
    assert status(world) == "Rejected"
    assert len(world.sagemaker.updates) == 1


def test_decide_two_people_approve_at_once_second_must_retry_and_gets_the_first_decision(
    world: World,
) -> None:
    register(world)

    def other() -> None:
        with pytest.raises(NotReady):
            person(world, "Approved", "Ben", "yes")

    assert person(world, "Approved", sagemaker=Before(world.sagemaker, "update_model_package", other)).ours
    late = person(world, "Approved", "Ben", "yes")
    assert (late.ours, late.status, late.who) == (False, "Approved", "Ana")


def test_decide_twice_by_one_person_keeps_the_first_reason(world: World) -> None:
    register(world)
    first, second = person(world, why="no"), person(world, why="no, no")
    assert first == second
    assert len(world.sagemaker.updates) == 1


def test_decide_again_after_a_console_decision_changes_nothing(world: World) -> None:
    register(world)
    assert person(world).ours
    in_console(world, ARN, "Approved", why="I say so")
    standing = person(world)
    assert (standing.ours, standing.status, standing.by, standing.who) == (
        False,
        "Approved",
        "person",
        CONSOLE,
    )
    assert status(world) == "Approved"
    assert len(world.sagemaker.updates) == 1


def test_decide_by_a_person_console_decision_before_the_second_read_stands(world: World) -> None:
    register(world)
    between = Before(world.sagemaker, "describe_model_package", lambda: in_console(world, ARN, "Approved"))
    standing = person(world, sagemaker=between)
    assert (standing.ours, standing.status, standing.by) == (False, "Approved", "person")
    assert world.sagemaker.updates == []


def test_decide_typed_name_and_reason_become_one_short_line(world: World) -> None:
    register(world)
    standing = person(world, who="A\nna\x1b[2J\u202e" + "x" * 300, why="good\r\nhttps://evil.example\x00")
    assert standing.who is not None
    assert standing.who.startswith("A na [2J xxx")
    assert len(standing.who) == 200
    assert standing.why == "good https://evil.example"


@pytest.mark.parametrize(
    ("text", "kept"), [("x", "x"), ("x" * 300, "x" * 300), ("  a\n\tb \x07", "a b"), ("ünd 👍", "ünd 👍")]
)
def test_reason_of_1_to_300_characters_is_accepted(text: str, kept: str) -> None:
    assert reason(text) == kept


@pytest.mark.parametrize("text", ["", " \n", "\x00\u200b", "x" * 301])
def test_reason_empty_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(NoReason, match="say why in 1 to 300 characters"):
        reason(text)


# ---- set back to pending -------------------------------------------------------------------------------


PENDING = "PendingManualApproval"


@pytest.mark.parametrize("mark", [True, False], ids=["marked", "died before the mark"])
def test_decide_after_a_set_back_writes_a_new_decision(world: World, mark: bool) -> None:
    register(world)
    old = person(world)
    if not mark:
        world.items.mark(f"decision#{ARN}", {"doneAt": None})
    in_console(world, ARN, PENDING)
    new = decide(ARN, "Approved", by="operator", who="Ben", why="yes", using=using(world))
    assert (new.ours, new.who) == (True, "Ben")
    assert new.at > old.at
    assert status(world) == "Approved"
    fact = world.stored(f"decision#{ARN}")
    assert (fact["by"], fact["at"]) == ("operator", new.at.isoformat())
    assert fact["earlier"] == [
        {"status": "Rejected", "by": "link", "who": "Ana", "why": "no", "at": old.at.isoformat()}
    ]
    metadata = world.sagemaker.packages[ARN]["CustomerMetadataProperties"]
    assert (metadata["decidedBy"], metadata["decidedWho"], metadata["decidedAt"]) == (
        "operator",
        "Ben",
        new.at.isoformat(),
    )


def test_decide_by_expiry_after_a_person_names_nobody(world: World) -> None:
    register(world)
    person(world)
    in_console(world, ARN, PENDING)
    assert decide(ARN, "Rejected", by="expired", why="late", using=using(world)).ours
    assert world.sagemaker.packages[ARN]["CustomerMetadataProperties"]["decidedWho"] == "none"


def test_decide_stale_read_after_our_update_is_no_set_back(world: World) -> None:
    """Right after our update, a read may still return the state before it."""
    register(world)
    before = dict(world.sagemaker.packages[ARN])
    person(world)
    world.sagemaker.packages[ARN] = before
    standing = person(world, "Approved", "Ben")
    assert (standing.ours, standing.who) == (False, "Ana")
    later = using(world, clock=lambda: datetime.now(UTC) + timedelta(seconds=91))
    assert decide(
        ARN, "Approved", by="link", who="Ben", why="w", using=later
    ).ours  # by now it was set back, and its metadata removed


@pytest.mark.parametrize("by", ["rules", "superseded"])
def test_decide_by_rules_for_the_reason_that_was_set_back_is_refused(world: World, by: Any) -> None:
    register(world)
    decide(ARN, "Rejected", by=by, why="R", using=using(world))
    in_console(world, ARN, PENDING)
    standing = decide(ARN, "Rejected", by=by, why="R", using=using(world))
    assert (standing.ours, standing.status, standing.by) == (False, PENDING, "person")
    assert status(world) == PENDING
    assert decide(ARN, "Rejected", by=by, why="another", using=using(world)).ours


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 12))
def test_decide_death_at_any_call_after_a_set_back_and_retry_decide_once(
    world: World, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    register(world)
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    person(world, "Approved", "Ana")
    in_console(world, ARN, PENDING)
    left = [lives]
    dying: dict[str, Any] = {name: Mortal(getattr(world, name), left, after=after) for name in ALL}
    try:
        person(world, "Approved", "Ben", **dying)
    except Died:
        pass
    else:
        assert left[0] > 0
    for _ in range(2):
        assert person(world, "Approved", "Ben").ours
    assert len(world.sagemaker.updates) == 2
    fact = world.stored(f"decision#{ARN}")
    assert [item["who"] for item in fact["earlier"]] == ["Ana"]
    assert fact["who"] == "Ben"
    assert "doneAt" in fact


def test_decide_keeps_the_last_fifty_earlier_decisions(world: World) -> None:
    register(world)
    for number in range(53):
        assert person(world, who=f"p{number}").ours
        in_console(world, ARN, PENDING)
    kept = [item["who"] for item in world.stored(f"decision#{ARN}")["earlier"]]
    assert kept == [f"p{number}" for number in range(2, 52)]


def test_decide_loser_to_the_console_keeps_the_earlier_decisions(world: World) -> None:
    register(world)
    first = person(world, "Approved", "Ana")
    in_console(world, ARN, PENDING)
    read = iter(range(10))

    class Late:
        """A client. Somebody rejects in the console after our decision is taken, before our second read."""

        def __getattr__(self, name: str) -> Any:
            if name == "describe_model_package" and next(read) == 1:
                in_console(world, ARN, "Rejected")
            return getattr(world.sagemaker, name)

    late = decide(ARN, "Approved", by="operator", who="Ben", why="w", using=using(world, sagemaker=Late()))
    assert (late.ours, late.by) == (False, "person")
    known = world.stored(f"decision#{ARN}")
    assert (known["by"], known["who"], known["at"]) == ("link", "Ana", first.at.isoformat())
    assert "earlier" not in known


@pytest.mark.parametrize("by", ["link", "slack", "operator"])
def test_decide_person_approving_an_older_version_than_the_champion_is_refused(world: World, by: By) -> None:
    register(world, 1)
    register(world, 2)
    assert decide(arn_of(2), "Approved", by="link", who="Ana", why="ok", using=using(world)).ours
    late = decide(ARN, "Approved", by=by, who="Ben", why="ok", using=using(world))
    assert (late.ours, late.status, late.by) == (False, "Rejected", "superseded")
    assert late.why == f"a newer version, handsoff-titanic/2, was approved {late.at.isoformat()}"
    assert status(world) == "PendingManualApproval"
    assert world.items.get(f"decision#{ARN}") is None
    assert decide(ARN, "Rejected", by=by, who="Ben", why="ok", using=using(world)).ours


@pytest.mark.parametrize("known", ["judged beside it", "set back since"])
def test_decide_person_who_knows_the_newer_champion_may_approve_an_older_version(
    world: World, known: str
) -> None:
    register(world, 1)
    register(world, 2, status="Approved")
    if known == "set back since":
        person(world)
        in_console(world, ARN, PENDING, 90)
        theirs = {"status": PENDING, "by": "person", "why": "", "at": "2026-11-23T07:30:00+00:00"}
        world.items.mark(f"decision#{ARN}", theirs)
    else:
        was_held(world, ARN, champion=arn_of(2))
    assert person(world, "Approved", "Ben").ours


def test_decide_rejection_after_the_champion_changed_is_written(world: World) -> None:
    """A rejection is written even if the candidate was compared with an earlier champion."""
    register(world, 1, status="Approved")
    second = register(world, 2)
    standing = decide(
        second, "Rejected", by="rules", why="r", compared=Compared(arn_of(7)), using=using(world)
    )
    assert (standing.ours, standing.status) == (True, "Rejected")


def test_decide_longer_than_the_lease_approves_nothing(world: World) -> None:
    """A laptop sleeps after it read the champion and before it writes."""
    arn = register(world)
    clock = [datetime.now(UTC)]
    slow = replace(using(world), clock=lambda: clock[0])

    def sleep() -> None:
        clock[0] += timedelta(minutes=5)

    asleep = Before(world.sagemaker, "describe_model_package", sleep)
    with pytest.raises(NotReady, match="took too long"):
        decide(arn, "Approved", by="operator", why="w", using=replace(slow, sagemaker=asleep))  # type: ignore[arg-type]
    assert world.sagemaker.packages[arn]["ModelApprovalStatus"] == "PendingManualApproval"
    assert decide(arn, "Approved", by="operator", why="w", using=slow).ours


def test_alone_expired_holder_does_not_release_the_next_holders_lease(world: World) -> None:
    now = datetime.now(UTC)
    with alone(world.ledger, keys.group_lease("g"), now=now):
        later = now + timedelta(minutes=5)
        with alone(world.ledger, keys.group_lease("g"), now=later):
            with pytest.raises(NotReady), alone(world.ledger, keys.group_lease("g"), now=later):
                pass
            first_is_done = world.items.release("lease#g", where={"until": (now + LEASE).isoformat()})
            assert not first_is_done
