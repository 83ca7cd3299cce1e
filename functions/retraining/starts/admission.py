"""Pure: may this model start now?

A model runs one execution at a time. All pending start requests become one start over all data that is
there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from retraining.config.schema import Retrain
from retraining.facts.starts import DAY, ModelState

LOOK_AGAIN: Final = timedelta(minutes=2)
"""When something is waited for whose end nothing announces (paused) or whose event may be lost (running)."""


@dataclass(frozen=True)
class Wait:
    """Not now: look again at `until`."""

    until: datetime
    reason: str


@dataclass(frozen=True)
class Admitted:
    """Now, as far as time is concerned; the data has its say next."""


def admit(
    policy: Retrain,
    state: ModelState,
    *,
    now: datetime,
    running: str | None,
    last_arrival: datetime | None,
) -> Admitted | Wait:
    """Whether the pending requests may start now. `running` is the ARN of an execution that runs, however it
    was started; `last_arrival` is when the newest data object landed, where readiness asks for it."""
    if policy.paused:
        return Wait(now + LOOK_AGAIN, "paused")
    if running is not None:
        return Wait(now + LOOK_AGAIN, f"execution {running.rsplit('/', 1)[-1]} is running")
    triggers = {request.trigger for request in state.pending}
    if triggers == {"landing"} and policy.ready.when == "quiet" and last_arrival is not None:
        quiet = last_arrival + policy.ready.quiet_period
        if now < quiet:
            return Wait(quiet, f"data landed at {last_arrival:%H:%M:%S}: waiting for quiet")
    if "request" not in triggers and state.ended_at is not None:
        cool = state.ended_at + policy.cooldown
        if now < cool:
            return Wait(cool, f"cooldown until {cool:%Y-%m-%d %H:%M:%S} UTC")
    recent = sorted(at for at in state.starts if now - at < DAY)
    if len(recent) >= policy.daily_limit:
        free = recent[-policy.daily_limit] + DAY
        return Wait(free, f"daily limit of {policy.daily_limit} starts until {free:%Y-%m-%d %H:%M:%S} UTC")
    return Admitted()
