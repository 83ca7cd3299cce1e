"""A model's state stays well below the 400 KB of an item of DynamoDB, whatever keys and requests hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retraining.facts.model_state import MAX_PENDING, BeforeStart, ModelState
from retraining.facts.starts import BadFile, InspectedSoFar, Start, StartRequest, within_limits
from retraining.starts import checkpoints
from retraining.starts.actions import Quarantine
from retraining.starts.admission import _by_content, next_state
from retraining.starts.batches import Batch, DataObject
from retraining.starts.inspection import Problem, inspect
from retraining.starts.requests import MAX_REQUESTED_BY
from retraining.starts.snapshot import Inspected, Snapshot
from retraining.text import cut
from tests.functions.fakes import START
from tests.functions.models import Models
from tests.functions.starts.blocked import MODEL, asks, state
from tests.functions.starts.one_model import BEGIN, OneModel

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


def stored_bytes(value: Any) -> int:
    """The size of a value in DynamoDB's measure ("DynamoDB item sizes and formats"), rounded up."""
    if isinstance(value, dict):
        return 3 + sum(1 + len(name.encode()) + stored_bytes(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return 3 + sum(1 + stored_bytes(item) for item in value)
    return len(value.encode()) if isinstance(value, str) else 21


def requests_of(kind: str) -> tuple[StartRequest, ...]:
    """As many requests as may be pending, each as long as a message may make it."""
    cause, asker = "欄" * 124, cut("欄" * 512, MAX_REQUESTED_BY)
    at = datetime(2026, 11, 23, 6, 0, 0, 123456, tzinfo=UTC)
    state = ModelState()
    for number in range(200):
        request = StartRequest(
            cause=f"{kind}{number:03}{cause}", trigger="request", requested_by=asker, at=at
        )
        state = state.requested(request)
    landing = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=at)
    return state.requested(landing).pending


def test_largest_state_fits_into_its_item() -> None:
    """Bad files with the longest keys, names and texts, and the most requests, fill less than 300 KB."""
    files = [
        DataObject(f"curated/titanic/train/{n:04}" + "欄" * 331 + ".csv", "v" * 32, "e" * 38, 10**12)
        for n in range(60)
    ]
    assert max(len(file.key.encode()) for file in files) == 1_023
    body = ("欄" * 40_000 + ",b\n1,2\n").encode()
    world = OneModel()
    result = inspect(body, len(body), "a.csv", world.config)
    assert isinstance(result, Problem)
    begun = Start(key="k" * 64, batch="b" * 64, champion="c" * 256, requests=requests_of("a"), taken_at=BEGIN)
    state = ModelState(
        pending=requests_of("b"),
        running=begun.model_copy(update={"execution_arn": "a" * 256}),
        starts=tuple(BEGIN + timedelta(microseconds=n) for n in range(1_000)),
        last_batch="b" * 64,
    )
    batch = Batch("titanic", tuple(files))
    found = _by_content(
        Snapshot(
            model="titanic",
            state=state,
            version=1,
            config=world.config,
            now=BEGIN,
            batch=batch,
            previous=(),
            inspected=tuple(Inspected(file, result) for file in files),
        ),
        batch,
    )
    assert isinstance(found, Quarantine)
    worst = next_state(state, found, BEGIN).model_copy(update={"pending": state.pending})
    assert len(worst.bad_files) == 50
    assert len(worst.pending) == len(begun.requests) == 51
    assert 150_000 < stored_bytes(worst.model_dump(mode="json", by_alias=True)) < 300_000
