"""Reasons show no value of a row, and one bad file costs bounded time."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import pytest

from tests.field.conftest import Gives
from tests.field.people import SECRET, as_csv, as_parquet, changed, passengers, typed, zipped
from tests.field.play import Place

ROWS = passengers(300)
VALIDATION = {"validation.csv": as_csv(passengers(100, 9))}


@functools.cache
def deep() -> bytes:
    """A file whose next row is far behind its first bytes. Made in a test: collecting takes long enough."""
    return as_csv(passengers(6000))


@pytest.mark.parametrize(
    "made",
    [
        lambda: as_csv(ROWS, header=False),
        lambda: as_csv(ROWS, header=False, quoting=1),
        lambda: deep() + f"{SECRET},1,2\n".encode(),  # a row with too few values, far behind the first bytes
        lambda: deep() + f'"{SECRET} without an end'.encode(),
        lambda: deep() + as_csv(changed(ROWS[:1], fare=f"{SECRET} 7"), header=False),
        lambda: deep() + as_csv(changed(ROWS[:1], survived=SECRET), header=False),
        lambda: deep() + as_csv(changed(ROWS[:1], alone=SECRET), header=False),
        lambda: as_csv(changed(ROWS[:9], fare=SECRET) + ROWS),
        lambda: as_csv(changed(ROWS[:9], survived=SECRET) + ROWS),
        lambda: as_csv(ROWS) + f"{SECRET};{SECRET}\n".encode(),
        lambda: as_csv(ROWS).replace(b",fare,", f",{SECRET},".encode()),
        lambda: zipped(deep() + f"{SECRET},1\n".encode()),
        lambda: deep() + SECRET.encode() + b"\xff\xfe,1\n",
        lambda: deep() + as_csv(changed(ROWS[:1], sex="ma\x00le"), header=False),
        lambda: zipped(deep() + as_csv(changed(ROWS[:1], note="\x00"), header=False)),
        lambda: as_parquet(typed(ROWS).set_column(2, "fare", [[{SECRET: 1.0}] * len(ROWS)])),
        lambda: as_parquet(typed(ROWS).set_column(2, "fare", [[SECRET] * len(ROWS)])),
        lambda: as_parquet(typed(ROWS).set_column(8, "survived", [[SECRET] * len(ROWS)])),
    ],
    ids=[
        "no header",
        "no header, quoted",
        "deep: too few values",
        "deep: a quote without an end",
        "deep: no number",
        "deep: no class",
        "deep: no boolean",
        "no number",
        "no class",
        "another delimiter in a row",
        "another name in the header",
        "gzip, deep: too few values",
        "deep: no UTF-8",
        "deep: a zero byte",
        "gzip, deep: a zero byte in another column",
        "Parquet: a structure",
        "Parquet: text among numbers",
        "Parquet: no class",
    ],
)
def test_no_value_of_a_row_stands_in_a_reason(made: Callable[[], bytes], gives: Gives) -> None:
    """Named by file, row and column."""
    found = gives(Place().land({"train/part-0": made(), **VALIDATION}))
    assert found.kind in ("quarantined", "failed")
    assert SECRET not in found.said
    assert "train/part-0" in found.said


HEADER = as_csv([]).strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "word"),
    [
        (lambda: b"x" * (30 << 20), "wide"),
        (lambda: b"a,b" * (10 << 20), "wide"),
        (lambda: HEADER + b"," + b",".join(b"c%d" % n for n in range(60_000)) + b"\n", "wide"),
        (lambda: zipped(HEADER + b"," + b",".join(b"c%06d" % n for n in range(500_000)) + b"\n"), "wide"),
    ],
    ids=["no line break", "one endless header", "60,000 columns", "gzip of a header of 4 MB"],
)
def test_a_file_that_is_no_table_is_named_in_bounded_time(
    made: Callable[[], bytes], word: str, gives: Gives
) -> None:
    """Refused within seconds, as too wide."""
    body = made()
    began = time.process_time()
    found = gives(Place().land({"train/part-0": body, "train/part-1": as_csv(ROWS), **VALIDATION}))
    assert found.kind == "quarantined"
    assert word in found.said
    assert time.process_time() - began < 10
