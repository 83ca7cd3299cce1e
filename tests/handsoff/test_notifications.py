"""`handsoff notifications`, and the list in the ledger that it reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from handsoff.operating.notifications import as_json, recent_notifications
from handsoff.showing.console import moment
from handsoff.showing.notifications import show_notifications
from retraining.facts import keys
from retraining.notifications import recent
from retraining.notifications.messages import Kind, Notification
from retraining.notifications.publish import notify
from tests.functions.fakes import Down, arn_of, titanic_config
from tests.functions.world import TOPIC, World

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def told(kind: Kind = "waiting", occurrence: str = "", model: str = "titanic") -> Notification:
    return Notification.about(
        arn_of(3),
        kind,
        model=model,
        reasons=["recall [low]\nof women", "second"],
        package_arn=arn_of(3),
        decision="HOLD",
        occurrence=occurrence,
    )


def publish(world: World, message: Notification, at: datetime = NOON) -> None:
    notify(world.sns, world.ledger, TOPIC, message, now=at)


def deployment(world: World, *, slack: bool = True, channel: str | None = "#ml") -> Any:
    config = titanic_config()
    approvers = config.approvers.model_copy(update={"slack_channel": channel})
    models = {"titanic": config.model_copy(update={"approvers": approvers}), "fares": config}
    return SimpleNamespace(
        ledger=world.ledger,
        config=SimpleNamespace(models=models),
        outputs={"NotificationsTopic": TOPIC, **({"SlackFailuresQueue": "q"} if slack else {})},
    )


def test_notification_is_listed_with_what_it_says_and_where_it_went(world: World) -> None:
    publish(world, told())
    (found,) = recent_notifications(deployment(world), ["titanic"], 10)
    assert as_json(found, TOPIC) == {
        "notificationId": told().notification_id,
        "model": "titanic",
        "kind": "waiting",
        "decision": "HOLD",
        "reason": "recall [low] of women",
        "executionArn": None,
        "modelPackageArn": arn_of(3),
        "at": "2026-11-30T12:00:00+00:00",
        "published": True,
        "topic": TOPIC,
        "slack": "waits",
        "slackAt": None,
    }


def test_notification_that_slack_took_says_when_it_did_first(world: World) -> None:
    publish(world, told())
    for minutes in (2, 9):
        recent.note_slack(world.ledger, told(), now=NOON + timedelta(minutes=minutes))
    (found,) = recent_notifications(deployment(world), ["titanic"], 10)
    assert (found.slack, found.fact.slack_at) == ("delivered", NOON + timedelta(minutes=2))


@pytest.mark.parametrize(
    ("slack", "channel", "expected"),
    [(True, "#ml", "waits"), (True, None, "no channel"), (False, "#ml", "not connected")],
)
def test_notification_that_slack_has_not_taken_says_why(
    world: World, slack: bool, channel: str | None, expected: str
) -> None:
    publish(world, told())
    (found,) = recent_notifications(deployment(world, slack=slack, channel=channel), ["titanic"], 10)
    assert found.slack == expected


def test_notification_that_the_topic_refused_is_listed_as_not_published(world: World) -> None:
    with pytest.raises(ConnectionError):
        notify(Down(), world.ledger, TOPIC, told(), now=NOON)  # type: ignore[arg-type]
    (found,) = recent_notifications(deployment(world), ["titanic"], 10)
    assert found.published is False
    publish(world, told(), NOON + timedelta(minutes=5))
    (found,) = recent_notifications(deployment(world), ["titanic"], 10)
    assert (found.published, found.fact.at) == (True, NOON)


def test_notifications_of_all_models_are_listed_newest_first_up_to_the_limit(world: World) -> None:
    publish(world, told("waiting"), NOON)
    publish(world, told("waiting", "of fares", "fares"), NOON + timedelta(minutes=1))
    publish(world, told("overdue"), NOON + timedelta(minutes=2))
    both = recent_notifications(deployment(world), ["titanic", "fares"], 2)
    assert [(one.model, one.fact.kind) for one in both] == [("titanic", "overdue"), ("fares", "waiting")]


def test_repeated_notification_is_listed_once(world: World) -> None:
    for minutes in range(3):
        publish(world, told(), NOON + timedelta(minutes=minutes))
        recent.note(world.ledger, told(), now=NOON + timedelta(minutes=minutes))
    (found,) = recent_notifications(deployment(world), ["titanic"], 10)
    assert found.fact.at == NOON


def test_list_holds_fifty_and_leaves_out_what_is_older_than_ninety_days(world: World) -> None:
    for number in range(60):
        publish(world, told(occurrence=str(number)), NOON + timedelta(minutes=number))
    known = world.ledger.get(keys.recent_notifications("titanic"))
    assert known is not None
    assert len(known.told) == 50
    assert known.told[0].at == NOON + timedelta(minutes=59)
    assert known.told[-1].at == NOON + timedelta(minutes=10)
    publish(world, told(occurrence="late"), NOON + timedelta(days=90, minutes=30))
    known = world.ledger.get(keys.recent_notifications("titanic"))
    assert known is not None
    assert [one.at - NOON for one in known.told][-1] == timedelta(minutes=31)


def test_notification_is_published_though_it_cannot_be_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = world.ledger

    def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(ledger, "swap", fails)
    assert notify(world.sns, ledger, TOPIC, told(), now=NOON)
    assert [message["kind"] for message in world.messages()] == ["waiting"]


def test_list_that_others_replace_all_the_time_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, tries = world.ledger, list[int]()

    def taken(*_: Any, **__: Any) -> bool:
        tries.append(1)
        return False

    monkeypatch.setattr(ledger, "swap", taken)
    recent.note(ledger, told(), now=NOON)
    assert len(tries) == 5


def test_notifications_are_shown_in_words_without_markup(world: World) -> None:
    publish(world, told())
    publish(world, told("overdue"), NOON + timedelta(minutes=1))
    recent.note_slack(world.ledger, told("overdue"), now=NOON + timedelta(minutes=2))
    console = Console(width=200, record=True)
    show_notifications(console, recent_notifications(deployment(world), ["titanic"], 10), TOPIC)
    assert console.export_text().splitlines() == [
        f"{moment(NOON + timedelta(minutes=1))}  titanic overdue handsoff-titanic/3",
        "  recall [low] of women",
        f"  published to notifications, in Slack at {moment(NOON + timedelta(minutes=2))}",
        f"{moment(NOON)}  titanic waiting handsoff-titanic/3",
        "  recall [low] of women",
        "  published to notifications, not in Slack yet",
    ]
