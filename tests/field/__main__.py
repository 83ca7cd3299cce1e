"""Play the field cases and print a line for each: python -m tests.field [-k WORDS]

The line says OK or WRONG, the case, and what it gives now, or what is wrong. Cases that need a deployment are
left out; pytest runs them.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest

SHOWN = 300
"""Characters of a line that say what a case gives."""


class Lines:
    """Prints a line for each case that has ended."""

    def __init__(self, out: io.TextIOBase) -> None:
        self.out = out
        self.wrong = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print what a case gave, or how it failed."""
        if report.when != "call" and not report.failed:
            return
        gave = " ".join(str(value) for name, value in report.user_properties if name == "gives")
        said = report.longrepr.reprcrash.message if report.failed and report.longrepr else gave  # type: ignore[union-attr]
        word = "WRONG" if report.failed else "OK"
        self.wrong += report.failed
        name, _, which = report.nodeid.rsplit("::", 1)[-1].partition("[")
        case = name.removeprefix("test_").replace("_", " ") + (f" [{which}" if which else "")
        print(f"{word:5} {case}: {' '.join(said.split())[:SHOWN]}", file=self.out, flush=True)


def main(arguments: list[str]) -> int:
    """Run the cases; returns how many are wrong."""
    lines = Lines(sys.stdout)  # type: ignore[arg-type]
    options = [str(Path(__file__).parent), "-q", "--capture=sys", "-m", "not story", *arguments]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        pytest.main(options, plugins=[lines])
    return lines.wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
