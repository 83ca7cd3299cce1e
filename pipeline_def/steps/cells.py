"""What a cell's text means: to training, to the evaluation and to the endpoint alike.

The file stands alone: train.py puts it beside the model, with inference.py. tests/wall/ holds its rules to
those by which start_retraining inspects a file that landed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Final, NamedTuple


def number_pattern(decimal: str, thousands: str) -> str:
    """The regular expression of a number with this decimal sign, and any of these signs between thousands."""
    point = re.escape(decimal)
    grouped = rf"|\d{{1,3}}(?:[{re.escape(thousands)}]\d{{3}})+" if thousands else ""
    return rf"[+-]?(?:(?:\d+{grouped})(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"


NUMBER: Final = re.compile(number_pattern(".", ""), re.ASCII)
"""The text of a number with a decimal point, without spaces around it."""

SPACES: Final = " \u00a0\u202f"
"""Signs that separate thousands where `data.thousands` is a space: also the two that do not break a line."""

LIMITS: Final = {"random_forest": 3.4028234663852886e38, "ridge": 1e150, "logistic_regression": 1e150}
"""The largest number of a feature, by estimator. scikit-learn's forests compute in 32 bits (IEEE 754), and
its linear models compute squares."""

LEADING_ZERO: Final = re.compile(r"[+-]?0\d")
"""The start of a text of digits that is no number as a category, such as the postcode 01234."""

UNSEEN: Final = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Signs without a width: spaces, joiners, marks of direction and of byte order. Copied text may have them
around it."""

WIDE: Final = {0xFF01 + place: 0x21 + place for place in range(94)}
"""The signs of ASCII by their forms of full width (Unicode, U+FF01 to U+FF5E)."""

MAX_PLAIN: Final = 80
"""Digits up to which the category of a number is written without an exponent. decimal256 has 76."""

TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: ?(?:Z|UTC|([+-])(\d\d):?(\d\d)?))?)?",
    re.ASCII,
)
"""A date, or a time with up to nine decimals and an offset: ISO 8601 as Spark, pandas and Athena write it."""

MICROSECONDS: Final = len("2026-01-31 14:05:00.123456")
"""Characters of a time down to its microseconds. More decimals are cut off."""

TIME_OF_DAY: Final = re.compile(r"(\d\d:\d\d:\d\d)(\.\d{1,9})", re.ASCII)
"""A time of day with decimals. Without them it is its own category."""

# fmt: off
MISSING_WORDS: Final = frozenset([
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "NaT", "None", "\\N", "n/a", "nan", "null",
])
# fmt: on
"""Texts that stand for a missing value: the null values of pyarrow's CSV reader, and what pandas (<NA>, NaT),
Python (None) and Hive (backslash N) write."""

TRUE_WORDS: Final = frozenset(["true", "yes", "t", "y", "1", "1.0"])
"""Texts that stand for true, in lower case."""

FALSE_WORDS: Final = frozenset(["false", "no", "f", "n", "0", "0.0"])
"""Texts that stand for false, in lower case."""

BOOLEAN_WORDS: Final = TRUE_WORDS | FALSE_WORDS
"""Texts that stand for a boolean, in lower case."""


class Spelling(NamedTuple):
    """What the meaning of a text depends on. `data` of the config says it."""

    decimal: str = "."
    thousands: str | None = None
    ignore_case: bool = False
    not_missing: tuple[str, ...] = ()

    @property
    def plain(self) -> Spelling:
        """The same for texts whose numbers have a decimal point, such as canonical ones."""
        return self._replace(decimal=".", thousands=None)


PLAIN: Final = Spelling()
"""How texts are written unless `data` of the config says otherwise."""


def category(text: str, spelling: Spelling = PLAIN) -> str | None:
    """The canonical text of a category; None for a missing value. The canonical text of that is the same.

    Spaces and signs without a width around it do not count, and LF, CR and CRLF in it are LF. A number is
    written plainly and with all its digits: 1, 1.0, +1, 1e0 and a 1 of full width are "1"; a text that begins
    with 0 and another digit is no number. True and false are in lower case. A date or a time is in UTC, and
    midnight is the date; without an offset it counts as UTC.
    """
    word = text.strip()
    if "\r" in word:
        word = word.replace("\r\n", "\n").replace("\r", "\n")
    word = word if word.isascii() else _seen(word)
    folded = word.casefold() if spelling.ignore_case else word
    if folded in _missing(spelling):
        return None
    if word[:1].isdigit() or word[:1] in ("+", "-", ".", spelling.decimal):
        plain = usual_text(word, spelling)
        if NUMBER.fullmatch(plain) and not LEADING_ZERO.match(plain):
            return number_category(plain)
        return time_category(word) or (plain.casefold() if spelling.ignore_case else plain)
    return word.lower() if word.lower() in ("true", "false") else folded


def _seen(word: str) -> str:
    """The text in NFC, without signs around it that have no width. A number of full width is in ASCII."""
    word = unicodedata.normalize("NFC", word)
    while (inner := word.strip(UNSEEN).strip()) != word:
        word = inner
    narrow = word.translate(WIDE)
    return narrow if NUMBER.fullmatch(narrow) else word


@cache
def _missing(spelling: Spelling) -> frozenset[str]:
    """The texts of a missing category."""
    fold: Callable[[str], str] = str.casefold if spelling.ignore_case else str
    kept = {fold(word) for word in spelling.not_missing}
    return frozenset({fold(word) for word in MISSING_WORDS} - kept | {""})


def usual_text(word: str, spelling: Spelling = PLAIN) -> str:
    """A number that is written as the spelling says with a decimal point only; another text as it is."""
    if (spelling.decimal == "." and not spelling.thousands) or not is_number(word, spelling):
        return word
    for sign in thousands_signs(spelling.thousands):
        word = word.replace(sign, "")
    return word.replace(spelling.decimal, ".")


def is_number(word: str, spelling: Spelling = PLAIN) -> bool:
    """Whether the word is a number that is written as the spelling says."""
    return _number(spelling.decimal, thousands_signs(spelling.thousands)).fullmatch(word) is not None


@cache
def _number(decimal: str, thousands: str) -> re.Pattern[str]:
    return re.compile(number_pattern(decimal, thousands), re.ASCII)


def thousands_signs(thousands: str | None) -> str:
    """The signs that may separate thousands, where `thousands` is `data.thousands`."""
    return SPACES if thousands == " " else thousands or ""


def number_category(plain: str) -> str:
    """The category of a number that is written with a decimal point."""
    try:
        number = Decimal(plain)
    except ArithmeticError:  # an exponent of more than eighteen digits
        return plain
    if not number.is_finite():
        return plain
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return "0"
    short = text.rstrip("0")
    number = Decimal(f"{'-' * sign}{short}e{int(exponent) + len(text) - len(short)}")
    return format(number, "f") if abs(number.adjusted()) < MAX_PLAIN else str(number)


def time_category(word: str) -> str | None:
    """The category of a date or a time; None if it is neither."""
    if found := TIME_OF_DAY.fullmatch(word):
        return found[1] + found[2].rstrip("0").removesuffix(".")
    found = TIME.fullmatch(word)
    if not found:
        return None
    *moment, fraction, sign, hours, minutes = found.groups()
    try:
        at = datetime(*(int(part or 0) for part in moment))  # type: ignore[arg-type]
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        at = at + offset if sign == "-" else at - offset
    except (ValueError, OverflowError):
        return None
    text, decimals = at.isoformat(sep=" "), (fraction or "").rstrip("0")
    if decimals:
        return f"{text}.{decimals}"
    return text.removesuffix(" 00:00:00")


def as_date(text: str) -> datetime | None:
    """The time that the text names, in UTC and without a zone, to the microsecond; None for a missing value.

    Raises LookupError for any other text.
    """
    word = text.strip()
    if word in MISSING_WORDS:
        return None
    found = time_category(word) if TIME.fullmatch(word) else None
    if found is None:
        raise LookupError(text)
    return datetime.fromisoformat(found[:MICROSECONDS])


def as_boolean(text: str) -> float | None:
    """1.0 for true, 0.0 for false, None for a missing value. Raises LookupError for any other text."""
    word = text.strip()
    if word in MISSING_WORDS:
        return None
    if word.lower() in BOOLEAN_WORDS:
        return float(word.lower() in TRUE_WORDS)
    raise LookupError(text)
