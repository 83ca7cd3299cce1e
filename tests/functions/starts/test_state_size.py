"""A model's state stays well below the 400 KB of an item of DynamoDB, whatever keys and requests hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from retraining.facts.model_state import MAX_PENDING, BeforeStart, ModelState
from retraining.facts.starts import BadFile, InspectedSoFar, Start, StartRequest, within_limits
from retraining.starts import checkpoints
from tests.functions.fakes import START
from tests.functions.models import Models
from tests.functions.starts.test_blocked_starts import MODEL, asks, state

LIMIT = 300_000
CONTROL = "\x01"
"""A character of six bytes in JSON."""


class Sizes:
    """The bytes of the largest item that was written."""

    def __init__(self, models: Models) -> None:
        self.largest = 0
        self._table: Any = models.world.table
        self._write = models.world.table.update_item
        models.world.table.update_item = self  # type: ignore[method-assign]

    def __call__(self, **call: Any) -> Any:
        answer = self._write(**call)
        item = self._table.items[call["Key"]["fact"]]
        self.largest = max(self.largest, sum(len(f"{name}{value}".encode()) for name, value in item.items()))
        return answer


def requests(first: int) -> tuple[StartRequest, ...]:
    return tuple(
        StartRequest(
            cause=CONTROL * 120 + f"{first + number:08}",
            trigger="request",
            requested_by='"' * 512,
            at=START + timedelta(microseconds=1),
        )
        for number in range(MAX_PENDING)
    )


def bad_files(count: int) -> tuple[BadFile, ...]:
    return tuple(
        BadFile(
            key=f"curated/ant/train/{number:04}" + CONTROL * 1000,
            version_id="x" * 32,
            etag="e" * 32,
            size=1,
            kind="missing_column",
            text='"' * 300,
            column="c" * 80,
        )
        for number in range(count)
    )


def test_within_limits_keeps_fifty_short_files_and_some_long_ones() -> None:
    short = BadFile(key="k", version_id="v", etag="e", size=1, kind="empty", text="the file is empty")
    assert len(within_limits([short] * 60)) == 50
    assert len(within_limits(bad_files(60))) == 11
    assert within_limits([]) == ()


def test_state_with_a_checkpoint_and_all_requests_stays_small() -> None:
    models = Models()
    sizes = Sizes(models)
    taken = Start(key="k" * 64, batch="b" * 64, champion="a" * 200, requests=requests(0), taken_at=START)
    refused = ModelState(running=taken, before_start=BeforeStart(), pending=requests(50))
    given_up = refused.failed("x" * 400, START, refused="k" * 64)
    assert len(given_up.pending) == 100
    so_far = InspectedSoFar(digest="d" * 64, done=2000, bad=within_limits(bad_files(50)))
    assert models.using().states.swap(MODEL, given_up.inspecting(so_far), 0)
    assert 200_000 < sizes.largest < LIMIT


@pytest.mark.parametrize("part", [10, 1000], ids=["in parts", "at once"])
def test_state_of_a_model_whose_bad_files_have_long_keys_stays_small(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PART", part)
    models = Models()
    sizes = Sizes(models)
    for number in range(50):
        models.put(MODEL, f"train/{number:02}" + CONTROL * 980 + ".csv", b"nonsense")
    models.put(MODEL, "validation.csv")
    asks(models, "r1")
    models.deliver(models.put(MODEL, "_SUCCESS", b""))
    moved = models.world.s3._inner.versions  # type: ignore[attr-defined]
    assert len([key for key in moved if key.startswith("quarantine/") and key.endswith(".json")]) >= 8
    assert sizes.largest < 100_000
    reason = state(models).reason
    assert reason is not None
    assert len(reason) < 3000
