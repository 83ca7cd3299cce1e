"""Items that version 0.1 stored are read, and written again under today's names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from retraining.aws.ledger import Ledger
from retraining.aws.model_states import ModelStates
from retraining.facts import keys
from retraining.facts.model_state import ModelState
from retraining.facts.starts import BadFile, Start, StartRequest
from tests.functions.memory import MemoryItems

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WISH: dict[str, Any] = {
    "cause": "request-1",
    "trigger": "request",
    "requested_by": "arn:x",
    "at": "2026-11-23T12:00:00Z",
}
REQUEST = StartRequest(cause="request-1", trigger="request", requested_by="arn:x", at=NOON)
BAD_FILE: dict[str, Any] = {
    "key": "curated/titanic/train.csv",
    "version_id": "v1",
    "etag": "aa",
    "size": 3,
    "kind": "one_row",
    "text": "the file has one row only",
    "row": None,
    "column": None,
}
STATE_OF_0_1: dict[str, Any] = {
    "waiting": [WISH],
    "running": {
        "key": "k",
        "batch": "b2",
        "champion": "none",
        "wishes": [WISH],
        "taken_at": "2026-11-23T12:00:00Z",
        "execution_arn": None,
    },
    "batch": "b1",
    "ended_at": "2026-11-23T12:00:00Z",
    "starts": ["2026-11-23T12:00:00Z"],
    "due_at": None,
    "answer": "refuse",
    "reason": "quarantined: curated/titanic/train.csv",
    "answered_at": "2026-11-23T12:00:00Z",
    "landings": 3,
    "bad": [BAD_FILE],
    "remainder": "b3",
    "remainder_marker": "v2",
}


def test_model_states_load_reads_what_version_0_1_stored() -> None:
    items = MemoryItems()
    items.mark("model#titanic", {"version": 7, "state": STATE_OF_0_1})
    states = ModelStates(Ledger(items))
    expected = ModelState(
        pending=(REQUEST,),
        running=Start(key="k", batch="b2", champion="none", requests=(REQUEST,), taken_at=NOON),
        last_batch="b1",
        ended_at=NOON,
        starts=(NOON,),
        answer="refuse",
        reason="quarantined: curated/titanic/train.csv",
        answered_at=NOON,
        landings=3,
        bad_files=(
            BadFile(
                key="curated/titanic/train.csv",
                version_id="v1",
                etag="aa",
                size=3,
                kind="one_row",
                text="the file has one row only",
            ),
        ),
        remaining_batch="b3",
        remaining_marker="v2",
    )
    assert states.load("titanic") == (expected, 7)
    assert states.swap("titanic", expected, 7)
    assert states.load("titanic") == (expected, 8)
    stored = items.facts["model#titanic"]["state"]
    assert not stored.keys() & {"waiting", "batch", "bad", "remainder", "remainder_marker"}
    assert stored["pending"][0]["cause"] == "request-1"
    assert stored["badFiles"][0]["versionId"] == "v1"


def test_ledger_get_reads_starts_and_executions_of_version_0_1() -> None:
    items = MemoryItems()
    fact: dict[str, Any] = {
        "model": "titanic",
        "batch": "b",
        "cause": "request-1",
        "trigger": "request",
        "requestedBy": "arn:x",
        "wishes": [WISH],
    }
    items.mark("start#k", {**fact, "champion": "none", "executionArn": "arn:e"})
    items.mark("execution#arn:e", {**fact, "startKey": "k"})
    ledger = Ledger(items)
    start, execution = ledger.get(keys.start("k")), ledger.get(keys.execution("arn:e"))
    assert start is not None
    assert execution is not None
    assert start.requests == execution.requests == (REQUEST,)
    ledger.mark(keys.execution("arn:e"), requests=(REQUEST, REQUEST))
    written = ledger.get(keys.execution("arn:e"))
    assert written is not None
    assert written.requests == (REQUEST, REQUEST)


def test_what_a_newer_version_stored_is_kept_by_a_writer_that_does_not_know_it() -> None:
    items = MemoryItems()
    states, ledger = ModelStates(Ledger(items)), Ledger(items)
    request = {"cause": "landing", "trigger": "landing", "requestedBy": "s3", "at": NOON.isoformat()}
    state = {
        "pending": [{**request, "seenLater": "v9"}],
        "running": {
            "key": "k",
            "batch": "b",
            "champion": "none",
            "requests": [request],
            "takenAt": NOON.isoformat(),
            "capacity": {"waits": 2},
        },
        "knownLater": "v8",
    }
    items.mark("model#titanic", {"version": 7, "state": state, "lease": "new"})
    states.change("titanic", lambda state: state.waits(NOON, "paused", NOON))
    stored = items.facts["model#titanic"]
    assert (stored["version"], stored["lease"], stored["state"]["reason"]) == (8, "new", "paused")
    assert stored["state"]["knownLater"] == "v8"
    assert stored["state"]["pending"][0]["seenLater"] == "v9"
    assert stored["state"]["running"]["capacity"] == {"waits": 2}
    items.mark("decision#p", {"status": "Approved", "by": "rules", "at": NOON.isoformat(), "signedBy": "x"})
    decision = ledger.get(keys.decision("p"))
    assert decision is not None
    assert ledger.replace(
        keys.decision("p"), decision.model_copy(update={"done_at": NOON}), where={"at": NOON}
    )
    assert items.facts["decision#p"]["signedBy"] == "x"
