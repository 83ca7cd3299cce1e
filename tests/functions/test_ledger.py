"""Facts are taken once, states only go forward, claims pass on from the dead."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from retraining.errors import NotReady

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
LEASE = timedelta(seconds=90)


def test_a_fact_is_taken_once_and_keeps_what_was_taken(world: Any) -> None:
    ledger = world.ledger
    assert ledger.take("start#1", {"batch": "a", "parts": ["x", 1.5], "none": None}) is None
    assert ledger.take("start#1", {"batch": "b"}) == {"fact": "start#1", "batch": "a", "parts": ["x", 1.5]}
    ledger.mark("start#1", {"executionArn": "arn"})
    assert ledger.get("start#1") == {
        "fact": "start#1",
        "batch": "a",
        "parts": ["x", 1.5],
        "executionArn": "arn",
    }
    assert ledger.get("start#2") is None


def test_states_in_any_order_and_number_end_in_the_newest(world: Any) -> None:
    states = [
        ("1", "Executing", False),
        ("2", "Executing", False),
        ("3", "Failed", True),
        ("4", "Executing", False),  # a retry of the failed execution
        ("5", "Succeeded", True),
    ]
    for seed in range(20):
        seen = states * 2
        random.Random(seed).shuffle(seen)
        for version, status, final in seen:
            world.ledger.advance(f"execution#{seed}", {"status": status}, version=version, final=final)
        assert world.ledger.get(f"execution#{seed}")["status"] == "Succeeded"


def test_at_the_same_version_a_final_state_stays(world: Any) -> None:
    ledger = world.ledger
    assert ledger.advance("execution#1", {"status": "Executing"}, version="1", final=False)
    assert ledger.advance("execution#1", {"status": "Failed"}, version="1", final=True)
    assert not ledger.advance("execution#1", {"status": "Executing"}, version="1", final=False)
    assert ledger.get("execution#1")["status"] == "Failed"


def test_a_claim_is_held_done_or_passed_on(world: Any) -> None:
    ledger = world.ledger
    assert ledger.claim("notification#1", now=NOW, lease=LEASE)
    with pytest.raises(NotReady, match="another invocation"):
        ledger.claim("notification#1", now=NOW + LEASE, lease=LEASE)
    assert ledger.claim("notification#1", now=NOW + LEASE + timedelta(seconds=1), lease=LEASE)
    ledger.done("notification#1", now=NOW)
    assert not ledger.claim("notification#1", now=NOW + timedelta(days=1), lease=LEASE)


def test_a_claim_given_back_is_free(world: Any) -> None:
    ledger = world.ledger
    assert ledger.claim("notification#1", now=NOW, lease=LEASE)
    ledger.release("notification#1")
    assert ledger.claim("notification#1", now=NOW, lease=LEASE)
