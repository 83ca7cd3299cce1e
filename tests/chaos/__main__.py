"""Runs seeds and says what broke: `python -m tests.chaos --seeds 1000`, or `--seed 123 --trace`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from tests.chaos.invariants import AFTER_REDRIVING, INVARIANTS
from tests.chaos.runner import Run

MAX_FACTS: Final = 5
"""Facts that are printed for each invariant that broke."""


@dataclass(frozen=True)
class Outcome:
    """What one seed came to: the invariants that broke, faults by kind, CPU seconds, and its last events."""

    seed: int
    broken: dict[str, list[str]]
    faults: Counter[str]
    seconds: float
    last: tuple[str, ...]


def play(seed: int) -> Outcome:
    """Play one seed."""
    began = time.process_time()
    run = Run(seed)
    run.play()
    last = tuple(run.last) if run.broken else ()
    return Outcome(seed, run.broken, run.fault_counts(), time.process_time() - began, last)


def report(outcome: Outcome) -> str:
    """What a seed broke, for people."""
    lines = []
    for name, facts in outcome.broken.items():
        lines.append(f"seed {outcome.seed} breaks {name}:")
        lines += [f"    {fact[:600]}" for fact in facts[:MAX_FACTS]]
        lines += [f"    and {len(facts) - MAX_FACTS} more"] if len(facts) > MAX_FACTS else []
    return "\n".join(lines)


def many(first: int, count: int, jobs: int) -> int:
    """Play many seeds side by side; how many broke something."""
    faults: Counter[str] = Counter()
    bad, slowest, began = 0, 0.0, time.monotonic()
    with multiprocessing.Pool(jobs, maxtasksperchild=50) as pool:
        for number, outcome in enumerate(pool.imap_unordered(play, range(first, first + count)), 1):
            faults += outcome.faults
            slowest = max(slowest, outcome.seconds)
            if outcome.broken:
                bad += 1
                print(f"\r{report(outcome)}", flush=True)
            if sys.stdout.isatty() or number % 50 == 0:
                print(
                    f"\r{number} of {count} seeds, {bad} with violations", end="", file=sys.stderr, flush=True
                )
    print(file=sys.stderr)
    for kind, number in sorted(faults.items()):
        print(f"{number:>9}  {kind}")
    checked = len(INVARIANTS) + len(AFTER_REDRIVING)
    print(
        f"chaos: {count} seeds from {first} in {time.monotonic() - began:.0f} s "
        f"(slowest {slowest:.1f} s of CPU), "
        f"{faults.total()} faults of {len(faults)} kinds, {checked} invariants checked, violations {bad}"
    )
    return bad


def until_broken(first: int, count: int, jobs: int) -> int:
    """Play seeds until one breaks something, and say which and what."""
    with multiprocessing.Pool(jobs) as pool:
        for outcome in pool.imap(play, range(first, first + count)):
            if outcome.broken:
                print(f"seed {outcome.seed}: {', '.join(outcome.broken)}")
                return 1
    print(f"{count} seeds from {first}: all invariants hold")
    return 0


def one(seed: int, *, trace: bool) -> int:
    """Play one seed; print its events, or the last ones if something broke."""
    run = Run(seed, echo=trace)
    run.play()
    outcome = Outcome(seed, run.broken, run.fault_counts(), 0.0, tuple(run.last))
    if run.broken and not trace:
        print("\n".join(outcome.last))
    print(report(outcome) or f"seed {seed}: all invariants hold")
    return len(run.broken)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this seed only")
    parser.add_argument("--trace", action="store_true", help="print every event of the seed")
    parser.add_argument("--first", type=int, default=1, help="the first of many seeds (1)")
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds (1000)")
    parser.add_argument(
        "--until-broken", action="store_true", help="stop at the first seed that breaks something"
    )
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 2), help="processes (2)")
    given = parser.parse_args()
    if given.seed is not None:
        return 1 if one(given.seed, trace=given.trace) else 0
    if given.until_broken:
        return until_broken(given.first, given.seeds, given.jobs)
    return 1 if many(given.first, given.seeds, given.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
