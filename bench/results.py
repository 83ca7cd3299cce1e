"""What `make bench` keeps in bench/results.json, and the table of docs/reference/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter

from bench.row import Row
from bench.speed import Speed

BEGIN: Final = "<!-- make bench -->\n"
"""The line before the generated part of the page."""

END: Final = "<!-- end -->\n"
"""The line after it."""

ROWS: Final = TypeAdapter(list[Row])
"""Rows as JSON, on their way from the process that measured them."""


Number = Annotated[float, AfterValidator(lambda value: float(f"{value:.6g}"))]
"""A measured number, of which six digits are kept."""


@dataclass(frozen=True)
class Run:
    """Where and when a program ran."""

    machine: str
    """Processors, memory, system and Python."""

    load: float
    """Processes that wanted a processor in the minute before (os.getloadavg)."""

    commit: str
    """The commit; with a `+` if files differed from it."""

    at: str
    """When it ended, in UTC."""

    speed: Speed
    """How fast the machine was before it."""


class Stored(BaseModel):
    """A row as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    line: str
    """The program of bench/ that measured it."""

    name: str
    """What was measured, with its size."""

    limit: Number | None
    """What the least work that is physically needed takes."""

    peer: Number | None
    """What it takes as others do it."""

    value: Number
    """The number that the goal speaks of."""

    unit: str
    """Unit of `value`."""

    goal: str
    """What the value should be: `<= 2` or `>= 6`."""

    met: bool
    """Whether it is."""

    ours: Number | None
    """What this project needs."""

    of: str
    """Unit of `ours`, `limit` and `peer`."""

    reason: str
    """Why the goal is missed, or what the number leaves out."""

    commit: str
    """The commit that was measured; with a `+` if files differed from it."""

    load: Number
    """Processes that wanted a processor in the minute before; an idle machine has nearly 0."""

    at: str
    """When, in UTC."""

    loop: Number | None = None
    """CPU seconds of a fixed loop in Python before the program (`Speed`); None in rows of before 2026-12."""

    sort: Number | None = None
    """CPU seconds of a fixed sort in NumPy, as `loop`."""


class Results(BaseModel):
    """All rows, and where the last of them were measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    """Processors, memory, system and Python of the machine of the last run."""

    commit: str
    """The commit of the last run."""

    at: str
    """When the last run ended."""

    rows: tuple[Stored, ...]
    """In the order of the programs' names."""


def merged(old: Results | None, line: str, rows: Sequence[Row], run: Run) -> Results:
    """The results with the rows of one program replaced. Raises ValueError for a number that is none."""
    kept = [row for row in (old.rows if old else ()) if row.line != line]
    known = {"line": line, "commit": run.commit, "load": run.load, "at": run.at}
    known |= asdict(run.speed)
    new = [
        Stored.model_validate(asdict(row) | {"goal": str(row.goal), "met": row.met} | known) for row in rows
    ]
    every = sorted([*kept, *new], key=lambda row: row.line)
    return Results(machine=run.machine, commit=run.commit, at=run.at, rows=tuple(every))


def table(results: Results) -> str:
    """The rows as a Markdown table, then what is to be said of single ones, misses first."""
    lines = [
        "| what | limit | others | this project | value | goal | |",
        "| --- | --: | --: | --: | --: | --: | --- |",
    ]
    for row in results.rows:
        compared = [
            f"{_number(each)} {row.of}" if each is not None else "–" for each in (row.limit, row.peer)
        ]
        ours = f"{_number(row.ours)} {row.of}" if row.ours is not None else "–"
        value = f"{_number(row.value)} {row.unit}"
        goal = row.goal.replace("<=", "≤").replace(">=", "≥")
        verdict = "met" if row.met else "**missed**"
        lines.append(f"| {row.name} | {' | '.join(compared)} | {ours} | {value} | {goal} | {verdict} |")
    loads = [row.load for row in results.rows]
    where = f"Measured on {results.machine}, last at commit {results.commit} ({results.at})."
    lines += [
        "",
        f"{where} Load before a program: {min(loads, default=0):.1f} to {max(loads, default=0):.1f}.",
        *_speeds(results.rows),
    ]
    told = sorted((row for row in results.rows if row.reason), key=lambda row: row.met)
    notes = [f"- {row.name}{'' if row.met else ' (missed)'}: {row.reason}" for row in told]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def _speeds(rows: Sequence[Stored]) -> list[str]:
    """The sentence about the speed of the machine; none if no row knows it."""
    known = [(row.loop, row.sort) for row in rows if row.loop is not None and row.sort is not None]
    if not known:
        return []
    loop, sort = (f"{min(each):.3f} to {max(each):.3f} CPU s" for each in zip(*known, strict=True))
    return [f"The machine before a program: a fixed loop in Python {loop}, a fixed sort in NumPy {sort}."]


def placed(page: str, new: str) -> str:
    """The page with its generated part replaced. Raises ValueError if the page has no such part."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(
            f"the page has no lines {BEGIN.strip()} and {END.strip()}; put them around the table"
        )
    return f"{before}{BEGIN}{new}{END}{after}"


def _number(value: float) -> str:
    """Three significant digits; whole above a hundred, with commas."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
