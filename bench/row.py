"""One line of `make bench`: a number, its goal, and what the limit and others need in the same run.

A program of bench/ has a function `rows() -> list[Row]` and ends with `print_rows(rows())`, so that
`python -m bench.<line>` runs it alone; `python -m bench` runs all. `measured` runs one process and says what
it used, `alternating` runs several in turns, so that a busy moment meets all, and `cpu_seconds`
measures short calls in this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

from bench.progress import doing

Program: TypeAlias = str | Sequence[str]
"""What a child process runs: Python code as one text, or the words of a command."""

KIB: Final = 1 if sys.platform == "darwin" else 1024
"""Bytes of a unit of `ru_maxrss` (getrusage(2))."""

LAUNCHER: Final = """
import json, os, sys, time
report = int(sys.argv[1])
os.set_inheritable(report, False)
began = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - began
os.write(report, json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss, wall]).encode())
sys.exit(abs(os.waitstatus_to_exitcode(status)))
"""
"""Starts the program and reports its use. Linux counts the memory of the process that starts another as the
other's own peak, so a small one starts it."""


@dataclass(frozen=True)
class Goal:
    """What a value should be: at most `bound`, or at least."""

    bound: float
    upper: bool

    def met(self, value: float) -> bool:
        """Whether the value reaches the goal."""
        return value <= self.bound if self.upper else value >= self.bound

    def __str__(self) -> str:
        return f"{'<=' if self.upper else '>='} {self.bound:g}"


def at_most(bound: float) -> Goal:
    """The value should not be above the bound."""
    return Goal(bound, upper=True)


def at_least(bound: float) -> Goal:
    """The value should not be below the bound."""
    return Goal(bound, upper=False)


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, what it came to, and what it is compared with."""

    name: str
    """What was measured, with its size."""

    value: float
    """The number that the goal speaks of."""

    unit: str
    """Unit of `value`: "× a typed parse", "MB", "requests a minute"."""

    goal: Goal
    """What the value should be."""

    of: str
    """Unit of `ours`, `limit` and `peer`: "CPU s", "MB"."""

    ours: float | None = None
    """What this project needs."""

    limit: float | None = None
    """What the least work that is physically needed takes, measured in the same run."""

    peer: float | None = None
    """What it takes as others do it, measured in the same run."""

    reason: str = ""
    """Why the goal is missed, or what the number leaves out, in one sentence."""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.goal.met(self.value)


@dataclass(frozen=True)
class Use:
    """What a process used, the processes that it waited for included; each the median of the runs."""

    cpu: float
    """CPU seconds, of user and system."""

    peak: float
    """Most memory held, in MB of 2^20 bytes; of the largest process, if it had started others."""

    wall: float
    """Seconds from start to end."""

    output: str
    """What the last run printed on stdout."""


def measured(
    program: Program, times: int = 3, *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Use:
    """Run a program several times, each as a process of its own.

    `env` replaces the environment. Raises RuntimeError with the end of its stderr if the program fails.
    """
    return alternating({"": program}, times, env=env, cwd=cwd)[""]


def alternating(
    programs: Mapping[str, Program],
    times: int = 3,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> dict[str, Use]:
    """Run each program once, then each again, as `measured` does; what each used, by its name."""
    runs: dict[str, list[Use]] = {name: [] for name in programs}
    for number in range(1, times + 1):
        for name, program in programs.items():
            if name or times > 1:
                doing(f"{name or 'a process'}, run {number} of {times}")
            runs[name].append(_run(program, env, cwd))
    return {
        name: Use(
            cpu=median(use.cpu for use in uses),
            peak=median(use.peak for use in uses),
            wall=median(use.wall for use in uses),
            output=uses[-1].output,
        )
        for name, uses in runs.items()
    }


def _run(program: Program, env: Mapping[str, str] | None, cwd: Path | None) -> Use:
    words = [sys.executable, "-c", program] if isinstance(program, str) else list(program)
    with tempfile.TemporaryFile() as report:
        done = subprocess.run(
            [sys.executable, "-IS", "-c", LAUNCHER, str(report.fileno()), *words],
            pass_fds=[report.fileno()],
            capture_output=True,
            text=True,
            env=dict(os.environ if env is None else env),
            cwd=cwd,
        )
        if done.returncode:
            raise RuntimeError(f"{words[:3]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        report.seek(0)
        cpu, memory, wall = json.load(report)
    return Use(cpu=cpu, peak=memory * KIB / 2**20, wall=wall, output=done.stdout)


def cpu_seconds(calls: Mapping[str, Callable[[], object]], times: int = 5) -> dict[str, float]:
    """Median CPU seconds of each call in this process, made in turns."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(1, times + 1):
        for name, call in calls.items():
            doing(f"{name}, run {number} of {times}")
            began = time.process_time()
            call()
            spent[name].append(time.process_time() - began)
    return {name: median(seconds) for name, seconds in spent.items()}


def print_rows(rows: Sequence[Row]) -> None:
    """Print each row's value, its goal, and what it is compared with."""
    for row in rows:
        print(f"{row.name}: {row.value:.3g} {row.unit} (goal {row.goal}, {'met' if row.met else 'missed'})")
        compared = {"ours": row.ours, "limit": row.limit, "peer": row.peer}
        numbers = [f"{name} {number:.4g} {row.of}" for name, number in compared.items() if number is not None]
        if numbers:
            print(f"  {', '.join(numbers)}")
        if row.reason:
            print(f"  {row.reason}")
