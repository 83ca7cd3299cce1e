"""`make bench`: what it keeps of each row, the table that it writes, and what a failing program changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import PAGE, RESULTS, main, programs_of
from bench.results import Results, Run, merged, placed, table
from bench.row import Row, at_least, at_most
from bench.speed import Speed, speed

SLOW = Row(
    "1 M rows read",
    2.5,
    "× a typed parse",
    at_most(2),
    "CPU s",
    2.5,
    1.0,
    12.0,
    reason="Arrow has no such parser.",
)
SMALL = Row("its peak memory", 250.0, "MB", at_most(300), "MB", ours=250.0)
EXACT = Row("exactly", 0.97118434, "×", at_most(1.25), "CPU s", 0.00583074999, 1234567.8)
TIMES = Row("others ÷ this project", 6.0, "×", at_least(6), "CPU s")

RUN = Run("2 processors", 0.25, "abc1234", "2026-11-30 12:00", Speed(loop=0.08, sort=0.064))

PROGRAM = """
from bench.row import Row, at_most

def rows() -> list[Row]:
    {body}
"""


def kept(*lines: tuple[str, list[Row]]) -> Results:
    results: Results | None = None
    for line, rows in lines:
        results = merged(results, line, rows, RUN)
    assert results
    return results


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (at_most(2), 2.0, True),
        (at_most(2), 2.001, False),
        (at_least(6), 6.0, True),
        (at_least(6), 5.999, False),
    ],
)
def test_goal_is_met_at_its_bound(goal: object, value: float, met: bool) -> None:
    assert Row("", value, "", goal, "").met is met  # type: ignore[arg-type]


def test_results_have_each_row_with_its_goal_in_words() -> None:
    stored = json.loads(kept(("preprocess", [SLOW])).model_dump_json())
    assert stored == {
        "machine": "2 processors",
        "commit": "abc1234",
        "at": "2026-11-30 12:00",
        "rows": [
            {
                "line": "preprocess",
                "name": "1 M rows read",
                "limit": 1.0,
                "peer": 12.0,
                "value": 2.5,
                "unit": "× a typed parse",
                "goal": "<= 2",
                "met": False,
                "ours": 2.5,
                "of": "CPU s",
                "reason": "Arrow has no such parser.",
                "commit": "abc1234",
                "load": 0.25,
                "at": "2026-11-30 12:00",
                "loop": 0.08,
                "sort": 0.064,
            }
        ],
    }


def test_results_keep_six_digits() -> None:
    (row,) = kept(("landing_records", [EXACT])).rows
    assert (row.value, row.ours, row.limit) == (0.971184, 0.00583075, 1234570.0)


def test_merged_replaces_the_rows_of_one_program() -> None:
    results = kept(("train", [SLOW]), ("preprocess", [SMALL, TIMES]), ("train", [TIMES]))
    assert [(row.line, row.name) for row in results.rows] == [
        ("preprocess", "its peak memory"),
        ("preprocess", "others ÷ this project"),
        ("train", "others ÷ this project"),
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_merged_refuses_a_value_that_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        kept(("train", [Row("x", value, "", at_most(1), "")]))


def test_table_has_a_line_for_each_row_and_says_misses_first() -> None:
    small = Row("its peak memory", 250.4, "MB", at_most(300), "MB", ours=1250.4, reason="At 10 M rows.")
    assert table(kept(("preprocess", [small, SLOW]))) == (
        "| what | limit | others | this project | value | goal | |\n"
        "| --- | --: | --: | --: | --: | --: | --- |\n"
        "| its peak memory | – | – | 1,250 MB | 250 MB | ≤ 300 | met |\n"
        "| 1 M rows read | 1 CPU s | 12 CPU s | 2.5 CPU s | 2.5 × a typed parse | ≤ 2 | **missed** |\n"
        "\n"
        "Measured on 2 processors, last at commit abc1234 (2026-11-30 12:00). "
        "Load before a program: 0.2 to 0.2.\n"
        "The machine before a program: a fixed loop in Python 0.080 to 0.080 CPU s, "
        "a fixed sort in NumPy 0.064 to 0.064 CPU s.\n"
        "\n"
        "- 1 M rows read (missed): Arrow has no such parser.\n"
        "- its peak memory: At 10 M rows.\n"
    )


def test_table_of_rows_without_a_speed_names_none() -> None:
    results = kept(("preprocess", [SMALL]))
    rows = [row.model_copy(update={"loop": None, "sort": None}) for row in results.rows]
    assert "The machine" not in table(results.model_copy(update={"rows": tuple(rows)}))


def test_speed_is_cpu_seconds_of_work_that_takes_some() -> None:
    found = speed()
    assert found.loop > 0
    assert found.sort > 0


def test_placed_keeps_what_stands_around_the_table() -> None:
    page = "# Performance\n\n<!-- make bench -->\nold\n<!-- end -->\n\nMore.\n"
    assert placed(page, "new\n") == "# Performance\n\n<!-- make bench -->\nnew\n<!-- end -->\n\nMore.\n"


@pytest.mark.parametrize("page", ["", "<!-- make bench -->\n", "<!-- end -->\n"])
def test_placed_refuses_a_page_without_a_place(page: str) -> None:
    with pytest.raises(ValueError, match="put them around the table"):
        placed(page, "new\n")


def test_page_says_what_the_results_say() -> None:
    results = Results.model_validate_json(RESULTS.read_bytes())
    page = PAGE.read_text(encoding="utf-8")
    assert placed(page, table(results)) == page
    assert {row.line for row in results.rows} <= set(programs_of(RESULTS.parent))


def test_page_explains_each_program() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [line for line in programs_of(RESULTS.parent) if f"`{line}`" not in page] == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a bench/ of three programs, of which `broken` fails, and a page without rows."""
    bench = tmp_path / "bench"
    bench.mkdir()
    for module in ("progress", "row", "results"):
        (bench / f"{module}.py").write_text((RESULTS.parent / f"{module}.py").read_text())
    good = "return [Row('{}', 1.0, 's', at_most(2), 's')]"
    (bench / "alone.py").write_text(PROGRAM.format(body=good.format("one")))
    (bench / "broken.py").write_text(PROGRAM.format(body="raise RuntimeError('no processor')"))
    (bench / "last.py").write_text(PROGRAM.format(body=good.format("three")))
    (bench / "results.json").write_text(kept(("broken", [SLOW]), ("gone", [SMALL])).model_dump_json())
    (tmp_path / "page.md").write_text("<!-- make bench -->\n<!-- end -->\n")
    return tmp_path


def names(project: Path) -> list[str]:
    results = Results.model_validate_json((project / "bench" / "results.json").read_bytes())
    return [row.name for row in results.rows]


def run(project: Path, *arguments: str) -> int:
    bench = project / "bench"
    return main(arguments, bench, bench / "results.json", project / "page.md")


@pytest.mark.slow
def test_bench_a_program_that_fails_keeps_its_rows_and_loses_no_others(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(project) == 1
    assert names(project) == ["one", "1 M rows read", "three"]
    assert "| three |" in (project / "page.md").read_text()
    said = capfd.readouterr().err
    assert "RuntimeError: no processor" in said
    assert "broken failed, its earlier rows stay: it ended with 1, and said above why\n" in said
    assert said.endswith("1 of 3 failed: broken\n")


@pytest.mark.slow
def test_bench_only_keeps_the_rows_of_other_programs(project: Path) -> None:
    assert run(project, "--only", "last") == 0
    assert names(project) == ["1 M rows read", "three"]


def test_bench_refuses_a_program_that_there_is_not(project: Path) -> None:
    with pytest.raises(SystemExit):
        run(project, "--only", "nothing")
