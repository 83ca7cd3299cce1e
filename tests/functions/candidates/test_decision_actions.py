"""What follows once a decision is asked for: one row for each situation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from retraining.candidates.decision_actions import (
    Action,
    Adopt,
    Compared,
    MarkDone,
    RefuseChampion,
    Snapshot,
    Stand,
    Standing,
    TryAgain,
    Write,
    next_action,
)
from retraining.facts.candidates import EarlierDecision
from tests.functions.candidates.packages import CHAMPION, a_decision, a_package, at

OURS = a_decision("Approved", "link", 5)
RULES = a_decision("Approved", "rules", 5)
THEIRS = a_decision("Rejected", "slack", 4, who="U1 (ben)")
SHOWN = a_package("Approved", changed=6, decidedAt=at(5).isoformat())
IN_AWS = a_package("Rejected", changed=7, description="by hand", by="eve")
NEWER = a_package("Approved", arn=CHAMPION, created=1, approvedAt=at(3).isoformat())
OLDER = a_package("Approved", arn=CHAMPION, created=-9, approvedAt=at(3).isoformat())


def standing(status: Any, by: str, minutes: float, *, ours: bool, **more: Any) -> Standing:
    return Standing(**{"why": "why", **more}, status=status, by=by, at=at(minutes), ours=ours)


BY_EVE = standing("Rejected", "person", 7, ours=False, who="eve", why="by hand")
SUPERSEDED = standing(
    "Rejected",
    "superseded",
    3,
    ours=False,
    why="a newer version, handsoff-titanic/2, was approved 2026-11-23T12:03:00+00:00",
)


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        pytest.param(Snapshot(OURS, OURS, a_package()), Write(), id="pending"),
        pytest.param(Snapshot(OURS, OURS, SHOWN), MarkDone(), id="written, the mark was lost"),
        pytest.param(
            Snapshot(OURS, a_decision(done_at=at(6)), SHOWN),
            Stand(standing("Approved", "link", 5, ours=True)),
            id="done before",
        ),
        pytest.param(
            Snapshot(OURS, THEIRS, a_package()),
            Stand(standing("Rejected", "slack", 4, ours=False, who="U1 (ben)")),
            id="somebody was first",
        ),
        pytest.param(
            Snapshot(OURS, OURS, IN_AWS), Stand(BY_EVE, give_back=True), id="decided in AWS meanwhile"
        ),
        pytest.param(
            Snapshot(OURS, a_decision(done_at=at(6)), IN_AWS),
            Stand(BY_EVE),
            id="decided in AWS after ours was done",
        ),
        pytest.param(Snapshot(OURS, THEIRS, IN_AWS), Stand(BY_EVE), id="in AWS, and not what was taken"),
        pytest.param(Snapshot(RULES, RULES, IN_AWS), Adopt(), id="the rules, and decided in AWS meanwhile"),
        pytest.param(
            Snapshot(RULES, a_decision("Approved", "rules", done_at=at(6)), IN_AWS),
            Adopt(),
            id="the rules, and decided in AWS after theirs was done",
        ),
        pytest.param(
            Snapshot(RULES, RULES, a_package(), Compared(None)), Write(), id="no champion, as compared"
        ),
        pytest.param(
            Snapshot(RULES, RULES, a_package(), Compared(None), OLDER),
            RefuseChampion(CHAMPION),
            id="a champion came since",
        ),
        pytest.param(
            Snapshot(RULES, RULES, a_package(), Compared(CHAMPION)),
            RefuseChampion(None),
            id="the champion is gone",
        ),
        pytest.param(
            Snapshot(RULES, RULES, a_package(), Compared(CHAMPION), OLDER), Write(), id="same champion"
        ),
        pytest.param(
            Snapshot(OURS, OURS, a_package(), champion=NEWER),
            Stand(SUPERSEDED, give_back=True),
            id="a person approves, and a newer champion is about to supersede",
        ),
        pytest.param(
            Snapshot(OURS, OURS, a_package(), champion=NEWER, beside=CHAMPION),
            Write(),
            id="the newer champion was known to the verdict",
        ),
        pytest.param(Snapshot(OURS, OURS, a_package(), champion=OLDER), Write(), id="the champion is older"),
        pytest.param(
            Snapshot(
                OURS,
                OURS.model_copy(
                    update={
                        "earlier": (EarlierDecision(status="PendingManualApproval", by="person", at=at(4)),)
                    }
                ),
                a_package(),
                champion=NEWER,
            ),
            Write(),
            id="set back after the newer champion was approved",
        ),
        pytest.param(
            Snapshot(OURS, OURS, a_package(), elapsed=timedelta(seconds=46)), TryAgain(), id="too slow"
        ),
        pytest.param(
            Snapshot(OURS, OURS, a_package(), elapsed=timedelta(seconds=45)), Write(), id="just in time"
        ),
        pytest.param(
            Snapshot(a_decision("Rejected"), a_decision("Rejected"), a_package(), elapsed=timedelta(hours=1)),
            Write(),
            id="a rejection needs no lease",
        ),
    ],
)
def test_next_action(seen: Snapshot, action: Action) -> None:
    assert next_action(seen) == action
