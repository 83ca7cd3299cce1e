"""Runs the programs of bench/ that have rows, writes bench/results.json and the table of
docs/reference/performance.md.

    python -m bench                    # all; fourteen minutes, on two idle processors
    python -m bench --only preprocess  # one, or several; the other rows stay

Each program runs in a process of its own. One that fails keeps its earlier rows; the exit code is then 1. A
goal that is missed is no failure.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import progress
from bench.results import ROWS, Results, Run, merged, placed, table
from bench.row import Row, print_rows
from bench.speed import speed

BENCH: Final = Path(__file__).parent
RESULTS: Final = BENCH / "results.json"
PAGE: Final = BENCH.parent / "docs" / "reference" / "performance.md"

RUN: Final = """
import sys
from importlib import import_module
from pathlib import Path
from bench.results import ROWS
rows = import_module("bench." + sys.argv[1]).rows()
Path(sys.argv[2]).write_bytes(ROWS.dump_json(rows))
"""
"""Runs one program and leaves its rows in a file."""


class ProgramFailed(Exception):
    """A program of bench/ has ended without rows."""


def main(arguments: Sequence[str], bench: Path = BENCH, results: Path = RESULTS, page: Path = PAGE) -> int:
    """Run the programs that are asked for; 1 if one of them failed."""
    programs = programs_of(bench)
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=programs, choices=programs, metavar="NAME")
    chosen: list[str] = parser.parse_args(arguments).only
    failed = []
    for number, line in enumerate(chosen, 1):
        began, load, fast = time.monotonic(), os.getloadavg()[0], speed()
        try:
            measured = rows_of(line, bench.parent, f"[{number}/{len(chosen)}] {line}")
            now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
            keep(line, measured, Run(machine(), load, commit(), now, fast), programs, results, page)
        except (ProgramFailed, ValueError) as error:
            failed.append(line)
            print(f"{line} failed, its earlier rows stay: {error}", file=sys.stderr, flush=True)
        else:
            print_rows(measured)
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
    if failed:
        print(f"{len(failed)} of {len(chosen)} failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def programs_of(bench: Path) -> list[str]:
    """The names of the programs that have rows."""
    return sorted(
        file.stem
        for file in bench.glob("*.py")
        if "\ndef rows() -> list[Row]:\n" in file.read_text(encoding="utf-8")
    )


def rows_of(line: str, folder: Path, title: str) -> list[Row]:
    """The rows of one program, which is shown with this title while it runs. Raises ProgramFailed."""
    with tempfile.TemporaryDirectory() as scratch:
        rows, step = Path(scratch) / "rows.json", Path(scratch) / "step"
        with progress.shown(title, step, sys.stdout):
            words = [sys.executable, "-c", RUN, line, str(rows)]
            environment = {**os.environ, progress.VARIABLE: str(step)}
            code = subprocess.run(words, cwd=folder, env=environment).returncode
        if code:
            raise ProgramFailed(f"it ended with {code}, and said above why")
        return ROWS.validate_json(rows.read_bytes())


def keep(
    line: str, rows: Sequence[Row], run: Run, programs: Sequence[str], results: Path, page: Path
) -> None:
    """Write the results with the rows of this program, and of no program that is gone; and the table."""
    old = Results.model_validate_json(results.read_bytes()) if results.exists() else None
    new = merged(old, line, rows, run)
    new = new.model_copy(update={"rows": tuple(row for row in new.rows if row.line in programs)})
    written = placed(page.read_text(encoding="utf-8"), table(new))
    results.write_text(new.model_dump_json(indent=2) + "\n", encoding="utf-8")
    page.write_text(written, encoding="utf-8")


def machine() -> str:
    """Processors, memory, system and Python of this machine."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        re.findall(r"^model name\s*: (.*)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else []
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = names[0] if names else platform.machine()
    return (
        f"{os.cpu_count()} processors ({processor}), {memory:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def commit() -> str:
    """The commit that is checked out, with a + if tracked files differ from it; `unknown` outside of git."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(BENCH), *words], capture_output=True, text=True)
        return done.stdout.strip()

    changed = [
        line
        for line in git("status", "--porcelain", "--untracked-files=no").splitlines()
        if not line.endswith((RESULTS.name, PAGE.name))
    ]
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
