"""Sends notifications to the topic: each fact once, or after an ambiguous answer again under the same id."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from retraining.ledger import Ledger
from retraining.messages import Notification
from retraining.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

LEASE: Final = timedelta(seconds=90)
"""Longer than a publish takes, shorter than until Lambda's second retry (3 min): the dead are replaced."""


def notify(sns: SNSClient, ledger: Ledger, topic: str, message: Notification, *, now: datetime) -> bool:
    """Publish `message` unless it has been. Says whether it did. Raises NotReady while another is at it."""
    fact = f"notification#{message.identity}"
    if not ledger.claim(fact, now=now, lease=LEASE):
        return False
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        "kind": {"DataType": "String", "StringValue": message.kind},
        "model": {"DataType": "String", "StringValue": message.model},
    }
    if message.decision:
        attributes["decision"] = {"DataType": "String", "StringValue": message.decision}
    try:
        sns.publish(
            TopicArn=topic,
            Subject=message.as_subject(),
            MessageStructure="json",
            Message=json.dumps(
                {"default": message.as_json(), "email": message.as_text()}, ensure_ascii=False
            ),
            MessageAttributes=attributes,
        )
    except BaseException:
        ledger.release(fact)
        raise
    ledger.done(fact, now=now)
    logger.info(
        "notification published",
        notification=message.identity,
        kind=message.kind,
        model=message.model,
        reasons=list(message.reasons),
    )
    return True
