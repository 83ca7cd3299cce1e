"""Pure: what a failed message asked for, what sending it again does, and what to do instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from retraining.aws.events import ExecutionChanged, ModelPackageChanged
from retraining.aws.landings import LANDING_MESSAGE, ObjectCreated


@dataclass(frozen=True)
class Meaning:
    """A message in words: what it `asks` for, the `effect` of sending it again, and what to do `instead`."""

    asks: str
    effect: str
    instead: str


UNKNOWN: Final = Meaning(
    "nothing that handsoff knows: the message has another form",
    "is tried by its receiver, and fails again unless the receiver has changed",
    "remove it: `handsoff redrive --remove ID`",
)
"""The meaning of a message that handsoff did not send to a function or a queue."""

SWEEP: Final = Meaning(
    "the sweep that runs each minute",
    "runs one more sweep, unless one runs",
    "do nothing: the next sweep has done its work; remove it by `handsoff redrive --remove ID`",
)
"""The meaning of the event that starts the sweep."""

PRESS: Final = Meaning(
    "a decision by a button in Slack",
    "decides nothing if the button was pressed more than 15 minutes ago",
    "let the person press again, or decide by `handsoff approve` or `handsoff reject`",
)
"""The meaning of a press in Slack."""


def meaning(payload: Any) -> Meaning:
    """The meaning of a message or an event. Of several in one, that of the first."""
    if not isinstance(payload, dict):
        return UNKNOWN
    if "notificationId" in payload:
        return _notification(payload)
    found = _landing(payload)
    if found is not None:
        return found
    if payload.get("detail-type") == "Scheduled Event":
        return SWEEP
    if payload.get("source") == "handsoff" and "detail-type" not in payload:
        return PRESS
    return _execution(payload) or _package(payload) or UNKNOWN


def _notification(payload: dict[str, Any]) -> Meaning:
    kind, model = payload.get("kind"), payload.get("model")
    return Meaning(
        f"word in Slack about {model}: {kind}",
        "tells it, unless it was told",
        f"`handsoff notifications {model}` shows what it says; without either, Slack is not told",
    )


def _landing(payload: dict[str, Any]) -> Meaning | None:
    try:
        message = LANDING_MESSAGE.validate_python(payload)
    except ValidationError:
        return None
    if isinstance(message, ObjectCreated):
        key = message.detail.object.key
        model = key.split("/")[1] if key.count("/") > 1 else "MODEL"
        return Meaning(
            f"a look at the data of {model}, because {key} landed",
            "looks at the data as it is then; a batch that was answered starts nothing more",
            f"wait: the sweep finds data without its event; or `handsoff start {model}`",
        )
    asked = message.detail
    return Meaning(
        f"an execution of {asked.model}, for {asked.requested_by} ({asked.trigger} {asked.cause})",
        "asks once more; a request that was answered starts nothing more",
        f"`handsoff start {asked.model}`: without either, the request is lost",
    )


def _execution(payload: dict[str, Any]) -> Meaning | None:
    try:
        arn = ExecutionChanged.model_validate(payload).detail.execution_arn
    except ValidationError:
        return None
    identity = arn.rsplit("/", 1)[-1]
    return Meaning(
        f"a record of what has become of execution {identity}",
        "records the execution as it is then",
        f"wait: the sweep records its end; `handsoff evidence {identity}` shows it now",
    )


def _package(payload: dict[str, Any]) -> Meaning | None:
    try:
        detail = ModelPackageChanged.model_validate(payload).detail
    except ValidationError:
        return None
    group, _, version = detail.package_arn.partition("model-package/")[2].partition("/")
    name = f"{group}/{version}"
    if payload["detail"].get("ModelApprovalStatus") == "PendingManualApproval":
        return Meaning(
            f"a verdict on the candidate {name}",
            "judges it, unless it is judged or decided",
            f"wait: the sweep judges it; or `handsoff approve {name}` or `handsoff reject {name}`",
        )
    return Meaning(
        f"a record of who decided on {name}",
        "records the decision that stands then, unless it is recorded",
        f"wait: the sweep records it; `handsoff explain {name}` shows it",
    )
