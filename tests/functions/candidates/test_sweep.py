"""The sweep: lost events, unfinished work, reminders and expiry, failures."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import reconcile
from retraining.candidates.decisions import decide
from retraining.candidates.reminding import spoken
from retraining.collaborators import Collaborators
from tests.functions.candidates.sweeping import (
    ANOTHER,
    DAY,
    EVALUATION,
    PENDING,
    Unreadable,
    decided,
    held,
    judge,
    status,
    sweep,
    told,
    using,
)
from tests.functions.fakes import (
    CONSOLE,
    START,
    Before,
    Context,
    Died,
    Mortal,
    arn_of,
    in_console,
    register,
)
from tests.functions.world import World

ARN = arn_of(1)
ALL = ("sagemaker", "s3", "sns", "events", "table")


def by_link(world: World, status: Any, minutes: float, **wrapped: Any) -> Any:
    return decide(ARN, status, by="link", who="Ana", why="I see", using=using(world, minutes, **wrapped))


def fact(world: World, version: int = 1) -> dict[str, Any]:
    return dict(world.items.get(f"decision#{arn_of(version)}") or {})


class Watched:
    """Wraps a client, or a table and its client, and counts the calls by name."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.calls = inner, Counter[str]()
        self.name, self.meta = "ledger", SimpleNamespace(client=self)

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._inner, name)


# ---- lost events --------------------------------------------------------------------------------------


def test_sweep_candidate_without_event_is_judged_after_a_minute(world: World) -> None:
    register(world)  # in minute 1
    sweep(world, 1.98)
    assert world.items.get(f"verdict#{ARN}") is None
    for minutes in (2, 3):
        sweep(world, minutes)
    assert status(world) == "Approved"
    assert told(world) == [("approved", "rules")]


@pytest.mark.parametrize(("minutes", "found"), [(60.98, False), (61, True)])
def test_sweep_console_decision_without_event_is_recorded_and_notified(
    world: World, minutes: float, found: bool
) -> None:
    held(world)
    in_console(world, ARN, "Rejected", 60)
    sweep(world, minutes)
    assert bool(fact(world)) is found
    assert told(world) == [("rejected", "person")] * found
    if found:
        assert (fact(world)["who"], fact(world)["at"]) == (CONSOLE, "2026-11-23T07:00:00+00:00")
        assert "recordedAt" in fact(world)


def test_sweep_approval_by_rules_without_event_is_recorded_and_supersedes(world: World) -> None:
    held(world, 1)
    register(world, 2)
    judge(world, 2, 10)
    assert "recordedAt" not in fact(world, 2)
    sweep(world, 11.4)  # 84 seconds: the event may still come
    assert "recordedAt" not in fact(world, 2)
    sweep(world, 11.5)
    assert "recordedAt" in fact(world, 2)
    assert (status(world, 1), fact(world, 1)["by"]) == ("Rejected", "superseded")
    assert told(world) == [("approved", "rules"), ("rejected", "superseded")]


def test_sweep_console_decision_after_a_recorded_one_is_recorded(world: World) -> None:
    held(world)
    by_link(world, "Approved", 10)
    decided(world, 1, 10)
    in_console(world, ARN, "Rejected", 60)
    for minutes in (61, 62):
        sweep(world, minutes)
    assert (fact(world)["status"], fact(world)["by"]) == ("Rejected", "person")
    assert told(world) == [("approved", "link"), ("rolled_back", "person"), ("rejected", "person")]


def test_sweep_candidate_set_back_without_event_is_notified_again(world: World) -> None:
    held(world)
    by_link(world, "Rejected", 10)
    decided(world, 1, 10)
    in_console(world, ARN, PENDING, 60)
    for minutes in (61, 62):
        sweep(world, minutes)
    assert fact(world)["status"] == PENDING
    assert told(world) == [("rejected", "link"), ("waiting", None)]


def test_sweep_reads_the_newest_ten_decided_packages(world: World) -> None:
    for version in range(1, 13):
        register(world, version, status="Rejected")
    sweep(world, 100)
    assert [version for version in range(1, 13) if fact(world, version)] == list(range(3, 13))


def test_sweep_without_work_lists_once_and_describes_nothing(world: World) -> None:
    held(world, 1)
    for version in range(2, 14):
        register(world, version, status="Rejected")
    register(world, 14)
    judge(world, 14, 20)
    for minutes in (30, 40):
        sweep(world, minutes)  # records the rejections and supersedes the pending one
    held(world, 15, 50)
    sagemaker, table, sns, s3 = (
        Watched(getattr(world, name)) for name in ("sagemaker", "table", "sns", "s3")
    )
    sweep(world, 60, sagemaker=sagemaker, table=table, sns=sns, s3=s3)
    assert sagemaker.calls == {"list_model_packages": 1}
    # decision and verdict of the pending candidate; the view with those of the 10 newest decided ones
    assert table.calls == {"get_item": 2, "batch_get_item": 1}
    assert not sns.calls
    assert not s3.calls


def test_sweep_unfinished_verdict_of_a_decided_candidate_is_finished(world: World) -> None:
    register(world, champion=ANOTHER)
    with pytest.raises(Died):  # it is held, and nobody has been notified
        judge(world, 1, 2, sagemaker=Mortal(world.sagemaker, [1], after=True, only="update_model_package"))
    by_link(world, "Approved", 3)
    decided(world, 1, 3)
    sweep(world, 5)
    assert "doneAt" in world.stored(f"verdict#{ARN}")
    assert told(world) == [("approved", "link")]


def many_rejected(world: World) -> None:
    """Register twelve newer candidates, which the rules reject."""
    for version in range(2, 14):
        register(world, version, accuracy=0.5)
        judge(world, version, version)
        decided(world, version, version)
    world.messages()


def test_sweep_champion_followed_by_twelve_rejections_is_read(world: World) -> None:
    register(world)
    judge(world, 1, 1)
    decided(world, 1, 1)
    many_rejected(world)
    in_console(world, ARN, "Rejected", 60)
    for minutes in (61, 62):
        sweep(world, minutes)
    assert told(world) == [("rolled_back", "person"), ("rejected", "person")]
    assert [detail["rejected"] for detail in world.events.details("Champion Rolled Back")] == [ARN]
    assert world.items.get("open#handsoff-titanic") == {"fact": "open#handsoff-titanic"}


def test_sweep_approval_of_an_old_candidate_without_event_is_recorded(world: World) -> None:
    held(world)
    many_rejected(world)
    by_link(world, "Approved", 60)
    for minutes in (62, 63):
        sweep(world, minutes)
    assert "recordedAt" in fact(world)
    assert told(world) == [("approved", "link")]
    assert world.items.get("open#handsoff-titanic") == {"fact": "open#handsoff-titanic", "champion": ARN}


def test_sweep_decision_that_came_too_late_leaves_the_view_after_two_minutes(world: World) -> None:
    """The late decision was put in view before it was refused: another one had been recorded already."""
    held(world)
    by_link(world, "Rejected", 60)
    decided(world, 1, 60)
    assert not decide(ARN, "Approved", by="slack", who="Bo", why="no", using=using(world, 70)).ours
    assert "v1" in world.stored("open#handsoff-titanic")
    sweep(world, 71)
    assert "v1" in world.stored("open#handsoff-titanic")  # the decision may still be written
    sweep(world, 72)
    assert world.items.get("open#handsoff-titanic") == {"fact": "open#handsoff-titanic"}


def test_sweep_deleted_package_leaves_the_view(world: World) -> None:
    held(world)
    by_link(world, "Approved", 60)
    decided(world, 1, 60)
    del world.sagemaker.packages[ARN]
    sweep(world, 62)
    assert world.items.get("open#handsoff-titanic") == {"fact": "open#handsoff-titanic"}


def test_sweep_failure_long_after_an_earlier_one_is_retried_after_a_minute(world: World) -> None:
    held(world)
    mended = (START + timedelta(minutes=2)).isoformat()
    world.items.mark(f"trouble#{ARN}", {"first": mended, "last": mended})
    with pytest.raises(ExceptionGroup):
        sweep(world, DAY + 10, sns=Mortal(world.sns, [1], after=False))
    sweep(world, DAY + 11)
    assert told(world) == [("overdue", None)]


# ---- unfinished work ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("accuracy", "champion"), [(0.8, None), (0.7, None), (0.8, ANOTHER)])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 26))
def test_sweep_unfinished_judging_is_finished(
    world: World, lives: int, after: bool, accuracy: float, champion: str | None
) -> None:
    register(world, accuracy=accuracy, champion=champion)
    left = [lives]
    dying = {name: Mortal(getattr(world, name), left, after=after) for name in ALL}
    try:
        judge(world, 1, 2, **dying)
    except Died:
        pass
    else:
        assert left[0] > 0
    for minutes in (4, 5, 6, 8):
        sweep(world, minutes)
    expected = "Approved" if accuracy == 0.8 else "Rejected"
    kind = "approved" if accuracy == 0.8 else "rejected"
    if champion:
        expected, kind = PENDING, "waiting"
    assert status(world) == expected
    assert {kind for kind, _ in told(world)} == {kind}
    assert "doneAt" in world.stored(f"verdict#{ARN}")
    assert ("recordedAt" in fact(world)) is not bool(champion)


@pytest.mark.parametrize("wanted", ["Approved", "Rejected"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 9))
def test_sweep_unfinished_decision_of_a_person_is_finished_and_notified(
    world: World, lives: int, after: bool, wanted: str
) -> None:
    held(world)
    left = [lives]
    dying = {name: Mortal(getattr(world, name), left, after=after) for name in ALL}
    try:
        by_link(world, wanted, 10, **dying)
    except Died:
        pass
    else:
        assert left[0] > 0
    known = fact(world)
    sweep(world, 11.4)
    assert "recordedAt" not in fact(world)
    for minutes in (11.6, 12):
        sweep(world, minutes)
    if not known:  # the process died before the decision was taken
        assert (status(world), told(world)) == (PENDING, [])
        return
    assert status(world) == wanted
    assert (fact(world)["by"], fact(world)["who"], fact(world)["at"]) == ("link", "Ana", known["at"])
    assert "recordedAt" in fact(world)
    assert told(world) == [(wanted.lower(), "link")]


def test_sweep_console_decision_over_an_unfinished_one_stands(world: World) -> None:
    held(world)
    with pytest.raises(Died):
        by_link(
            world,
            "Approved",
            10,
            sagemaker=Mortal(world.sagemaker, [1], after=False, only="update_model_package"),
        )
    world.items.release("lease#handsoff-titanic")
    in_console(world, ARN, "Rejected", 11)
    for minutes in (12, 13):
        sweep(world, minutes)
    assert (status(world), fact(world)["by"]) == ("Rejected", "person")
    assert told(world) == [("rejected", "person")]


# ---- candidates that wait -------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "reminded"), [(DAY + 1.98, False), (DAY + 2, True)])
def test_sweep_a_day_after_the_verdict_reminds_approvers(
    world: World, minutes: float, reminded: bool
) -> None:
    held(world)  # in minute 2
    sweep(world, minutes)
    found = world.messages()
    assert [message["kind"] for message in found] == ["overdue"] * reminded
    if reminded:
        assert found[0]["decision"] == "HOLD"
        assert found[0]["reasons"][0] == "it has waited 1 day for a person; in 13 days it is rejected"
        assert found[0]["reasons"][1].endswith("the champion is now none")


def test_sweep_reminds_once_a_day_and_not_of_a_decided_candidate(world: World) -> None:
    held(world, 1)
    for minutes in (DAY + 5, DAY + 6, 3 * DAY):
        sweep(world, minutes)
    assert told(world) == [("overdue", None)]
    register(world, 2, champion=ANOTHER)
    judge(world, 2, 3)
    world.messages()
    sagemaker = Before(
        world.sagemaker, "describe_model_package", lambda: in_console(world, arn_of(2), "Rejected")
    )
    sweep(world, DAY + 5, sagemaker=sagemaker)
    assert told(world) == []


@pytest.mark.parametrize(("minutes", "expired"), [(14 * DAY + 1.98, False), (14 * DAY + 2, True)])
def test_sweep_two_weeks_after_the_verdict_rejects(world: World, minutes: float, expired: bool) -> None:
    held(world)
    sweep(world, 13 * DAY)
    world.messages()
    for _ in range(2):
        sweep(world, minutes)
    assert status(world) == ("Rejected" if expired else PENDING)
    found = world.messages()
    assert [message["kind"] for message in found] == ["rejected"] * expired
    if expired:
        why = "nobody decided: it waited 14 days for a person, and expire_after is 14 days"
        assert (found[0]["reasons"], found[0]["decidedBy"]) == ([why], "expired")
        assert (fact(world)["by"], fact(world)["why"]) == ("expired", why)
        assert "recordedAt" in fact(world)
        body = world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
        assert (json.loads(body)["decidedBy"], json.loads(body)["decidedWhy"]) == ("expired", why)


def test_sweep_person_who_decides_before_the_expiry_is_taken_wins(world: World) -> None:
    held(world)

    def person() -> None:
        assert by_link(world, "Approved", 15 * DAY).ours

    sweep(world, 13 * DAY)
    world.messages()
    sweep(world, 15 * DAY, table=Before(world.table, "put_item", person))
    assert (status(world), fact(world)["by"]) == ("Approved", "link")
    assert told(world) == [("approved", "link")]


def test_sweep_person_who_decides_after_the_expiry_is_taken_gets_the_expiry(world: World) -> None:
    held(world)
    standing: list[Any] = []

    def person() -> None:
        standing.append(by_link(world, "Approved", 15 * DAY))

    sweep(world, 13 * DAY)
    world.messages()
    sweep(world, 15 * DAY, sagemaker=Before(world.sagemaker, "update_model_package", person))
    assert (standing[0].ours, standing[0].status, standing[0].by) == (False, "Rejected", "expired")
    assert status(world) == "Rejected"
    assert told(world) == [("rejected", "expired")]


def test_sweep_remind_after_and_expire_after_null_do_nothing(world: World) -> None:
    titanic = world.configs.known["titanic"]
    quiet = titanic.approval.model_copy(update={"remind_after": None, "expire_after": None})
    world.configs.known["titanic"] = titanic.model_copy(update={"approval": quiet})
    held(world)
    sweep(world, 1000 * DAY)
    assert (status(world), told(world)) == (PENDING, [])


def test_sweep_candidate_set_back_waits_from_then_and_is_reminded_again(world: World) -> None:
    held(world)
    sweep(world, DAY + 2)
    by_link(world, "Rejected", 10 * DAY)
    decided(world, 1, 10 * DAY)
    in_console(world, ARN, PENDING, 20 * DAY)
    for minutes in (20 * DAY + 1, 21 * DAY - 1, 21 * DAY, 21 * DAY + 1, 33 * DAY, 34 * DAY - 1):
        sweep(world, minutes)
    assert told(world) == [
        ("overdue", None),
        ("rejected", "link"),
        ("waiting", None),
        ("overdue", None),
        ("overdue", None),
    ]
    assert status(world) == PENDING
    sweep(world, 34 * DAY)
    assert (status(world), fact(world)["by"]) == ("Rejected", "expired")


@pytest.mark.parametrize("waited", [DAY + 2, 14 * DAY + 2], ids=["overdue", "expired"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 30))
def test_sweep_death_at_any_call_and_retry_end_in_the_same_state(
    world: World, waited: float, lives: int, after: bool
) -> None:
    held(world)
    if waited > 2 * DAY:
        sweep(world, 13 * DAY)
        world.messages()
    left = [lives]
    dying = {name: Mortal(getattr(world, name), left, after=after) for name in ALL}
    try:
        sweep(world, waited, **dying)
    except (Died, ExceptionGroup):
        pass
    else:
        assert left[0] > 0
    for minutes in (2, 4, 6):
        sweep(world, waited + minutes)
    found = world.messages()
    assert {message["kind"] for message in found} == {"overdue" if waited < 2 * DAY else "rejected"}
    assert len({message["notificationId"] for message in found}) == 1
    if waited > 2 * DAY:
        assert (status(world), fact(world)["by"]) == ("Rejected", "expired")
        assert "recordedAt" in fact(world)
        assert len(world.sagemaker.updates) == 2  # one for the hold, one for the rejection


# ---- failures -----------------------------------------------------------------------------------------


def test_sweep_failing_candidate_is_retried_ever_less_often_and_blocks_no_other(world: World) -> None:
    register(world, 1)
    register(world, 2)
    broken = Unreadable(world.s3, lambda: ConnectionError(EVALUATION))
    failed = []
    for minute in range(60):
        try:
            sweep(world, 10 + minute, s3=broken)
        except ExceptionGroup as group:
            failed.append(minute)
            (error,) = group.exceptions
            assert error.__notes__ == [f"package {ARN}"]
    assert failed == [0, 1, 2, 4, 8, 16, 32]
    assert (status(world, 1), status(world, 2)) == (PENDING, "Approved")
    register(world, 1, accuracy=0.1)  # repaired
    sweep(world, 80)
    assert status(world, 1) == "Rejected"
    assert world.items.get(f"trouble#{ARN}") is None


def test_sweep_candidate_under_another_lease_is_no_failure(world: World) -> None:
    register(world)
    in_two_minutes = (START + timedelta(minutes=4)).isoformat()
    world.items.mark("lease#handsoff-titanic", {"state": "claimed", "until": in_two_minutes})
    sweep(world, 2)
    assert status(world) == PENDING
    sweep(world, 5)
    assert status(world) == "Approved"


def test_reconcile_failing_starts_do_not_stop_the_sweep_of_packages(world: World) -> None:
    world.configs.known = {"other": world.configs.known["titanic"], **world.configs.known}
    register(world)
    now = START + timedelta(minutes=5)
    using = world.using(Collaborators, clock=lambda: now)
    world.items.mark("model#other", {"version": 1, "waiting": "nonsense"})
    world.items.mark("model#titanic", {"version": 1, "waiting": "nonsense"})
    with pytest.raises(ExceptionGroup) as failed:
        reconcile.handler({}, Context(), using=using)
    assert sorted(error.__notes__[0] for error in failed.value.exceptions) == ["model other", "model titanic"]
    assert status(world) == "Approved"


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=59.9), "59 seconds"),
        (timedelta(seconds=60), "1 minute"),
        (timedelta(minutes=119), "1 hour"),
        (timedelta(hours=24), "1 day"),
        (timedelta(days=13, hours=23), "13 days"),
    ],
)
def test_spoken_gives_the_largest_unit(time: timedelta, text: str) -> None:
    assert spoken(time) == text
