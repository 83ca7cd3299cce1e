"""The alarms of a deployment that ring now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from retraining.aws.refusals import is_refusal


@dataclass(frozen=True)
class Alarm:
    """An alarm in the state ALARM: since when, and its description, which names a section of the runbook."""

    name: str
    since: datetime
    text: str


def ringing(deployment: Deployment) -> tuple[Alarm, ...] | None:
    """The alarms in the state ALARM, the oldest first; None if CloudWatch does not let the caller look."""
    pages = deployment.session.client("cloudwatch").get_paginator("describe_alarms")
    try:
        found = [
            Alarm(
                item["AlarmName"],
                item.get("StateTransitionedTimestamp") or item["StateUpdatedTimestamp"],
                item.get("AlarmDescription") or "",
            )
            for page in pages.paginate(AlarmNamePrefix=f"{deployment.prefix}-", StateValue="ALARM")
            for item in page["MetricAlarms"]
        ]
    except ClientError as error:
        if is_refusal(error):
            return None
        raise
    return tuple(sorted(found, key=lambda alarm: alarm.since))
