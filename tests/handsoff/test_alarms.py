"""The alarms that `handsoff status` shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handsoff.deployment import Deployment
from handsoff.operating.alarms import Alarm, ringing
from handsoff.showing.alarms import alarm_lines
from handsoff.showing.console import moment
from retraining.config.schema import Config
from tests.functions.memory import refused

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Account:
    """A deployment whose CloudWatch is moto's."""

    def __init__(self) -> None:
        self.cloudwatch = boto3.client("cloudwatch", region_name="us-east-1")
        self.deployment = Deployment(Config.model_construct(models={}, prefix="handsoff"))
        self.deployment.__dict__["session"] = self
        self.asked: list[dict[str, Any]] = []
        self.cloudwatch.meta.events.register("provide-client-params.cloudwatch.DescribeAlarms", self.note)

    def note(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(params)

    def client(self, _name: str) -> Any:
        return self.cloudwatch

    def alarm(self, name: str, state: str, text: str = "It rings.") -> None:
        self.cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription=text,
            Namespace="handsoff",
            MetricName="LandingsOverdue",
            Statistic="Maximum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Account()


def test_alarms_of_the_deployment_that_ring_are_found(account: Account) -> None:
    """moto minds no state beside a prefix, so the request is looked at. tests/loop has alarms that are OK."""
    account.alarm("handsoff-failures", "ALARM", "Events were not handled.")
    account.alarm("handsoffdev-failures", "ALARM")
    account.alarm("somebody-elses", "ALARM")
    for number in range(60):
        account.alarm(f"handsoff-later-{number:02}", "ALARM")
    found = ringing(account.deployment)
    assert found is not None
    assert [one.name for one in found] == [
        "handsoff-failures",
        *(f"handsoff-later-{number:02}" for number in range(60)),
    ]
    assert found[0].text == "Events were not handled."
    assert found[0].since.tzinfo is not None
    assert account.asked[0] == {"AlarmNamePrefix": "handsoff-", "StateValue": "ALARM"}


def test_nothing_rings_in_a_new_deployment(account: Account) -> None:
    assert ringing(account.deployment) == ()
    assert alarm_lines(()) == []


def test_status_does_not_fail_where_alarms_may_not_be_seen(account: Account) -> None:
    class Refusing:
        def get_paginator(self, _name: str) -> Refusing:
            return self

        def paginate(self, **_: Any) -> Any:
            raise refused("AccessDenied", "DescribeAlarms")

    account.cloudwatch = Refusing()
    assert ringing(account.deployment) is None
    assert alarm_lines(None) == [
        "alarms are not shown: the permission `cloudwatch:DescribeAlarms` is missing",
    ]


def test_line_of_an_alarm_says_since_when_and_where_to_read_on() -> None:
    text = "No data of a [model] has landed.\nRunbook: docs/how-to/runbook.md#no-data"
    assert alarm_lines([Alarm("handsoff-landings-overdue", NOON, text)]) == [
        f"[red]alarm handsoff-landings-overdue since {moment(NOON)}:[/] "
        r"No data of a \[model] has landed. Runbook: docs/how-to/runbook.md#no-data"
    ]
