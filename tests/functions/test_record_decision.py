"""Who decided, when and why, whoever it was and however often it is told; and what follows from it."""

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
"""When candidates were judged, as the ledger has it."""


def using(world: World, **wrapped: Any) -> Collaborators:
    return world.using(Collaborators, **wrapped)


def come(world: World, version: int, *, seen: Any = "", minutes: Any = 0, **wrapped: Any) -> None:
    """Let the event come that a version was decided as the registry shows it, or was `seen` so earlier."""
    told = about("package_decided.approved", arn_of(version))
    package = world.sagemaker.packages[arn_of(version)]
    at = START + timedelta(minutes=minutes) if seen else package["LastModifiedTime"]
    told["detail"] |= {
        "ModelApprovalStatus": seen or package["ModelApprovalStatus"],
        "LastModifiedTime": at.isoformat(),
    }
    handler(told, Context(), using=using(world, **wrapped))


def by_rules(world: World, version: int, status: Any) -> None:
    """Let the rules have decided, and the event have come."""
    decide(arn_of(version), status, by="rules", why="RULES", using=using(world))
    come(world, version)


def by_person(world: World, version: int, status: str, minutes: int = 60) -> None:
    in_console(world, arn_of(version), status, minutes)
    come(world, version)


def candidates(world: World, *versions: int, judged: bool = True) -> None:
    """Register them; judged ones were held."""
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


def test_a_persons_approval_is_recorded_once_and_dated_in_the_registry(world: World) -> None:
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
def test_a_decision_of_the_rules_is_theirs_and_changes_nothing(world: World, status: str) -> None:
    register(world)
    by_rules(world, 1, status)
    before = fact(world)
    come(world, 1)
    assert fact(world) == before
    assert (before["by"], before["status"]) == ("rules", status)
    assert before.keys() >= {"doneAt", "recordedAt"}
    assert len(world.sagemaker.updates) == 1


def test_a_person_who_decides_what_the_rules_were_about_to_is_the_one_who_did(world: World) -> None:
    """The rules had taken the decision in the ledger, and not yet written it."""
    register(world)
    world.items.take(f"decision#{ARN}", {"status": "Approved", "by": "rules", "why": "w", "at": JUDGED})
    by_person(world, 1, "Approved")
    assert fact(world)["by"] == "person"


def test_a_decision_whose_writer_died_before_the_mark_is_marked(world: World) -> None:
    register(world)
    dying = Mortal(world.sagemaker, [1], after=True, only="update_model_package")
    with pytest.raises(Died):
        decide(ARN, "Rejected", by="rules", why="RULES", using=using(world, sagemaker=dying))
    come(world, 1)
    assert fact(world)["by"] == "rules"
    assert fact(world).keys() >= {"doneAt", "recordedAt"}


def test_what_a_person_approves_after_the_rules_rejected_it_is_champion(world: World) -> None:
    register(world, 1)
    register(world, 2)
    by_rules(world, 1, "Rejected")
    by_rules(world, 2, "Approved")
    assert champion(world) == arn_of(2)
    by_person(world, 1, "Approved", minutes=10**7)
    assert champion(world) == arn_of(1)
    assert fact(world, 1)["by"] == "person"


def test_what_the_rules_approved_and_a_person_takes_back_and_gives_again_is_the_persons(world: World) -> None:
    register(world)
    by_rules(world, 1, "Approved")
    by_person(world, 1, "Rejected", minutes=60)
    by_person(world, 1, "Approved", minutes=120)
    assert fact(world)["by"] == "person"
    assert noted(world, 1) == "2026-11-23T08:00:00+00:00"


def test_a_pending_package_or_an_annotation_records_nothing(world: World, context: Context) -> None:
    register(world)
    come(world, 1)
    handler(event("candidate_registered.annotated"), context, using=using(world))
    assert world.items.get(f"decision#{ARN}") is None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 18))
def test_dying_at_any_call_and_coming_again_records_it(
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
    """These, and no others, were rejected as superseded, and approvers were told of each once."""
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


def test_older_candidates_that_wait_are_superseded_and_newer_ones_are_not(world: World) -> None:
    candidates(world, 1, 2, 3, 4, 6)
    register(world, 5)
    by_rules(world, 5, "Approved")
    superseded(world, 1, 2, 3, 4)
    assert status(world, 6) == "PendingManualApproval"
    assert fact(world, 1)["why"] == f"superseded by handsoff-titanic/5, approved {fact(world, 5)['at']}"


def test_a_persons_approval_supersedes_too(world: World) -> None:
    candidates(world, 1, 2)
    by_person(world, 2, "Approved", minutes=60)
    superseded(world, 1)
    why = fact(world, 1)["why"]
    assert why == "superseded by handsoff-titanic/2, approved 2026-11-23T07:00:00+00:00"


def test_a_rejection_supersedes_nobody(world: World) -> None:
    candidates(world, 1, 2)
    by_person(world, 2, "Rejected")
    superseded(world)
    assert status(world, 1) == "PendingManualApproval"


def test_one_that_is_not_judged_yet_is_left_to_the_judge(world: World) -> None:
    candidates(world, 1, judged=False)
    candidates(world, 2)
    world.items.mark(f"verdict#{arn_of(2)}", {"doneAt": None})  # judged, and not carried out yet
    register(world, 3)
    by_rules(world, 3, "Approved")
    superseded(world)
    assert (status(world, 1), status(world, 2)) == ("PendingManualApproval", "PendingManualApproval")


def test_other_groups_are_left_alone(world: World) -> None:
    candidates(world, 1)
    world.sagemaker.packages[arn_of(1)]["ModelPackageGroupName"] = "handsoff-other"
    register(world, 2)
    by_rules(world, 2, "Approved")
    superseded(world)


@pytest.mark.parametrize("theirs", ["Approved", "Rejected"])
def test_what_a_person_decided_meanwhile_stands(world: World, theirs: str) -> None:
    """Somebody decides after the list was made, and before it is the candidate's turn."""
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
def test_dying_at_any_call_and_coming_again_supersedes_each_and_tells_of_it(
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


# ---- the champion is taken back ---------------------------------------------------------------------------


def rolled_back(world: World, *expected: tuple[int, int | None]) -> None:
    """Approvers and the bus were told of these, and of nothing else: which version went, which came back."""
    told = [message for message in world.messages() if message["kind"] == "rolled_back"]
    assert len({message["notificationId"] for message in told}) == len(expected)
    assert [message["modelPackageArn"] for message in told] == [arn_of(gone) for gone, _ in expected]
    assert [(detail["rejected"], detail["champion"]) for _, _, detail in world.events.taken] == [
        (arn_of(gone), arn_of(back) if back else None) for gone, back in expected
    ]
    assert {(source, kind) for source, kind, _ in world.events.taken} <= {
        ("handsoff", "Champion Rolled Back")
    }


def two_champions(world: World) -> None:
    """Version 1 was champion, version 2 is."""
    for version in (1, 2):
        register(world, version)
        by_rules(world, version, "Approved")


def test_when_the_champion_is_rejected_the_one_before_it_is_champion_again(world: World) -> None:
    two_champions(world)
    by_person(world, 2, "Rejected", minutes=60)
    assert champion(world) == arn_of(1)
    ((_, _, detail),) = world.events.taken
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


def test_when_the_last_one_is_rejected_there_is_no_champion(world: World) -> None:
    register(world)
    by_rules(world, 1, "Approved")
    by_person(world, 1, "Rejected")
    assert champion(world) is None
    rolled_back(world, (1, None))
    assert world.events.taken[0][2]["approvedAt"] is None


def test_of_who_was_not_champion_nobody_is_told(world: World) -> None:
    two_champions(world)
    register(world, 3)
    by_rules(world, 3, "Rejected")  # never was
    by_person(world, 1, "Rejected")  # was, before the one that is
    rolled_back(world)


def test_events_that_come_twice_or_late_tell_once(world: World) -> None:
    two_champions(world)
    in_console(world, arn_of(2), "Rejected")
    for version in (2, 2, 1, 2):
        come(world, version)
    world.items.mark(f"decision#{arn_of(2)}", {"recordedAt": None})  # as if it had died before the mark
    world.sagemaker.packages[arn_of(2)]["LastModifiedTime"] += timedelta(hours=1)  # somebody annotated it
    come(world, 2)
    rolled_back(world, (2, 1))


def test_approved_again_and_rejected_again_is_told_again(world: World) -> None:
    two_champions(world)
    by_person(world, 2, "Rejected", minutes=60)
    by_person(world, 2, "Approved", minutes=10**7)
    by_person(world, 2, "Rejected", minutes=2 * 10**7)
    rolled_back(world, (2, 1), (2, 1))


def test_one_after_the_other_is_rolled_back(world: World) -> None:
    two_champions(world)
    in_console(world, arn_of(2), "Rejected")
    in_console(world, arn_of(1), "Rejected")
    come(world, 2)
    come(world, 1)
    rolled_back(world, (2, None), (1, None))


def test_a_bus_that_takes_nothing_is_asked_again(world: World) -> None:
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
def test_dying_at_any_call_and_coming_again_rolls_back(
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
    events = [detail for _, _, detail in world.events.taken]
    assert events in ([events[0]], [events[0]] * 2)  # twice only after an answer that was lost
    assert (events[0]["rejected"], events[0]["champion"]) == (arn_of(2), arn_of(1))
    assert fact(world, 2)["by"] == "person"


# ---- people are told of every decision of a person, once ---------------------------------------------


@pytest.mark.parametrize(
    ("by", "who"),
    [("link", "Ana López"), ("slack", "U0123ABCD ana"), ("operator", "arn:aws:iam::1:user/op")],
)
def test_a_persons_decision_is_told_once_with_name_and_reason(world: World, by: By, who: str) -> None:
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


def test_of_what_the_rules_decided_only_the_judge_tells(world: World) -> None:
    register(world)
    by_rules(world, 1, "Rejected")
    assert world.messages() == []


def test_each_of_two_decisions_on_one_package_is_told(world: World) -> None:
    register(world)
    for minutes in (60, 120, 180):
        by_person(world, 1, "Rejected", minutes=minutes)  # the same, however often it is touched
    by_person(world, 1, "Approved", minutes=240)
    by_person(world, 1, "Rejected", minutes=300)
    told = [message["kind"] for message in world.messages()]
    assert told == ["rejected", "approved", "rolled_back", "rejected"]
    assert [(item["status"], item["at"]) for item in fact(world)["earlier"]] == [
        ("Rejected", "2026-11-23T07:00:00+00:00"),
        ("Approved", "2026-11-23T10:00:00+00:00"),
    ]


def test_words_that_sagemaker_kept_of_another_decision_are_not_taken_for_a_persons(world: World) -> None:
    register(world)
    by_rules(world, 1, "Rejected")
    in_console(world, ARN, "Approved", why="RULES")
    come(world, 1)
    assert fact(world)["why"] == ""
    assert world.messages()[0]["reasons"] == ["no reason was given"]


def test_notifications_about_a_package_bear_a_link_to_its_page(world: World) -> None:
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
    """Somebody sets it back to pending in AWS, and the event comes, to the judge."""
    in_console(world, arn_of(version), PENDING, minutes)
    judge(about("candidate_registered.pending", arn_of(version)), Context(), using=using(world))


def test_what_is_set_back_waits_for_a_person_and_it_is_told_once(world: World) -> None:
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
def test_what_was_set_back_is_decided_anew(world: World, noticed: bool) -> None:
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


def test_the_rules_do_not_decide_again_what_a_person_set_back(world: World) -> None:
    """The judge had died after the update, before it told anybody; a person sets it back; it comes again."""
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


def test_a_champion_that_is_set_back_is_champion_no_more(world: World) -> None:
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


def test_one_that_was_set_back_is_superseded_by_newer_ones_only(world: World) -> None:
    candidates(world, 1, 2, 3)
    by_person(world, 2, "Approved")
    assert fact(world, 1)["by"] == "superseded"
    come(world, 1)
    back(world, 1)
    world.items.mark(f"decision#{arn_of(2)}", {"recordedAt": None})  # as if it had died before the mark
    come(world, 2)
    assert status(world, 1) == PENDING
    by_person(world, 3, "Approved", minutes=10**7)
    assert status(world, 1) == "Rejected"
    assert fact(world, 1)["why"].startswith("superseded by handsoff-titanic/3")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 30))
def test_dying_at_any_call_and_coming_again_asks_again(
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


# ---- what was missed, or written over ---------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), [("Approved", "Rejected"), ("Rejected", "Approved")])
def test_a_decision_that_we_wrote_over_is_given_back(world: World, ours: Any, theirs: str) -> None:
    """A person decides between our last look at the package and our writing to it."""
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
    """Let the rules write over what a person decides in minute 60."""
    meanwhile = Before(world.sagemaker, "update_model_package", lambda: in_console(world, ARN, theirs, 60))
    written = {"sagemaker": meanwhile, "clock": lambda: START + timedelta(minutes=60)}
    decide(ARN, ours, by="rules", why="RULES", using=using(world, **written))
    touched(world, 60.01, "lambda")


def touched(world: World, minutes: float, who: str) -> None:
    """Let the registry say who changed it last."""
    world.sagemaker.packages[ARN] |= {
        "LastModifiedTime": START + timedelta(minutes=minutes),
        "LastModifiedBy": {"IamIdentity": {"Arn": who}},
    }


@pytest.mark.parametrize("who", [None, "ana"])
def test_what_is_given_back_is_the_persons_though_we_died_right_after_writing_it(
    world: World, who: str | None
) -> None:
    candidates(world, 1)
    over_a_person(world, "Rejected", "Approved")
    told = about("package_decided.approved", ARN)
    told["detail"] |= {"LastModifiedTime": "2026-11-23T07:00:00"}  # of no zone
    told["detail"] |= {"LastModifiedBy": {"IamIdentity": {"Arn": who}}} if who else {}
    dying = Mortal(world.sagemaker, [1], after=True, only="update_model_package")
    with pytest.raises(Died):
        handler(told, Context(), using=using(world, sagemaker=dying))
    touched(world, 61, "lambda")
    handler(told, Context(), using=using(world))
    known = fact(world)
    assert (known["status"], known.get("who"), known["at"]) == ("Approved", who, "2026-11-23T07:00:00+00:00")
    assert [(told["kind"], told["decidedWho"]) for told in world.messages()] == [("approved", who)]


def test_what_we_wrote_over_is_found_though_somebody_has_edited_metadata_since(world: World) -> None:
    candidates(world, 1)
    over_a_person(world, "Rejected", "Approved")
    world.sagemaker.packages[ARN]["CustomerMetadataProperties"]["ticket"] = "X-1"
    touched(world, 90, "tagger")
    come(world, 1, seen="Approved", minutes=60)
    assert (status(world, 1), fact(world)["status"], fact(world).get("who")) == ("Approved", "Approved", None)


@pytest.mark.parametrize("early", [True, False], ids=["early", "late"])
@pytest.mark.parametrize(("first", "then"), [("Approved", "Rejected"), ("Rejected", "Approved")])
def test_an_old_event_reverses_no_later_decision(world: World, first: str, then: Any, early: bool) -> None:
    """A misclick in the console, set back at once; later a person decides; the first event comes again."""
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


def test_a_brief_approval_is_rolled_back_in_whatever_order_it_is_heard_of(world: World) -> None:
    candidates(world, 1)
    in_console(world, ARN, "Rejected", 61)  # approved at 60
    come(world, 1, seen="Approved", minutes=60)
    come(world, 1)
    assert [message["kind"] for message in world.messages()] == ["rolled_back", "rejected"]
    assert (fact(world)["who"], fact(world)["at"]) == (CONSOLE, "2026-11-23T07:01:00+00:00")
    assert [item["at"] for item in fact(world)["earlier"]] == ["2026-11-23T07:00:00+00:00"]


@pytest.mark.parametrize("call", ["put_item", "get_item"])
def test_a_candidate_that_was_deleted_keeps_no_approval_silent(world: World, call: str) -> None:
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


def test_a_candidate_that_cannot_be_superseded_now_is_so_later_and_the_approval_is_told_at_once(
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


def test_who_approves_again_what_the_rules_had_approved_is_not_written_over(world: World) -> None:
    """Rejected right after our approval, approved again: the rejection is heard of last, and is over."""
    candidates(world, 1)
    at_60 = {"clock": lambda: START + timedelta(minutes=60)}
    decide(ARN, "Approved", by="rules", why="RULES", using=using(world, **at_60))
    in_console(world, ARN, "Approved", 61, why="I insist")  # rejected at 60, three seconds after ours
    come(world, 1, seen="Rejected", minutes=60.05)
    assert status(world, 1) == "Approved"
    assert world.sagemaker.packages[ARN]["ApprovalDescription"] == "I insist"
    assert (fact(world)["by"], fact(world)["why"]) == ("person", "I insist")


def test_an_event_of_ours_that_comes_late_gives_nothing_back(world: World) -> None:
    candidates(world, 1)
    by_rules(world, 1, "Approved")
    by_person(world, 1, "Rejected", 60 * 24)
    world.messages()
    come(world, 1, seen="Approved", minutes=5)
    assert status(world, 1) == "Rejected"
    assert fact(world)["by"] == "person"
    assert world.messages() == []


def test_who_approved_again_is_champion_though_the_rejection_is_heard_of_late(world: World) -> None:
    candidates(world, 1, 2)
    by_person(world, 1, "Approved", 60)
    by_person(world, 2, "Approved", 70)
    in_console(world, ARN, "Approved", 90)  # rejected at 80, and no event has come yet
    come(world, 1, seen="Rejected", minutes=80)
    champion = registry.champion(using(world).sagemaker, "handsoff-titanic")
    assert champion is not None
    assert champion.arn == ARN
    assert fact(world)["at"] == (START + timedelta(minutes=90)).isoformat()


def test_a_champion_that_was_rejected_before_its_approval_was_heard_of_is_rolled_back(world: World) -> None:
    candidates(world, 1)
    by_person(world, 1, "Rejected", 70)  # approved at 60, of which nothing has been heard
    assert "rolled_back" not in [message["kind"] for message in world.messages()]
    come(world, 1, seen="Approved", minutes=60)
    assert [message["kind"] for message in world.messages()] == ["rolled_back"]
    assert status(world, 1) == "Rejected"
    assert noted(world, 1) == (START + timedelta(minutes=60)).isoformat()
    come(world, 1, seen="Approved", minutes=60)
    assert world.messages() == []
