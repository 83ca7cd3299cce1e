"""How fast this machine is at the moment: CPU seconds of work that no change of the project touches.

    python -m bench.speed

`make bench` measures it before each program, so that goals in seconds can be compared between two days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.row import cpu_seconds

STEPS: Final = 2_000_000
"""Additions of the loop in Python."""

NUMBERS: Final = 1_000_000
"""Random numbers that NumPy sorts."""

TIMES: Final = 3
"""Runs of each, whose median counts."""


@dataclass(frozen=True)
class Speed:
    """CPU seconds of fixed work; a machine that needs twice as many is half as fast."""

    loop: float
    """CPU seconds of a loop of STEPS additions in Python."""

    sort: float
    """CPU seconds in which NumPy sorts NUMBERS random float64."""


def speed() -> Speed:
    """Measure this machine; it takes about a second."""
    numbers = np.random.default_rng(0).random(NUMBERS)
    spent = cpu_seconds({"a loop in Python": _loop, "a sort in NumPy": lambda: np.sort(numbers)}, TIMES)
    return Speed(loop=spent["a loop in Python"], sort=spent["a sort in NumPy"])


def _loop() -> int:
    total = 0
    for number in range(STEPS):
        total += number
    return total


if __name__ == "__main__":
    print(speed())
