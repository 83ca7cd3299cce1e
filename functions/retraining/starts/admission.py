"""Pure: what is to be done about a model's starts now.

`decide` maps a Snapshot to one Action, and starts/starting.py carries it out. A model runs one execution at a
time. All pending requests become one start, on the batch as of the newest marker.

What costs most is asked for last: the time decides first, then executions that run, then S3's listing, then
earlier starts, then what the new files hold. So a model that waits lists nothing, every minute anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence, Set
from datetime import datetime, timedelta
from typing import Final

from retraining.config.retrain import Retrain
from retraining.facts.model_state import DAY, NAME_RULE, ModelState
from retraining.facts.pauses import PauseFact
from retraining.facts.starts import BadFile, Marker, Trigger, within_limits
from retraining.starts.actions import (
    ANSWERS,
    Action,
    Change,
    End,
    Forget,
    Inspect,
    Make,
    MoveBadFiles,
    Quarantine,
    ReadBatch,
    ReadChecksums,
    ReadInQuarantine,
    ReadPrevious,
    ReadQuarantined,
    ReadRunning,
    ReadStarted,
    Refuse,
    Rest,
    Take,
    Wait,
)
from retraining.starts.batches import Batch, DataObject, batch_of
from retraining.starts.inspection import Fine, Problem
from retraining.starts.snapshot import Inspected, Running, Snapshot
from retraining.text import cut, first_of

LOOK_AGAIN: Final = timedelta(minutes=2)
"""Time until the next decision where no event announces a change (paused), or its event may be lost
(an execution ends)."""

MAX_NAME: Final = 200
"""Bytes of a key in a reason."""


# ---- the decision ----------------------------------------------------------------------------------------


def decide(snapshot: Snapshot) -> Action:
    """The one thing to do now: first finish what was begun, then answer the pending requests."""
    state = snapshot.state
    if state.bad_files:
        return MoveBadFiles(state.bad_files)
    if state.running is not None:
        if state.running.execution_arn is None:
            return Make(state.running)
        if snapshot.execution_ended_at is not None:
            return End(state.running.execution_arn, snapshot.execution_ended_at)
    if not state.pending:
        return Rest(snapshot.now + LOOK_AGAIN if state.running else None)
    if waits := _by_time(snapshot):
        return waits
    if snapshot.running is None:
        return ReadRunning()
    if snapshot.batch is None:
        return ReadBatch()
    return _by_marker(snapshot, snapshot.batch) or _answer(snapshot, snapshot.batch)


def _by_time(snapshot: Snapshot) -> Wait | None:
    """Why the pending requests wait, as far as it is known by now."""
    state, batch = snapshot.state, snapshot.batch
    known = snapshot.running or Running(state.running.execution_arn if state.running else None)
    # S3 dates an object that is uploaded in parts from the upload's begin; its event comes at the end.
    landings = (request.at for request in state.pending if request.trigger == "landing")
    arrivals = (batch.last_arrival if batch else None, *landings)
    return admit(
        snapshot.config.retrain,
        state,
        now=snapshot.now,
        running=known.execution_arn,
        last_arrival=max((at for at in arrivals if at), default=None),
        pause=snapshot.paused,
    )


def admit(
    policy: Retrain,
    state: ModelState,
    *,
    now: datetime,
    running: str | None,
    last_arrival: datetime | None,
    pause: PauseFact | None = None,
) -> Wait | None:
    """Why and until when the pending requests wait, as far as time decides; None if they may start now.

    `running` is the ARN of an execution that runs, `last_arrival` is when the newest data object landed.
    `pause` is the pause that stands. People are told that a landing or a schedule waits for its end; a person
    who asks for a start is told by the command.
    """
    triggers = {request.trigger for request in state.pending}
    if policy.paused:
        return Wait(now + LOOK_AGAIN, "paused")
    if pause is not None:
        return _until_resumed(pause, triggers, now)
    if running is not None:
        return Wait(now + LOOK_AGAIN, f"execution {running.rsplit('/', 1)[-1]} is running")
    if triggers == {"landing"} and policy.ready.when == "quiet" and last_arrival is not None:
        quiet = last_arrival + policy.ready.quiet_period
        if now < quiet:
            return Wait(quiet, f"waiting for the quiet period: data landed at {last_arrival:%H:%M:%S} UTC")
    if "request" not in triggers and state.ended_at is not None:
        cool = state.ended_at + policy.cooldown
        if now < cool:
            return Wait(cool, f"cooldown until {cool:%Y-%m-%d %H:%M:%S} UTC")
    recent = sorted(at for at in state.starts if now - at < DAY)
    if len(recent) >= policy.daily_limit:
        free = recent[-policy.daily_limit] + DAY
        return Wait(free, f"daily limit of {policy.daily_limit} starts until {free:%Y-%m-%d %H:%M:%S} UTC")
    return None


def _until_resumed(pause: PauseFact, triggers: Set[Trigger], now: datetime) -> Wait:
    """The wait of a model that a person has paused. Who asked for a start has heard of the pause."""
    if triggers == {"request"}:
        return Wait(now + LOOK_AGAIN, pause.text)
    said = f"{pause.text}. What lands, and the schedule, wait: `handsoff resume` starts them"
    return Wait(now + LOOK_AGAIN, said, pause.occurrence)


def _by_marker(snapshot: Snapshot, batch: Batch) -> Refuse | Forget | None:
    """Why the newest marker starts nothing; None if it may, or if the model uses no marker."""
    if snapshot.marker is None or "request" in snapshot.triggers:
        return None
    if batch.marker is None:
        return Refuse(batch.without_marker(snapshot.marker))
    if snapshot.triggers == {"landing"} and snapshot.state.has_answered(batch.marker, batch.listing):
        return Forget()
    return None


def _answer(snapshot: Snapshot, batch: Batch) -> Action:
    """The batch without what is in quarantine, then earlier starts, then what the new files hold."""
    if batch.covered:
        if snapshot.previous is None:
            return ReadPrevious()
        if doubtful := batch.covered_since(snapshot.previous):
            return ReadQuarantined(batch, doubtful)
    if decided := _by_listing(snapshot, batch):
        return decided
    if not batch.checksums_read:
        return ReadPrevious() if snapshot.previous is None else ReadChecksums(batch, snapshot.previous)
    return _by_content(snapshot, batch)


def _by_listing(snapshot: Snapshot, batch: Batch) -> Refuse | ReadPrevious | ReadStarted | None:
    """Why the batch does not start, as far as the listing and earlier starts tell; None if it may."""
    state = snapshot.state
    if too_large := batch.too_large:
        return Refuse(too_large, occurrence=_version(batch.marker) or batch.listing)
    same_remains = (state.remaining_batch, state.remaining_marker) == (batch.listing, _version(batch.marker))
    if same_remains and "request" not in snapshot.triggers:
        return Refuse("bad files were moved to quarantine: land what is missing")
    if batch.table:
        return Refuse(batch.table, occurrence=f"table: {batch.table} {_version(batch.marker)}")
    if batch.misplaced:
        return Refuse(batch.misplaced, occurrence=f"misplaced: {_version(batch.marker) or batch.listing}")
    if batch.missing:
        return Refuse(batch.without_splits, batch.left_out_occurrence)
    if gone := _gone(snapshot, batch):
        return gone
    if snapshot.triggers != {"landing"}:
        return None
    if snapshot.started is None:
        return ReadStarted(batch)
    if (execution := snapshot.started.execution) is not None:
        again = f"`handsoff start {batch.model}` trains on them again"
        return Refuse(f"the same bytes were started before, as {execution}; {again}")
    return None


def _gone(snapshot: Snapshot, batch: Batch) -> Refuse | ReadPrevious | None:
    """The refusal of a delivery of which versions are gone since it was answered: they have expired, or were
    deleted for good. Only a person may ask to train on what is left of it.

    Its manifest tells which versions it had. A batch may have more: what landed in the marker's own second,
    after the listing. If the delivery was refused it has no manifest, and any other batch counts as a loss,
    unless another version's NAME_RULE has listed it. Files that are data no more by their name are no loss.
    """
    state = snapshot.state
    if batch.marker is None or batch.marker != state.answered_marker or "request" in snapshot.triggers:
        return None
    if state.answered_batch in (None, batch.listing):
        return None
    if snapshot.previous is None:
        return ReadPrevious()
    if Batch(batch.model, snapshot.previous).listing == state.answered_batch:
        lost = batch.lost_since(batch_of(batch.model, snapshot.previous, whole=batch.whole).objects)
    else:
        lost = state.answered_rule == NAME_RULE
    if not lost:
        return None
    return Refuse(
        "versions of the newest delivery have expired or were deleted for good: land it again, or "
        f"`handsoff start {batch.model}` trains on what is left",
        occurrence=f"gone: {batch.marker.version_id}",
    )


def _by_content(snapshot: Snapshot, batch: Batch) -> Action:
    """Start, unless a new file is bad, or a landing brought too few new rows."""
    if snapshot.previous is None:
        return ReadPrevious()
    if snapshot.inspected is None:
        return Inspect(batch.new_since(snapshot.previous))
    if found := _bad_files(snapshot.inspected):
        bad = within_limits(found)
        gone = {file.key for file in bad}
        left = [item for item in batch.objects if item.key not in gone]
        remaining = batch_of(batch.model, left, whole=batch.whole)
        reason = f"quarantined: {first_of([cut(file.key, MAX_NAME) for file in bad])}"
        if more := len(found) - len(bad):
            reason += f"; the next landing or request moves {more} further bad files"
        return Quarantine(bad, reason, remaining.listing, _version(batch.marker))
    if unreadable := [one for one in snapshot.inspected if one.unreadable]:
        return _cannot_be_read(unreadable, batch.model)
    if empty := _without_rows(snapshot.inspected, batch, snapshot.previous):
        return empty
    rows, needed = _rows(snapshot.inspected), snapshot.config.retrain.min_new_rows
    if snapshot.triggers == {"landing"} and rows is not None and rows < needed:
        return Refuse(f"about {rows} rows in new files, min_new_rows is {needed}")
    return _without_quarantined(snapshot, batch)


def _without_quarantined(snapshot: Snapshot, batch: Batch) -> ReadInQuarantine | Refuse | Take:
    """Start, and name the files that are left out because they are in quarantine.

    If files hold changes of rows, a missing file makes rows wrong that are there. So only a person may ask to
    train without it.
    """
    missing = snapshot.in_quarantine
    if missing is None:
        return ReadInQuarantine(batch)
    if missing and snapshot.config.data.cdc is not None and "request" not in snapshot.triggers:
        named = first_of([cut(key, MAX_NAME) for key in missing])
        return Refuse(
            f"files with changes of rows are in quarantine: {named}; land corrected ones under their names, "
            f"or `handsoff release {batch.model} --all`; `handsoff start {batch.model}` trains without them",
            occurrence=f"in quarantine: {_version(batch.marker) or batch.listing}",
        )
    return Take(batch.without_quarantined(missing))


def _bad_files(inspected: Iterable[Inspected]) -> tuple[BadFile, ...]:
    bad = (one.bad_file for one in inspected if not one.unreadable)
    return tuple(filter(None, bad))


def _cannot_be_read(files: Sequence[Inspected], model: str) -> Refuse:
    said = [
        f"{cut(one.file.key, MAX_NAME)}: {one.result.text}"
        for one in files
        if isinstance(one.result, Problem)
    ]
    versions = " ".join(f"{one.file.key}:{one.file.version_id}" for one in files)
    return Refuse(
        f"cannot be read: {first_of(said)}; then `handsoff start {model}`",
        occurrence=hashlib.sha256(versions.encode()).hexdigest(),
    )


def _without_rows(
    inspected: Sequence[Inspected], batch: Batch, previous: Sequence[DataObject]
) -> Refuse | None:
    """The refusal of a batch of which a split has no rows. A part without rows is no fault.

    A file of the batch that was started last counts as one with rows, as the split of it had some.
    """
    empty = {one.file for one in inspected if isinstance(one.result, Fine) and one.result.rows == 0}
    if not empty:
        return None
    known = {*batch.objects} - {*batch.new_since(previous)}
    with_rows = {*known, *(one.file for one in inspected if one.file not in empty)}
    filled = batch_of(batch.model, with_rows, whole=batch.whole)
    if not filled.missing:
        return None
    of_which = "" if batch.whole else f"{' and the '.join(filled.missing)} "
    said = f"there are no rows in the {of_which}data"
    return Refuse(
        f"{said}: its new files hold a header at most; land rows", occurrence=f"no rows: {batch.identity}"
    )


def _rows(inspected: Iterable[Inspected]) -> int | None:
    """Rows of all these files; None if one of them does not tell (Parquet)."""
    rows = [one.result.rows for one in inspected if isinstance(one.result, Fine)]
    return None if None in rows else sum(filter(None, rows))


def _version(marker: Marker | None) -> str | None:
    return marker.version_id if marker else None


# ---- what becomes of the state ---------------------------------------------------------------------------


def answered(state: ModelState, action: Action, batch: Batch | None) -> ModelState:
    """The state with the marker and the batch that this action answers; unchanged by other actions."""
    if batch is None or not isinstance(action, ANSWERS):
        return state
    again = batch.marker is not None and batch.marker == state.answered_marker
    if again and state.answered_batch is not None and isinstance(action, Refuse | Forget):
        return state  # the first answer says which batch the marker stands for
    listing = action.remaining_batch if isinstance(action, Quarantine) else batch.listing
    return state.answering(listing, batch.marker, batch.earlier_markers)


def next_state(state: ModelState, action: Change, now: datetime) -> ModelState:
    """The state after this action."""
    match action:
        case End(execution_arn, at):
            return state.ended(execution_arn, at)
        case Rest(until):
            return state.looked_at_again(until)
        case Wait(until, reason, occurrence):
            return state.waits(until, reason, now, occurrence)
        case Refuse(reason, occurrence):
            return state.refused(reason, now, occurrence)
        case Forget():
            return state.without_landing()
        case Quarantine(files, reason, remaining_batch, marker):
            return state.quarantining(files, reason, remaining_batch, marker, now)
