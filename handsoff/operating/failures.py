"""The failure queues of a deployment: reads what lies in them, sends it again, or removes it.

Every message may be sent again: what a function does follows from the state that it reads, so that a message
that is out of date changes nothing. A message is removed only after it was sent. If the command dies between
the two, the message lies there still and is sent twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.errors import NotFound
from handsoff.operating.failed_messages import FailedMessage, Function, Queue, read
from retraining.text import shorten

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

HIDDEN: Final = 120
"""Seconds for which a message that is being read is hidden from other readers."""

LONG_POLL: Final = 1
"""Seconds for which SQS waits for messages. A call that does not wait asks some of a queue's servers only,
and misses messages (SQS developer guide, "Short and long polling")."""

PER_CALL: Final = 10
"""Messages in one call: the maximum of SQS."""

MAX_READ: Final = 1000
"""Messages that are read of one queue. Once these are gone, the next command reads the others."""

GONE: Final = frozenset(
    {"MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue"}
    | {"InvalidParameterValueException", "ReceiptHandleIsInvalid"}
)
"""Error codes for the receipt of a message that was deleted, or whose time as a hidden one is over."""

SOURCES: Final = {"landings-failures": "landings", "slack-failures": "slack"}
"""The queue whose messages SQS moves to a failure queue, by the failure queue's name without the prefix."""


VISIBLE: Final = "ApproximateNumberOfMessages"
"""The attribute of a queue that counts the messages that can be received now."""

NOT_VISIBLE: Final = "ApproximateNumberOfMessagesNotVisible"
"""The attribute of a queue that counts the messages that are being handled, or wait for another try."""


@contextmanager
def opened(deployment: Deployment) -> Iterator[list[FailedMessage]]:
    """All messages in the failure queues, oldest first. Messages that still lie there at the end are visible
    again at once. At most MAX_READ of each queue are read."""
    found: list[FailedMessage] = []
    try:
        for name, url in queues(deployment).items():
            found += _receive(deployment, name, url)
        yield sorted(found, key=lambda message: message.sent_at)
    finally:
        _show_again(deployment, found)


def queues(deployment: Deployment) -> dict[str, str]:
    """The URLs of the failure queues, by the queues' names.

    They are the outputs of the stack whose names end with FailuresQueue.
    """
    urls = [url for output, url in sorted(deployment.outputs.items()) if output.endswith("FailuresQueue")]
    return {url.rsplit("/", 1)[-1]: url for url in urls}


def waiting(deployment: Deployment) -> dict[str, int]:
    """The approximate number of messages in each failure queue that has any, by the queue's name."""
    counted = {name: _count(deployment, url, VISIBLE) for name, url in queues(deployment).items()}
    return {name: number for name, number in counted.items() if number}


def undelivered(deployment: Deployment) -> int:
    """The approximate number of messages in the landings queue, those that wait for another try included."""
    return _count(deployment, deployment.outputs["LandingsQueue"], VISIBLE, NOT_VISIBLE)


def _count(deployment: Deployment, url: str, *attributes: QueueAttributeNameType) -> int:
    """The sum of these attributes of a queue, each of which is a number."""
    answer = deployment.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=attributes)
    return sum(int(number) for number in answer["Attributes"].values())


def chosen(messages: Iterable[FailedMessage], ids: Iterable[str]) -> list[FailedMessage]:
    """The messages whose ids begin with one of `ids`; all of them if there is none.

    Raises NotFound for an id that no message has.
    """
    wanted, there = list(ids), list(messages)
    for start in wanted:
        if not any(message.id.startswith(start) for message in there):
            raise NotFound(f"no message {start} in the failure queues: `handsoff failures` lists them")
    return [one for one in there if not wanted or any(one.id.startswith(start) for start in wanted)]


def send_again(deployment: Deployment, message: FailedMessage) -> str | None:
    """Send the message to where it was on its way, then remove it. The reason if that is not possible; the
    message lies there still then. A receiver that is not part of the deployment is sent nothing."""
    if message.to is not None and not message.to.name.startswith(f"{deployment.prefix}-"):
        return f"{message.to.name} is not part of this deployment"
    try:
        match message.to:
            case Function(name):
                deployment.functions.invoke(
                    FunctionName=name, InvocationType="Event", Payload=message.body.encode()
                )
            case Queue(name):
                url = deployment.sqs.get_queue_url(QueueName=name)["QueueUrl"]
                deployment.sqs.send_message(QueueUrl=url, MessageBody=message.body)
            case None:
                return "it is not known where it belongs: remove it by `handsoff redrive --remove`"
    except ClientError as error:
        return shorten(str(error))
    remove(deployment, message)
    return None


def remove(deployment: Deployment, message: FailedMessage) -> None:
    """Delete the message from its failure queue."""
    url = queues(deployment)[message.queue]
    deployment.sqs.delete_message(QueueUrl=url, ReceiptHandle=message.receipt)


def _receive(deployment: Deployment, name: str, url: str) -> list[FailedMessage]:
    own = SOURCES.get(name.removeprefix(f"{deployment.prefix}-"))
    source = f"{deployment.prefix}-{own}" if own else None
    found: dict[str, FailedMessage] = {}
    while len(found) < MAX_READ:
        answer = deployment.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=PER_CALL,
            WaitTimeSeconds=LONG_POLL,
            VisibilityTimeout=HIDDEN,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        if not messages:
            break
        found |= {message["MessageId"]: read(name, message, source) for message in messages}
    return list(found.values())


def _show_again(deployment: Deployment, messages: Iterable[FailedMessage]) -> None:
    """Make the messages visible again. One that was removed meanwhile needs nothing."""
    urls = queues(deployment)
    for message in messages:
        try:
            deployment.sqs.change_message_visibility(
                QueueUrl=urls[message.queue], ReceiptHandle=message.receipt, VisibilityTimeout=0
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
