"""Pure: what a message in a failure queue is, in words, and where it is sent again.

A message comes to a failure queue in one of four forms:

- Lambda could not handle an event: a record with `requestPayload` and `responsePayload` (Lambda developer
  guide, "Adding a destination for asynchronous invocations").
- EventBridge or Scheduler could not deliver: the payload, and the message attributes `TARGET_ARN`,
  `ERROR_CODE` and `ERROR_MESSAGE` (EventBridge user guide, "Using dead-letter queues to process undelivered
  events").
- SNS could not deliver: the notification as its subscriber would have received it.
- SQS moved a message that was received too often: the message itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from handsoff.operating.failure_meanings import Meaning, meaning
from retraining.aws.events import ExecutionChanged, ModelPackageChanged
from retraining.aws.landings import LANDING_MESSAGE, ObjectCreated
from retraining.text import shorten

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MAX_WHY: Final = 300
"""Characters of an error that are shown."""

UNKNOWN: Final = "a message of unknown form"
"""What is said of a message that handsoff did not send to a function or a queue."""


@dataclass(frozen=True)
class Function:
    """The message is sent again by invoking the function of this name asynchronously."""

    name: str


@dataclass(frozen=True)
class Queue:
    """The message is sent again to the queue of this name."""

    name: str


@dataclass(frozen=True)
class FailedMessage:
    """One message in a failure queue.

    `what` says what it is and `why` why it lies there, in words; `means` says what it asked for, what sending
    it again does, and what to do instead. `to` receives `body` when it is sent again;
    None where that is not known. `receipt` is SQS's handle, valid while the message is being read.
    """

    queue: str
    id: str
    sent_at: datetime
    what: str
    why: str
    means: Meaning
    to: Function | Queue | None
    body: str
    receipt: str


def read(queue: str, message: MessageTypeDef, source: str | None) -> FailedMessage:
    """The message as it was received from `queue`. `source` is the queue from which SQS moves messages there;
    None if that queue takes none from another queue."""
    body = message.get("Body", "")
    attributes = {
        name: str(value.get("StringValue", ""))
        for name, value in message.get("MessageAttributes", {}).items()
    }
    payload = _json(body)
    to, why, sent_again = _way(payload, attributes, body, source)
    return FailedMessage(
        queue=queue,
        id=message.get("MessageId", ""),
        sent_at=_sent_at(message),
        what=words(_json(sent_again)),
        means=meaning(_inner(_json(sent_again))),
        why=shorten(why, MAX_WHY),
        to=to,
        body=sent_again,
        receipt=message.get("ReceiptHandle", ""),
    )


def _sent_at(message: MessageTypeDef) -> datetime:
    milliseconds = int(message.get("Attributes", {}).get("SentTimestamp", "0"))
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _way(
    payload: Any, attributes: Mapping[str, str], body: str, source: str | None
) -> tuple[Function | Queue | None, str, str]:
    """Where the message is sent again, why it lies here, and the body to send."""
    if isinstance(payload, dict) and "requestPayload" in payload and "requestContext" in payload:
        context = payload["requestContext"]
        arn = str(context.get("functionArn", "")) if isinstance(context, dict) else ""
        why = f"{_name(arn)} failed: {_error(payload.get('responsePayload'), context)}"
        return (Function(_name(arn)) if arn else None), why, json.dumps(payload["requestPayload"])
    if target := attributes.get("TARGET_ARN"):
        code, text = attributes.get("ERROR_CODE", ""), attributes.get("ERROR_MESSAGE", "")
        to = Queue(_name(target)) if ":sqs:" in target else Function(_name(target))
        return to, f"not delivered to {_name(target)}: {code} {text}".strip(), body
    if source is not None:
        return Queue(source), f"received too often from {source}: its function's log says why", body
    return None, "its sender is not known", body


def _error(answered: Any, context: Any) -> str:
    """Why an invocation failed: the error that the function raised, or Lambda's own condition."""
    if isinstance(answered, dict) and answered.get("errorMessage"):
        return f"{answered.get('errorType', 'error')}: {answered['errorMessage']}"
    return (
        str(context.get("condition", "no reason given")) if isinstance(context, dict) else "no reason given"
    )


def _name(arn: str) -> str:
    """The name in the ARN of a queue, or of a function with or without a version or an alias."""
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 else parts[-1]


# ---- in words --------------------------------------------------------------------------------------------


def words(payload: Any) -> str:
    """What a message or an event says, in a few words."""
    if not isinstance(payload, dict):
        return UNKNOWN
    if isinstance(records := payload.get("Records"), list):
        return ", ".join(words(_record(record)) for record in records) or UNKNOWN
    if "notificationId" in payload:
        return f"the notification {payload.get('kind')} about {payload.get('model')}"
    return _landing(payload) or _event(payload) or UNKNOWN


def _inner(payload: Any) -> Any:
    """The message itself: the first one of an event with records, the one inside of an envelope of SNS."""
    if isinstance(payload, dict) and isinstance(records := payload.get("Records"), list):
        return _inner(_record(records[0])) if records else None
    if isinstance(payload, dict) and payload.get("Type") == "Notification" and "Message" in payload:
        return _inner(_json(str(payload["Message"])))
    return payload


def _record(record: Any) -> Any:
    """The message in one record of a function's event: of SNS, or of SQS."""
    if not isinstance(record, dict):
        return None
    sns = record.get("Sns")
    return _json(str(sns.get("Message"))) if isinstance(sns, dict) else _json(str(record.get("body")))


def _landing(payload: dict[str, Any]) -> str | None:
    try:
        message = LANDING_MESSAGE.validate_python(payload)
    except ValidationError:
        return None
    if isinstance(message, ObjectCreated):
        return f"s3://{message.detail.bucket.name}/{message.detail.object.key} landed"
    asked = message.detail
    return f"a start request for {asked.model} by {asked.requested_by} ({asked.trigger} {asked.cause})"


def _event(payload: dict[str, Any]) -> str | None:
    """An event in the words of its detail type, with the execution or the model package that it is about."""
    kind = str(payload.get("detail-type", ""))
    if kind == "Scheduled Event":
        return f"the sweep of {payload.get('time')}"
    if payload.get("Type") == "Notification" and "Message" in payload:
        return words(_json(str(payload["Message"])))
    if payload.get("source") == "handsoff":
        return kind or "a button pressed in Slack"
    about = _execution(payload) or _package(payload)
    return f"{kind}: {about}" if about else kind or None


def _execution(payload: dict[str, Any]) -> str | None:
    try:
        return f"execution {ExecutionChanged.model_validate(payload).detail.execution_arn.rsplit('/', 1)[-1]}"
    except ValidationError:
        return None


def _package(payload: dict[str, Any]) -> str | None:
    try:
        return ModelPackageChanged.model_validate(payload).detail.package_arn.partition("model-package/")[2]
    except ValidationError:
        return None
