"""The one way by which approvals and rejections are written: once, in order, and never over another's."""

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

ARN = arn_of(1)
ALL = ("sagemaker", "s3", "sns", "table")


def using(world: Any, **wrapped: Any) -> Collaborators:
    made: Collaborators = world.using(Collaborators, **wrapped)
    return made


def approve(world: Any, arn: str = ARN, compared: Compared | None = None, **wrapped: Any) -> Standing:
    return decide(arn, "Approved", by="rules", why="good", compared=compared, using=using(world, **wrapped))


def status(world: Any, arn: str = ARN) -> str:
    return str(world.sagemaker.packages[arn]["ModelApprovalStatus"])


def test_the_ledger_knows_before_the_registry(world: Any) -> None:
    register(world)
    with pytest.raises(Died):
        approve(world, sagemaker=Mortal(world.sagemaker, [1], after=False, only="update_model_package"))
    fact = world.items.get(f"decision#{ARN}")
    assert (fact["status"], fact["by"], fact["why"]) == ("Approved", "rules", "good")
    assert "doneAt" not in fact
    assert status(world) == "PendingManualApproval"


def test_it_is_written_once_with_who_when_and_why(world: Any) -> None:
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
    assert "doneAt" in world.items.get(f"decision#{ARN}")
    assert world.items.get("lease#handsoff-titanic") is None


def test_a_rejection_leaves_no_time_of_approval(world: Any) -> None:
    register(world)
    decide(ARN, "Rejected", by="rules", why="bad", using=using(world))
    assert status(world) == "Rejected"
    assert "approvedAt" not in world.sagemaker.packages[ARN]["CustomerMetadataProperties"]


@pytest.mark.parametrize("wanted", ["Approved", "Rejected"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 10))
def test_dying_at_any_call_and_coming_again_ends_in_the_same_state(
    world: Any, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool, wanted: Any
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
    assert "doneAt" in world.items.get(f"decision#{ARN}")
    assert world.items.get("lease#handsoff-titanic") is None


@pytest.mark.parametrize("theirs", ["Approved", "Rejected"])
def test_what_a_person_decided_in_the_console_stands(world: Any, theirs: str) -> None:
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
    assert world.items.get(f"decision#{ARN}") is None  # record_decision writes theirs


@pytest.mark.parametrize("theirs", ["Approved", "Rejected"])
def test_what_a_person_decides_right_before_the_package_is_read_again_stands(world: Any, theirs: str) -> None:
    register(world)
    package = Before(world.sagemaker, "describe_model_package", lambda: in_console(world, ARN, theirs))
    standing = approve(world, sagemaker=package)
    assert (standing.status, standing.by, standing.ours) == (theirs, "person", False)
    assert world.sagemaker.updates == []
    assert status(world) == theirs


def test_what_somebody_took_in_the_ledger_stands_though_the_package_still_waits(world: Any) -> None:
    register(world)
    theirs = {"status": "Rejected", "by": "link", "why": "no", "at": "2026-11-23T07:00:00+00:00"}
    world.items.take(f"decision#{ARN}", theirs)
    assert approve(world) == Standing.model_validate({**theirs, "ours": False})
    assert world.sagemaker.updates == []
    assert status(world) == "PendingManualApproval"


def test_who_loses_takes_nothing_back_but_his_own(world: Any) -> None:
    """A person's decision is recorded between our taking and our giving back."""
    register(world)
    theirs = {"status": "Rejected", "by": "person", "why": "no", "at": "2026-11-23T07:00:00+00:00"}

    def decided() -> None:
        in_console(world, ARN, "Rejected")
        world.items.mark(f"decision#{ARN}", theirs)

    standing = approve(world, sagemaker=Before(world.sagemaker, "describe_model_package", decided))
    assert not standing.ours
    assert world.items.get(f"decision#{ARN}").items() >= theirs.items()


def test_an_approval_needs_the_champion_that_it_was_compared_with(world: Any) -> None:
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


def test_without_a_comparison_the_champion_is_not_asked(world: Any) -> None:
    register(world, 1)
    register(world, 2)
    assert approve(world, arn_of(1)).ours
    assert approve(world, arn_of(2)).ours


def test_an_approval_that_waited_counts_from_when_it_was_written(world: Any) -> None:
    """One is taken and its taker dies; another is approved; who comes again is champion all the same."""
    register(world, 1)
    register(world, 2)
    with pytest.raises(Died):
        approve(world, sagemaker=Mortal(world.sagemaker, [1], after=False, only="update_model_package"))
    world.items.release("lease#handsoff-titanic")
    approve(world, arn_of(2))
    approve(world, arn_of(1))
    noted = [world.sagemaker.packages[arn_of(n)]["CustomerMetadataProperties"]["approvedAt"] for n in (1, 2)]
    assert noted[0] > noted[1]


def test_two_candidates_of_a_group_are_never_approved_at_the_same_time(world: Any) -> None:
    register(world, 1)
    register(world, 2)

    def other() -> None:
        with pytest.raises(NotReady, match="lease#handsoff-titanic"):
            approve(world, arn_of(2), Compared(None))

    between = Before(world.sagemaker, "update_model_package", other)
    assert approve(world, arn_of(1), Compared(None), sagemaker=between).ours
    with pytest.raises(ChampionChanged):
        approve(world, arn_of(2), Compared(None))


def test_a_rejection_waits_for_no_approval(world: Any) -> None:
    register(world, 1)
    register(world, 2)

    def other() -> None:
        assert decide(arn_of(2), "Rejected", by="rules", why="bad", using=using(world)).ours

    approve(world, arn_of(1), sagemaker=Before(world.sagemaker, "update_model_package", other))
    assert (status(world, arn_of(1)), status(world, arn_of(2))) == ("Approved", "Rejected")


def test_the_lease_of_one_who_fails_is_free_at_once(world: Any) -> None:
    register(world)

    def fails() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        approve(world, sagemaker=Before(world.sagemaker, "update_model_package", fails))
    assert approve(world).ours


# ---- people ---------------------------------------------------------------------------------------------


def person(
    world: Any, wanted: Any = "Rejected", who: str = "Ana", why: str = "no", **wrapped: Any
) -> Standing:
    return decide(ARN, wanted, by="link", who=who, why=why, using=using(world, **wrapped))


def test_who_and_why_are_in_ledger_registry_and_answer(world: Any) -> None:
    register(world)
    standing = person(world)
    assert (standing.status, standing.by, standing.who, standing.why) == ("Rejected", "link", "Ana", "no")
    fact = world.items.get(f"decision#{ARN}")
    assert (fact["by"], fact["who"], fact["why"], fact["at"]) == (
        "link",
        "Ana",
        "no",
        standing.at.isoformat(),
    )
    (update,) = world.sagemaker.updates
    assert update["CustomerMetadataProperties"].items() >= {"decidedBy": "link", "decidedWho": "Ana"}.items()
    assert update["ApprovalDescription"] == "no"


def test_of_two_people_at_once_one_wins_and_the_other_learns_who_and_what(world: Any) -> None:
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


def test_of_two_who_approve_at_once_one_is_asked_to_look_again_and_then_learns_who_won(world: Any) -> None:
    register(world)

    def other() -> None:
        with pytest.raises(NotReady):
            person(world, "Approved", "Ben", "yes")

    assert person(world, "Approved", sagemaker=Before(world.sagemaker, "update_model_package", other)).ours
    late = person(world, "Approved", "Ben", "yes")
    assert (late.ours, late.status, late.who) == (False, "Approved", "Ana")


def test_pressing_twice_is_one_decision_whatever_reason_came_second(world: Any) -> None:
    register(world)
    first, second = person(world, why="no"), person(world, why="no, no")
    assert first == second
    assert len(world.sagemaker.updates) == 1


def test_a_decision_in_the_console_after_ours_is_the_one_that_stands(world: Any) -> None:
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


def test_a_console_decision_between_taking_and_reading_again_stands(world: Any) -> None:
    register(world)
    between = Before(world.sagemaker, "describe_model_package", lambda: in_console(world, ARN, "Approved"))
    standing = person(world, sagemaker=between)
    assert (standing.ours, standing.status, standing.by) == (False, "Approved", "person")
    assert world.sagemaker.updates == []


def test_what_people_type_is_one_bounded_line(world: Any) -> None:
    register(world)
    standing = person(world, who="A\nna\x1b[2J\u202e" + "x" * 300, why="good\r\nhttps://evil.example\x00")
    assert standing.who is not None
    assert standing.who.startswith("A na [2J xxx")
    assert len(standing.who) == 200
    assert standing.why == "good https://evil.example"


@pytest.mark.parametrize(
    ("text", "kept"), [("x", "x"), ("x" * 300, "x" * 300), ("  a\n\tb \x07", "a b"), ("ünd 👍", "ünd 👍")]
)
def test_a_reason_is_taken(text: str, kept: str) -> None:
    assert reason(text) == kept


@pytest.mark.parametrize("text", ["", " \n", "\x00\u200b", "x" * 301])
def test_no_reason_is_refused(text: str) -> None:
    with pytest.raises(NoReason, match="say why in 1 to 300 characters"):
        reason(text)


# ---- set back to pending -------------------------------------------------------------------------------


PENDING = "PendingManualApproval"


@pytest.mark.parametrize("mark", [True, False], ids=["marked", "died before the mark"])
def test_a_decision_that_was_set_back_hinders_no_new_one(world: Any, mark: bool) -> None:
    register(world)
    old = person(world)
    if not mark:
        world.items.mark(f"decision#{ARN}", {"doneAt": None})
    in_console(world, ARN, PENDING)
    new = decide(ARN, "Approved", by="operator", who="Ben", why="yes", using=using(world))
    assert (new.ours, new.who) == (True, "Ben")
    assert new.at > old.at
    assert status(world) == "Approved"
    fact = world.items.get(f"decision#{ARN}")
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


def test_a_decision_of_the_machine_does_not_bear_a_persons_name(world: Any) -> None:
    register(world)
    person(world)
    in_console(world, ARN, PENDING)
    assert decide(ARN, "Rejected", by="expired", why="late", using=using(world)).ours
    assert world.sagemaker.packages[ARN]["CustomerMetadataProperties"]["decidedWho"] == "none"


def test_a_package_that_is_read_too_early_is_not_taken_for_one_that_was_set_back(world: Any) -> None:
    """Right after our update, a reader may still get what was there before it."""
    before = register(world) and dict(world.sagemaker.packages[ARN])
    person(world)
    world.sagemaker.packages[ARN] = before
    standing = person(world, "Approved", "Ben")
    assert (standing.ours, standing.who) == (False, "Ana")
    later = using(world, clock=lambda: datetime.now(UTC) + timedelta(seconds=91))
    assert decide(
        ARN, "Approved", by="link", who="Ben", why="w", using=later
    ).ours  # it was set back, and wiped


@pytest.mark.parametrize("by", ["rules", "superseded"])
def test_the_machine_does_not_decide_again_for_the_reason_that_was_set_back(world: Any, by: Any) -> None:
    register(world)
    decide(ARN, "Rejected", by=by, why="R", using=using(world))
    in_console(world, ARN, PENDING)
    standing = decide(ARN, "Rejected", by=by, why="R", using=using(world))
    assert (standing.ours, standing.status, standing.by) == (False, PENDING, "person")
    assert status(world) == PENDING
    assert decide(ARN, "Rejected", by=by, why="another", using=using(world)).ours


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 12))
def test_dying_at_any_call_after_it_was_set_back_decides_once(
    world: Any, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
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
    fact = world.items.get(f"decision#{ARN}")
    assert [item["who"] for item in fact["earlier"]] == ["Ana"]
    assert fact["who"] == "Ben"
    assert "doneAt" in fact


def test_only_the_last_decisions_are_kept(world: Any) -> None:
    register(world)
    for number in range(8):
        assert person(world, who=f"p{number}").ours
        in_console(world, ARN, PENDING)
    assert [item["who"] for item in world.items.get(f"decision#{ARN}")["earlier"]] == [
        "p2", "p3", "p4", "p5", "p6"
    ]  # fmt: skip


def test_who_loses_to_the_console_leaves_the_history_as_it_was(world: Any) -> None:
    register(world)
    first = person(world, "Approved", "Ana")
    in_console(world, ARN, PENDING)
    read = iter(range(10))

    class Late:
        """The console decides after the decision was taken, before the package is read again."""

        def __getattr__(self, name: str) -> Any:
            if name == "describe_model_package" and next(read) == 1:
                in_console(world, ARN, "Rejected")
            return getattr(world.sagemaker, name)

    late = decide(ARN, "Approved", by="operator", who="Ben", why="w", using=using(world, sagemaker=Late()))
    assert (late.ours, late.by) == (False, "person")
    known = world.items.get(f"decision#{ARN}")
    assert (known["by"], known["who"], known["at"]) == ("link", "Ana", first.at.isoformat())
    assert "earlier" not in known


@pytest.mark.parametrize("by", ["link", "slack", "operator"])
def test_a_person_approves_nothing_that_a_newer_champion_is_about_to_supersede(world: Any, by: By) -> None:
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
def test_a_person_who_knows_of_the_newer_champion_may_approve_an_older_one(world: Any, known: str) -> None:
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


def test_a_rejection_asks_for_no_champion(world: Any) -> None:
    """A candidate that was compared with a champion that is another one by now is rejected all the same."""
    register(world, 1, status="Approved")
    second = register(world, 2)
    standing = decide(
        second, "Rejected", by="rules", why="r", compared=Compared(arn_of(7)), using=using(world)
    )
    assert (standing.ours, standing.status) == (True, "Rejected")


def test_who_takes_longer_than_the_lease_approves_nothing(world: Any) -> None:
    """A laptop fell asleep between looking at the champion and writing."""
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


def test_a_lease_that_has_passed_on_is_not_given_back_by_who_lost_it(world: Any) -> None:
    now = datetime.now(UTC)
    with alone(world.ledger, keys.group_lease("g"), now=now):
        later = now + timedelta(minutes=5)
        with alone(world.ledger, keys.group_lease("g"), now=later):
            with pytest.raises(NotReady), alone(world.ledger, keys.group_lease("g"), now=later):
                pass
            first_is_done = world.items.release("lease#g", where={"until": (now + LEASE).isoformat()})
            assert not first_is_done
