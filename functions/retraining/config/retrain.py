"""The section `retrain` of a model: when a batch is complete, and when the model is retrained."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema

from retraining.config.fields import ACCEPTED_BEFORE, NUMBER, Duration, Flag, Form, Section, refused
from retraining.config.nearest import VERY_NEAR, nearest
from retraining.config.problems import shown
from retraining.config.schedules import EXAMPLES, SCHEDULE_PATTERN, is_zone, unusable, zones


class Marker(Section):
    """A batch is complete when the marker lands."""

    when: Literal["marker"]
    """The batch is complete when the marker lands, after the files: beside `train/` and `validation/`, or one
    in each of them."""

    marker: Annotated[str, Form(r"[A-Za-z0-9._-]+", "a file name of letters, digits and . _ -")] = "_SUCCESS"
    """The name of the object that is the marker."""


class Quiet(Section):
    """A batch is complete when nothing has landed for `quiet_period`."""

    when: Literal["quiet"]
    """The batch is complete when nothing has landed for `quiet_period`."""

    quiet_period: Duration = timedelta(minutes=5)
    """The length of that time."""


class EveryObject(Section):
    """A batch is complete with every object."""

    when: Literal["every_object"]
    """The batch is complete with every object that lands, once both splits have data. With `data.split` one
    object is enough."""


def _schedule(value: str, info: ValidationInfo) -> str:
    """Refuse what EventBridge Scheduler would refuse, and what never fires. Stored ones are not looked at."""
    if info.context != ACCEPTED_BEFORE and (problem := unusable(value, datetime.now(UTC).year)):
        raise refused(f"{shown(value)} {problem}")
    return value


Schedule = Annotated[
    str,
    AfterValidator(_schedule),
    WithJsonSchema({"type": "string", "pattern": SCHEDULE_PATTERN, "description": EXAMPLES}),
]


def _known_zone(value: str, info: ValidationInfo) -> str:
    if not is_zone(value, exactly=info.context != ACCEPTED_BEFORE):
        near = nearest(value, sorted(zones()), VERY_NEAR) if "/" in value else None
        hint = f": did you mean {near}?" if near else ""
        raise refused(f"expected a time zone, such as Europe/Madrid, not {shown(value)}{hint}")
    return value


class Retrain(Section):
    """When a model is retrained. It runs one execution at a time, in any case.

    A request made by a person ignores readiness, cooldown and `min_new_rows`. A schedule ignores readiness
    and `min_new_rows`.
    """

    ready: Annotated[Marker | Quiet | EveryObject, Field(discriminator="when")] = Marker.model_construct(
        when="marker"
    )
    """When a batch is complete."""

    schedule: Schedule | None = None
    """When the model is retrained on the newest complete batch, whatever landed. A `rate()` first asks
    one interval, and at least an hour, after the schedule was made or changed."""

    schedule_timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """Time zone of the schedule, such as Europe/Madrid."""

    cooldown: Duration = timedelta(0)
    """Time between an execution's end and the next start."""

    daily_limit: Annotated[int, Field(ge=1, le=1000), NUMBER] = 24
    """Starts within 24 hours."""

    min_new_rows: Annotated[int, Field(ge=0), NUMBER] = 0
    """Rows that the files new to the batch must hold together. They are estimated from the first bytes of
    each file."""

    paused: Flag = False
    """While it is true, nothing starts: every start request waits."""
