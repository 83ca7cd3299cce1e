"""Triggered by the landings queue: objects that landed in S3, and start requests of schedules and people.
Changes: makes start requests pending and starts an execution if one may start; quarantines bad files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from retraining import turns
from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.collaborators import Collaborators
from retraining.starts import requests, starting
from retraining.starts.requests import Message

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ANSWER_TIME: Final = timedelta(seconds=60)
"""Time in which models begin to be looked at. The sweep looks at the others."""


@logger.inject_lambda_context
def handler(
    event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None
) -> dict[str, list[dict[str, str]]]:
    """Note the requests of all messages, then answer those of each model.

    The queue delivers again what could not be noted. What is noted and not answered, the sweep answers.
    """
    using = (using or Collaborators.real()).within(ANSWER_TIME)
    failed: list[str] = []
    by_model: dict[str, dict[str, Message]] = defaultdict(dict)
    for record in event["Records"]:
        try:
            message = requests.read(record["body"], using)
        except Exception:
            logger.exception("message cannot be read", message_id=record["messageId"])
            failed.append(record["messageId"])
        else:
            by_model[message.model][record["messageId"]] = message
    noted: list[str] = []
    for model, messages in by_model.items():
        try:
            if _note(model, messages.values(), using):
                noted.append(model)
        except Exception:
            logger.exception("requests cannot be noted", model=model)
            failed += messages
    measure("MessagesHandled", len(event["Records"]) - len(failed))
    turns.take([turns.Turn(model, "starts", starting.start_if_due) for model in noted], using)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def _note(model: str, messages: Iterable[Message], using: Collaborators) -> bool:
    """Make the requests of a model's messages pending. Says whether there were any."""
    found = requests.requests_of(model, list(messages), using)
    if found:
        starting.note(model, found, using)
    return bool(found)
