"""How bench/ measures processes and calls."""

from __future__ import annotations

import sys

import pytest

from bench.row import Row, alternating, at_least, at_most, cpu_seconds, measured, print_rows


@pytest.mark.slow
def test_measured_counts_the_memory_of_the_program_alone() -> None:
    """Linux counts the memory of the process that starts another as the other's own peak."""
    held = bytearray(b"x" * (300 * 2**20))
    small = measured("print('done')", times=1)
    assert len(held) == 300 * 2**20
    assert small.peak < 100
    assert small.output == "done\n"
    assert measured("x = b'x' * (200 * 2**20)", times=1).peak > 200


@pytest.mark.slow
def test_measured_counts_processes_that_the_program_waited_for() -> None:
    work = "sum(range(10**7))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}], check=True)"
    used = alternating({"parent": parent, "nothing": "pass"}, times=1)
    assert used["parent"].cpu > used["nothing"].cpu


@pytest.mark.slow
def test_measured_refuses_a_program_that_fails() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3: .*no such column"):
        measured([sys.executable, "-c", "import sys; print('no such column', file=sys.stderr); sys.exit(3)"])


@pytest.mark.slow
def test_alternating_runs_programs_in_turns() -> None:
    calls: list[str] = []
    cpu_seconds({"one": lambda: calls.append("one"), "two": lambda: calls.append("two")}, times=2)
    assert calls == ["one", "two", "one", "two"]


def test_print_rows_says_value_goal_and_what_it_is_compared_with(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(
        [
            Row("reading", 1.234, "× a parse", at_most(1.25), "CPU s", 0.5, 0.405),
            Row("others ÷ reading", 2.0, "×", at_least(6), "CPU s", reason="They skip checks."),
        ]
    )
    assert capsys.readouterr().out == (
        "reading: 1.23 × a parse (goal <= 1.25, met)\n"
        "  ours 0.5 CPU s, limit 0.405 CPU s\n"
        "others ÷ reading: 2 × (goal >= 6, missed)\n"
        "  They skip checks.\n"
    )
