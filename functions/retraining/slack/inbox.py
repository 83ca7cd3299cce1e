"""Takes notifications from the queue between topic and Slack, and lets those that fail come again later.

Slack may be away for hours, so each receive of a message doubles the time until its next one. That holds for
a message for which no time was left, too: the queue counts receives, and moves a message to the failure queue
after 120 of them, tried or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from retraining.aws.observability import logger, scope
from retraining.errors import Busy

FIRST_PAUSE: Final = 60
"""Seconds between the first try of a message and the second one. Each further pause is twice as long."""

LONGEST_PAUSE: Final = 3600
"""Seconds between two tries at most."""

BUSY_PAUSE: Final = 30
"""Seconds until a message comes again that another invocation hindered."""

Postpone = Callable[[str, int], None]
"""Lets the queue deliver the message with this receipt again after so many seconds."""


class Delivery(NamedTuple):
    """A notification as it was delivered: its text, when it was sent, and how often it was received.

    `receipt` names it to the queue. It is None for a record of SNS itself, which Lambda tries again: version
    0.1 had no queue, and its failures may still be sent again.
    """

    identity: str
    text: str
    sent_at: datetime | None = None
    received: int = 1
    receipt: str | None = None


def deliveries(records: Iterable[Mapping[str, Any]]) -> list[Delivery]:
    """The records of an event, oldest first."""
    found = [_delivery(record) for record in records]
    return sorted(found, key=lambda item: item.sent_at or datetime.fromtimestamp(0, UTC))


def _delivery(record: Mapping[str, Any]) -> Delivery:
    if "Sns" in record:
        return Delivery(str(record["Sns"].get("MessageId", "")), record["Sns"]["Message"])
    told = record["attributes"]
    return Delivery(
        identity=record["messageId"],
        text=record["body"],
        sent_at=datetime.fromtimestamp(int(told["SentTimestamp"]) / 1000, UTC),
        received=int(told["ApproximateReceiveCount"]),
        receipt=record["receiptHandle"],
    )


def work(
    batch: Sequence[Delivery],
    say: Callable[[str, datetime | None], None],
    postpone: Postpone,
    *,
    enough_time: Callable[[], bool],
) -> list[str]:
    """Say each message; the identities of those that must come again. One that fails hinders no other."""
    failed = []
    for delivery in batch:
        with scope():
            if delivery.receipt and not enough_time():
                pause = back_off(delivery.received)
            else:
                try:
                    say(delivery.text, delivery.sent_at)
                    continue
                except Exception as error:
                    if delivery.receipt is None:
                        raise
                    pause = BUSY_PAUSE if isinstance(error, Busy) else back_off(delivery.received)
                    logger.exception(
                        "not told in Slack", message_id=delivery.identity, next_try_in_seconds=pause
                    )
            failed.append(delivery.identity)
            _come_again(delivery, pause, postpone)
    return failed


def back_off(received: int) -> int:
    """Seconds until the next try of a message that has been received so often."""
    return min(LONGEST_PAUSE, FIRST_PAUSE << min(received - 1, 20))


def _come_again(delivery: Delivery, pause: int, postpone: Postpone) -> None:
    """Postpone the message. If that fails, it comes again after the queue's visibility timeout."""
    try:
        postpone(str(delivery.receipt), pause)
    except Exception:
        logger.exception("message could not be postponed", message_id=delivery.identity)
