"""Categories of many texts at once are those of each text alone."""

from __future__ import annotations

import itertools
import random

import pyarrow as pa
import pytest

import texts
from cells import MISSING_WORDS, Spelling, category

ODD = [
    *MISSING_WORDS,
    *(word.swapcase() for word in MISSING_WORDS),
    *(
        "true",
        "TRUE",
        "False",
        "yes",
        "tRuE x",
        "a",
        "A b",
        " a",
        "a ",
        "a\tb",
        "a\r\nb",
        "\x7f",
        "\x00",
        "a\x00",
    ),
    *("caf\u00e9", "cafe\u0301", "\uff11", "\u200ba", "stra\u00dfe", "STRASSE", "\u0130", "K", "\u212a"),
    *(
        "1",
        "01",
        "+1",
        "-",
        "+",
        ".",
        "-.",
        "1.",
        ".5",
        "1e5",
        "1E-5",
        "1e",
        "e5",
        "1-2",
        "1,5",
        "0x1F",
        "1 2",
    ),
    *("1-1e", "12:00", "12:00:00", "12:00:00.50", "25:00:00", "99:99:99", "12:00:00x", "-1.#IND", "1.#QNAN"),
    *("2026-01-31", "2026-02-29", "2024-02-29", "2026-02-30", "2026-04-31", "2026-13-01", "0000-01-01"),
    *("0999-12-31", "2026-01-31x", "2026-1-31", "2026-01-31 ", "2026-01-31T10:00:00", "2026-01-31 24:00:00"),
    *("2026-01-31 00:00:00", "2026-01-31 00:00:01", "2026-01-31 00:01:00", "2026-01-31 01:00:00"),
    *("2026-01-31 00:00:00.5", "2026-01-31 10:00:00.50", "2026-01-31 10:00:00.123456789", "2026-01-31 10:00"),
    *("2026-01-31 10:00:00Z", "2026-01-31 10:00:00+01:00", "2026-01-31 10:00:00.", "2026-01-31 10:00:60"),
    *("550e8400-e29b-41d4-a716-446655440000", "1-7919", "cust_1", "12e4567-1", "1e5-3", "2026-01-3a"),
]
"""Texts at the edges of what their form tells."""


def drawn() -> list[str]:
    """Texts of signs that numbers, times and words of missing values are made of."""
    generator = random.Random(3)
    signs = "0123456789+-.:eETZ NAnul/aé"
    return ["".join(generator.choices(signs, k=generator.randint(1, 6))) for _ in range(20_000)]


@pytest.mark.parametrize(
    "spelling",
    [
        Spelling(),
        Spelling(ignore_case=True),
        Spelling(not_missing=("NA", "null")),
        Spelling(ignore_case=True, not_missing=("Na",)),
        Spelling(decimal=",", thousands="."),
    ],
)
def test_categories_of_many_texts_are_those_of_each(spelling: Spelling) -> None:
    given = [*dict.fromkeys(itertools.chain(ODD, drawn()))]
    found = texts.to_categories(pa.array(given), spelling).to_pylist()
    expected = [category(text, spelling.plain) for text in given]
    wrong = [each for each in zip(given, found, expected, strict=True) if each[1] != each[2]]
    assert wrong == []
    assert len(given) > 10 * texts.MANY
