"""Sends notifications to the topic, and events to the bus: each fact once, or after an ambiguous answer
again under the same id.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from retraining.aws.ledger import Ledger, once
from retraining.aws.measures import measure
from retraining.aws.observability import logger, scope
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.claims import Claim
from retraining.facts.fact import Key
from retraining.notifications import recent
from retraining.notifications.bus import SOURCE, BusEvent
from retraining.notifications.messages import Notification

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


def notify(sns: SNSClient, ledger: Ledger, topic: str, message: Notification, *, now: datetime) -> bool:
    """Publish `message` unless it has been. Says whether it did. Raises NotReady while another is at it."""
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        "kind": {"DataType": "String", "StringValue": message.kind},
        "model": {"DataType": "String", "StringValue": message.model},
    }
    if message.decision:
        attributes["decision"] = {"DataType": "String", "StringValue": message.decision}

    def publish() -> None:
        recent.note(ledger, message, now=now)
        sns.publish(
            TopicArn=topic,
            Subject=message.as_subject(),
            MessageStructure="json",
            Message=json.dumps(
                {"default": message.as_json(), "email": message.as_text()}, ensure_ascii=False
            ),
            MessageAttributes=attributes,
        )

    if not once(ledger, keys.notification(message.notification_id), publish, now=now):
        return False
    with scope(model=message.model, execution=message.execution_arn, package=message.model_package_arn):
        logger.info(
            "notification published",
            notification=message.notification_id,
            kind=message.kind,
            reasons=list(message.reasons),
        )
    return True


def try_to_notify(
    sns: SNSClient, ledger: Ledger, topic: str, message: Notification, *, now: datetime
) -> bool:
    """`notify` where other work must go on without it. Says whether people know; a failure is logged."""
    try:
        notify(sns, ledger, topic, message, now=now)
    except Exception:
        logger.exception("notification not published", kind=message.kind, model=message.model)
        measure("NotificationsFailed")
        return False
    return True


def announce(
    events: EventBridgeClient, ledger: Ledger, event: BusEvent, key: Key[Claim], *, now: datetime
) -> bool:
    """Put the event on the default bus unless it has been (`key`); otherwise as `notify`."""

    def put() -> None:
        answer = events.put_events(
            Entries=[
                {
                    "Source": SOURCE,
                    "DetailType": event.detail_type,
                    "Resources": [event.resource],
                    "Detail": event.model_dump_json(by_alias=True),
                }
            ]
        )
        if answer["FailedEntryCount"]:
            (entry,) = answer["Entries"]
            why = f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            raise NotReady(
                f"EventBridge has not taken the event {event.detail_type} of {event.resource}: {why}"
            )

    if not once(ledger, key, put, now=now):
        return False
    logger.info("event put on the bus", event=event.detail_type, about=event.resource)
    return True
