"""What `handsoff status` says of a start that has not happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from handsoff.showing.console import moment
from handsoff.showing.models import pending_or_refused
from retraining.facts.model_state import ModelState
from retraining.facts.starts import Blocked, Start, StartRequest

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LANDING = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=NOON)
TAKEN = Start(key="k", batch="b", champion="none", requests=(LANDING,), taken_at=NOON)
BLOCKED = Blocked(
    reason="no pipeline [x]", since=NOON, until=NOON + timedelta(hours=1), tries=7, refused=True
)


@pytest.mark.parametrize(
    "state",
    [ModelState(running=TAKEN, blocked=BLOCKED), ModelState(pending=(LANDING,), blocked=BLOCKED)],
    ids=["taken", "pending"],
)
def test_pending_or_refused_of_a_blocked_start_says_why_since_when_and_when_next(state: ModelState) -> None:
    assert pending_or_refused(state, NOON) == (
        f"[red]blocked since {moment(NOON)}:[/] no pipeline \\[x]; "
        f"next try within a minute of {moment(NOON + timedelta(hours=1))}"
    )


def test_pending_or_refused_of_a_start_that_is_being_made_is_none() -> None:
    assert pending_or_refused(ModelState(running=TAKEN), NOON) is None
