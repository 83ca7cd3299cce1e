"""What the columns of landed files hold, read as DataPreProcessing reads them: for `handsoff init`.

    python look.py < REQUEST > ANSWER

The request is JSON: {"files": [[path, name], …], "target": a column that must be there}. The answer is
{"data": keys of `data` that the files need, "files": [{"name", "rows", "format"}], "rows": number,
"columns": [Column, …]}, or {"problem": text}. Runs with the packages of SageMaker's scikit-learn image, and
the step scripts on Python's path.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import parquet_files
from cells import BOOLEAN_WORDS, Spelling, as_date, category, is_number
from csv_files import open_csv
from formats import format_of
from job import DataProblem, Dialect, Features, StepConfig
from tables import DELIMITERS, Landed, open_file
from texts import to_text

MAX_DISTINCT: Final = 20_000
"""Distinct values of a column that are kept. A column with more has too many to be a category."""

MAX_VALUES: Final = 110
"""The most frequent values of a column that the answer has: more than a target may have classes."""

MAX_PAIRS: Final = 100_000
"""Rows in which values are counted together with those of the target."""

MIN_PAIRS: Final = 5
"""Rows of a value from which it can tell the target. A value that stands once tells it always."""

ENCODINGS: Final = ("utf-8", "utf-16", "cp1252")
"""Encodings that are tried, in this order. Each text is valid in the last one."""

DECIMALS: Final = (Spelling(), Spelling(","), Spelling(",", "."), Spelling(".", ","))
"""How numbers may be written, in the order in which it is tried."""


@dataclass
class Column:
    """A column of all files. `kind` is a Parquet file's type, or text. Shares are of the values."""

    name: str
    kind: str
    rows: int = 0
    missing: int = 0
    distinct: int = 0
    """Different values; MAX_DISTINCT + 1 stands for more."""

    unique: bool = True
    """Whether no value stands twice, as far as MAX_DISTINCT tells."""

    numbers: float = 0.0
    whole: bool = True
    consecutive: bool = False
    booleans: float = 0.0
    dates: float = 0.0
    words: float = 0.0
    """Words of a value, on average."""

    tells: float = 0.0
    """The share of rows whose target is the most frequent one of their value here; 0 for many values."""

    values: list[tuple[str, int]] = field(default_factory=list)
    """The most frequent values with their numbers, the most frequent one first."""


@dataclass
class Pairs:
    """How often each value of a column stands beside each one of the target, in the first MAX_PAIRS rows."""

    target: str
    counts: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    rows: int = 0

    def add(self, block: pa.RecordBatch) -> None:
        """Count a block's rows."""
        if self.rows >= MAX_PAIRS or self.target not in block.schema.names:
            return
        self.rows += block.num_rows
        targets = _texts(block.column(self.target)).to_pylist()
        for name in block.schema.names:
            count = self.counts.setdefault(name, Counter())
            if name != self.target and len(count) <= MAX_VALUES:
                count.update(zip(_texts(block.column(name)).to_pylist(), targets, strict=True))

    def tells(self, name: str) -> float:
        """The share of rows that the most frequent target of each value guesses right."""
        count = self.counts.get(name, Counter())
        if not self.rows or len(count) > MAX_VALUES:
            return 0.0
        best, whole = Counter[str](), Counter[str]()
        for (value, _), number in count.items():
            best[value] = max(best[value], number)
            whole[value] += number
        return sum(number for value, number in best.items() if whole[value] >= MIN_PAIRS) / self.rows


def look(files: Iterable[tuple[Path, str]], target: str) -> dict[str, Any]:
    """The answer for these files. Raises DataProblem."""
    files = list(files)
    dialect, opened = _dialect(files, target)
    counts: dict[str, Counter[str]] = {}
    kinds: dict[str, str] = {}
    rows, told, pairs = 0, [], Pairs(target)
    for landed in opened:
        here = 0
        for block in landed.blocks():
            here += block.num_rows
            pairs.add(block)
            for name in block.schema.names:
                values = block.column(name)
                kinds.setdefault(name, _kind(values.type))
                count = counts.setdefault(name, Counter({"": rows}))  # an earlier file has no such column
                if len(count) <= MAX_DISTINCT:
                    found = pc.value_counts(_texts(values))
                    for one in found.to_pylist():
                        count[one["values"] or ""] += one["counts"]
                else:
                    count["\0more"] += block.num_rows
        for name, count in counts.items():
            if name not in landed.columns:
                count[""] += here
        rows += here
        told.append({"name": landed.key, "rows": here, **landed.written()})
    spelling = next(
        (each for each in DECIMALS[1:] if _number_like(counts, each) > _number_like(counts, DECIMALS[0])),
        DECIMALS[0],
    )
    columns = [
        {**asdict(_column(name, kinds[name], count, spelling)), "tells": pairs.tells(name)}
        for name, count in counts.items()
    ]
    written = {"encoding": dialect.encoding, "delimiter": dialect.delimiter, **spelling._asdict()}
    usual = {"encoding": "utf-8", "delimiter": ",", **Spelling()._asdict()}
    data = {key: value for key, value in written.items() if value != usual[key]}
    return {"data": data, "files": told, "rows": rows, "columns": columns}


def _dialect(files: list[tuple[Path, str]], target: str) -> tuple[Dialect, list[Landed]]:
    """The way of writing in which the files have most columns, and the files. Raises DataProblem."""
    best: tuple[int, Dialect, list[Landed]] | None = None
    problem: DataProblem | None = None
    for encoding in ENCODINGS:
        for delimiter in DELIMITERS:
            dialect = Dialect(encoding=encoding, delimiter=delimiter)
            try:
                names = _header(*files[0], dialect)
                wanted = target if target in names else next(iter(names), "")
                config = StepConfig("model", "regression", wanted, (), Features(), "", data=dialect)
                opened = [open_file(path, name, config) for path, name in files]
                for landed in opened:
                    next(landed.blocks(), None)
            except DataProblem as error:
                problem = problem or error
                continue
            columns = max(len(landed.columns) for landed in opened)
            if best is None or columns > best[0]:
                best = columns, dialect, opened
        if best and (best[0] > 1 or encoding == ENCODINGS[-1]):
            return best[1], best[2]
    if best is None:
        raise problem or DataProblem("the files have no columns")
    return best[1], best[2]


def _header(path: Path, name: str, dialect: Dialect) -> Sequence[str]:
    """The names of a file's columns. Raises DataProblem."""
    if not path.stat().st_size:
        return ()
    found = format_of(path, name)
    if found != "parquet":
        return open_csv(path, name, dialect, packed=found == "gzip").header
    with parquet_files.readable(name), pq.ParquetFile(path) as file:
        names: Sequence[str] = file.schema_arrow.names
        return names


def _kind(kind: pa.DataType) -> str:
    """How a column's type matters: number, boolean, date, text, or the type's name for any other."""
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "date"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    return str(kind)


def _texts(values: pa.Array) -> pa.Array:
    """The values as text, as categories are read; null for what has no text."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError, DataProblem):
        return to_text(values)
    return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())


def _number_like(counts: dict[str, Counter[str]], spelling: Spelling) -> int:
    """How many columns hold numbers only, if they are written so."""
    return sum(
        all(is_number(value.strip(), spelling) for value in values) if (values := _meant(count)) else False
        for count in counts.values()
    )


def _meant(count: Counter[str]) -> dict[str, int]:
    """The values of a column that are none that stands for a missing one."""
    return {
        value: number for value, number in count.items() if category(value) is not None and value != "\0more"
    }


def _column(name: str, kind: str, count: Counter[str], spelling: Spelling) -> Column:
    values, rows = _meant(count), sum(count.values())
    more = count.get("\0more", 0)
    present = sum(values.values())
    numbers = {value for value in values if is_number(value.strip(), spelling)}
    whole = kind in ("number", "text") and all(value.strip().lstrip("+-").isdigit() for value in numbers)
    share = _share(values, present)
    column = Column(
        name,
        kind,
        rows,
        rows - present - more,
        MAX_DISTINCT + 1 if more else len(values),
        all(number == 1 for number in values.values()),
        share(numbers.__contains__),
        whole,
        whole and len(numbers) == len(values) > 1 and _is_consecutive(numbers),
        share(lambda value: value.strip().lower() in BOOLEAN_WORDS),
        1.0 if kind == "date" else share(_is_date),
        sum(len(value.split()) * number for value, number in values.items()) / (present or 1),
    )
    column.values = sorted(values.items(), key=lambda one: (-one[1], one[0]))[:MAX_VALUES]
    return column


def _share(values: dict[str, int], present: int) -> Callable[[Callable[[str], bool]], float]:
    return lambda fits: sum(number for value, number in values.items() if fits(value)) / (present or 1)


def _is_consecutive(numbers: set[str]) -> bool:
    known = {int(value) for value in numbers if len(value) < 16}
    return len(known) == len(numbers) == max(known) - min(known) + 1


def _is_date(value: str) -> bool:
    with suppress(LookupError):
        return as_date(value) is not None
    return False


def main() -> int:
    """Answer the request; the exit code is 0 unless the request is none."""
    request = json.load(sys.stdin)
    try:
        answer = look([(Path(path), name) for path, name in request["files"]], request["target"])
    except DataProblem as problem:
        answer = {"problem": str(problem)}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
