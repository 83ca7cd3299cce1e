"""The state of a candidate, from its package and its facts: one row for each situation."""

from __future__ import annotations

import pytest

from retraining.candidates.state import (
    BeingDecided,
    CandidateState,
    Decided,
    Waits,
    before,
    candidate_state,
    said_by,
)
from retraining.facts.candidates import DecisionFact
from retraining.facts.package import Package
from tests.functions.candidates.packages import a_decision, a_package, at

TAKEN = a_decision()
WRITTEN = a_package("Approved", changed=6, decidedAt=at(5).isoformat())
SET_BACK = a_package(changed=30, decidedAt=at(5).isoformat())
IN_AWS = a_package("Rejected", changed=7, description="by hand", by="arn:aws:iam::1:user/eve")
BY_EVE = DecisionFact(status="Rejected", by="person", who="arn:aws:iam::1:user/eve", why="by hand", at=at(7))
RESTORED = a_package(
    "Rejected",
    changed=8,
    description="given back",
    by="handsoff",
    decidedBy="person",
    decidedWho="eve",
    decidedAt=at(5.5).isoformat(),
    givenBack="Rejected",
)
OURS = a_decision("Approved", "rules", 5, done_at=at(6))
BY_EVE_BEFORE = DecisionFact(status="Rejected", by="person", who="eve", why="given back", at=at(5.5))
RECORDED_SET_BACK = a_decision("PendingManualApproval", "person", 30)


@pytest.mark.parametrize(
    ("package", "decision", "state"),
    [
        pytest.param(a_package(), None, Waits(), id="registered"),
        pytest.param(a_package(), TAKEN, BeingDecided(TAKEN), id="decision taken, not written"),
        pytest.param(
            a_package(),
            a_decision(done_at=at(59)),
            BeingDecided(a_decision(done_at=at(59))),
            id="package read a moment before the decision was written",
        ),
        pytest.param(WRITTEN, TAKEN, Decided(TAKEN), id="decision written"),
        pytest.param(IN_AWS, None, Decided(BY_EVE), id="decided in AWS, not recorded"),
        pytest.param(IN_AWS, TAKEN, Decided(BY_EVE), id="decided in AWS while ours was taken"),
        pytest.param(RESTORED, OURS, Decided(BY_EVE_BEFORE), id="restored, not recorded"),
        pytest.param(SET_BACK, TAKEN, Waits(at(30)), id="set back, not recorded"),
        pytest.param(
            a_package(changed=31),
            a_decision(done_at=at(6)),
            Waits(at(31)),
            id="set back and its metadata wiped",
        ),
        pytest.param(
            SET_BACK,
            RECORDED_SET_BACK,
            Waits(at(30)),
            id="set back and recorded",
        ),
    ],
)
def test_candidate_state(package: Package, decision: DecisionFact | None, state: CandidateState) -> None:
    assert candidate_state(package, decision, at(60)) == state


@pytest.mark.parametrize(("seconds", "earlier"), [(-1, True), (0, False), (0.4, False), (1, False)])
def test_before_compares_whole_seconds(seconds: float, earlier: bool) -> None:
    assert before(at(0 + seconds / 60), at(0.9 / 60)) is earlier


def test_before_no_moment_is_false() -> None:
    assert before(at(0), None) is False


@pytest.mark.parametrize(
    ("by", "who", "text"),
    [
        ("rules", None, "by rules"),
        ("superseded", None, "as a newer one was approved"),
        ("expired", None, "as nobody decided"),
        ("link", "Ana", "by Ana (link)"),
        ("slack", None, "by a person (slack)"),
        ("person", "arn:aws:iam::1:user/eve", "by arn:aws:iam::1:user/eve (in AWS)"),
    ],
)
def test_said_by(by: str, who: str | None, text: str) -> None:
    assert said_by(by, who) == text
