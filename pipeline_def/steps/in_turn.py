"""Work of several threads, whose results are handed on in the order of the tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from queue import SimpleQueue
from threading import Event, Semaphore
from typing import Final, Generic, TypeVar

T = TypeVar("T")

AHEAD: Final = 1
"""Results of a task that wait, or are being made, while an earlier one is used."""


def in_turn(
    tasks: Iterable[Callable[[], Generator[T, None, None]]], threads: int
) -> Generator[Iterator[T], None, None]:
    """The results of each task, task by task. Take all of one before the next one, and close it.

    So many tasks run at a time, each AHEAD results ahead. An error of a task is raised in its turn, after the
    results before it.
    """
    stopped, left = Event(), iter(tasks)
    running: deque[_Run[T]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            running.extend(_Run(pool, task, stopped) for task in islice(left, threads))
            while running:
                yield running[0].results()
                running.popleft()
                running.extend(_Run(pool, task, stopped) for task in islice(left, 1))
        finally:
            stopped.set()
            for run in running:
                run.look()


class _Run(Generic[T]):
    """A task that a thread runs. None says that there are no more results."""

    def __init__(
        self, pool: ThreadPoolExecutor, task: Callable[[], Generator[T, None, None]], stopped: Event
    ) -> None:
        self._waiting: SimpleQueue[tuple[T] | Exception | None] = SimpleQueue()
        self._room = Semaphore(AHEAD)
        self._stopped = stopped
        pool.submit(self._run, task)

    def results(self) -> Iterator[T]:
        """The results, and then the error if there was one."""
        while (found := self._waiting.get()) is not None:
            if isinstance(found, Exception):
                raise found
            self._room.release()
            yield found[0]

    def look(self) -> None:
        """Let the thread look whether its results are still wanted."""
        self._room.release()

    def _run(self, task: Callable[[], Generator[T, None, None]]) -> None:
        try:
            with closing(task()) as results:
                while self._wanted():
                    self._waiting.put((next(results),))
        except StopIteration:
            self._waiting.put(None)
        except Exception as error:
            self._waiting.put(error)

    def _wanted(self) -> bool:
        """Wait until there is room for one more result; returns whether it is still wanted."""
        self._room.acquire()
        return not self._stopped.is_set()
