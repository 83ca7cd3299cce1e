"""Turns start requests into executions. A model runs one execution at a time; one start serves all requests
that are pending; an execution reads the batch as of the newest marker (starts/batches.py).

The state of each model (facts/model_state.py) is one item of the ledger, replaced only at the version that
was read: of two invocations that decide at once, one decides again. A start is taken in that item first, with
all that its execution is made of. Then the execution is made, under a token that is derived from the start.
Then that is recorded. An invocation that finds a start half done goes on with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from retraining.aws import anchors, registry
from retraining.aws.ledger import MAX_SWAPS
from retraining.aws.measures import measure
from retraining.aws.model_states import contended
from retraining.aws.observability import logger
from retraining.config.rules import rules_sha256
from retraining.config.storing import config_sha256
from retraining.errors import ConfigError, NotReady
from retraining.facts import keys
from retraining.facts.model_state import ModelState
from retraining.facts.starts import BadFile, RequestAnswered, Start, StartRequest, leading
from retraining.starts import (
    batches,
    blocking,
    bucket,
    executions,
    lost_landings,
    overdue,
    quarantine,
    reading,
)
from retraining.starts.actions import (
    Change,
    Forget,
    Make,
    MoveBadFiles,
    Quarantine,
    Read,
    ReadBatch,
    Refuse,
    Rest,
    Take,
    Wait,
)
from retraining.starts.admission import LOOK_AGAIN, answered, decide, next_state
from retraining.starts.checkpoints import PART

if TYPE_CHECKING:
    from datetime import datetime

    from retraining.collaborators import Collaborators
    from retraining.config.schema import ModelConfig
    from retraining.starts.batches import Batch
    from retraining.starts.snapshot import Snapshot

METRICS: Final[Mapping[type, str]] = {
    Take: "StartsAdmitted",
    Wait: "StartsWaiting",
    Refuse: "StartsRefused",
    Quarantine: "StartsRefused",
}
"""The metric of each action that answers the pending requests."""

TOKEN_KNOWN: Final = timedelta(minutes=1)
"""Time for which SageMaker certainly knows the token of a start."""

AFTER_LISTING: Final = timedelta(seconds=10)
"""Time after a listing in which a small batch is decided, however long the listing took: its checksums and
the beginnings of its files are read in about four seconds."""

EXPECTED: Final = (ClientError, BotoCoreError, ConfigError, NotReady)
"""Failures that may pass or that people must end. They are noted for each model, and no failure of the sweep:
its failure queue would get a message each minute."""

Done = MoveBadFiles | Make | Take | Change
"""Actions that are carried out; the others ask for a larger snapshot."""


def note(model: str, requests: Sequence[StartRequest], using: Collaborators) -> None:
    """Make requests pending, unless they are pending or answered. `advance` answers them. Safe to repeat."""

    def requested(state: ModelState) -> ModelState:
        # Read after the state: a request that is answered meanwhile changes the state, which is read anew.
        asked = [one for one in requests if one.trigger == "landing" or _is_new(model, one, using)]
        return reduce(ModelState.requested, asked, state)

    using.states.change(model, requested)


def _is_new(model: str, request: StartRequest, using: Collaborators) -> bool:
    """Whether a request of a person or a schedule has not been answered yet."""
    if not using.ledger.get(keys.asked(model, request.cause)):
        return True
    logger.info("request was answered before", model=model, cause=request.cause)
    return False


def start_if_due(model: str, using: Collaborators) -> ModelState:
    """Do what can be done now, if anything is due; the state in which that was found.

    A pending request always is due: the config, and so the answer, may have changed.

    A failure that may pass, or that people must end, is noted and told. It is no failure of the sweep.
    """
    state, _ = using.states.load(model)
    _start_if_due(model, state, using)
    return state


def _start_if_due(model: str, state: ModelState, using: Collaborators) -> bool:
    """Do what is due in this state. Says whether anything was."""
    blocking.tell_refusal(model, state, using)
    now = using.clock()
    due = bool(state.pending) or (state.due_at is not None and now >= state.due_at)
    if due and (state.blocked is None or now >= state.blocked.until):
        with contextlib.suppress(*EXPECTED):
            advance(model, using)
    return due


def sweep(model: str, using: Collaborators) -> None:
    """Do what is due, then look for a landing whose event was lost."""
    state, version = using.states.load(model)
    was_due = _start_if_due(model, state, using)
    overdue.measure_landings(model, state, using, using.ledger)
    using.check_time()
    try:
        found = lost_landings.find(model, using, None if was_due else (state, version))
    except EXPECTED as error:
        _not_looked_for(model, error)
    else:
        if found:
            start_if_due(model, using)


def may_have_work(model: str, state: ModelState, using: Collaborators) -> bool:
    """Whether `sweep` may have something to do, by a state that may be old. It changes nothing.

    Raises ConfigError or NotReady if the model's configuration cannot be read.
    """
    config = using.configs.get(model)
    if not state.idle or config is None:
        return True
    try:
        return lost_landings.may_be_lost(model, config, state, using)
    except EXPECTED as error:
        _not_looked_for(model, error)
        return False


def _not_looked_for(model: str, error: Exception) -> None:
    logger.warning("landings cannot be looked for now", model=model, why=str(error))
    measure("LandingsNotLookedFor")


def advance(model: str, using: Collaborators) -> ModelState:
    """`_advance`; a failure is noted in the state, which says when to try again, and raised."""
    try:
        return _advance(model, using)
    except Exception as error:
        blocking.note(model, error, using)
        raise


def _advance(model: str, using: Collaborators) -> ModelState:
    """Do everything that can be done now about the model's starts; the state in which that leaves it.

    Raises ConfigError if the model has no valid configuration, NotReady if the state changes all the time,
    and OutOfTime if the time is over before a read or in the inspection.
    """
    config = using.configs.get(model)
    if config is None:
        raise ConfigError(f"the configuration of model {model} is not there: `handsoff deploy` stores it")
    for _ in range(MAX_SWAPS):
        snapshot = reading.read(model, config, using)
        action, listed_at = decide(snapshot), using.clock()
        while isinstance(action, Read):
            _check_time(snapshot, listed_at, using)
            snapshot = reading.read_more(snapshot, action, using)
            if isinstance(action, ReadBatch):
                listed_at = using.clock()
            action = decide(snapshot)
        if isinstance(action, Quarantine | Refuse) and (newer := _newer_config(snapshot, using)):
            config = newer
            continue
        if isinstance(action, Quarantine) and quarantine.hide_again(model, action.files, using):
            continue
        if (state := _act(action, snapshot, using)) is not None:
            return state
    raise contended(model)


def _newer_config(snapshot: Snapshot, using: Collaborators) -> ModelConfig | None:
    """The model's config if it was published after the one that this decision was made by, else None.

    A config is kept in memory for a minute. A person who publishes a config and lands files within that
    minute must not lose them by the old one.
    """
    found = using.configs.get(snapshot.model, fresh=True)
    return None if found == snapshot.config else found


def _check_time(snapshot: Snapshot, listed_at: datetime, using: Collaborators) -> None:
    """Raise OutOfTime if the time is over, but throw no long listing away that ended at `listed_at`.

    The reads of a small batch after it are short, and at least one part of a large one is inspected.
    """
    batch = snapshot.batch
    small = batch is not None and len(batch.objects) <= PART
    if batch is None or (small and using.clock() - listed_at > AFTER_LISTING):
        using.check_time()


def _act(action: Done, snapshot: Snapshot, using: Collaborators) -> ModelState | None:
    """Carry out an action. The state that it leads to; None if there is more to do now, or to do again
    because the state has changed since the snapshot."""
    model, before = snapshot.model, snapshot.state
    noted = answered(before, action, snapshot.batch)
    match action:
        case Make(start):
            asked = before.calling()
            if asked != before and not using.states.swap(model, asked, snapshot.version):
                return None
            repeated = before.blocked is not None or snapshot.now - start.taken_at >= TOKEN_KNOWN
            executions.make(model, start, using, repeated=repeated)
            return None
        case MoveBadFiles(files):
            return _move(files, snapshot, using)
        case Take(batch):
            after = noted.taken(_prepare(batch, snapshot, using), before)
        case _:
            after = next_state(noted, action, snapshot.now).unblocked()
    if after != before and not using.states.swap(model, after, snapshot.version):
        return None
    _tell(action, snapshot, after, using)
    if isinstance(action, Refuse | Wait):
        blocking.tell_refusal(model, after, using)
    return after if isinstance(action, Rest | Wait | Refuse | Forget) else None


def _move(files: Sequence[BadFile], snapshot: Snapshot, using: Collaborators) -> ModelState | None:
    """Move bad files to quarantine. The state if some could not be moved yet, None if the model goes on.

    The try is counted first: an invocation that dies in it each time would stop the model for good.
    """
    model, state = snapshot.model, snapshot.state.moving(snapshot.now + LOOK_AGAIN)
    if not using.states.swap(model, state, snapshot.version):
        return None
    noted_at = state.answered_at or snapshot.now
    if not quarantine.move_files(model, files, using, noted_at=noted_at, tries=state.moves):
        return state
    using.states.change(model, lambda state: state.quarantined(files))
    return None


def _prepare(batch: Batch, snapshot: Snapshot, using: Collaborators) -> Start:
    """The start of this batch, with champion and anchor as they are now. Its manifest is written first.

    Which of them the pipeline takes as parameters is read anew: it may have been published within the minute
    for which a config is kept.
    """
    bucket.write_manifest(using.s3, using.settings.bucket, batch)
    group = using.settings.resource_name(batch.model)
    champion = registry.champion(using.sagemaker, group)
    config = using.configs.get(batch.model, fresh=True) or snapshot.config
    anchor = _anchor(group, using) if config.approval.asks_anchor else None
    own_code = config.training.own_code
    requests = snapshot.state.pending
    return Start(
        key=batches.start_key(batch.model, batch.identity, leading(requests).cause),
        batch=batch.identity,
        listing=batch.listing,
        champion=champion.arn if champion else "none",
        anchor=anchor,
        champion_image=champion.image if champion and own_code else None,
        anchor_image=_image(anchor, using) if anchor and own_code else None,
        requests=requests,
        taken_at=snapshot.now,
        landed_at=batch.completed_at if leading(requests).trigger == "landing" else None,
        config_sha256=config_sha256(config),
        rules_sha256=rules_sha256(config.approval),
    )


def _anchor(group: str, using: Collaborators) -> str:
    """The ARN of the model's anchor, or `none`."""
    found = anchors.settled(using.sagemaker, using.ledger, group, now=using.clock())
    return found.package if found else "none"


def _image(package: str, using: Collaborators) -> str | None:
    """The image that serves a package; None for `none`, and for a package that was deleted."""
    found = None if package == "none" else registry.find(using.sagemaker, package)
    return found.image if found else None


def _tell(action: Done, snapshot: Snapshot, after: ModelState, using: Collaborators) -> None:
    """Log and count the answer to the pending requests, and note which requests are refused for good.

    A model that waits, or is refused, for the same reason as before is not logged again.
    """
    model, before = snapshot.model, snapshot.state
    _tell_superseded(model, before, after)
    metric = METRICS.get(type(action))
    if metric is None:
        return
    if isinstance(action, Refuse | Quarantine):
        for request in before.pending:
            if request.trigger != "landing":  # delivered again, it asks for nothing more
                using.ledger.take(keys.asked(model, request.cause), RequestAnswered(refused=after.reason))
    if not isinstance(action, Take) and (before.answer, before.reason) == (after.answer, after.reason):
        return
    logger.info(
        "start answered",
        model=model,
        answer=after.answer,
        reason=after.reason,
        until=after.due_at.isoformat() if after.due_at else None,
        requests=[request.cause for request in before.pending],
    )
    measure(metric, model=model)


def _tell_superseded(model: str, before: ModelState, after: ModelState) -> None:
    """Log the markers that start nothing because a newer one has landed."""
    for marker in after.superseded_markers:
        if marker not in before.superseded_markers:
            logger.warning(
                "marker superseded",
                model=model,
                marker=marker.version_id,
                landed_at=marker.landed_at.isoformat(),
            )
            measure("MarkersSuperseded")
