"""Wall seconds of the demo where everything is built: from the command to the recorded decision.

    .venv/bin/python -m bench.demo

The first run builds, and is not measured. The goal is for two idle cores: on a busy machine the number says
little, so the row also has the CPU seconds of all processes, and the load before them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from bench.progress import doing
from bench.row import Row, at_most, print_rows

ROOT: Final = Path(__file__).parents[1]

ENVIRONMENT: Final = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As users have it: byte-code is kept."""

TIMES: Final = 3
"""Measured runs, whose median is taken."""

COMMAND: Final = (str(Path(sys.executable).with_name("handsoff")), "demo")
"""The demo, as `make demo` runs it once it is installed."""


def run() -> tuple[float, float]:
    """Wall seconds and CPU seconds of one demo; the CPU is that of all processes that it starts.

    Raises RuntimeError if the demo fails.
    """
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        used: dict[int, float] = {}
        demo = psutil.Popen(COMMAND, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)
        while demo.poll() is None:
            for process in _family(demo):
                used[process.pid] = max(used.get(process.pid, 0.0), _cpu(process))
            time.sleep(0.1)
        wall = time.perf_counter() - began
        if demo.returncode:
            output.seek(0)
            raise RuntimeError(f"the demo failed: {output.read().decode()[-2000:]}")
    return wall, sum(used.values())


def _family(demo: psutil.Popen) -> list[psutil.Process]:
    try:
        return [demo, *demo.children(recursive=True)]
    except psutil.Error:
        return []


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of a process so far; 0 if it has just ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def rows() -> list[Row]:
    """The demo's wall seconds."""
    doing("the run that builds, which is not measured")
    run()
    load, runs = os.getloadavg()[0], []
    for number in range(1, TIMES + 1):
        doing(f"run {number} of {TIMES}")
        runs.append(run())
    wall, cpu = (median(values) for values in zip(*runs, strict=True))
    return [
        Row(
            f"make demo, warm, {os.cpu_count()} cores",
            wall,
            "wall s",
            at_most(12),
            "CPU s",
            ours=cpu,
            reason=f"The load was {load:.1f} before {TIMES} runs; the goal is for two idle cores.",
        )
    ]


if __name__ == "__main__":
    print_rows(rows())
