"""What a model answers when the values of one column are shuffled, which permutation importance needs.

handsoff_serving.py asks when all rows are answered, so nothing about it fails the scoring. Written are
shuffled.npz (`base`: rows x predictions, `answers`: features x repeats x rows x predictions) and
shuffled.json. ModelEvaluation, which has the target, finds the losses. Python 3.8; the standard library and
numpy.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handsoff_answers import AnswerProblem
from handsoff_calls import OwnCode
from handsoff_rows import MAX_BYTES, NoNumber

SCHEMA_VERSION = 1
"""The version of shuffled.json and shuffled.npz. A change that breaks a reader raises it."""

MAX_ROWS = 2000
"""Validation rows that are asked about, chosen by chance from more of them; as for a model of our own."""

MIN_ROWS = 500
"""Rows below which their number is not lowered for a slow model; as for a model of our own."""

REPEATS = 5
"""How often each column is shuffled; as for a model of our own."""

MIN_REPEATS = 2
"""Repeats of a slow model. If they do not fit for each column, fewer columns are asked about."""

MAX_NUMBERS = 2_000_000
"""Numbers in shuffled.npz, 16 MB before they are compressed. Fewer rows, repeats and columns keep to it."""

SECONDS = 15.0
"""Seconds after which no further request is begun; as for a model of our own."""

ALL_SECONDS = 20.0
"""Seconds that all of it may take, with a last request that hangs. Then the model's process is ended."""

AT_ONCE = 1000
"""Rows of one request at most, as in scoring."""

SEED = 0
"""The seed of rows and shuffles."""

LOOK = 0.2
"""Seconds after which it is looked whether all rows are answered."""

Ask = Callable[[Sequence[Sequence[str]], Sequence[int]], Sequence[Sequence[float]]]
"""The model: rows and their places in rows.csv, from 1, in; the numbers of each row out."""


class Kept:
    """The rows that are asked about, taken as all rows pass by. Of large rows they are fewer.

    `count` are the rows of rows.csv, which has `size` bytes.
    """

    def __init__(self, count: int, size: int) -> None:
        fit = MAX_BYTES // 2 // max(1, size // max(1, count))
        many = min(count, MAX_ROWS, max(1, fit))
        self.order: list[int] = np.random.default_rng(SEED).choice(count, many, replace=False).tolist()
        self.wanted = sorted(self.order)
        self.rows: dict[int, list[str]] = {}

    def take(self, rows: Sequence[list[str]], first: int) -> None:
        """Keep the wanted ones of these rows, the first of which has this place, from 0."""
        for place in self.wanted[
            bisect_left(self.wanted, first) : bisect_left(self.wanted, first + len(rows))
        ]:
            self.rows[place] = rows[place - first]


class Plan(NamedTuple):
    """On how many rows, and how often, each column is asked about."""

    rows: int
    repeats: int


def planned(rows: int, columns: int, numbers: int, seconds: float) -> Plan:
    """What fits into SECONDS and MAX_NUMBERS: first fewer rows, then fewer repeats.

    `rows` there are at most, a prediction has so many `numbers`, and the answer for a row takes `seconds`.
    """
    fit = min(SECONDS / max(seconds, 1e-9), MAX_NUMBERS / numbers)
    some = min(rows, max(MIN_ROWS, int(fit / (columns * REPEATS + 1))))
    return Plan(some, min(REPEATS, max(MIN_REPEATS, int((fit / some - 1) / columns))))


def write_shuffled(ask: Ask, kept: Kept, columns: Sequence[str], folder: str) -> None:
    """Ask, and write shuffled.npz and shuffled.json to the folder.

    Raises what the model raises for rows as they are; a column whose shuffled values it refuses is told.
    """
    began = time.monotonic()
    places = [place for place in kept.order if place in kept.rows]
    probe = [kept.rows[place] for place in places[:MIN_ROWS]]
    width = len(answers(ask, probe, places[:MIN_ROWS])[0])
    plan = planned(len(places), len(columns), width, (time.monotonic() - began) / len(probe))
    places = places[: plan.rows]
    rows = [kept.rows[place] for place in places]
    base = answers(ask, rows, places)
    draw = np.random.default_rng(SEED)
    orders = [draw.permutation(len(rows)).tolist() for _ in range(plan.repeats)]
    found: dict[str, list[Any]] = {}
    refused: list[str] = []
    most = max(1, int(MAX_NUMBERS / (plan.repeats * len(rows) * width)))
    for column, name in enumerate(columns):
        if len(found) == most:
            break
        each = repeated(ask, rows, places, column, orders, began + SECONDS, name)
        if each is None:
            refused.append(name)
        elif len(each) < plan.repeats:  # the time is over
            break
        else:
            found[name] = each
    with open(os.path.join(folder, "shuffled.npz"), "wb") as file:
        np.savez_compressed(file, base=np.array(base), answers=np.array(list(found.values()), dtype=float))
    counted = {"of": len(columns), "repeats": plan.repeats, "seconds": round(time.monotonic() - began, 3)}
    write_description(folder, rows=places, features=list(found), refused=refused, **counted)


def repeated(
    ask: Ask,
    rows: Sequence[Sequence[str]],
    places: Sequence[int],
    column: int,
    orders: Sequence[Sequence[int]],
    until: float,
    name: str,
) -> list[Any] | None:
    """The answers with the column in each of the orders, as many as are begun `until` then; None: refused."""
    found: list[Any] = []
    try:
        for order in orders:
            if time.monotonic() > until:
                break
            found.append(answers(ask, shuffled(rows, column, order), places))
    except (OwnCode, AnswerProblem, NoNumber) as problem:
        print(f"values of {name} were shuffled, and the model refused them: {problem}", flush=True)
        return None
    return found


def write_description(folder: str, **found: Any) -> None:
    """Write shuffled.json, whole or not at all, with null or nothing for what is not known.

    `rows` are the places of the rows in rows.csv, from 0, in the order of the answers; `features` those that
    have answers, `of` how many columns there are, `refused` those that the model refused, and `problem` why
    nothing was asked.
    """
    nothing = {
        "rows": [],
        "features": [],
        "of": 0,
        "repeats": 0,
        "refused": [],
        "seconds": None,
        "problem": None,
    }
    path = os.path.join(folder, "shuffled.json")
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump({"schema_version": SCHEMA_VERSION, **nothing, **found}, file)
    os.replace(path + ".part", path)


def answers(ask: Ask, rows: Sequence[Sequence[str]], places: Sequence[int]) -> list[Sequence[float]]:
    """The numbers of each of the rows, asked in requests of about the same length."""
    parts = -(-len(rows) // AT_ONCE)
    ends = [len(rows) * part // parts for part in range(parts + 1)]
    found: list[Sequence[float]] = []
    for first, last in zip(ends, ends[1:]):
        found += ask(rows[first:last], [place + 1 for place in places[first:last]])
    return found


def shuffled(rows: Sequence[Sequence[str]], column: int, order: Sequence[int]) -> list[list[str]]:
    """The rows, with the values of one column in another order."""
    return [[*row[:column], rows[other][column], *row[column + 1 :]] for row, other in zip(rows, order)]


def waited(process: subprocess.Popen[bytes], folder: Path) -> int | None:
    """The exit code of handsoff_serving.py; None if it goes on ALL_SECONDS after it has answered all rows.

    From then on no time bound of the job's (SIGALRM) holds any more.
    """
    while not (folder / "answered.json").exists():
        with suppress(subprocess.TimeoutExpired):
            return process.wait(LOOK)
    signal.alarm(0)
    with suppress(subprocess.TimeoutExpired):
        return process.wait(ALL_SECONDS)
    return None
