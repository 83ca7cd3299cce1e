"""What is recorded of a package: one row for each situation."""

from __future__ import annotations

import pytest

from retraining.candidates.record_actions import (
    NOTHING_SEEN,
    Action,
    Adopt,
    Follow,
    NoteApproval,
    Nothing,
    Restore,
    Seen,
    Witness,
    next_action,
)
from retraining.facts.candidates import DecisionFact
from retraining.facts.package import Package
from tests.functions.candidates.packages import a_decision, a_package, at

OURS = a_decision("Approved", "rules", 5, done_at=at(6))
WRITTEN = a_package("Approved", changed=6, description="why", decidedAt=at(5).isoformat())
SET_BACK = a_package(changed=30, decidedAt=at(5).isoformat())
REJECTED_IN_AWS = a_package("Rejected", changed=20)
BACK = a_decision("PendingManualApproval", "person", 30, done_at=at(31))


@pytest.mark.parametrize(
    ("package", "known", "seen", "action"),
    [
        pytest.param(a_package(), None, NOTHING_SEEN, Nothing(), id="waits"),
        pytest.param(a_package(), a_decision(), NOTHING_SEEN, Nothing(), id="being decided"),
        pytest.param(WRITTEN, OURS, NOTHING_SEEN, Follow(OURS), id="ours is written"),
        pytest.param(
            WRITTEN,
            OURS.model_copy(update={"recorded_at": at(7)}),
            NOTHING_SEEN,
            Nothing(),
            id="recorded before",
        ),
        pytest.param(REJECTED_IN_AWS, None, NOTHING_SEEN, Adopt(), id="decided in AWS"),
        pytest.param(REJECTED_IN_AWS, OURS, NOTHING_SEEN, Adopt(), id="decided anew in AWS"),
        pytest.param(SET_BACK, OURS, NOTHING_SEEN, Adopt(), id="set back in AWS"),
        pytest.param(SET_BACK, BACK, NOTHING_SEEN, Follow(BACK), id="set back and adopted"),
        pytest.param(
            SET_BACK,
            None,
            Seen("Approved", at(10), "eve"),
            Witness("Approved", at(10), "eve"),
            id="only the event is left of a decision",
        ),
        pytest.param(
            WRITTEN,
            OURS,
            Seen("Rejected", at(5.5), "eve"),
            Restore("Rejected", at(5.5), "eve"),
            id="we wrote over a person's decision",
        ),
        pytest.param(
            WRITTEN,
            OURS,
            Seen("Rejected", at(4), "eve"),
            Follow(OURS),
            id="an old event tells of a decision before ours",
        ),
        pytest.param(
            SET_BACK, OURS, Seen("Rejected", at(20), "eve"), Adopt(), id="decided and set back since ours"
        ),
        pytest.param(
            a_package("Rejected", changed=20, decidedAt=at(15).isoformat()),
            a_decision("Rejected", "link", 15),
            Seen("Approved", at(9), "eve"),
            NoteApproval(at(9)),
            id="an approval that was over before what is known",
        ),
        pytest.param(WRITTEN, OURS, Seen("Approved", at(6), None), Follow(OURS), id="our own event"),
    ],
)
def test_next_action(package: Package, known: DecisionFact | None, seen: Seen, action: Action) -> None:
    assert next_action(package, known, seen, at(60)) == action
