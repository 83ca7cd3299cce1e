"""Identities of odd values are those of earlier versions, and values that look alike have different ones."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import convert
import identity
from changes import Changes
from job import GROUP, IDENTITY, LOOKALIKE, ROW, Cdc, DataProblem, Dialect, Features, StepConfig

# fmt: off
VALUES: dict[str, Any] = {
    "numbers as text": [
        "0", "-0", "-0.0", "0.0", "+0", "00", "1e400x", "", "NaN", "nan", "9007199254740992",
        "9007199254740993", "-9007199254740993", "1e300", "1e-320", "0.1", "1.10", " 7 ", "007", "1,5",
    ],
    "floats": pa.array([
        0.0, -0.0, float("nan"), None, 1.5, 1e300, 5e-324, 2.0**53, float("inf"), float("-inf"), -1.0,
    ]),
    "float32": pa.array([0.1, -0.0, None, float("nan"), 16777217.0], pa.float32()),
    "half": pa.array(np.array([0.1, -0.0, 2049], "float16")),
    "integers": pa.array([0, -1, 2**53, 2**53 + 1, 2**63 - 1, None]),
    "unsigned": pa.array([0, 2**64 - 1, None], pa.uint64()),
    "booleans": pa.array([True, False, None]),
    "decimals": pa.array(
        [Decimal("1.10"), Decimal("0.00"), None, Decimal("12345678901234567890.12")], pa.decimal128(30, 2)
    ),
    "categories": [
        "a", " A ", "a ", "caf\u00e9", "cafe\u0301", "\u200ba", "\uff11", "stra\u00dfe", "STRASSE", "a\r\nb",
        "a\nb", "true", "True", "FALSE", "no", "NULL", "null", "\\N", "N/A", "None", "", "x" * 100_000,
        "x" * 99_999 + "y", "'", "\x00", "a\x1fb",
    ],
    "times": [
        "2026-01-01", "2026-01-01 00:00:00", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00",
        "2026-01-01 00:00:00.000001", "01:02:03.500", "9999-12-31", "0001-01-01T00:00:00+14:00",
    ],
    "timestamps": pa.array([0, 1, -1, None, 1767225600000000], pa.timestamp("us")),
    "zoned": pa.array([0, 1767225600], pa.timestamp("s", "Europe/Madrid")),
    "dates": pa.array([dt.date(2026, 1, 1), None]),
    "times of day": pa.array([dt.time(1, 2, 3), None, dt.time(1, 2, 3, 500000)]),
    "durations": pa.array([dt.timedelta(seconds=1), None]),
    "bytes": pa.array([b"\xff\x00", b"abc", None]),
    "bytes of text": pa.array([b"abc", b" ABC", None]),
    "lists": pa.array([[1, 2], None, [], [None]]),
    "structures": pa.array([{"a": 1, "b": None}, None, {"a": None, "b": 1}]),
    "large": pa.array(["a", None, "1.0"], pa.large_string()),
    "views": pa.array(["a", None, "1.0"], pa.string_view()),
    "dictionary": pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), pa.array(["a", None, "NULL"])),
    "runs": pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", "1"])),
    "nothing": pa.nulls(3),
}
"""Values of one column, by what they are."""
STORED = {
    "numbers as text": "7f9e05f6 b1ddc809 7f9e05f6 53f8b33e 29588181 -",
    "floats": "f1a2a813 75b79624 f1a2a813 8785563b f1a2a813 -",
    "float32": "37b3a7b7 9940b3e9 37b3a7b7 d2169952 37b3a7b7 9940b3e9",
    "half": "dd23c966 08b79a66 dd23c966 4f729847 dd23c966 08b79a66",
    "integers": "93f4d523 74dbb41d 93f4d523 15a6d3c7 93f4d523 74dbb41d",
    "unsigned": "694b2162 bcd6c5bc 694b2162 4c2e1420 694b2162 bcd6c5bc",
    "booleans": "46428f46 69e9c20b 46428f46 32f16be3 46428f46 69e9c20b",
    "decimals": "ade235c0 e89f37a3 ade235c0 cd0b47a7 ade235c0 e89f37a3",
    "categories": "1ea12999 e93f709b 1ea12999 3330a97e 1ea12999 -",
    "times": "fa43079b 443674b1 fa43079b f270e93b fa43079b -",
    "timestamps": "3f5cadea 34e29d9b 3f5cadea baac4596 3f5cadea -",
    "zoned": "42ec06c4 866a24ed 42ec06c4 8f035b08 42ec06c4 -",
    "dates": "15a7fe30 e1187c0f 15a7fe30 7fa79c0c 15a7fe30 -",
    "times of day": "86c41663 06cb3140 86c41663 999e48a1 86c41663 -",
    "durations": "c6d57182 87339a31 c6d57182 7dde06ae c6d57182 -",
    "bytes": "2301ea9b - 2301ea9b ca6401a7 2301ea9b -",
    "bytes of text": "325c5f85 b51520a2 325c5f85 2a37e57f 325c5f85 -",
    "lists": "50a0c56b 191e3800 50a0c56b 1be3f642 50a0c56b -",
    "structures": "739343ff 091d1a5d 739343ff 8c7df669 739343ff -",
    "large": "890e7d0a 1f1f82d6 890e7d0a def3ab25 890e7d0a -",
    "views": "890e7d0a 1f1f82d6 890e7d0a def3ab25 890e7d0a -",
    "dictionary": "09aff4a0 df1f9ddf 09aff4a0 efc30bd2 09aff4a0 -",
    "runs": "3f3cc7c0 b7972116 3f3cc7c0 682d18fd 3f3cc7c0 -",
    "nothing": "2183f1ec 8662308a 2183f1ec a50c9f43 2183f1ec 8662308a",
}
"""By kind of values, for each of USES the begin of the SHA-256 of the identities as earlier versions made
them: a champion has a list of these. A dash is a use that such values cannot have."""
# fmt: on


def config(features: Features, **data: Any) -> StepConfig:
    task, estimator = "binary_classification", "hist_gradient_boosting"
    return StepConfig("m", task, "y", ("0", "1"), features, estimator, data=Dialect(**data))  # type: ignore[arg-type]


USES = {
    "ignored": config(Features(("n",))),
    "category": config(Features(("n",), ("x",))),
    "folded": config(Features(("n",)), ignore_case=True, not_missing=("N/A",)),
    "identity": config(Features(("n",)), identity=("x",), group=("x", "n")),
    "german": config(Features(("n",)), decimal=",", thousands="."),
    "number": config(Features(("n", "x"))),
}


def identities(columns: dict[str, Any], wanted: StepConfig) -> dict[str, list[int]]:
    table = convert.convert(pa.record_batch(columns), wanted, "key", 1)
    names = [name for name in (ROW, LOOKALIKE, IDENTITY, GROUP) if name in table.column_names]
    return {name: table[name].to_pylist() for name in names}


def of_column(values: Any, wanted: StepConfig) -> dict[str, list[int]]:
    return identities({"n": ["1"] * len(values), "y": ["0"] * len(values), "x": values}, wanted)


def digest(found: dict[str, list[int]]) -> str:
    return hashlib.sha256(repr(found).encode()).hexdigest()[:8]


@pytest.mark.parametrize("kind", STORED)
def test_identities_of_odd_values_are_those_of_earlier_versions(kind: str) -> None:
    found = []
    for wanted in USES.values():
        try:
            found.append(digest(of_column(VALUES[kind], wanted)))
        except DataProblem:
            found.append("-")
    assert " ".join(found) == STORED[kind]


@pytest.mark.parametrize("kind", ["categories", "times", "numbers as text", "large"])
def test_identities_of_a_dictionary_are_those_of_its_texts(kind: str) -> None:
    texts = pa.array(VALUES[kind])
    assert of_column(texts.dictionary_encode(), USES["category"]) == of_column(texts, USES["category"])


def test_missing_values_in_other_columns_make_other_rows() -> None:
    """Joined texts of these rows are the same in many a pair."""
    cells = ["", "1", "a", "0", "true"]
    rows = [(x, y, z) for x in cells for y in cells for z in cells if (x, y, z).count("") == 2] + [("",) * 3]
    columns = dict(zip(("c", "d", "other"), map(list, zip(*rows, strict=True)), strict=True))
    given = {"n": ["1"] * len(rows), "y": ["0"] * len(rows), **columns}
    found = identities(given, config(Features(("n",), ("c", "d"))))
    values = {row: tuple("1" if cell == "true" else cell for cell in row) for row in rows}
    assert len({*found[ROW]}) == len({*values.values()}) == 10


def test_long_texts_that_differ_in_their_last_sign_differ() -> None:
    one, other = ("x" * 100_000 + end for end in "ab")
    assert len({*of_column([one, other], USES["ignored"])[ROW]}) == 2


def test_changes_tell_keys_apart_that_joined_texts_would_not() -> None:
    wanted = config(Features(("n",)), cdc=Cdc("Op", ("k", "l")))
    rows = [("a\x1fb", "c"), ("a", "b\x1fc"), ("true", "1"), ("1", "true"), ("1.0", "x"), ("1", "x")]
    keys = dict(zip("kl", map(list, zip(*rows, strict=True)), strict=True))
    changes = Changes(Cdc("Op", ("k", "l")))
    block = pa.record_batch({"Op": ["I"] * 6, **keys, "n": ["1"] * 6, "y": ["0"] * 6})
    changes.without_deleted(block, wanted, "key", 1)
    assert changes.kept().tolist() == [True, True, True, True, False, True]


def test_hash_of_a_number_is_that_of_pandas() -> None:
    numbers = np.array([0.5, -3.0, 1e300])
    assert identity.row_ids({"x": pa.array(numbers)}).tolist() == [
        306524380890059637,
        3705095729199273484,
        11847092026128538346,
    ]


@pytest.mark.slow
def test_hashes_of_few_short_texts_are_kept_within_bounds() -> None:
    for number in range(60):
        of_column([f"{number}-{place}" for place in range(512)], USES["ignored"])
    many = of_column([f"{place}" for place in range(513)] + ["x" * 1000], USES["ignored"])
    assert len(identity._KNOWN) <= identity.MAX_KNOWN + 600
    assert "x" * 1000 not in identity._KNOWN
    assert of_column(["7"], USES["ignored"])[ROW] == many[ROW][7:8]
    assert of_column(["7,5"], USES["german"])[ROW] == of_column(["7.5"], USES["ignored"])[ROW]
    assert of_column(["7,5"], USES["ignored"])[ROW] != of_column(["7.5"], USES["ignored"])[ROW]
