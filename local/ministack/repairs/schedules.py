"""Repairs of EventBridge Scheduler."""

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, scheduler, sqs

from local.types import Json

TICK_SECONDS: Final = 1.0
"""Seconds between two looks at the schedules that are due."""


EARLIEST_START_SECONDS: Final = 300
"""How long ago a schedule's StartDate may be; moto has AWS's answer to an earlier one (pull request 8172)."""


def updated_schedule_fires_again() -> None:
    """EventBridge Scheduler.

    AWS: fires within about a second, and an updated at() fires at its new time.
    ministack: looks every 10 s and never fires an at() twice, even after an update.
    """
    original = scheduler._update_schedule

    @functools.wraps(original)
    def update(name: str, body: Json) -> Any:
        response = original(name, body)
        # Only at(): a rate() without a record of its last firing would fire at once.
        if response[0] == 200 and body["ScheduleExpression"].strip().startswith("at("):
            key = (get_account_id(), get_region(), f"{body.get('GroupName', 'default')}/{name}")
            scheduler._schedule_last_fired.pop(key, None)
        return response

    scheduler._update_schedule = update
    scheduler._SCHEDULE_TICK_INTERVAL = TICK_SECONDS


def rate_schedule_starts_as_it_says() -> None:
    """A new rate() schedule.

    AWS: fires at once, or first at its StartDate, and refuses a StartDate of more than 5 minutes ago.
    ministack: fires one interval after the creation, and takes any StartDate.
    """
    tick, create, update = scheduler._tick_schedules, scheduler._create_schedule, scheduler._update_schedule

    @functools.wraps(tick)
    def begin_and_tick() -> Any:
        for key, schedule in list(scheduler._schedules._data.items()):
            interval = eventbridge._parse_rate_seconds(schedule.get("ScheduleExpression", ""))
            if interval is not None and key not in scheduler._schedule_last_fired:
                start = scheduler._to_epoch(schedule.get("StartDate")) or schedule["CreationDate"]
                scheduler._schedule_last_fired[key] = start - interval
        return tick()

    def with_a_future(original: Callable[[str, Json], Any]) -> Callable[[str, Json], Any]:
        @functools.wraps(original)
        def checked(name: str, body: Json) -> Any:
            start = scheduler._to_epoch(body.get("StartDate"))
            if start is not None and start < time.time() - EARLIEST_START_SECONDS:
                text = "The StartDate you specify cannot be earlier than 5 minutes ago."
                return scheduler._error(400, "ValidationException", text)
            return original(name, body)

        return checked

    scheduler._tick_schedules = begin_and_tick
    scheduler._create_schedule = with_a_future(create)
    scheduler._update_schedule = with_a_future(update)


def schedule_fills_its_placeholders() -> None:
    """`<aws.scheduler.…>` in a schedule's Input.

    AWS: replaced by the scheduled time, the schedule's ARN, the attempt's id and number.
    ministack: sent unchanged, so every firing looks the same.
    """
    original = eventbridge._invoke_target

    @functools.wraps(original)
    def invoke(target: Json, event: Json, *more: Any, **named: Any) -> Any:
        if event.get("Source") == "aws.scheduler" and "<aws.scheduler." in (target.get("Input") or ""):
            scheduled = datetime.fromtimestamp(event["Time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            text = target["Input"]
            for name, value in (
                ("scheduled-time", scheduled),
                ("schedule-arn", event["Resources"][0]),
                ("execution-id", event["EventId"]),
                ("attempt-number", "1"),
            ):
                text = text.replace(f"<aws.scheduler.{name}>", value)
            target = {**target, "Input": text}
        return original(target, event, *more, **named)

    eventbridge._invoke_target = invoke


def schedule_without_queue_uses_its_failure_queue() -> None:
    """A schedule whose target queue does not exist.

    AWS: sends the message to the DeadLetterConfig's queue; it is lost if that does not exist either.
    ministack: loses it in any case.
    """
    original = eventbridge._invoke_target

    @functools.wraps(original)
    def invoke(target: Json, event: Json, *more: Any, **named: Any) -> Any:
        failures = target.get("DeadLetterConfig", {}).get("Arn")
        scheduled = event.get("Source") == "aws.scheduler" and ":sqs:" in target["Arn"]
        if scheduled and failures and sqs._queue_by_arn(target["Arn"]) is None:
            target = {**target, "Arn": failures}
        return original(target, event, *more, **named)

    eventbridge._invoke_target = invoke
