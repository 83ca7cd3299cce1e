"""Notes why a model's start requests cannot be answered, or its start cannot be made. Tells people once."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.errors import ConfigError, NotReady, OutOfTime
from retraining.notifications.messages import Notification
from retraining.notifications.publish import try_to_notify
from retraining.starts import executions
from retraining.text import shorten

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators
    from retraining.facts.model_state import ModelState
    from retraining.facts.starts import Blocked

TELL_AFTER: Final = timedelta(minutes=10)
"""Time after which people are told of a failure that may pass. A start that SageMaker refuses is told at
once: it needs a person."""

MAX_REASON: Final = 400
"""Characters of a reason."""


def note(model: str, error: Exception, using: Collaborators) -> None:
    """Note in the model's state why the last try failed and when the next one is. Tell people once.

    Another reason than that of the last try is logged. A configuration that is missing or invalid is read in
    every sweep, and a model that ran out of time and has come further goes on in the next one. All else is
    tried ever less often.
    """
    reason, now = _reason(error), using.clock()
    refused = error.key if isinstance(error, executions.StartRefused) else None
    before, _ = using.states.load(model)
    went_on = isinstance(error, OutOfTime) and before.blocked is None
    at_once = went_on or isinstance(error, ConfigError | NotReady)
    using.states.change(model, lambda state: state.failed(reason, now, refused=refused, at_once=at_once))
    after, _ = using.states.load(model)
    if after.blocked is None or after == before:
        return
    measure("StartsBlocked", model=model)
    if before.blocked is None or before.blocked.reason != reason:
        logger.warning("start blocked", model=model, reason=reason, until=after.blocked.until.isoformat())
    if refused is not None or now - after.blocked.since >= TELL_AFTER:
        _tell(model, after.blocked, using, refused=refused is not None)


def tell_refusal(model: str, state: ModelState, using: Collaborators) -> None:
    """Tell people of a refusal that only they can end, unless they know of it. Each occurrence once.

    If that fails, the state keeps the refusal, and the next sweep tries again.
    """
    refusal = state.untold
    if refusal is None:
        return
    message = Notification.about(
        f"model {model}",
        "start_blocked",
        model=model,
        reasons=[refusal.reason],
        occurrence=refusal.occurrence,
    )
    if try_to_notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock()):
        using.states.change(model, lambda state: state.told(refusal))


def _reason(error: Exception) -> str:
    said = str(error) or type(error).__name__
    if isinstance(error, ClientError) and error.operation_name == "StartPipelineExecution":
        said = f"SageMaker refuses the start: {said}"
    return shorten(said, MAX_REASON)


def _tell(model: str, blocked: Blocked, using: Collaborators, *, refused: bool) -> None:
    """Tell people of this row of failures: once that it lasts, and once of each refusal of SageMaker.

    Words with digits (ids, times, ARNs) do not make a refusal another one.
    """
    refusal = hashlib.sha256(re.sub(r"\S*\d\S*", "", blocked.reason).encode()).hexdigest()[:12]
    ends = "it is tried again at least once an hour, and at once when data lands or a person asks"
    message = Notification.about(
        using.settings.resource_name(model),
        "start_blocked",
        model=model,
        reasons=(blocked.reason, ends),
        occurrence=f"{f'refused {refusal}' if refused else 'lasting'} since {blocked.since.isoformat()}",
    )
    try_to_notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
