"""Shows two versions of a model side by side."""

from __future__ import annotations

import math
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from handsoff.operating.comparing import Compared, Pair, SliceOfBoth
from handsoff.showing.console import escape, moment, print_lines
from handsoff.showing.data import changes_lines
from handsoff.showing.history import measured
from retraining.history import Version
from retraining.verdicts.evaluation import Difference
from retraining.verdicts.wording import typeset

CARE: Final = "do not decide by these numbers alone"
"""What follows where the rows are not the same."""


def show_comparison(console: Console, model: str, found: Compared) -> None:
    """Print what the numbers rest on, then metrics, slices and data."""
    first, second = found.first, found.second
    print_lines(console, [(f"version {one.number}", _version(one)) for one in (first, second)])
    one, two = (escape(text) for text in found.predict)
    if one != two:
        console.print(
            f"[yellow]they predict different things[/]: version {first.number} is a {one}, version "
            f"{second.number} a {two}; numbers of the same name do not measure the same",
            soft_wrap=True,
        )
    console.print(f"[bold]rows[/]: {basis_words(found)}", soft_wrap=True)
    console.print(_metrics(found))
    if found.slices:
        console.print(_slices(found))
    console.print(f"[bold]data[/]: version {first.number} → version {second.number}")
    for line in _data(found):
        console.print(f"  {line}", soft_wrap=True)
    console.print(f"`handsoff explain {escape(model)}/{second.number}` shows its rules", soft_wrap=True)


def _version(one: Version) -> str:
    return f"{one.package.approval_status}, registered {moment(one.package.created_at)}"


def basis_words(found: Compared) -> str:
    """Which rows the numbers are of, and what that means, in plain words."""
    a, b = found.first.number, found.second.number
    n_a, n_b = (f"{n:,}" for n in found.n)
    match found.basis:
        case "paired":
            newer = max(a, b)
            seen = f"{found.excluded:,} that the other was trained on are left out"
            left = f"; {seen}" if found.excluded else ""
            return (
                f"the same {n_a} rows for both, as version {newer} was compared with the other, its "
                f"{found.shared_with}, row by row{left}. Each bound of a difference holds at 95 %"
            )
        case "same_rows":
            return (
                f"the same {n_a} validation rows for both. They were never compared row by row, so the "
                "difference has no bounds: intervals that overlap do not say that the versions are equal"
            )
        case "other_rows":
            return (
                f"[yellow]they differ[/]: {n_a} rows of version {a}, {n_b} other rows of version {b}. A "
                f"difference may come from the rows as well as from the models: {CARE}"
            )
        case _:
            return (
                f"[yellow]it is not known whether they are the same[/]: {n_a} rows of version {a}, {n_b} of "
                f"version {b}; an earlier handsoff kept no identity of rows. {CARE[0].upper()}{CARE[1:]}"
            )


def _metrics(found: Compared) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for number in (found.first.number, found.second.number):
        table.add_column(f"version {number} (95 % interval)")
    paired = found.basis == "paired"
    if paired:
        table.add_column(f"{found.second.number} − {found.first.number} (bounds)")
        table.add_column("better")
    for pair in found.metrics:
        cells = [escape(pair.name), measured(pair.first), measured(pair.second)]
        table.add_row(*cells, *((_difference(pair.difference), _better(pair, found)) if paired else ()))
    return table


def _difference(found: Difference | None) -> str:
    if found is None or math.isnan(found.value):
        return "not known"
    low, high = found.bounds
    value = typeset(f"{found.value:+.4f}")
    return value if math.isnan(low) else f"{value} ({typeset(f'{low:+.4f}')} to {typeset(f'{high:+.4f}')})"


def _better(pair: Pair, found: Compared) -> str:
    if pair.better is None:
        return "undecided" if pair.difference and not math.isnan(pair.difference.bounds[0]) else ""
    return f"version {(found.first if pair.better == 'first' else found.second).number}"


def _slices(found: Compared) -> Table:
    paired = found.basis == "paired"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"slice ({escape(found.slices[0].pair.name)})", overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    for number in (found.first.number, found.second.number):
        table.add_column(f"version {number}")
    if paired:
        table.add_column("better")
    for item in found.slices:
        cells = [escape(_where(item)), _rows(item), measured(item.pair.first), measured(item.pair.second)]
        table.add_row(*cells, *((_better(item.pair, found),) if paired else ()))
    return table


def _where(item: SliceOfBoth) -> str:
    return " and ".join(f"{column} = {value}" for column, value in item.where.items())


def _rows(item: SliceOfBoth) -> str:
    first, second = item.n
    return f"{first:,}" if first == second else f"{first:,} · {second:,}"


def _data(found: Compared) -> list[str]:
    """What differs between the data of both, a line each."""
    if found.same_batch:
        return ["the same batch: both were trained on the same files"]
    if found.changes and found.first.number < found.second.number:
        return changes_lines(found.changes)
    lines = [f"rows of {split}: {one:,} → {two:,}" for split, (one, two) in found.rows.items()]
    for split, gaps in found.gaps.items():
        for name, (one, two) in gaps.items():
            lines.append(f"{escape(name)} missing in {split}: {_share(one)} → {_share(two)}")
    return lines


def _share(value: float | None) -> str:
    return "no such feature" if value is None else f"{value:.1%}"
