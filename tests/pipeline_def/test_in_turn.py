"""Work of several threads, handed on in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from batch import DataObject
from in_turn import in_turn
from job import parse_config
from reading import Landing
from tests.pipeline_def.helpers import SMALL

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Task = Callable[[], Generator[str, None, None]]


def counted(name: str, count: int, made: list[str] | None = None) -> Generator[str, None, None]:
    for number in range(count):
        if made is not None:
            made.append(f"{name}{number}")
        yield f"{name}{number}"


def test_in_turn_gives_results_in_the_order_of_tasks_whatever_ends_first() -> None:
    ended = threading.Event()

    def first() -> Generator[str, None, None]:
        assert ended.wait(10)
        yield "a0"

    def second() -> Generator[str, None, None]:
        ended.set()
        yield "b0"

    tasks: list[Task] = [first, partial(counted, "x", 0), second]
    with closing(in_turn(tasks, threads=3)) as turns:
        assert [[*results] for results in turns] == [["a0"], [], ["b0"]]


def test_in_turn_runs_only_so_many_tasks_and_results_ahead() -> None:
    made: list[str] = []
    tasks = [partial(counted, name, 5, made) for name in "abcd"]
    with closing(in_turn(tasks, threads=2)) as turns:
        first = next(turns)
        assert next(first) == "a0"
        threading.Event().wait(0.3)
        assert sorted(made) == ["a0", "a1", "b0"]
        assert [*first] == ["a1", "a2", "a3", "a4"]
        assert [[*results][-1] for results in turns] == ["b4", "c4", "d4"]


def test_in_turn_raises_the_error_of_a_task_in_its_turn_and_stops_the_others() -> None:
    closed = threading.Event()

    def fails(word: str) -> Generator[str, None, None]:
        yield word
        raise ValueError(word)

    def endless() -> Generator[str, None, None]:
        try:
            while True:
                yield "more"
        finally:
            closed.set()

    found: list[str] = []

    def take() -> None:
        tasks: list[Task] = [partial(counted, "a", 2), partial(fails, "b"), partial(fails, "c"), endless]
        with closing(in_turn(tasks, threads=4)) as turns:
            for results in turns:
                found.extend(results)

    with pytest.raises(ValueError, match=r"\Ab\Z"):
        take()
    assert found == ["a0", "a1", "b"]
    assert closed.is_set()


@pytest.mark.parametrize(
    ("sizes", "free", "processors", "readers"),
    [
        ([5 << 20] * 9, 1 << 40, 4, 4),
        ([5 << 20] * 9, 20 << 20, 4, 2),
        ([5 << 20] * 9, 1 << 20, 4, 1),
        ([1 << 20] * 9, 1 << 40, 4, 16),
        ([5 << 20, 10, 10], 1 << 40, 2, 2),
    ],
)
def test_landing_reads_as_many_files_as_processors_and_disk_allow(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: list[int],
    free: int,
    processors: int,
    readers: int,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    objects = [DataObject(f"k{place}", "1", "e", size) for place, size in enumerate(sizes)]
    landing = Landing(cast("S3Client", None), "b", parse_config(SMALL), objects, tmp_path / "object")
    assert landing.readers() == readers
