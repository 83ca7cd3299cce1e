"""Few rows in one part are no fault: rows are judged over the split."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from retraining.starts import bucket, checkpoints
from retraining.starts.batches import DataObject
from retraining.starts.inspection import Fine, Problem, head_bytes
from tests.functions.fakes import START
from tests.functions.memory import MemoryS3
from tests.functions.models import HEADER, ROWS, Models
from tests.functions.starts.looking import model
from tests.functions.starts.one_model import OneModel

MODEL = "ant"
ROW = ROWS.splitlines(keepends=True)[0]


def deliver(models: Models, files: dict[str, bytes]) -> None:
    for name, body in files.items():
        models.put(MODEL, name, body)
    models.deliver(models.put(MODEL, "_SUCCESS", b""))


def test_parts_with_one_row_a_header_or_nothing_start(models: Models) -> None:
    parts = {f"train/part-{number:03}.csv": HEADER + ROW for number in range(300)}
    parts |= {"train/header.csv": HEADER, "train/nothing.csv": b"", "train/line.csv": b"\n"}
    deliver(models, {**parts, "validation/one.csv": HEADER + ROW, "validation/empty.csv": HEADER})
    assert models.started() == [MODEL]
    assert models.world.messages() == []


@pytest.mark.parametrize("part", [1000, 2], ids=["in one part", "in parts of two files"])
@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"validation/a.csv": HEADER, "validation/b.csv": b""}, "validation"),
        ({"train/a.csv": HEADER, "train/b.csv": b"\n", "train/c.csv": b"", "train/d.csv": b""}, "train"),
        ({"train.csv": b"", "validation.csv": HEADER}, "train and the validation"),
    ],
)
def test_split_without_any_row_is_refused_in_words_and_told_once(
    models: Models, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], splits: str, part: int
) -> None:
    monkeypatch.setattr(checkpoints, "PART", part)
    good = [split for split in ("train", "validation") if split not in splits]
    others = {f"{split}/z{number}.csv": HEADER + ROW for split in good for number in range(3)}
    deliver(models, {**files, **others})
    for _ in range(3):
        models.now += timedelta(minutes=1)
        models.sweep()
    assert models.started() == []
    state, _ = models.using().states.load(MODEL)
    said = f"there are no rows in the {splits} data: its new files hold a header at most; land rows"
    assert state.reason == said
    assert [message["reasons"] for message in models.world.messages()] == [[said]]
    deliver(models, {"train/more.csv": HEADER + ROW, "validation/more.csv": HEADER + ROW})
    assert models.started() == [MODEL]


def test_part_without_rows_beside_files_of_the_last_batch_starts() -> None:
    world = OneModel()
    world.land("train.csv", HEADER + ROWS)
    world.land("validation.csv", HEADER + ROWS)
    world.mark()
    world.end_all(noticed=True)
    world.now += timedelta(minutes=2)
    world.land("train/more.csv", HEADER)
    world.land("validation/more.csv", b"")
    world.mark()
    assert len(world.started()) == 2


# ---- heads that are too short ----------------------------------------------------------------------------


class Ranges(MemoryS3):
    """Keeps which bytes were asked for."""

    def __init__(self) -> None:
        super().__init__(lambda: START)
        self.asked: list[str] = []

    def get_object(self, **given: Any) -> Any:
        self.asked.append(given["Range"])
        return super().get_object(**given)


def inspected(body: bytes, length: int) -> tuple[Problem | Fine, list[str]]:
    s3 = Ranges()
    s3.put_object(Key="curated/m/train/p", Body=body)
    version = s3.versions["curated/m/train/p"][0][0]
    file = DataObject("curated/m/train/p", version, "e", len(body))
    (found,) = bucket.inspect_files(cast("Any", s3), "data", [file], model(), length)
    return found, s3.asked


def test_head_that_a_header_does_not_fit_is_read_again() -> None:
    """Of 10,000 parts the first 8 KB are read: a header of 9 KB does not fit."""
    header = b"x,c,b,y," + b",".join(b"column_%04d" % number for number in range(750))
    body = header + b"\n" + b"1,a,t,0" + b"," * 750 + b"\n"
    assert 9_000 < len(header) < 9_100
    found, asked = inspected(body * 1 + b"1,a,t,0" + b"," * 750 + b"\n", head_bytes(10_000))
    assert found == Fine(2)
    assert asked == ["bytes=0-8191", "bytes=0-65535"]


def test_head_is_read_three_times_more_at_most() -> None:
    found, asked = inspected(b"x," * 4_000_000, head_bytes(10_000))
    assert isinstance(found, Problem)
    assert found.kind == "too_wide"
    assert asked == ["bytes=0-8191", "bytes=0-65535", "bytes=0-524287", "bytes=0-1048575"]
    found, asked = inspected(b"x," * 100_000, head_bytes(1))
    assert isinstance(found, Problem)
    assert asked == ["bytes=0-262143"]


def test_parquet_is_known_by_its_first_bytes_and_read_at_both_ends() -> None:
    body = b"PAR1" + b"x" * 20_000 + (4).to_bytes(4, "little") + b"PAR1"
    assert inspected(body, 8_192) == (Fine(None), ["bytes=0-8191", "bytes=-8"])
    assert inspected(b"", 8_192) == (Fine(0), [])
