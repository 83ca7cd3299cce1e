"""What `decide` does about a model's starts: one literal row for each snapshot and its action.

Each snapshot is the usual one, but for what the row names: at noon, one landing is pending, train.csv and
validation.csv lie in S3 below their marker, and nothing was started before.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from retraining.config.schema import ModelConfig
from retraining.facts.model_state import ModelState
from retraining.facts.starts import BadFile, Marker, Start, StartRequest
from retraining.starts.admission import (
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
    ReadPrevious,
    ReadQuarantined,
    ReadRunning,
    ReadStarted,
    Refuse,
    Rest,
    Take,
    Wait,
    answered,
    decide,
    next_state,
)
from retraining.starts.batches import Batch, DataObject
from retraining.starts.inspection import Fine, Problem
from retraining.starts.snapshot import Inspected, Running, Snapshot, Started


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23 {text}+00:00")


NOON = at("12:00:00")
TRAIN = DataObject("curated/titanic/train.csv", "v1", "aa", 10, at("11:00:00"))
VALIDATION = DataObject("curated/titanic/validation.csv", "v2", "bb", 10, at("11:00:01"))
MARKER = Marker(version_id="v3", landed_at=at("11:00:02"))
NEXT_MARKER = Marker(version_id="v9", landed_at=at("11:30:00"))
CHANGED = DataObject("curated/titanic/train.csv", "v4", "dd", 10, at("11:00:03"))
BATCH = Batch("titanic", (TRAIN, VALIDATION), MARKER)
UNREAD = Batch("titanic", (TRAIN, VALIDATION), MARKER, checksums_read=False)
COVERED = Batch("titanic", (TRAIN, VALIDATION), MARKER, covered=(TRAIN,))
REMAINING = Batch("titanic", (VALIDATION,), MARKER)

LANDING = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=at("11:00:04"))
SCHEDULE = StartRequest(cause="2026", trigger="schedule", requested_by="arn:s", at=at("11:00:04"))
PERSON = StartRequest(cause="r1", trigger="request", requested_by="arn:p", at=at("11:00:04"))

TAKEN = Start(key="k", batch="b", champion="none", requests=(LANDING,), taken_at=at("10:00:00"))
MADE = TAKEN.model_copy(update={"execution_arn": "arn:x/execution/e0"})
BAD = BadFile(
    key=TRAIN.key, version_id="v1", etag="aa", size=10, kind="one_row", text="the file has one row only"
)
ONE_ROW = Problem("one_row", "the file has one row only")
GOOD = (Inspected(TRAIN, Fine(7)), Inspected(VALIDATION, Fine(3)))
ANSWERED = ModelState(pending=(LANDING,), answered_batch="b", answered_marker=MARKER)
REMAINS = ModelState(pending=(LANDING,), remaining_batch=BATCH.identity, remaining_marker="v3")

NOT_READ: dict[str, Any] = {"started": None, "previous": None}
"""Earlier starts have not been read yet."""


def snapshot(
    *pending: StartRequest,
    state: ModelState | None = None,
    batch: Batch | None = None,
    running: str | None = None,
    retrain: dict[str, Any] | None = None,
    started_as: str | None = None,
    previous: tuple[DataObject, ...] | None = (),
    **known: Any,
) -> Snapshot:
    """The usual snapshot, but for this; if `batch` is given, running executions and earlier starts have been
    read, too."""
    if batch is not None:
        known = {"started": Started(started_as), "previous": previous} | known
    config = {"task": "regression", "target": "y", "features": {"numeric": ["x"]}, "retrain": retrain or {}}
    return Snapshot(
        model="titanic",
        state=state or ModelState(pending=pending or (LANDING,)),
        version=1,
        config=ModelConfig.model_validate(config),
        now=NOON,
        batch=batch,
        running=Running(running) if batch or running else None,
        **known,
    )


def refuse_same(execution: str) -> Refuse:
    again = "`handsoff start titanic` trains on them again"
    return Refuse(f"the same bytes were started before, as {execution}; {again}")


UNFINISHED: list[tuple[str, Snapshot, Action]] = [
    (
        "bad files are moved before anything else",
        snapshot(state=ModelState(bad_files=(BAD,), running=TAKEN, pending=(LANDING,))),
        MoveBadFiles((BAD,)),
    ),
    (
        "a start that was taken is made",
        snapshot(state=ModelState(running=TAKEN, pending=(LANDING,))),
        Make(TAKEN),
    ),
    (
        "the end of the execution is noted",
        snapshot(state=ModelState(running=MADE), execution_ended_at=at("11:59:00")),
        End("arn:x/execution/e0", at("11:59:00")),
    ),
    (
        "an execution that runs is looked at again",
        snapshot(state=ModelState(running=MADE)),
        Rest(at("12:02:00")),
    ),
    ("without a request nothing is due", snapshot(state=ModelState(due_at=at("11:00:00"))), Rest(None)),
    ("a pending request needs the executions that run", snapshot(), ReadRunning()),
    ("then it needs the batch", replace(snapshot(), running=Running(None)), ReadBatch()),
    (
        "an execution of ours that runs needs neither",
        snapshot(state=ModelState(running=MADE, pending=(LANDING,))),
        Wait(at("12:02:00"), "execution e0 is running"),
    ),
    ("paused needs neither", snapshot(PERSON, retrain={"paused": True}), Wait(at("12:02:00"), "paused")),
    (
        "the cooldown needs neither",
        snapshot(state=ModelState(pending=(LANDING,), ended_at=at("11:59:00")), retrain={"cooldown": "1h"}),
        Wait(at("12:59:00"), "cooldown until 2026-11-23 12:59:00 UTC"),
    ),
    (
        "the daily limit needs neither",
        snapshot(state=ModelState(pending=(PERSON,), starts=(at("11:00:00"),)), retrain={"daily_limit": 1}),
        Wait(
            datetime.fromisoformat("2026-11-24 11:00:00+00:00"),
            "daily limit of 1 starts until 2026-11-24 11:00:00 UTC",
        ),
    ),
    (
        "the quiet period of a request needs neither",
        snapshot(retrain={"ready": {"when": "quiet", "quiet_period": "1h"}}),
        Wait(at("12:00:04"), "waiting for the quiet period: data landed at 11:00:04 UTC"),
    ),
]

BY_TIME: list[tuple[str, Snapshot, Action]] = [
    (
        "paused",
        snapshot(PERSON, batch=BATCH, retrain={"paused": True}),
        Wait(at("12:02:00"), "paused"),
    ),
    (
        "an execution runs",
        snapshot(PERSON, running="arn:x/execution/e7"),
        Wait(at("12:02:00"), "execution e7 is running"),
    ),
    (
        "the quiet period counts from the request of a landing, if that is later than S3's time",
        snapshot(batch=BATCH, retrain={"ready": {"when": "quiet", "quiet_period": "1h"}}),
        Wait(at("12:00:04"), "waiting for the quiet period: data landed at 11:00:04 UTC"),
    ),
    (
        "time goes before what the listing shows",
        snapshot(batch=Batch("titanic", ()), retrain={"paused": True}),
        Wait(at("12:02:00"), "paused"),
    ),
]

BY_LISTING: list[tuple[str, Snapshot, Action]] = [
    (
        "the batch that remains without bad files is refused",
        snapshot(state=REMAINS, batch=BATCH),
        Refuse("bad files were moved to quarantine: land what is missing"),
    ),
    (
        "a person may start the batch that remains",
        snapshot(state=REMAINS.model_copy(update={"pending": (PERSON,)}), batch=BATCH),
        Inspect((TRAIN, VALIDATION)),
    ),
    (
        "a new marker may start the batch that remains",
        snapshot(state=REMAINS.model_copy(update={"remaining_marker": "v0"}), batch=BATCH),
        Inspect((TRAIN, VALIDATION)),
    ),
    (
        "no data",
        snapshot(PERSON, batch=Batch("titanic", ())),
        Refuse("there is no train and no validation data"),
    ),
    (
        "no marker has landed",
        snapshot(batch=Batch("titanic", BATCH.objects)),
        Refuse("no marker _SUCCESS has landed: land it when the batch is complete"),
    ),
    (
        "a schedule needs a marker, too",
        snapshot(SCHEDULE, batch=Batch("titanic", BATCH.objects)),
        Refuse("no marker _SUCCESS has landed: land it when the batch is complete"),
    ),
    (
        "a person needs none",
        snapshot(PERSON, batch=Batch("titanic", BATCH.objects)),
        Inspect((TRAIN, VALIDATION)),
    ),
    (
        "a model without a marker needs none",
        snapshot(batch=Batch("titanic", BATCH.objects), retrain={"ready": {"when": "every_object"}}),
        Inspect((TRAIN, VALIDATION)),
    ),
    (
        "a marker that was answered is forgotten",
        snapshot(state=ANSWERED, batch=BATCH),
        Forget(),
    ),
    (
        "an older marker is forgotten",
        snapshot(state=ANSWERED.model_copy(update={"answered_marker": NEXT_MARKER}), batch=BATCH),
        Forget(),
    ),
    (
        "a newer marker is not",
        snapshot(state=ANSWERED, batch=Batch("titanic", BATCH.objects, NEXT_MARKER), started_as="e0"),
        refuse_same("e0"),
    ),
    (
        "a schedule asks again about a marker that was answered",
        snapshot(
            state=ANSWERED.model_copy(
                update={"pending": (LANDING, SCHEDULE), "answered_batch": BATCH.identity}
            ),
            batch=BATCH,
        ),
        Inspect((TRAIN, VALIDATION)),
    ),
    (
        "what 0.1 started last is forgotten",
        snapshot(state=ModelState(pending=(LANDING,), last_batch=BATCH.identity), batch=BATCH),
        Forget(),
    ),
    (
        "a batch that a person started before its marker landed is not",
        snapshot(
            state=ModelState(pending=(LANDING,), last_batch=BATCH.identity, answered_batch=BATCH.identity),
            batch=BATCH,
            started_as="e0",
        ),
        refuse_same("e0"),
    ),
    (
        "covered versions need the previous manifest",
        snapshot(batch=COVERED, previous=None),
        ReadPrevious(),
    ),
    (
        "covered versions may be in quarantine",
        snapshot(batch=COVERED),
        ReadQuarantined(COVERED, (TRAIN,)),
    ),
    (
        "covered versions that an execution was made of are not",
        snapshot(batch=COVERED, previous=(TRAIN, VALIDATION), started_as="e0"),
        refuse_same("e0"),
    ),
    ("a landing needs the batch's earlier start", snapshot(batch=BATCH, **NOT_READ), ReadStarted(BATCH)),
    (
        "the same bytes need no manifest",
        snapshot(batch=BATCH, started_as="e0", previous=None),
        refuse_same("e0"),
    ),
    ("the same bytes landed again", snapshot(batch=BATCH, started_as="e0"), refuse_same("e0")),
    (
        "a person may train on the same bytes again",
        snapshot(PERSON, batch=BATCH, started_as="e0", previous=(TRAIN, VALIDATION)),
        Inspect(()),
    ),
    (
        "a person beside a landing, too",
        snapshot(LANDING, PERSON, batch=BATCH, started_as="e0", previous=(TRAIN, VALIDATION)),
        Inspect(()),
    ),
]

BY_CONTENT: list[tuple[str, Snapshot, Action]] = [
    (
        "checksums are read only if the ETags are new",
        snapshot(batch=UNREAD, started_as="e0", previous=None),
        refuse_same("e0"),
    ),
    ("checksums need the previous manifest", snapshot(batch=UNREAD, previous=None), ReadPrevious()),
    ("checksums need those known", snapshot(batch=UNREAD), ReadChecksums(UNREAD, ())),
    (
        "checksums are read for a person, too",
        snapshot(PERSON, batch=UNREAD, previous=(TRAIN,)),
        ReadChecksums(UNREAD, (TRAIN,)),
    ),
    ("new files need the previous manifest", snapshot(batch=BATCH, previous=None), ReadPrevious()),
    (
        "a person's request needs no earlier start of the batch",
        snapshot(PERSON, batch=BATCH, **NOT_READ),
        ReadPrevious(),
    ),
    ("all files are new at first", snapshot(batch=BATCH), Inspect((TRAIN, VALIDATION))),
    (
        "only files with other bytes are inspected",
        snapshot(PERSON, batch=Batch("titanic", (CHANGED, VALIDATION)), previous=BATCH.objects),
        Inspect((CHANGED,)),
    ),
    (
        "a bad file goes to quarantine",
        snapshot(batch=BATCH, inspected=(Inspected(TRAIN, ONE_ROW), Inspected(VALIDATION, Fine(3)))),
        Quarantine((BAD,), "quarantined: curated/titanic/train.csv", REMAINING.identity, "v3"),
    ),
    (
        "a bad file goes to quarantine also for a person",
        snapshot(PERSON, batch=Batch("titanic", BATCH.objects), inspected=(Inspected(TRAIN, ONE_ROW),)),
        Quarantine((BAD,), "quarantined: curated/titanic/train.csv", REMAINING.identity, None),
    ),
    (
        "a file that cannot be read refuses the start and stays where it is",
        snapshot(
            batch=BATCH,
            inspected=(Inspected(TRAIN, Problem("unreadable", "it is archived: restore it")),),
        ),
        Refuse(
            "cannot be read: curated/titanic/train.csv: it is archived: restore it; "
            "then `handsoff start titanic`",
            occurrence="21a9cbb70f5aaf1902a3d1c59b374f93d8f5e0cedd0d6529af76bea0af676d32",
        ),
    ),
    (
        "a bad file goes to quarantine beside one that cannot be read",
        snapshot(
            batch=BATCH,
            inspected=(Inspected(TRAIN, ONE_ROW), Inspected(VALIDATION, Problem("unreadable", "archived"))),
        ),
        Quarantine((BAD,), "quarantined: curated/titanic/train.csv", REMAINING.identity, "v3"),
    ),
    (
        "a person starts a batch without new files",
        snapshot(PERSON, batch=BATCH, previous=BATCH.objects, inspected=()),
        Take(BATCH),
    ),
    (
        "too few new rows",
        snapshot(batch=BATCH, inspected=GOOD, retrain={"min_new_rows": 11}),
        Refuse("about 10 rows in new files, min_new_rows is 11"),
    ),
    (
        "enough new rows",
        snapshot(batch=BATCH, inspected=GOOD, retrain={"min_new_rows": 10}),
        Take(BATCH),
    ),
    (
        "a schedule needs no new rows",
        snapshot(SCHEDULE, batch=BATCH, inspected=GOOD, retrain={"min_new_rows": 11}),
        Take(BATCH),
    ),
    (
        "rows that cannot be counted are enough",
        snapshot(batch=BATCH, inspected=(Inspected(TRAIN, Fine(None)),), retrain={"min_new_rows": 9}),
        Take(BATCH),
    ),
]
ROWS = UNFINISHED + BY_TIME + BY_LISTING + BY_CONTENT


@pytest.mark.parametrize(("snapshot", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_decide_gives_this_action(snapshot: Snapshot, expected: Action) -> None:
    assert decide(snapshot) == expected


def test_decide_quarantines_50_files_at_a_time_and_names_10() -> None:
    files = [DataObject(f"curated/titanic/train/{n:03}.csv", "v", "e", 1) for n in range(52)]
    inspected = tuple(Inspected(file, Problem("empty", "x" * 301)) for file in files)
    found = decide(snapshot(PERSON, batch=Batch("titanic", (*files, VALIDATION)), inspected=inspected))
    assert isinstance(found, Quarantine)
    assert len(found.files) == 50
    assert found.files[0].text == "x" * 297 + "…"
    assert found.reason.endswith(
        "curated/titanic/train/009.csv and 40 more; the next landing or request moves 2 further bad files"
    )


PENDING = ModelState(pending=(PERSON,), due_at=at("11:00:00"), remaining_batch="r")


@pytest.mark.parametrize(
    ("state", "action", "expected"),
    [
        (
            ModelState(running=MADE, pending=(LANDING,)),
            End("arn:x/execution/e0", at("11:59:00")),
            ModelState(pending=(LANDING,), ended_at=at("11:59:00"), due_at=at("11:59:00")),
        ),
        (
            ModelState(running=MADE),
            Rest(at("12:02:00")),
            ModelState(running=MADE, due_at=at("12:02:00")),
        ),
        (
            PENDING,
            Wait(at("12:02:00"), "paused"),
            ModelState(
                pending=(PERSON,),
                due_at=at("12:02:00"),
                remaining_batch="r",
                answer="wait",
                reason="paused",
                answered_at=NOON,
            ),
        ),
        (
            PENDING.waits(at("11:02:00"), "paused", at("11:00:00")),
            Wait(at("12:02:00"), "paused"),
            PENDING.waits(at("12:02:00"), "paused", at("11:00:00")),
        ),
        (
            PENDING,
            Refuse("there is no train data"),
            ModelState(
                remaining_batch="r", answer="refuse", reason="there is no train data", answered_at=NOON
            ),
        ),
        (
            ModelState(pending=(LANDING, PERSON), due_at=NOON, answer="start", reason="started"),
            Forget(),
            ModelState(pending=(PERSON,), answer="start", reason="started"),
        ),
        (
            PENDING,
            Quarantine((BAD,), "quarantined: x", "rest", "v3"),
            ModelState(
                due_at=NOON,
                answer="refuse",
                reason="quarantined: x",
                answered_at=NOON,
                bad_files=(BAD,),
                remaining_batch="rest",
                remaining_marker="v3",
            ),
        ),
    ],
    ids=["end", "rest", "wait", "wait as before", "refuse", "forget", "quarantine"],
)
def test_next_state_after_this_action(state: ModelState, action: Change, expected: ModelState) -> None:
    assert next_state(state, action, NOON) == expected


FIRST, SECOND, THIRD = (Marker(version_id=f"m{n}", landed_at=at(f"11:0{n}:00")) for n in (1, 2, 3))
MARKED = Batch("titanic", (TRAIN, VALIDATION), THIRD, (SECOND, FIRST))


@pytest.mark.parametrize(
    ("before", "superseded"),
    [
        (ModelState(), (SECOND, FIRST)),
        (ModelState(answered_batch="b", last_batch="b"), (SECOND, FIRST)),
        (ModelState(last_batch="b"), ()),
        (ModelState(answered_batch="b", answered_marker=FIRST), (SECOND,)),
        (ModelState(answered_batch="b", answered_marker=SECOND), ()),
    ],
    ids=["none answered", "a person's batch", "0.1", "the first", "the second"],
)
@pytest.mark.parametrize("action", [Take(MARKED), Refuse("x"), Forget()])
def test_answered_notes_the_newest_marker_and_those_it_supersedes(
    before: ModelState, superseded: tuple[Marker, ...], action: Action
) -> None:
    after = answered(before, action, MARKED)
    assert (after.answered_batch, after.answered_marker) == (BATCH.identity, THIRD)
    assert after.superseded_markers == superseded


@pytest.mark.parametrize(
    ("action", "batch"), [(Take(MARKED), BATCH.identity), (Refuse("x"), "b"), (Forget(), "b")]
)
def test_answered_again_keeps_the_batch_that_the_marker_stands_for_unless_it_starts(
    action: Action, batch: str
) -> None:
    before = ModelState(answered_batch="b", answered_marker=THIRD)
    after = answered(before, action, MARKED)
    assert (after.answered_batch, after.answered_marker) == (batch, THIRD)
    assert after.superseded_markers == ()


def test_answered_after_quarantine_is_the_remaining_batch() -> None:
    after = answered(ModelState(), Quarantine((BAD,), "x", "remaining", "m3"), MARKED)
    assert (after.answered_batch, after.answered_marker) == ("remaining", THIRD)


@pytest.mark.parametrize("action", [Wait(NOON, "paused"), Rest(None), End("arn", NOON), MoveBadFiles((BAD,))])
def test_answered_leaves_a_marker_that_waits(action: Action) -> None:
    assert answered(ModelState(), action, MARKED) == ModelState()


def test_superseded_markers_are_the_ten_newest() -> None:
    markers = [Marker(version_id=f"m{n:02}", landed_at=at(f"11:{n:02}:00")) for n in range(20, 0, -1)]
    state = ModelState().answering("b", markers[0], markers[1:])
    assert [one.version_id for one in state.superseded_markers] == [
        "m19", "m18", "m17", "m16", "m15", "m14", "m13", "m12", "m11", "m10",
    ]  # fmt: skip
