"""What `decide` does about a model's starts: one literal row for each snapshot and its action.

Each snapshot is the usual one, but for what the row names: at noon, one landing is pending, train.csv and
validation.csv lie in S3 below their marker, and nothing was started before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from retraining.config.schema import ModelConfig
from retraining.facts.starts import BadFile, ModelState, Start, StartRequest
from retraining.starts.admission import (
    Action,
    Change,
    End,
    Inspect,
    Make,
    MoveBadFiles,
    Quarantine,
    ReadData,
    ReadPrevious,
    ReadStarted,
    Refuse,
    Rest,
    Take,
    Wait,
    decide,
    next_state,
)
from retraining.starts.batches import Batch, DataObject
from retraining.starts.inspection import Fine, Problem
from retraining.starts.snapshot import Data, Inspected, Snapshot, Started


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23 {text}+00:00")


NOON = at("12:00:00")
TRAIN = DataObject("curated/titanic/train.csv", "v1", "aa", 10, at("11:00:00"))
VALIDATION = DataObject("curated/titanic/validation.csv", "v2", "bb", 10, at("11:00:01"))
MARKER = DataObject("curated/titanic/_SUCCESS", "v3", "cc", 0, at("11:00:02"))
LATE = DataObject("curated/titanic/train.csv", "v4", "dd", 10, at("11:00:03"))
BATCH = Batch("titanic", (TRAIN, VALIDATION), MARKER)
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
REMAINS = ModelState(pending=(LANDING,), remaining_batch=BATCH.identity, remaining_marker="v3")

NOT_READ: dict[str, Any] = {"started": None, "previous": None}
"""Earlier starts have not been read yet."""


def snapshot(
    *pending: StartRequest,
    state: ModelState | None = None,
    data: Data | None = None,
    retrain: dict[str, Any] | None = None,
    started_as: str | None = None,
    previous: tuple[DataObject, ...] | None = (),
    **known: Any,
) -> Snapshot:
    """The usual snapshot, but for this; if `data` is given, earlier starts have been read, too."""
    if data is not None:
        known = {"started": Started(started_as), "previous": previous} | known
    config = {"task": "regression", "target": "y", "features": {"numeric": ["x"]}, "retrain": retrain or {}}
    return Snapshot(
        model="titanic",
        state=state or ModelState(pending=pending or (LANDING,)),
        version=1,
        config=ModelConfig.model_validate(config),
        now=NOON,
        data=data,
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
    ("a pending request needs the data", snapshot(), ReadData()),
    (
        "a pending request needs the data during an execution, too",
        snapshot(state=ModelState(running=MADE, pending=(LANDING,))),
        ReadData(),
    ),
]

BY_TIME: list[tuple[str, Snapshot, Action]] = [
    (
        "paused",
        snapshot(PERSON, data=Data(BATCH), retrain={"paused": True}),
        Wait(at("12:02:00"), "paused"),
    ),
    (
        "an execution runs",
        snapshot(PERSON, data=Data(BATCH, running="arn:x/execution/e7")),
        Wait(at("12:02:00"), "execution e7 is running"),
    ),
    (
        "the quiet period counts from the request of a landing, if that is later than S3's time",
        snapshot(data=Data(BATCH), retrain={"ready": {"when": "quiet", "quiet_period": "1h"}}),
        Wait(at("12:00:04"), "waiting for the quiet period: data landed at 11:00:04 UTC"),
    ),
    (
        "time goes before what the listing shows",
        snapshot(data=Data(Batch("titanic", ())), retrain={"paused": True}),
        Wait(at("12:02:00"), "paused"),
    ),
    (
        "paused needs no earlier starts",
        snapshot(PERSON, data=Data(BATCH), retrain={"paused": True}, **NOT_READ),
        Wait(at("12:02:00"), "paused"),
    ),
    (
        "an execution that runs needs no earlier starts",
        snapshot(data=Data(BATCH, running="arn:x/execution/e7"), **NOT_READ),
        Wait(at("12:02:00"), "execution e7 is running"),
    ),
    (
        "the cooldown needs no earlier starts",
        snapshot(
            state=ModelState(pending=(LANDING,), ended_at=at("11:59:00")),
            data=Data(BATCH),
            retrain={"cooldown": "1h"},
            **NOT_READ,
        ),
        Wait(at("12:59:00"), "cooldown until 2026-11-23 12:59:00 UTC"),
    ),
]

BY_LISTING: list[tuple[str, Snapshot, Action]] = [
    (
        "the batch that remains without bad files is refused",
        snapshot(state=REMAINS, data=Data(BATCH)),
        Refuse("bad files were moved to quarantine: land what is missing"),
    ),
    (
        "a person may start the batch that remains",
        snapshot(state=REMAINS.model_copy(update={"pending": (PERSON,)}), data=Data(BATCH)),
        Inspect((TRAIN, VALIDATION)),
    ),
    (
        "a new marker may start the batch that remains",
        snapshot(state=REMAINS.model_copy(update={"remaining_marker": "v0"}), data=Data(BATCH)),
        Inspect((TRAIN, VALIDATION)),
    ),
    (
        "no data",
        snapshot(PERSON, data=Data(Batch("titanic", ()))),
        Refuse("there is no train and no validation data"),
    ),
    (
        "the marker is gone",
        snapshot(data=Data(Batch("titanic", BATCH.objects))),
        Refuse("the marker _SUCCESS is no longer there: land it again"),
    ),
    (
        "a schedule needs no marker",
        snapshot(SCHEDULE, data=Data(Batch("titanic", BATCH.objects))),
        Inspect((TRAIN, VALIDATION)),
    ),
    (
        "half of the next batch has landed",
        snapshot(data=Data(Batch("titanic", (LATE, VALIDATION), MARKER))),
        Wait(
            at("12:02:00"),
            "curated/titanic/train.csv landed after the marker: waiting for the next marker",
        ),
    ),
    (
        "half of the next batch needs no earlier starts",
        snapshot(data=Data(Batch("titanic", (LATE, VALIDATION), MARKER)), **NOT_READ),
        Wait(
            at("12:02:00"),
            "curated/titanic/train.csv landed after the marker: waiting for the next marker",
        ),
    ),
    ("a landing needs the batch's earlier start", snapshot(data=Data(BATCH), **NOT_READ), ReadStarted()),
    (
        "the same bytes need no manifest",
        snapshot(data=Data(BATCH), started_as="e0", previous=None),
        refuse_same("e0"),
    ),
    ("the same bytes landed again", snapshot(data=Data(BATCH), started_as="e0"), refuse_same("e0")),
    (
        "a person may train on the same bytes again",
        snapshot(PERSON, data=Data(BATCH), started_as="e0", previous=(TRAIN, VALIDATION)),
        Inspect(()),
    ),
    (
        "a person beside a landing, too",
        snapshot(LANDING, PERSON, data=Data(BATCH), started_as="e0", previous=(TRAIN, VALIDATION)),
        Inspect(()),
    ),
]

BY_CONTENT: list[tuple[str, Snapshot, Action]] = [
    ("new files need the previous manifest", snapshot(data=Data(BATCH), previous=None), ReadPrevious()),
    (
        "a person's request needs no earlier start of the batch",
        snapshot(PERSON, data=Data(BATCH), **NOT_READ),
        ReadPrevious(),
    ),
    ("all files are new at first", snapshot(data=Data(BATCH)), Inspect((TRAIN, VALIDATION))),
    (
        "only files with other bytes are inspected",
        snapshot(PERSON, data=Data(Batch("titanic", (LATE, VALIDATION))), previous=BATCH.objects),
        Inspect((LATE,)),
    ),
    (
        "a bad file goes to quarantine",
        snapshot(data=Data(BATCH), inspected=(Inspected(TRAIN, ONE_ROW), Inspected(VALIDATION, Fine(3)))),
        Quarantine((BAD,), "quarantined: curated/titanic/train.csv", REMAINING.identity, "v3"),
    ),
    (
        "a bad file goes to quarantine also for a person",
        snapshot(PERSON, data=Data(Batch("titanic", BATCH.objects)), inspected=(Inspected(TRAIN, ONE_ROW),)),
        Quarantine((BAD,), "quarantined: curated/titanic/train.csv", REMAINING.identity, None),
    ),
    (
        "a person starts a batch without new files",
        snapshot(PERSON, data=Data(BATCH), previous=BATCH.objects, inspected=()),
        Take(BATCH),
    ),
    (
        "too few new rows",
        snapshot(data=Data(BATCH), inspected=GOOD, retrain={"min_new_rows": 11}),
        Refuse("about 10 rows in new files, min_new_rows is 11"),
    ),
    (
        "enough new rows",
        snapshot(data=Data(BATCH), inspected=GOOD, retrain={"min_new_rows": 10}),
        Take(BATCH),
    ),
    (
        "a schedule needs no new rows",
        snapshot(SCHEDULE, data=Data(BATCH), inspected=GOOD, retrain={"min_new_rows": 11}),
        Take(BATCH),
    ),
    (
        "rows that cannot be counted are enough",
        snapshot(data=Data(BATCH), inspected=(Inspected(TRAIN, Fine(None)),), retrain={"min_new_rows": 9}),
        Take(BATCH),
    ),
]
ROWS = UNFINISHED + BY_TIME + BY_LISTING + BY_CONTENT


@pytest.mark.parametrize(("snapshot", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_decide_gives_this_action(snapshot: Snapshot, expected: Action) -> None:
    assert decide(snapshot) == expected


def test_decide_quarantines_200_files_at_a_time_and_names_10() -> None:
    files = [DataObject(f"curated/titanic/train/{n:03}.csv", "v", "e", 1) for n in range(201)]
    inspected = tuple(Inspected(file, Problem("empty", "x" * 301)) for file in files)
    found = decide(snapshot(PERSON, data=Data(Batch("titanic", (*files, VALIDATION))), inspected=inspected))
    assert isinstance(found, Quarantine)
    assert len(found.files) == 200
    assert found.files[0].text == "x" * 300
    assert found.reason.endswith("curated/titanic/train/009.csv and 190 more")


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
    ids=["end", "rest", "wait", "wait as before", "refuse", "quarantine"],
)
def test_next_state_after_this_action(state: ModelState, action: Change, expected: ModelState) -> None:
    assert next_state(state, action, NOON) == expected
