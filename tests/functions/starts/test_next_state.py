"""The state of a model after each action, and the marker that it notes as answered."""

from __future__ import annotations

import pytest

from retraining.facts.model_state import ModelState
from retraining.facts.starts import Marker
from retraining.starts.actions import (
    Action,
    Change,
    End,
    Forget,
    MoveBadFiles,
    Quarantine,
    Refuse,
    Rest,
    Take,
    Wait,
)
from retraining.starts.admission import answered, next_state
from retraining.starts.batches import Batch
from tests.functions.starts.snapshots import (
    BAD,
    BATCH,
    LANDING,
    MADE,
    NOON,
    PERSON,
    TRAIN,
    VALIDATION,
    at,
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
