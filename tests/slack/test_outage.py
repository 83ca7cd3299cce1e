"""notify_slack behind its queue: hours without Slack lose nothing, and one bad message hinders no other."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import Mock

import pytest

from notify_slack import handler
from retraining.errors import NotReady
from retraining.slack.client import SlackFailed, SlackRefused
from retraining.slack.inbox import Delivery, back_off, work
from tests.functions.fakes import ROOT, Context, register, was_held
from tests.functions.world import World
from tests.slack.channel import (
    APPROVED,
    ARN,
    WAITS,
    approvers,
    by,
    client,
    handed_on,
    linked,
    notification,
    status,
    stored,
    texts,
    titles,
    using,
)
from tests.slack.stand_in import Slack

START = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
MAX_RECEIVES = 120
RETENTION = timedelta(days=14)
VISIBILITY = timedelta(seconds=360)


@dataclass
class Waiting:
    """A message of the queue."""

    body: str
    sent: datetime
    visible: datetime
    received: int = 0


@dataclass
class Queue:
    """The queue of template.yaml on virtual time: `run` delivers what is visible, ten at a time."""

    world: World
    app: Slack
    now: datetime = START
    waiting: dict[str, Waiting] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    left: int = 60_000
    numbers: Iterator[int] = field(default_factory=count)

    def send(self, kind: str = "waiting", **changes: Any) -> None:
        (record,) = notification(kind, **changes)["Records"]
        self.waiting[f"m{next(self.numbers)}"] = Waiting(record["Sns"]["Message"], self.now, self.now)

    def run(self, hours: float, outage: bool = False) -> None:
        """Let time pass, minute by minute."""
        for _ in range(round(hours * 60)):
            self.now += timedelta(minutes=1)
            while batch := [name for name, one in self.waiting.items() if one.visible <= self.now][:10]:
                self.deliver(batch, outage=outage)

    def deliver(self, names: list[str], *, outage: bool = False) -> list[str]:
        """One invocation with these messages; those that it returns."""
        for name in names:
            one = self.waiting[name]
            one.received, one.visible = one.received + 1, self.now + VISIBILITY
        self.app.faults.clear()
        if outage:
            self.app.play("server_error", 1000)
        answer = handler(
            {"Records": [self.record(name) for name in names]},
            Context(lambda: self.left),
            using=using(self.world, clock=lambda: self.now),
            connect=client(self.app),
            postpone=self.postpone,
        )
        self.app.faults.clear()
        assert answer is not None
        failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
        for name in names:
            if name not in failed:
                del self.waiting[name]
            elif self.waiting[name].received >= MAX_RECEIVES:
                self.failures.append(self.waiting.pop(name).body)
        return failed

    def postpone(self, receipt: str, seconds: int) -> None:
        self.waiting[receipt].visible = self.now + timedelta(seconds=seconds)

    def record(self, name: str) -> dict[str, Any]:
        event = json.loads((ROOT / "events/notify_slack.waiting.json").read_text())
        record: dict[str, Any] = event["Records"][0]
        one = self.waiting[name]
        told = {
            "SentTimestamp": str(int(one.sent.timestamp() * 1000)),
            "ApproximateReceiveCount": str(one.received),
        }
        record["attributes"] |= told
        return record | {"messageId": name, "receiptHandle": name, "body": one.body}


@pytest.fixture
def queue(titanic: World, app: Slack) -> Queue:
    return Queue(titanic, app)


def test_back_off_doubles_from_a_minute_to_an_hour() -> None:
    assert [back_off(n) for n in (1, 2, 3, 4, 5, 6, 7, 120, 1000)] == [
        60, 120, 240, 480, 960, 1920, 3600, 3600, 3600,
    ]  # fmt: skip


def test_back_off_reaches_the_failure_queue_after_days_and_long_before_the_retention_ends() -> None:
    tried = timedelta(seconds=sum(back_off(n) for n in range(1, MAX_RECEIVES)))
    assert timedelta(days=4) < tried < RETENTION - timedelta(days=7)


@pytest.mark.slow
def test_outage_of_twelve_hours_tells_each_message_once_as_things_are_then(
    titanic: World, app: Slack, queue: Queue
) -> None:
    approvers(titanic, slack_channel="#ml-approvals", slack_users=("U0123ABCD",))
    second = register(titanic, 2)
    was_held(titanic, second, reasons=("odd, too",))
    queue.send("waiting")
    queue.run(1, outage=True)
    queue.send("execution_failed", modelPackageArn=None, reasons=["exit code 1"])
    queue.send("waiting", notificationId="waiting-2", modelPackageArn=second)
    queue.send("quarantined", modelPackageArn=None, reasons=["train.csv is bad"])
    queue.run(5, outage=True)
    by(titanic, "Approved", "link", "Ana")
    queue.send("approved")
    queue.send("overdue", notificationId="overdue-2", modelPackageArn=second, reviewUrl="x")
    queue.run(6, outage=True)
    assert app.messages() == []
    assert len(queue.waiting) == 6
    queue.run(1.1)
    assert queue.waiting == {}
    assert queue.failures == []
    said = sorted(titles(app))
    assert said == [
        "titanic: a file that landed is bad, nothing was started",
        "titanic: a new model still waits for your decision",
        "titanic: retraining FAILED",
        APPROVED,
        "titanic: version 2 waits for your decision",
    ]
    failed = next(message for message in app.messages() if "FAILED" in texts(message)[0])
    assert "Published 2026-11-20 19:00 UTC; Slack could not be reached before." in json.dumps(failed)
    assert [linked(message) for message in app.messages() if "version 1" in texts(message)[0]] == [[ARN]]
    queue.send("waiting")  # SNS delivers at least once
    queue.run(0.1)
    assert (queue.waiting, sorted(titles(app))) == ({}, said)


@pytest.mark.slow
def test_outage_of_three_days_loses_nothing(app: Slack, queue: Queue) -> None:
    queue.send("waiting")
    queue.run(72, outage=True)
    assert queue.waiting["m0"].received < 90
    queue.run(1.1)
    assert titles(app) == [WAITS]


def test_batch_after_an_outage_is_told_oldest_first(app: Slack, queue: Queue) -> None:
    for number in range(4):
        queue.send(
            "execution_failed", notificationId=f"f{number}", modelPackageArn=None, reasons=[f"n{number}"]
        )
        queue.now += timedelta(minutes=1)
    assert queue.deliver(["m2", "m0", "m3", "m1"]) == []
    said = [texts(message)[2] for message in app.messages()]
    assert said == ["• n0", "• n1", "• n2", "• n3"]


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "{}", '{"notificationId": "1"}', "\ud800"])
def test_message_that_cannot_be_read_hinders_no_other(app: Slack, queue: Queue, body: str) -> None:
    queue.waiting["bad"] = Waiting(body, queue.now, queue.now)
    queue.send("waiting")
    assert queue.deliver(["bad", "m0"]) == ["bad"]
    assert titles(app) == [WAITS]
    assert queue.waiting["bad"].visible == queue.now + timedelta(seconds=60)


def test_message_of_a_channel_that_refuses_hinders_no_other(titanic: World, app: Slack, queue: Queue) -> None:
    config = titanic.configs.known["titanic"]
    far = config.approvers.model_copy(update={"slack_channel": "#far"})
    titanic.configs.known["far"] = config.model_copy(update={"approvers": far})
    queue.send("execution_failed", notificationId="far", model="far", modelPackageArn=None)
    queue.send("waiting")
    assert queue.deliver(["m0", "m1"]) == ["m0"]
    assert titles(app) == [WAITS]


def test_message_of_a_model_without_config_waits_for_a_day(titanic: World, app: Slack, queue: Queue) -> None:
    config = titanic.configs.known.pop("titanic")
    queue.send("waiting")
    queue.send("execution_failed", model="gone", modelPackageArn=None)
    queue.run(20)
    titanic.configs.known["titanic"] = config
    queue.run(6)
    assert titles(app) == [WAITS]
    assert queue.waiting == {}
    assert queue.failures == []


def test_messages_survive_an_outage_of_hours_of_ssm(
    titanic: World, app: Slack, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise NotReady("SSM parameter cannot be read now")

    queue.send("waiting")
    with monkeypatch.context() as outage:
        outage.setattr(titanic.configs, "get", away)
        queue.run(12)
    assert queue.waiting["m0"].received < 25
    queue.run(1.1)
    assert titles(app) == [WAITS]


def test_message_that_another_invocation_tells_comes_again_soon(titanic: World, queue: Queue) -> None:
    now = datetime.now(UTC)
    titanic.items.claim(f"lease#slack#{ARN}", now=now, lease=timedelta(seconds=90))
    queue.now = now
    queue.send("waiting")
    queue.waiting["m0"].received = 50
    assert queue.deliver(["m0"]) == ["m0"]
    assert queue.waiting["m0"].visible == now + timedelta(seconds=30)


def test_messages_for_which_no_time_is_left_come_again_untried(app: Slack, queue: Queue) -> None:
    queue.send("waiting")
    queue.left = 15_000
    assert queue.deliver(["m0"]) == ["m0"]
    assert app.calls == []
    assert queue.waiting["m0"].visible == queue.now + timedelta(seconds=60)
    queue.waiting["m0"].received = 50
    assert queue.deliver(["m0"]) == ["m0"]
    assert queue.waiting["m0"].visible == queue.now + timedelta(hours=1)


@pytest.mark.parametrize("count", [10, 400, 1000])
@pytest.mark.slow
def test_outage_of_four_days_brings_none_of_many_messages_to_the_failure_queue(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try costs 20 seconds of the 40 that an invocation spends on messages; two invocations run."""
    monkeypatch.setattr("retraining.slack.inbox.logger", Mock())
    now, end = START, START + timedelta(days=4)
    waiting = [(START, f"m{number}", 1) for number in range(count)]
    free = [START, START]

    def say(_: str, __: datetime | None) -> None:
        nonlocal now
        now += timedelta(seconds=20 if now < end else 1)
        if now < end:
            raise SlackFailed("away")

    def postpone(receipt: str, seconds: int) -> None:
        heapq.heappush(waiting, (now + timedelta(seconds=seconds), receipt, batch[receipt] + 1))

    while waiting:
        now = begun = max(heapq.heappop(free), waiting[0][0])
        batch: dict[str, int] = {}
        while waiting and waiting[0][0] <= now and len(batch) < 10:
            _, name, batch[name] = heapq.heappop(waiting)
        assert max(batch.values()) <= MAX_RECEIVES
        taken = [Delivery(name, name, START, received, name) for name, received in batch.items()]
        work(taken, say, postpone, enough_time=lambda: now - begun < timedelta(seconds=40))  # noqa: B023
        heapq.heappush(free, now)
    assert end < now < end + timedelta(minutes=75)


def test_message_that_cannot_be_postponed_stays_in_the_queue(
    app: Slack, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(queue, "postpone", denied)
    queue.send("waiting")
    assert queue.deliver(["m0"], outage=True) == ["m0"]
    queue.run(0.2)
    assert titles(app) == [WAITS]


def test_press_during_an_outage_decides_and_the_queue_shows_it_later(
    titanic: World, app: Slack, queue: Queue
) -> None:
    queue.now = datetime.now(UTC)
    queue.send("waiting")
    queue.run(0.1)
    (message,) = app.messages()
    event = handed_on(app, *app.press(message, "approve"))
    app.play("server_error", 100)
    with pytest.raises(SlackRefused, match="500"):
        handler(event, Context(), using=using(titanic), connect=client(app))
    app.faults.clear()
    assert status(titanic) == "Approved"
    queue.send("approved")
    queue.run(2, outage=True)
    assert titles(app) == [WAITS]
    queue.run(1.1)
    assert titles(app) == [APPROVED]
    assert stored(titanic, f"slack#{ARN}")["ts"] == message["ts"]


def test_record_of_the_topic_itself_is_still_read(titanic: World, app: Slack) -> None:
    handler(notification(), Context(), using=using(titanic), connect=client(app))
    assert titles(app) == [WAITS]
