"""An alarm rings for real: the sweep measures, CloudWatch changes the state, and the topic tells of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retraining.aws.ledger import Ledger
from retraining.facts import keys
from retraining.facts.model_state import ModelState
from tests.loop.conftest import INBOX, Loop, wait

pytestmark = pytest.mark.story

STORIES: dict[str, Any] = {"late": {}}
ALARM = "handsoff-landings-overdue"


def test_data_that_lands_late_rings_and_operators_are_told(loop: Loop) -> None:
    session, now = loop.deployment.session, datetime.now(UTC)
    inbox = loop.deployment.sqs.create_queue(QueueName="operator", Attributes={"Policy": json.dumps(INBOX)})[
        "QueueUrl"
    ]
    session.client("sns").subscribe(
        TopicArn=loop.deployment.outputs["AlarmsTopic"],
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{loop.cloud.region}:{loop.cloud.account}:operator",
        Attributes={"RawMessageDelivery": "true"},
    )

    def state() -> dict[str, Any]:
        alarms = session.client("cloudwatch").describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
        return dict(alarms[0])

    assert state()["StateValue"] != "ALARM"
    landed = tuple(now - timedelta(days=days) for days in (9, 8, 7, 6))
    ledger = Ledger(loop.items)
    assert ledger.swap(keys.model("late"), state=ModelState(landed=landed), version=0)

    def rings() -> dict[str, Any] | None:
        loop.sweep()
        found = state()
        return found if found["StateValue"] == "ALARM" else None

    alarm = wait("the alarm", rings)
    assert alarm["AlarmDescription"].endswith(
        "Runbook: docs/how-to/runbook.md#no-data-has-landed-for-longer-than-usual"
    )

    def told() -> dict[str, Any] | None:
        got = loop.deployment.sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10)
        bodies = [json.loads(message["Body"]) for message in got.get("Messages", [])]
        return next((body for body in bodies if body["AlarmName"] == ALARM), None)

    message = wait("the message of the alarm", told)
    assert (message["OldStateValue"], message["NewStateValue"]) in (
        ("INSUFFICIENT_DATA", "ALARM"),
        ("OK", "ALARM"),
    )
    dashboard = session.client("cloudwatch").get_dashboard(DashboardName="handsoff")["DashboardBody"]
    assert "LandingsOverdue" in dashboard
    assert json.loads(dashboard)["widgets"]
