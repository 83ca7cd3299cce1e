"""When the schedule of a model asks for its next start."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from retraining.aws.pipelines import MISSING
from retraining.config.schedule_times import times

_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


@dataclass(frozen=True)
class NextStart:
    """A model's schedule on AWS. `at` is when it asks next, in its time zone; None if that is not known."""

    expression: str
    zone: str
    enabled: bool
    at: datetime | None


def next_start(deployment: Deployment, model: str, now: datetime) -> NextStart | None:
    """The schedule on AWS, which is the one that asks; None if the model has none."""
    try:
        found = deployment.session.client("scheduler").get_schedule(Name=deployment.resource_name(model))
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None
    expression, zone = found["ScheduleExpression"], found.get("ScheduleExpressionTimezone") or "UTC"
    enabled = found.get("State", "ENABLED") == "ENABLED"
    began = found.get("StartDate") or found["CreationDate"]
    at = None
    if enabled:
        at = next_of_rate(expression, began, now) or next(times(expression, zone, now), None)
    return NextStart(expression, zone, enabled, at.astimezone(ZoneInfo(zone)) if at else None)


def next_of_rate(expression: str, began: datetime, now: datetime) -> datetime | None:
    """Pure: the first time after `now` of a rate() that began then; None for another expression."""
    found = _RATE.fullmatch(expression)
    if found is None:
        return None
    unit = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}[found[2]]
    if now < began:
        return began
    period = unit * int(found[1])
    return began + ((now - began) // period + 1) * period
