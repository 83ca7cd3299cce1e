"""`make fuzz`: requests by chance, seeded, for so many seconds; the last lines count what must not be.

    python -m tests.fuzz --seconds 600 --seed 1 [--without-endpoint]

Most of the time goes to the functions in memory, the rest to AWS on this machine, which is started on a free
port and deployed to. The exit code is 1 after an answer of 5xx, a decision that was not asked for, or an
unsigned request to AWS on this machine that read or changed something.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz import endpoint
from tests.fuzz.playing import Found, play

SHARE_OF_FUNCTIONS = 0.7
"""The share of the seconds in which functions are fuzzed in memory."""

PROGRESS = 15
"""Seconds between two lines of progress."""


def main() -> int:
    """Fuzz as the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-endpoint", action="store_true", help="fuzz the functions in memory only")
    given = parser.parse_args()
    found = Found(given.seed)
    share = 1.0 if given.without_endpoint else SHARE_OF_FUNCTIONS
    play(given.seed, until(given.seconds * share, found), found)
    if not given.without_endpoint:
        endpoint.play(given.seed, until(given.seconds * (1 - share), found), found)
    print(found.last_lines())
    return 0 if found.clean else 1


class until:
    """Says whether to go on, for so many seconds from the first call, and tells the progress."""

    def __init__(self, seconds: float, found: Found) -> None:
        self._seconds, self._found = seconds, found
        self._began: float | None = None
        self._told = 0.0

    def __call__(self, done: int) -> bool:
        now = time.monotonic()
        began = self._began = now if self._began is None else self._began
        if now - self._told >= PROGRESS:
            self._told = now
            so_far = f"5xx {len(self._found.failures)}, decisions not asked for {len(self._found.unasked)}"
            spent = f"{now - began:4.0f} s of {self._seconds:.0f} s"
            print(f"{spent}: {done:,} requests, {so_far}", file=sys.stderr, flush=True)
        return now - began < self._seconds


if __name__ == "__main__":
    sys.exit(main())
