"""Virtual time: what happens when, and invocations of functions that take turns at their calls to AWS.

An invocation runs in a thread of its own, but only one thread runs at a time. At each call it says how long
the call takes; the one whose call ends first goes on. So copies of a function interleave at any two calls,
and the same seed gives the same order.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

BEGIN: Final = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
"""When every run begins."""

SECOND: Final = 1_000_000
"""Ticks of virtual time in a second: it is counted in whole microseconds, so that sums are exact."""

Then = Callable[["Task"], None]
"""What follows once a task has ended."""


def _held() -> threading.Lock:
    """What one thread waits for and another one releases: a lock hands over faster than a semaphore."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Killed(BaseException):
    """The invocation ends here: it does nothing more, not even tidy up what it began."""


class Clock:
    """Virtual time and what is planned. `rng` breaks ties, so that no order is ever taken for granted."""

    def __init__(self, rng: Random) -> None:
        self.ticks = 0
        self._rng = rng
        self._plan: list[tuple[int, int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._back = _held()
        self.tasks = 0

    def now(self) -> datetime:
        """The time, in UTC."""
        return BEGIN + timedelta(microseconds=self.ticks)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self.ticks / SECOND

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        """Do this at that time, in seconds since the beginning; at once if that is over."""
        self._push(max(int(seconds * SECOND), self.ticks), do)

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Do this so many seconds from now."""
        self._push(self.ticks + int(seconds * SECOND), do)

    def _push(self, ticks: int, do: Callable[[], None]) -> None:
        heapq.heappush(self._plan, (ticks, self._rng.getrandbits(20), next(self._numbers), do))

    def run(self, until: float) -> None:
        """Let time pass until so many seconds since the beginning."""
        end = int(until * SECOND)
        while self._plan and self._plan[0][0] <= end:
            ticks, _, _, do = heapq.heappop(self._plan)
            self.ticks = max(self.ticks, ticks)
            do()
        self.ticks = max(self.ticks, end)

    def forget(self) -> None:
        """Drop all that is planned, once no task runs."""
        assert not self.tasks
        self._plan.clear()

    def spawn(self, name: str, body: Callable[[Task], None], *, timeout: float, then: Then) -> Task:
        """Let an invocation begin now; it is killed after `timeout` seconds. `then` is called at its end."""
        task = Task(self, name, timeout)
        self.tasks += 1

        def run() -> None:
            task.go.acquire()
            try:
                body(task)
            except BaseException as error:
                task.error = error
            task.ended = True
            self._back.release()

        task.thread = threading.Thread(target=run, name=name, daemon=True)
        task.thread.start()

        def turn() -> None:
            task.go.release()
            self._back.acquire()
            if task.ended:
                task.thread.join()
                self.tasks -= 1
                then(task)

        task.turn = turn
        self._push(self.ticks, turn)
        return task

    def pass_time(self, task: Task, ticks: int) -> None:
        """Let a call of this task take so long; meanwhile whatever is planned earlier happens."""
        wake = self.ticks + ticks
        if not self._plan or self._plan[0][0] > wake:
            self.ticks = wake
            return
        self._push(wake, task.turn)
        self._back.release()
        task.go.acquire()


class Task:
    """One invocation. Its thread is `thread`; calls from other threads (readers of files) take no turns."""

    turn: Callable[[], None]
    thread: threading.Thread

    def __init__(self, clock: Clock, name: str, timeout: float) -> None:
        self.clock, self.name = clock, name
        self.began = clock.ticks
        self.deadline = clock.ticks + int(timeout * SECOND)
        self.go = _held()
        self.ended = self.dead = False
        self.error: BaseException | None = None
        self._debt = 0

    @property
    def remaining(self) -> float:
        """Seconds until it is killed."""
        return (self.deadline - self.clock.ticks) / SECOND

    def owe(self, ticks: int) -> None:
        """Note time that a call in another thread takes; the next call of the task's own thread pays it."""
        self._debt += ticks

    def wait(self, ticks: int) -> None:
        """Let a call take so long. Raises Killed when the time of the invocation is over."""
        if self.dead:
            raise Killed(self.name)
        ticks, self._debt = ticks + self._debt, 0
        over = self.clock.ticks + ticks >= self.deadline
        self.clock.pass_time(self, min(ticks, max(self.deadline - self.clock.ticks, 0)))
        if over or self.dead:
            self.die()

    def die(self) -> None:
        """End the invocation here."""
        self.dead = True
        raise Killed(self.name)
