"""Many files are inspected in parts. Whatever ends an invocation, no part is read twice."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from retraining.facts.model_state import ModelState
from retraining.facts.starts import StartRequest
from retraining.starts import checkpoints, checksums, starting
from tests.functions.models import HEADER, ROWS, Models

MODEL = "ant"
BAD = b"a,b\n1,2\n"


class Slow(Models):
    """Each file takes a second to read; counts how often each was read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: Counter[str] = Counter()
        self.seconds = 1.0

    def __getattr__(self, name: str) -> Any:
        if name == "head_object":  # asks for a checksum, and reads no file
            return self.world.s3._inner.head_object  # type: ignore[attr-defined]
        return super().__getattr__(name)

    def spend(self, key: str) -> None:
        if key.endswith(".csv"):
            self.read[key.rsplit("/", 1)[-1]] += 1
            self.now += timedelta(seconds=self.seconds)

    def files(self, first: int, last: int, body: bytes = HEADER + ROWS) -> None:
        for number in range(first, last):
            self.put(MODEL, f"train/{number:03}.csv", body)

    def mark(self) -> None:
        self.deliver(self.put(MODEL, "_SUCCESS", b""))

    def state(self) -> ModelState:
        return self.using().states.load(MODEL)[0]

    def minute(self) -> None:
        self.now = self.now.replace(second=0) + timedelta(minutes=1)
        self.sweep()


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Parts of 20 files, one reader: a landing has time for 3 to 4 parts, a sweep for 3."""
    monkeypatch.setattr(checkpoints, "PART", 20)
    monkeypatch.setattr("retraining.starts.bucket.READERS", 1)
    return Slow()


def test_inspection_goes_on_where_the_last_invocation_ended(models: Slow) -> None:
    models.put(MODEL, "validation.csv")
    models.files(0, 159)
    models.mark()
    done = [models.state().inspected_so_far]
    assert models.started() == []
    while not models.started():
        models.minute()
        done.append(models.state().inspected_so_far)
    assert [one.done if one else None for one in done] == [
        60,
        80,
        140,
        None,
    ]  # a sweep gives its last turn the most time
    assert set(models.read.values()) == {1}
    assert len(models.read) == 160


@pytest.mark.slow
def test_inspection_in_progress_is_told_in_the_state_and_to_nobody(models: Slow) -> None:
    models.put(MODEL, "validation.csv")
    models.files(0, 700)
    models.mark()
    for _ in range(5):
        models.minute()
    blocked = models.state().blocked
    assert blocked is not None
    assert blocked.reason == "320 of 701 new files are inspected; the next sweep goes on"
    for _ in range(8):
        models.minute()
    assert models.started() == [MODEL]
    assert models.world.messages() == []


def test_files_that_land_behind_the_inspected_ones_are_inspected_in_addition(models: Slow) -> None:
    models.put(MODEL, "validation.csv")
    models.files(0, 100)
    models.mark()
    models.files(100, 120)
    models.mark()
    while not models.started():
        models.minute()
    assert set(models.read.values()) == {1}
    assert len(models.read) == 121


def test_file_that_lands_among_the_inspected_ones_begins_the_inspection_anew(models: Slow) -> None:
    models.put(MODEL, "validation.csv")
    models.files(0, 100)
    models.mark()
    models.put(MODEL, "train/000a.csv")
    models.seconds = 0
    models.mark()
    assert models.started() == [MODEL]
    assert models.read["000.csv"] == 2


def test_other_configuration_begins_the_inspection_anew(models: Slow) -> None:
    models.put(MODEL, "validation.csv")
    models.files(0, 100)
    models.mark()
    config = models.world.configs.known[MODEL]
    features = config.features.model_copy(update={"numeric": ("age",)})
    models.world.configs.known[MODEL] = config.model_copy(update={"features": features})
    models.seconds = 0
    models.minute()
    assert models.started() == [MODEL]
    assert models.read["000.csv"] == 2


def test_bad_files_of_all_parts_are_told_together(models: Slow) -> None:
    models.put(MODEL, "validation.csv")
    models.files(0, 130)
    models.put(MODEL, "train/003.csv", BAD)
    models.put(MODEL, "train/110.csv", BAD)
    models.mark()
    for _ in range(3):
        models.minute()
    (told,) = models.world.messages()
    assert [reason.split(":")[0] for reason in told["reasons"]] == [
        "curated/ant/train/003.csv",
        "curated/ant/train/110.csv",
    ]
    assert models.state().inspected_so_far is None


def test_no_file_is_read_behind_the_fiftieth_bad_one(models: Slow) -> None:
    models.put(MODEL, "validation.csv")
    models.files(0, 300, BAD)
    models.seconds = 0
    models.mark()
    assert 50 <= len(models.read) <= 60


def test_rows_of_all_parts_count_for_min_new_rows(models: Slow) -> None:
    config = models.world.configs.known[MODEL]
    for needed, started in ((203, []), (202, [MODEL])):
        retrain = config.retrain.model_copy(update={"min_new_rows": needed})
        models.world.configs.known[MODEL] = config.model_copy(update={"retrain": retrain})
        models.put(MODEL, "validation.csv")
        models.files(0, 100)
        models.mark()
        for _ in range(3):
            models.minute()
        assert models.started() == started
        models.now += timedelta(minutes=1)


def test_few_files_write_no_checkpoint(models: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(ModelState, "inspecting", lambda *given: kept.append(given))
    models.put(MODEL, "validation.csv")
    models.files(0, 19)
    models.mark()
    assert models.started() == [MODEL]
    assert kept == []


def test_files_of_much_text_are_inspected_in_smaller_parts(
    models: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 131 files 256 KB of text are read each: 64 of them are 16 MB."""
    monkeypatch.setattr(checkpoints, "PART", 1000)
    models.put(MODEL, "validation.csv")
    models.files(0, 130)
    models.mark()
    done = [models.state().inspected_so_far]
    while not models.started():
        models.minute()
        done.append(models.state().inspected_so_far)
    assert [one.done if one else None for one in done] == [64, 128, None]
    assert set(models.read.values()) == {1}


def test_landing_in_the_middle_of_an_inspection_is_not_lost(models: Slow) -> None:
    """The state changes under the inspection: it is decided again, over the newer batch."""
    models.seconds = 0
    models.put(MODEL, "validation.csv")
    models.files(0, 100)
    original, landed = models.spend, list[str]()

    def spend(key: str) -> None:
        original(key)
        if key.endswith("050.csv") and not landed:
            landed.append(key)
            models.files(200, 210)
            models.now += timedelta(seconds=2)
            models.put(MODEL, "_SUCCESS", b"")
            request = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=models.now)
            starting.note(MODEL, [request], models.using())

    models.spend = spend  # type: ignore[method-assign]
    models.mark()
    assert models.started() == [MODEL]
    assert len(models.read) == 111
    assert models.state().landings == 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "retraining.starts.batches.MAX_OBJECTS",
            "the batch below curated/ant/ has 31 files, at most 30 are read: land fewer and larger files",
        ),
        (
            "retraining.starts.bucket.MAX_ENTRIES",
            "more than 500,000 versions and delete markers lie below curated/ant/: let old versions expire, "
            "or land fewer and larger files",
        ),
    ],
)
def test_batch_that_is_too_large_is_refused_in_words_and_told_once(
    models: Slow, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.setattr(name, 30)
    models.put(MODEL, "validation.csv")
    models.files(0, 30)
    models.mark()
    for _ in range(3):
        models.minute()
    assert models.state().reason == reason
    assert [message["reasons"] for message in models.world.messages()] == [[reason]]
    assert models.read == {}


class SlowHeads(Slow):
    """Each request for a checksum takes half a second, reading a file nothing; counts the requests."""

    def __getattr__(self, name: str) -> Any:
        if name != "head_object":
            return super().__getattr__(name)
        inner = self.world.s3._inner.head_object  # type: ignore[attr-defined]

        def head(**call: Any) -> Any:
            if "ChecksumMode" in call:
                self.read[call["Key"].rsplit("/", 1)[-1]] += 1
                self.now += timedelta(seconds=0.5)
            return inner(**call)

        return head

    def spend(self, key: str) -> None:
        """Reading a file takes no time."""


def test_checksums_go_on_where_the_last_invocation_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "PART", 20)
    monkeypatch.setattr(checksums, "READERS", 1)
    models = SlowHeads()
    models.put(MODEL, "validation.csv")
    models.files(0, 700)
    models.mark()
    done = [len(models.read)]
    while not models.started():
        models.minute()
        done.append(len(models.read))
    assert done[-1] == 701
    assert all(later > earlier for earlier, later in pairwise(done))
    assert len(done) <= 10
    assert set(models.read.values()) == {1}
    assert models.world.messages() == []
