"""Alarms ring for real: a fault is measured, an alarm changes its state, the topic tells of it, it clears."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from retraining.aws.ledger import Ledger
from retraining.aws.model_states import ModelStates
from tests.invocations import invoke
from tests.loop.conftest import INBOX, Loop, handsoff, wait

pytestmark = pytest.mark.story

STORIES: dict[str, Any] = {"late": {}}
LATE, FAILED, PAGE = "handsoff-landings-overdue", "handsoff-failures", "handsoff-review-errors"
MARK = "an event that only alarms are about"


class Alarms:
    """The alarms of the deployment, as an operator sees them: states, and messages in a queue."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.cloudwatch = loop.deployment.session.client("cloudwatch")
        queue = loop.deployment.sqs.create_queue(
            QueueName="operator", Attributes={"Policy": json.dumps(INBOX)}
        )
        self.inbox = queue["QueueUrl"]
        loop.deployment.session.client("sns").subscribe(
            TopicArn=loop.deployment.outputs["AlarmsTopic"],
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{loop.cloud.region}:{loop.cloud.account}:operator",
            Attributes={"RawMessageDelivery": "true"},
        )
        self.got: list[dict[str, Any]] = []

    def is_in(self, name: str, *states: str) -> dict[str, Any] | None:
        """The alarm, if it is in one of these states."""
        (alarm,) = self.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return dict(alarm) if alarm["StateValue"] in states else None

    def told(self, name: str) -> dict[str, Any] | None:
        """The message that an alarm rings, if it has come."""
        answer = self.loop.deployment.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10)
        self.got += [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        return next((body for body in self.got if body["AlarmName"] == name), None)

    def rings(self, name: str, section: str) -> None:
        """Wait until the alarm rings and has told so; its description names this section of the runbook."""
        alarm = wait(f"the alarm {name}", partial(self.is_in, name, "ALARM"))
        assert alarm["AlarmDescription"].endswith(f"Runbook: docs/how-to/runbook.md#{section}")
        message = wait(f"the message of {name}", partial(self.told, name))
        assert (message["OldStateValue"], message["NewStateValue"]) in (
            ("INSUFFICIENT_DATA", "ALARM"),
            ("OK", "ALARM"),
        )


@pytest.fixture(scope="module")
def alarms(loop: Loop) -> Alarms:
    return Alarms(loop)


def fail(loop: Loop) -> None:
    """Send an event that names no execution; it ends in the failure queue. And send the page no request."""
    event = json.dumps({"detail": {"note": MARK}}).encode()
    invoke(loop.deployment.functions, "handsoff-track-execution", event, kind="Event")
    with pytest.raises(AssertionError, match="HandlerError"):
        invoke(loop.deployment.functions, "handsoff-review-candidate", b"[]")


def remove_what_failed(loop: Loop) -> None:
    shown = json.loads(handsoff(loop, "failures", "--json").stdout)
    (failed,) = [one["id"] for one in shown if MARK in one["body"]]
    handsoff(loop, "redrive", failed, "--remove")


def land_late(loop: Loop) -> None:
    """Let the model's data have landed every day, but not for six days."""
    landed = tuple(datetime.now(UTC) - timedelta(days=days) for days in (9, 8, 7, 6))
    states = ModelStates(Ledger(loop.items))
    states.change("late", lambda state: state.model_copy(update={"landed": landed}))


def test_faults_ring_and_clear(loop: Loop, alarms: Alarms) -> None:
    """Other tests let events fail, too: so the alarms are silent first. They take a minute to clear."""
    for name in (FAILED, PAGE, LATE):
        wait(f"silence of {name}", partial(alarms.is_in, name, "OK", "INSUFFICIENT_DATA"))
    fail(loop)
    alarms.rings(PAGE, "a-function-fails")
    alarms.rings(FAILED, "a-message-is-in-a-failure-queue")
    shown = " ".join(handsoff(loop, "status", "late").stdout.split())
    assert f"alarm {FAILED} since " in shown
    assert "Runbook: docs/how-to/runbook.md#a-message-is-in-a-failure-queue" in shown
    remove_what_failed(loop)

    land_late(loop)
    loop.sweep()
    alarms.rings(LATE, "no-data-has-landed-for-longer-than-usual")
    listed: Any = alarms.cloudwatch.list_metrics(Namespace="handsoff", MetricName="LandingsOverdue")
    dimensions = [{one["Name"]: one["Value"] for one in metric["Dimensions"]} for metric in listed["Metrics"]]
    assert sorted(dimensions, key=len) == [
        {"service": "handsoff"},
        {"service": "handsoff", "model": "late"},
    ]

    for name in (PAGE, FAILED):
        wait(f"the end of {name}", partial(alarms.is_in, name, "OK"))
    assert f"alarm {FAILED} since " not in " ".join(handsoff(loop, "status", "late").stdout.split())


def test_dashboard_shows_what_is_overdue(alarms: Alarms) -> None:
    dashboard = alarms.cloudwatch.get_dashboard(DashboardName="handsoff")["DashboardBody"]
    assert "LandingsOverdue" in dashboard
    assert json.loads(dashboard)["widgets"]
