"""The history of a model: what each version was measured at, and when it was champion."""

from __future__ import annotations

from typing import Any

from retraining import history
from retraining.collaborators import Collaborators
from retraining.facts.candidates import DecisionFact, EarlierDecision
from retraining.history import Reign, Version, main_metric, versions, with_reigns
from tests.functions.candidates.packages import a_decision, a_package, at
from tests.functions.fakes import arn_of, register, titanic_config, was_held
from tests.functions.world import World


def version(number: int, status: str, decision: DecisionFact | None, **more: Any) -> Version:
    package = a_package(status, arn=arn_of(number), created=number, **more)
    return Version(package, decision=decision)


def approved(number: int, minutes: float, **more: Any) -> Version:
    """A version that was approved at this time and is approved still."""
    decision = a_decision("Approved", minutes=minutes, done_at=at(minutes), **more)
    return version(number, "Approved", decision, approvedAt=at(minutes).isoformat())


def reigns(*found: Version) -> dict[int, list[tuple[float, float | None]]]:
    """When each version was champion, in minutes after noon."""

    def minutes(reign: Reign) -> tuple[float, float | None]:
        began = (reign.since - at(0)).total_seconds() / 60
        return began, (reign.until - at(0)).total_seconds() / 60 if reign.until else None

    return {it.number: [minutes(reign) for reign in it.reigns] for it in with_reigns(found)}


def test_reigns_end_when_the_next_version_is_approved() -> None:
    assert reigns(approved(2, 20), approved(1, 10)) == {2: [(20, None)], 1: [(10, 20)]}


def test_reigns_of_a_rejected_champion_end_and_the_one_before_is_champion_again() -> None:
    earlier = (EarlierDecision(status="Approved", by="link", at=at(20)),)
    gone = a_decision("Rejected", minutes=30, done_at=at(30), earlier=earlier)
    last = version(2, "Rejected", gone, approvedAt=at(20).isoformat(), changed=30)
    assert reigns(last, approved(1, 10)) == {2: [(20, 30)], 1: [(10, 20), (30, None)]}


def test_reigns_of_a_version_approved_again_are_two() -> None:
    again = approved(
        1,
        40,
        earlier=(
            EarlierDecision(status="Approved", by="rules", at=at(10)),
            EarlierDecision(status="Rejected", by="person", at=at(20)),
        ),
    )
    assert reigns(approved(2, 30), again) == {2: [(30, 40)], 1: [(10, 20), (40, None)]}


def test_reigns_without_a_ledger_are_what_the_packages_note() -> None:
    rejected = version(2, "Rejected", None, approvedAt=at(20).isoformat(), changed=25)
    kept = version(1, "Approved", None, approvedAt=at(10).isoformat())
    assert reigns(rejected, kept) == {2: [(20, 25)], 1: [(10, 20), (25, None)]}


def test_reigns_of_a_champion_rejected_in_aws_and_not_recorded_end_with_the_change() -> None:
    seen = a_decision("Approved", minutes=20, done_at=at(20))
    last = version(2, "Rejected", seen, approvedAt=at(20).isoformat(), changed=33)
    assert reigns(last, approved(1, 10)) == {2: [(20, 33)], 1: [(10, 20), (33, None)]}


def test_reigns_of_an_approval_that_is_being_written_have_not_begun() -> None:
    taken = a_decision("Approved", minutes=20)
    waits = version(2, "PendingManualApproval", taken)
    assert reigns(waits, approved(1, 10)) == {2: [], 1: [(10, None)]}
    assert not waits.was_approved


def test_reigns_leave_out_the_moment_between_the_calls_of_a_roll_back() -> None:
    gone = a_decision("Rejected", minutes=30, done_at=at(30))
    middle = version(2, "Rejected", gone, approvedAt=at(20).isoformat(), changed=30)
    back = approved(1, 30.015625, earlier=(EarlierDecision(status="Approved", by="rules", at=at(10)),))
    assert reigns(middle, back, approved(3, 5)) == {
        2: [(20, 30)],
        1: [(10, 20), (30.015625, None)],
        3: [(5, 10)],
    }


def test_reigns_of_an_older_version_inside_a_newer_term_leave_two_parts() -> None:
    inside = version(
        1,
        "Rejected",
        a_decision(
            "Rejected",
            minutes=30,
            done_at=at(30),
            earlier=(EarlierDecision(status="Approved", by="link", at=at(20)),),
        ),
        approvedAt=at(20).isoformat(),
        changed=30,
    )
    assert reigns(approved(2, 10), inside) == {2: [(10, 20), (30, None)], 1: [(20, 30)]}


# ---- reading --------------------------------------------------------------------------------------------


def test_versions_are_the_newest_with_their_metrics_and_the_older_champion_last(world: World) -> None:
    champion = register(world, 1, status="Approved", accuracy=0.81)
    for number, accuracy in ((2, 0.82), (3, 0.83), (4, 0.84)):
        was_held(world, register(world, number, accuracy=accuracy))
    found = versions(world.using(Collaborators), "handsoff-titanic", 2)
    assert [it.number for it in found] == [4, 3, 1]
    assert [it.metrics["accuracy"].value for it in found] == [0.84, 0.83, 0.81]
    assert [it.is_champion for it in found] == [False, False, True]
    assert found[0].verdict is not None
    assert found[0].verdict.verdict.decision == "HOLD"
    assert found[2].package.arn == champion
    assert found[2].reigns == (Reign(found[2].package.changed_at, None),)


def test_versions_whose_evaluation_is_gone_say_so(world: World) -> None:
    register(world, 1)
    world.s3.delete_object(Bucket="data", Key="models/titanic/e0/evaluation.json")
    (found,) = versions(world.using(Collaborators), "handsoff-titanic", 5)
    assert found.problem == "s3://data/models/titanic/e0/evaluation.json does not exist"
    assert found.metrics == {}


def test_versions_of_a_group_without_packages_are_none(world: World) -> None:
    assert versions(world.using(Collaborators).sources, "handsoff-titanic", 5) == ()


def test_read_a_package_that_was_deleted_is_none(world: World) -> None:
    assert history.read(world.using(Collaborators), arn_of(9)) is None


def test_main_metric_is_the_first_rule_that_a_bad_model_fails() -> None:
    approval = titanic_config().approval
    assert main_metric("binary_classification", approval) == "accuracy"
    none = approval.model_copy(update={"rules": ()})
    assert main_metric("binary_classification", none) == "roc_auc"
    assert main_metric("regression", none) == "rmse"
