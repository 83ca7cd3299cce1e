"""The one way by which approvals and rejections are written: once, in order, and never over another's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from retraining.collaborators import Collaborators
from retraining.decisions import ChampionChanged, Compared, Standing, decide
from retraining.errors import NotReady
from tests.functions.fakes import Before, Died, Mortal, arn_of, in_console, register

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
    fact = world.ledger.get(f"decision#{ARN}")
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
    assert (metadata["decidedBy"], metadata["decidedAt"]) == ("rules", first.at)
    assert metadata["approvedAt"] >= first.at
    assert metadata["execution"].endswith("/execution/e0")
    assert "doneAt" in world.ledger.get(f"decision#{ARN}")
    assert world.ledger.get("lease#handsoff-titanic") is None


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
    monkeypatch.setattr("retraining.ledger.LEASE", timedelta(seconds=-1))
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
    assert "doneAt" in world.ledger.get(f"decision#{ARN}")
    assert world.ledger.get("lease#handsoff-titanic") is None


@pytest.mark.parametrize("theirs", ["Approved", "Rejected"])
def test_what_a_person_decided_in_the_console_stands(world: Any, theirs: str) -> None:
    register(world)
    in_console(world, ARN, theirs)
    standing = approve(world)
    assert standing == Standing(theirs, "person", "because", "2026-11-23T07:00:00+00:00", ours=False)
    assert world.sagemaker.updates == []
    assert world.ledger.get(f"decision#{ARN}") is None  # record_decision writes theirs


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
    world.ledger.take(f"decision#{ARN}", theirs)
    assert approve(world) == Standing(**theirs, ours=False)
    assert world.sagemaker.updates == []
    assert status(world) == "PendingManualApproval"


def test_who_loses_takes_nothing_back_but_his_own(world: Any) -> None:
    """A person's decision is recorded between our taking and our giving back."""
    register(world)
    theirs = {"status": "Rejected", "by": "person", "why": "no", "at": "2026-11-23T07:00:00+00:00"}

    def decided() -> None:
        in_console(world, ARN, "Rejected")
        world.ledger.mark(f"decision#{ARN}", theirs)

    standing = approve(world, sagemaker=Before(world.sagemaker, "describe_model_package", decided))
    assert not standing.ours
    assert world.ledger.get(f"decision#{ARN}").items() >= theirs.items()


def test_an_approval_needs_the_champion_that_it_was_compared_with(world: Any) -> None:
    register(world, 1)
    register(world, 2)
    assert approve(world, arn_of(1), Compared(None)).ours
    with pytest.raises(ChampionChanged) as changed:
        approve(world, arn_of(2), Compared(None))
    assert changed.value.champion == arn_of(1)
    assert status(world, arn_of(2)) == "PendingManualApproval"
    assert world.ledger.get(f"decision#{arn_of(2)}") is None
    assert world.ledger.get("lease#handsoff-titanic") is None
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
    world.ledger.release("lease#handsoff-titanic")
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
