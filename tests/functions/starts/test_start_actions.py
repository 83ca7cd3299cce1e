"""What `decide` does about a model's starts: one literal row for each snapshot and its action.

Each snapshot is the usual one of snapshots.py, but for what the row names.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from retraining.facts.model_state import ModelState
from retraining.starts.actions import (
    Action,
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
from retraining.starts.admission import decide
from retraining.starts.batches import Batch, DataObject, Ignored
from retraining.starts.inspection import Fine, Problem
from retraining.starts.snapshot import Inspected, Running, Snapshot
from tests.functions.starts.snapshots import (
    ANSWERED,
    BAD,
    BATCH,
    CHANGED,
    COVERED,
    GOOD,
    LANDING,
    MADE,
    MARKER,
    NEXT_MARKER,
    NOT_READ,
    ONE_ROW,
    PERSON,
    REMAINING,
    REMAINS,
    SCHEDULE,
    TAKEN,
    TRAIN,
    UNREAD,
    VALIDATION,
    at,
    snapshot,
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
    ("then it needs the batch", snapshot()._replace(running=Running(None)), ReadBatch()),
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
    (
        "files in quarantine are looked for before a start",
        snapshot(batch=BATCH, inspected=GOOD, in_quarantine=None),
        ReadInQuarantine(BATCH),
    ),
    (
        "a start names files in quarantine",
        snapshot(batch=BATCH, inspected=GOOD, in_quarantine=("quarantine/titanic/a.csv",)),
        Take(
            Batch(
                "titanic",
                (TRAIN, VALIDATION),
                MARKER,
                ignored=(Ignored("quarantine/titanic/a.csv", "quarantined"),),
                ignored_count=1,
            )
        ),
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
