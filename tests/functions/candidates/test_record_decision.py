"""Decisions are recorded and notified once. Approvals supersede older candidates; rejections roll back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from judge_candidate import handler as judge
from record_decision import handler
from retraining.aws import registry
from retraining.candidates.decisions import decide
from retraining.collaborators import Collaborators
from retraining.errors import NotReady
from retraining.facts.candidates import By
from retraining.links import Links
from tests.functions.fakes import (
    CONSOLE,
    START,
    Before,
    Context,
    Died,
    Mortal,
    about,
    arn_of,
    event,
    in_console,
    register,
    was_held,
)
from tests.functions.world import World

ARN = arn_of(1)
ALL = ("sagemaker", "s3", "sns", "events", "table")

JUDGED = "2026-11-23T06:00:00+00:00"
"""When candidates were judged, in the ledger's form."""


def using(world: World, **wrapped: Any) -> Collaborators:
    return world.using(Collaborators, **wrapped)


def come(world: World, version: int, *, seen: Any = "", minutes: Any = 0, **wrapped: Any) -> None:
    """Handle the event of a decision on a version: as the registry shows it, or `seen` at `minutes`."""
    told = about("package_decided.approved", arn_of(version))
    package = world.sagemaker.packages[arn_of(version)]
    at = START + timedelta(minutes=minutes) if seen else package["LastModifiedTime"]
    told["detail"] |= {
        "ModelApprovalStatus": seen or package["ModelApprovalStatus"],
        "LastModifiedTime": at.isoformat(),
    }
    handler(told, Context(), using=using(world, **wrapped))


def by_rules(world: World, version: int, status: Any) -> None:
    """Let the rules decide, and handle the event."""
    decide(arn_of(version), status, by="rules", why="RULES", using=using(world))
    come(world, version)


def by_person(world: World, version: int, status: str, minutes: int = 60) -> None:
    in_console(world, arn_of(version), status, minutes)
    come(world, version)


def candidates(world: World, *versions: int, judged: bool = True) -> None:
    """Register these versions. With `judged` they are held."""
    for version in versions:
        register(world, version)
        if judged:
            was_held(world, arn_of(version))


def fact(world: World, version: int = 1) -> dict[str, Any]:
    return dict(world.stored(f"decision#{arn_of(version)}"))


def status(world: World, version: int) -> str:
    return str(world.sagemaker.packages[arn_of(version)]["ModelApprovalStatus"])


def noted(world: World, version: int) -> str:
    return str(world.sagemaker.packages[arn_of(version)]["CustomerMetadataProperties"].get("approvedAt"))


def evidence(world: World, version: int) -> dict[str, Any]:
    key = f"evidence/titanic/e{version - 1}/evidence.json"
    found: dict[str, Any] = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    return found


def champion(world: World) -> str | None:
    found = registry.champion(using(world).sagemaker, "handsoff-titanic")
    return found.arn if found else None


# ---- recording ----------------------------------------------------------------------------------------


def test_record_persons_approval_is_written_once_and_dated_in_the_registry(world: World) -> None:
    register(world)
    for _ in range(3):
        by_person(world, 1, "Approved", minutes=5)
    at = "2026-11-23T06:05:00+00:00"
    recorded = fact(world)
    assert (recorded["status"], recorded["by"], recorded["at"]) == ("Approved", "person", at)
    assert (recorded["who"], recorded["why"]) == (CONSOLE, "because")
    assert [update["CustomerMetadataProperties"]["approvedAt"] for update in world.sagemaker.updates] == [at]
    found = evidence(world, 1)
    assert (found["decidedBy"], found["decidedWho"]) == ("person", CONSOLE)
    assert (found["decidedWhy"], found["decidedAt"]) == ("because", at)
    (told,) = world.messages()
    assert (told["kind"], told["decision"], told["reasons"]) == ("approved", "APPROVE", ["because"])
    assert (told["decidedBy"], told["decidedWho"]) == ("person", CONSOLE)


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_record_decision_by_rules_stays_unchanged(world: World, status: str) -> None:
    register(world)
    by_rules(world, 1, status)
    before = fact(world)
    come(world, 1)
    assert fact(world) == before
    assert (before["by"], before["status"]) == ("rules", status)
    assert before.keys() >= {"doneAt", "recordedAt"}
    assert len(world.sagemaker.updates) == 1


def test_record_person_who_decided_before_the_rules_wrote_is_the_decider(world: World) -> None:
    """The rules' decision is in the ledger and not yet in the registry."""
    register(world)
    world.items.take(f"decision#{ARN}", {"status": "Approved", "by": "rules", "why": "w", "at": JUDGED})
    by_person(world, 1, "Approved")
    assert fact(world)["by"] == "person"


def test_record_decision_whose_writer_died_before_the_mark_is_marked(world: World) -> None:
    register(world)
    dying = Mortal(world.sagemaker, [1], after=True, only="update_model_package")
    with pytest.raises(Died):
        decide(ARN, "Rejected", by="rules", why="RULES", using=using(world, sagemaker=dying))
    come(world, 1)
    assert fact(world)["by"] == "rules"
    assert fact(world).keys() >= {"doneAt", "recordedAt"}


def test_record_persons_approval_after_a_rejection_by_rules_makes_the_champion(world: World) -> None:
    register(world, 1)
    register(world, 2)
    by_rules(world, 1, "Rejected")
    by_rules(world, 2, "Approved")
    assert champion(world) == arn_of(2)
    by_person(world, 1, "Approved", minutes=10**7)
    assert champion(world) == arn_of(1)
    assert fact(world, 1)["by"] == "person"


def test_record_person_who_approves_again_after_rejecting_is_the_decider(world: World) -> None:
    register(world)
    by_rules(world, 1, "Approved")
    by_person(world, 1, "Rejected", minutes=60)
    by_person(world, 1, "Approved", minutes=120)
    assert fact(world)["by"] == "person"
    assert noted(world, 1) == "2026-11-23T08:00:00+00:00"


def test_record_pending_package_or_annotation_writes_nothing(world: World, context: Context) -> None:
    register(world)
    come(world, 1)
    handler(event("candidate_registered.annotated"), context, using=using(world))
    assert world.items.get(f"decision#{ARN}") is None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 18))
def test_record_death_at_any_call_and_retry_record_once(
    world: World, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    register(world)
    in_console(world, ARN, "Approved", 5)
    left = [lives]
    try:
        come(world, 1, **{name: Mortal(getattr(world, name), left, after=after) for name in ALL})
    except Died:
        pass
    else:
        assert left[0] > 0
    for _ in range(2):
        come(world, 1)
    assert (fact(world)["status"], fact(world)["by"]) == ("Approved", "person")
    assert "earlier" not in fact(world)
    assert noted(world, 1) == fact(world)["at"] == "2026-11-23T06:05:00+00:00"
    told = world.messages()
    assert {(message["kind"], message["decidedBy"]) for message in told} == {("approved", "person")}
    assert len({message["notificationId"] for message in told}) == 1
    assert evidence(world, 1)["pipelineExecutionStatus"] == "Succeeded"


# ---- an approval supersedes older candidates -------------------------------------------------------------


def superseded(world: World, *versions: int) -> None:
    """Check that these versions alone are superseded, with one notification for each."""
    told = [message for message in world.messages() if message["decidedBy"] == "superseded"]
    assert {message["modelPackageArn"] for message in told} == {arn_of(version) for version in versions}
    assert len({message["notificationId"] for message in told}) == len(versions)
    for message in told:
        assert (message["kind"], message["decision"]) == ("rejected", "REJECT")
        assert message["reasons"][0].startswith("superseded by handsoff-titanic/")
    for version in versions:
        assert status(world, version) == "Rejected"
        assert fact(world, version)["by"] == "superseded"
        package = world.sagemaker.packages[arn_of(version)]
        assert package["ApprovalDescription"].startswith("superseded by handsoff-titanic/")
        assert package["CustomerMetadataProperties"]["decidedBy"] == "superseded"
        assert evidence(world, version)["decidedBy"] == "superseded"


def test_supersede_rejects_older_waiting_candidates_and_no_newer_ones(world: World) -> None:
    candidates(world, 1, 2, 3, 4, 6)
    register(world, 5)
    by_rules(world, 5, "Approved")
    superseded(world, 1, 2, 3, 4)
    assert status(world, 6) == "PendingManualApproval"
    assert fact(world, 1)["why"] == f"superseded by handsoff-titanic/5, approved {fact(world, 5)['at']}"


def test_supersede_after_a_persons_approval_rejects_older_candidates(world: World) -> None:
    candidates(world, 1, 2)
    by_person(world, 2, "Approved", minutes=60)
    superseded(world, 1)
    why = fact(world, 1)["why"]
    assert why == "superseded by handsoff-titanic/2, approved 2026-11-23T07:00:00+00:00"


def test_supersede_after_a_rejection_rejects_nothing(world: World) -> None:
    candidates(world, 1, 2)
    by_person(world, 2, "Rejected")
    superseded(world)
    assert status(world, 1) == "PendingManualApproval"


def test_supersede_leaves_unjudged_candidates_pending(world: World) -> None:
    candidates(world, 1, judged=False)
    candidates(world, 2)
    world.items.mark(f"verdict#{arn_of(2)}", {"doneAt": None})  # judged; the verdict is not carried out yet
    register(world, 3)
    by_rules(world, 3, "Approved")
    superseded(world)
    assert (status(world, 1), status(world, 2)) == ("PendingManualApproval", "PendingManualApproval")


def test_supersede_leaves_other_groups_pending(world: World) -> None:
    candidates(world, 1)
    world.sagemaker.packages[arn_of(1)]["ModelPackageGroupName"] = "handsoff-other"
    register(world, 2)
    by_rules(world, 2, "Approved")
    superseded(world)


@pytest.mark.parametrize("theirs", ["Approved", "Rejected"])
def test_supersede_candidate_that_a_person_decides_meanwhile_keeps_that_decision(
    world: World, theirs: str
) -> None:
    """A person decides after the candidates were listed and before this one is superseded."""
    candidates(world, 1, 2)
    register(world, 3)
    decide(arn_of(3), "Approved", by="rules", why="RULES", using=using(world))
    listed = Before(world.table, "put_item", lambda: in_console(world, arn_of(1), theirs))
    come(world, 3, table=listed)
    superseded(world, 2)
    assert status(world, 1) == theirs
    assert world.items.get(f"decision#{arn_of(1)}") is None
    come(world, 1)
    assert fact(world, 1)["by"] == "person"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 50))
def test_supersede_death_at_any_call_and_retry_reject_and_notify_each(
    world: World, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    candidates(world, 1, 2)
    register(world, 3)
    decide(arn_of(3), "Approved", by="rules", why="RULES", using=using(world))
    left = [lives]
    try:
        come(world, 3, **{name: Mortal(getattr(world, name), left, after=after) for name in ALL})
    except Died:
        pass
    else:
        assert left[0] > 0
    for _ in range(2):
        come(world, 3)
    superseded(world, 1, 2)
    assert len(world.sagemaker.updates) == 3


# ---- the champion is rejected ---------------------------------------------------------------------------


def rolled_back(world: World, *expected: tuple[int, int | None]) -> None:
    """Check all roll-backs that were notified: pairs of the rejected version and the new champion."""
    told = [message for message in world.messages() if message["kind"] == "rolled_back"]
    assert len({message["notificationId"] for message in told}) == len(expected)
    assert [message["modelPackageArn"] for message in told] == [arn_of(gone) for gone, _ in expected]
    changes = [(arn_of(gone), arn_of(back) if back else None) for gone, back in expected]
    back = world.events.details("Champion Rolled Back")
    assert [(detail["rejected"], detail["champion"]) for detail in back] == changes
    changed = [it for it in world.events.details("Champion Changed") if it["cause"] == "rolled back"]
    assert [(detail["previous"], detail["champion"]) for detail in changed] == changes
    assert {source for source, _, _ in world.events.taken} <= {"handsoff"}


def two_champions(world: World) -> None:
    """Approve version 1, then version 2, which is the champion."""
    for version in (1, 2):
        register(world, version)
        by_rules(world, version, "Approved")


def test_roll_back_rejected_champion_makes_the_one_before_champion(world: World) -> None:
    two_champions(world)
    by_person(world, 2, "Rejected", minutes=60)
    assert champion(world) == arn_of(1)
    (detail,) = world.events.details("Champion Rolled Back")
    assert detail == {
        "model": "titanic",
        "modelPackageGroupName": "handsoff-titanic",
        "rejected": arn_of(2),
        "champion": arn_of(1),
        "approvedAt": noted(world, 1),
        "at": "2026-11-23T07:00:00+00:00",
    }
    told, decided = world.messages()
    assert (decided["kind"], decided["decidedBy"]) == ("rejected", "person")
    assert (told["kind"], told["model"], told["modelPackageArn"]) == ("rolled_back", "titanic", arn_of(2))
    when = datetime.fromisoformat(noted(world, 1)).strftime("%Y-%m-%d %H:%M")
    assert told["reasons"][0].endswith(" UTC, was rejected: because")
    assert told["reasons"][1] == f"version 1, approved {when} UTC, is champion again"


def test_roll_back_last_approved_version_leaves_no_champion(world: World) -> None:
    register(world)
    by_rules(world, 1, "Approved")
    by_person(world, 1, "Rejected")
    assert champion(world) is None
    rolled_back(world, (1, None))
    (detail,) = world.events.details("Champion Rolled Back")
    assert detail["approvedAt"] is None


def test_roll_back_version_that_was_not_champion_notifies_nobody(world: World) -> None:
    two_champions(world)
    register(world, 3)
    by_rules(world, 3, "Rejected")  # it was never champion
    by_person(world, 1, "Rejected")  # it was champion before version 2
    rolled_back(world)


def test_roll_back_repeated_and_late_events_notify_once(world: World) -> None:
    two_champions(world)
    in_console(world, arn_of(2), "Rejected")
    for version in (2, 2, 1, 2):
        come(world, version)
    world.items.mark(f"decision#{arn_of(2)}", {"recordedAt": None})  # as after a death before the mark
    world.sagemaker.packages[arn_of(2)]["LastModifiedTime"] += timedelta(hours=1)  # a person edits metadata
    come(world, 2)
    rolled_back(world, (2, 1))


def test_roll_back_after_a_second_approval_notifies_again(world: World) -> None:
    two_champions(world)
    by_person(world, 2, "Rejected", minutes=60)
    by_person(world, 2, "Approved", minutes=10**7)
    by_person(world, 2, "Rejected", minutes=2 * 10**7)
    rolled_back(world, (2, 1), (2, 1))


def test_roll_back_two_champions_in_turn_notifies_of_each(world: World) -> None:
    two_champions(world)
    in_console(world, arn_of(2), "Rejected")
    in_console(world, arn_of(1), "Rejected")
    come(world, 2)
    come(world, 1)
    rolled_back(world, (2, None), (1, None))


def test_roll_back_event_refused_by_the_bus_is_sent_on_retry(world: World) -> None:
    two_champions(world)
    in_console(world, arn_of(2), "Rejected")
    world.events.refuses = 1
    with pytest.raises(NotReady, match="InternalFailure"):
        come(world, 2)
    assert "recordedAt" not in fact(world, 2)
    come(world, 2)
    rolled_back(world, (2, 1))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 26))
def test_roll_back_death_at_any_call_and_retry_notify_once(
    world: World, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    two_champions(world)
    in_console(world, arn_of(2), "Rejected")
    left = [lives]
    try:
        come(world, 2, **{name: Mortal(getattr(world, name), left, after=after) for name in ALL})
    except Died:
        pass
    else:
        assert left[0] > 0
    for _ in range(2):
        come(world, 2)
    told = [message for message in world.messages() if message["kind"] == "rolled_back"]
    assert len({message["notificationId"] for message in told}) == 1
    events = world.events.details("Champion Rolled Back")
    assert events in ([events[0]], [events[0]] * 2)  # twice only if the answer was lost
    assert (events[0]["rejected"], events[0]["champion"]) == (arn_of(2), arn_of(1))
    assert fact(world, 2)["by"] == "person"


# ---- each decision of a person is notified once ---------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "who"),
    [("link", "Ana López"), ("slack", "U0123ABCD ana"), ("operator", "arn:aws:iam::1:user/op")],
)
def test_record_persons_decision_is_notified_once_with_name_and_reason(
    world: World, by: By, who: str
) -> None:
    register(world)
    decide(ARN, "Rejected", by=by, who=who, why="women fare badly", using=using(world))
    for _ in range(3):
        come(world, 1)
    (told,) = world.messages()
    assert (told["kind"], told["decision"], told["reasons"]) == ("rejected", "REJECT", ["women fare badly"])
    assert (told["decidedBy"], told["decidedWho"]) == (by, who)
    found = evidence(world, 1)
    assert (found["decidedBy"], found["decidedWho"], found["decidedWhy"]) == (by, who, "women fare badly")
    assert found["decidedAt"] == fact(world)["at"]


def test_record_decision_by_rules_notifies_nobody(world: World) -> None:
    register(world)
    by_rules(world, 1, "Rejected")
    assert world.messages() == []


def test_record_each_decision_on_one_package_is_notified_once(world: World) -> None:
    register(world)
    for minutes in (60, 120, 180):
        by_person(world, 1, "Rejected", minutes=minutes)  # the same decision; only the time of change differs
    by_person(world, 1, "Approved", minutes=240)
    by_person(world, 1, "Rejected", minutes=300)
    told = [message["kind"] for message in world.messages()]
    assert told == ["rejected", "approved", "rolled_back", "rejected"]
    assert [(item["status"], item["at"]) for item in fact(world)["earlier"]] == [
        ("Rejected", "2026-11-23T07:00:00+00:00"),
        ("Approved", "2026-11-23T10:00:00+00:00"),
    ]


def test_record_description_of_an_earlier_decision_is_no_persons_reason(world: World) -> None:
    register(world)
    by_rules(world, 1, "Rejected")
    in_console(world, ARN, "Approved", why="RULES")
    come(world, 1)
    assert fact(world)["why"] == ""
    assert world.messages()[0]["reasons"] == ["no reason was given"]


def test_record_notifications_have_a_link_to_the_review_page(world: World) -> None:
    two_champions(world)
    in_console(world, arn_of(2), "Rejected")
    links = Links("s" * 64, "https://x.example/")
    come(world, 2, links=links)
    told = world.messages()
    assert [message["kind"] for message in told] == ["rolled_back", "rejected"]
    for message in told:
        base, token = message["reviewUrl"].split("?t=")
        assert base == "https://x.example/review"
        assert links.read(token, timedelta(hours=1)) == arn_of(2)


# ---- set back to pending -------------------------------------------------------------------------------


PENDING = "PendingManualApproval"


def back(world: World, version: int, minutes: int = 10**7) -> None:
    """Set a version back to pending in AWS, and let the judge handle the event."""
    in_console(world, arn_of(version), PENDING, minutes)
    judge(about("candidate_registered.pending", arn_of(version)), Context(), using=using(world))


def test_set_back_candidate_waits_for_a_person_and_is_notified_once(world: World) -> None:
    candidates(world, 1)
    decide(ARN, "Rejected", by="link", who="Ana", why="no", using=using(world))
    come(world, 1)
    decided = fact(world)
    world.messages()
    for _ in range(3):
        back(world, 1)
    assert status(world, 1) == PENDING
    known = fact(world)
    assert (known["status"], known["by"], known["who"]) == (PENDING, "person", CONSOLE)
    assert known["why"] == "set back to pending in AWS; before, it was rejected by Ana (link)"
    (earlier,) = known["earlier"]
    assert earlier == {name: decided[name] for name in ("status", "by", "who", "why", "at")}
    (told,) = world.messages()
    assert (told["kind"], told["decision"], told["decidedBy"]) == ("waiting", "HOLD", None)
    assert told["reasons"] == [known["why"]]
    found = evidence(world, 1)
    assert (found["decidedBy"], found["decidedWho"], found["decidedAt"]) == (None, None, None)
    assert [item["status"] for item in found["earlierDecisions"]] == ["Rejected", PENDING]


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "lost"])
def test_set_back_candidate_can_be_decided_again(world: World, noticed: bool) -> None:
    candidates(world, 1)
    old = decide(ARN, "Rejected", by="link", who="Ana", why="no", using=using(world))
    come(world, 1)
    if noticed:
        back(world, 1)
    else:
        in_console(world, ARN, PENDING)
    new = decide(ARN, "Rejected", by="link", who="Ana", why="still no", using=using(world))
    assert (new.ours, new.why, new.status) == (True, "still no", "Rejected")
    assert new.at > old.at
    assert status(world, 1) == "Rejected"
    come(world, 1)
    assert [message["reasons"][0] for message in world.messages() if message["kind"] == "rejected"] == [
        "no",
        "still no",
    ]
    assert [item["status"] for item in fact(world)["earlier"]] == ["Rejected", *([PENDING] * noticed)]


def test_set_back_candidate_is_not_decided_again_by_the_rules(world: World) -> None:
    """The judge dies before it notifies. A person sets the package back. The judge retries."""
    register(world)
    dying = Mortal(world.sagemaker, [1], after=True, only="update_model_package")
    event_ = about("candidate_registered.pending", ARN)
    with pytest.raises(Died):
        judge(event_, Context(), using=using(world, sagemaker=dying))
    world.items.release("lease#handsoff-titanic")
    for _ in range(2):
        back(world, 1)
    assert status(world, 1) == PENDING
    assert fact(world)["status"] == PENDING
    assert [message["kind"] for message in world.messages()] == ["rolled_back", "waiting"]
    assert decide(ARN, "Approved", by="operator", who="me", why="good", using=using(world)).ours


def test_set_back_champion_is_no_longer_champion(world: World) -> None:
    two_champions(world)
    was_held(world, arn_of(2))
    for _ in range(2):
        back(world, 2)
    assert champion(world) == arn_of(1)
    told = world.messages()
    assert [message["kind"] for message in told] == ["rolled_back", "waiting"]
    assert told[0]["reasons"][0].endswith(" UTC, was set back to pending")
    decide(arn_of(2), "Approved", by="link", who="Ana", why="it is good", using=using(world))
    come(world, 2)
    assert champion(world) == arn_of(2)


def test_set_back_candidate_is_superseded_by_newer_ones_only(world: World) -> None:
    candidates(world, 1, 2, 3)
    by_person(world, 2, "Approved")
    assert fact(world, 1)["by"] == "superseded"
    come(world, 1)
    back(world, 1)
    world.items.mark(f"decision#{arn_of(2)}", {"recordedAt": None})  # as after a death before the mark
    come(world, 2)
    assert status(world, 1) == PENDING
    by_person(world, 3, "Approved", minutes=10**7)
    assert status(world, 1) == "Rejected"
    assert fact(world, 1)["why"].startswith("superseded by handsoff-titanic/3")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 30))
def test_set_back_death_at_any_call_and_retry_record_once(
    world: World, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    two_champions(world)
    was_held(world, arn_of(2))
    in_console(world, arn_of(2), PENDING, 10**7)
    left = [lives]
    wrapped = {name: Mortal(getattr(world, name), left, after=after) for name in ALL}
    event_ = about("candidate_registered.pending", arn_of(2))
    try:
        judge(event_, Context(), using=using(world, **wrapped))
    except Died:
        pass
    else:
        assert left[0] > 0
    for _ in range(2):
        judge(event_, Context(), using=using(world))
    assert {message["kind"] for message in world.messages()} == {"rolled_back", "waiting"}
    assert (fact(world, 2)["status"], len(fact(world, 2)["earlier"])) == (PENDING, 1)
    assert "recordedAt" in fact(world, 2)


# ---- lost, late and overwritten decisions ---------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), [("Approved", "Rejected"), ("Rejected", "Approved")])
def test_record_overwritten_decision_of_a_person_is_restored(world: World, ours: Any, theirs: str) -> None:
    """A person decides after our last read of the package and before our write."""
    candidates(world, 1)
    over_a_person(world, ours, theirs)
    assert status(world, 1) == ours
    come(world, 1)
    assert status(world, 1) == ours
    come(world, 1, seen=theirs, minutes=60)
    assert status(world, 1) == theirs
    known = fact(world)
    assert (known["by"], known["status"], known["at"]) == ("person", theirs, "2026-11-23T07:00:00+00:00")
    assert (known.get("who"), [item["by"] for item in known["earlier"]]) == (None, ["rules"])
    assert theirs.lower() in [message["kind"] for message in world.messages()]
    come(world, 1, seen=theirs, minutes=60)
    come(world, 1)
    assert status(world, 1) == theirs
    assert world.messages() == []


def over_a_person(world: World, ours: Any, theirs: str) -> None:
    """Let the rules overwrite the decision that a person makes in minute 60."""
    meanwhile = Before(world.sagemaker, "update_model_package", lambda: in_console(world, ARN, theirs, 60))
    written = {"sagemaker": meanwhile, "clock": lambda: START + timedelta(minutes=60)}
    decide(ARN, ours, by="rules", why="RULES", using=using(world, **written))
    touched(world, 60.01, "lambda")


def touched(world: World, minutes: float, who: str) -> None:
    """Set who changed the package last, and when."""
    world.sagemaker.packages[ARN] |= {
        "LastModifiedTime": START + timedelta(minutes=minutes),
        "LastModifiedBy": {"IamIdentity": {"Arn": who}},
    }


@pytest.mark.parametrize("who", [None, "ana"])
def test_record_restored_decision_stays_the_persons_after_a_death(world: World, who: str | None) -> None:
    candidates(world, 1)
    over_a_person(world, "Rejected", "Approved")
    told = about("package_decided.approved", ARN)
    told["detail"] |= {"LastModifiedTime": "2026-11-23T07:00:00"}  # without a time zone
    told["detail"] |= {"LastModifiedBy": {"IamIdentity": {"Arn": who}}} if who else {}
    dying = Mortal(world.sagemaker, [1], after=True, only="update_model_package")
    with pytest.raises(Died):
        handler(told, Context(), using=using(world, sagemaker=dying))
    touched(world, 61, "lambda")
    handler(told, Context(), using=using(world))
    known = fact(world)
    assert (known["status"], known.get("who"), known["at"]) == ("Approved", who, "2026-11-23T07:00:00+00:00")
    assert [(told["kind"], told["decidedWho"]) for told in world.messages()] == [("approved", who)]


def test_record_overwritten_decision_is_restored_after_an_edit_of_metadata(world: World) -> None:
    candidates(world, 1)
    over_a_person(world, "Rejected", "Approved")
    world.sagemaker.packages[ARN]["CustomerMetadataProperties"]["ticket"] = "X-1"
    touched(world, 90, "tagger")
    come(world, 1, seen="Approved", minutes=60)
    assert (status(world, 1), fact(world)["status"], fact(world).get("who")) == ("Approved", "Approved", None)


@pytest.mark.parametrize("early", [True, False], ids=["early", "late"])
@pytest.mark.parametrize(("first", "then"), [("Approved", "Rejected"), ("Rejected", "Approved")])
def test_record_old_event_keeps_a_later_decision(world: World, first: str, then: Any, early: bool) -> None:
    """A wrong click is set back at once. Later a person decides. The first event comes again."""
    candidates(world, 1)
    in_console(world, ARN, first, 60)
    in_console(world, ARN, PENDING, 61)
    if early:
        come(world, 1, seen=first, minutes=60)
        assert [item["status"] for item in fact(world)["earlier"]] == [first]
    at = START + timedelta(minutes=70)
    decide(ARN, then, by="operator", who="bob", why="sure", using=using(world, clock=lambda: at))
    touched(world, 70, "bob")
    for _ in range(2):
        come(world, 1)
        come(world, 1, seen=first, minutes=60)
    assert status(world, 1) == then
    assert (fact(world)["by"], fact(world)["who"]) == ("operator", "bob")


def test_roll_back_brief_approval_is_notified(world: World) -> None:
    candidates(world, 1)
    in_console(world, ARN, "Rejected", 61)  # approved at 60
    come(world, 1, seen="Approved", minutes=60)
    come(world, 1)
    assert [message["kind"] for message in world.messages()] == ["rolled_back", "rejected"]
    assert (fact(world)["who"], fact(world)["at"]) == (CONSOLE, "2026-11-23T07:01:00+00:00")
    assert [item["at"] for item in fact(world)["earlier"]] == ["2026-11-23T07:00:00+00:00"]


@pytest.mark.parametrize("call", ["put_item", "get_item"])
def test_supersede_deleted_candidate_does_not_stop_the_notification(world: World, call: str) -> None:
    candidates(world, 1, 2, 3)
    at = decide(arn_of(3), "Approved", by="link", who="Ana", why="ok", using=using(world)).at
    both = {"supersedes": [arn_of(1), arn_of(2)]}
    world.items.mark(f"decision#{arn_of(3)}", both, where={"at": at.isoformat()})
    gone = Before(world.table, call, lambda: world.sagemaker.packages.pop(arn_of(1)))
    come(world, 3, table=gone)
    assert "recordedAt" in fact(world, 3)
    assert world.items.get(f"decision#{arn_of(1)}") is None
    assert status(world, 2) == "Rejected"
    told = [(message["kind"], message["decidedBy"]) for message in world.messages()]
    assert told == [("rejected", "superseded"), ("approved", "link")]


def test_supersede_failure_is_retried_and_the_approval_is_notified_at_once(
    world: World,
) -> None:
    candidates(world, 1, 2)
    decide(arn_of(2), "Approved", by="link", who="Ana", why="ok", using=using(world))

    def refuse() -> None:
        raise Died("throttled")

    with pytest.raises(Died):
        come(world, 2, sagemaker=Before(world.sagemaker, "update_model_package", refuse))
    assert [message["kind"] for message in world.messages()] == ["approved"]
    assert "recordedAt" not in fact(world, 2)
    assert status(world, 1) == "PendingManualApproval"
    come(world, 2)
    assert status(world, 1) == "Rejected"
    assert "recordedAt" in fact(world, 2)
    assert [message["kind"] for message in world.messages()] == ["rejected"]


def test_record_late_rejection_keeps_the_persons_second_approval(world: World) -> None:
    """A person rejects right after our approval, then approves. The event of the rejection comes last."""
    candidates(world, 1)
    at_60 = {"clock": lambda: START + timedelta(minutes=60)}
    decide(ARN, "Approved", by="rules", why="RULES", using=using(world, **at_60))
    in_console(world, ARN, "Approved", 61, why="I insist")  # rejected at 60, three seconds after ours
    come(world, 1, seen="Rejected", minutes=60.05)
    assert status(world, 1) == "Approved"
    assert world.sagemaker.packages[ARN]["ApprovalDescription"] == "I insist"
    assert (fact(world)["by"], fact(world)["why"]) == ("person", "I insist")


def test_record_late_event_of_our_own_restores_nothing(world: World) -> None:
    candidates(world, 1)
    by_rules(world, 1, "Approved")
    by_person(world, 1, "Rejected", 60 * 24)
    world.messages()
    come(world, 1, seen="Approved", minutes=5)
    assert status(world, 1) == "Rejected"
    assert fact(world)["by"] == "person"
    assert world.messages() == []


def test_record_late_rejection_keeps_the_champion_approved_since(world: World) -> None:
    candidates(world, 1, 2)
    by_person(world, 1, "Approved", 60)
    by_person(world, 2, "Approved", 70)
    in_console(world, ARN, "Approved", 90)  # rejected at 80, and no event has come yet
    come(world, 1, seen="Rejected", minutes=80)
    champion = registry.champion(using(world).sagemaker, "handsoff-titanic")
    assert champion is not None
    assert champion.arn == ARN
    assert fact(world)["at"] == (START + timedelta(minutes=90)).isoformat()


def test_roll_back_approval_event_after_the_rejection_notifies_once(world: World) -> None:
    candidates(world, 1)
    by_person(world, 1, "Rejected", 70)  # approved at 60; that event has not come yet
    assert "rolled_back" not in [message["kind"] for message in world.messages()]
    come(world, 1, seen="Approved", minutes=60)
    assert [message["kind"] for message in world.messages()] == ["rolled_back"]
    assert status(world, 1) == "Rejected"
    assert noted(world, 1) == (START + timedelta(minutes=60)).isoformat()
    come(world, 1, seen="Approved", minutes=60)
    assert world.messages() == []
