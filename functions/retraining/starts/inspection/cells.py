"""What the text of a cell may be, by the column that it is in: the target, a number or a boolean.

DataPreProcessing reads the same texts so; tests/wall/test_cells.py holds both to one table.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Final, NamedTuple

from retraining.config.schema import ModelConfig
from retraining.text import first_of

MISSING: Final = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA"}
    | {"NULL", "NaN", "n/a", "nan", "null", "None", "<NA>", "NaT", "\\N"}
)
"""Texts that DataPreProcessing reads as a missing value: pyarrow's default list, and what Python, pandas and
Hive write."""

TRUE: Final = frozenset({"true", "yes", "t", "y", "1", "1.0"})
"""Texts, in lower case, that DataPreProcessing reads as true in a boolean column."""

FALSE: Final = frozenset({"false", "no", "f", "n", "0", "0.0"})
"""Texts, in lower case, that DataPreProcessing reads as false in a boolean column."""

NOT_A_BOOLEAN: Final = (
    "is not a boolean, expected true or false (also yes/no, t/f, y/n, 1/0); list the column in "
    "features.categorical if it has other values"
)
"""What is wrong with a text in a boolean column that is none of TRUE, FALSE and MISSING."""

FLOAT32_MAX: Final = 3.4028234663852886e38
"""The largest number of 32 bits (IEEE 754), with which scikit-learn's random forests compute."""

RANGES: Final[Mapping[str, tuple[float, str]]] = {
    "random_forest": (FLOAT32_MAX, "-3.4e38 and 3.4e38 (random_forest computes in 32 bits)"),
    "ridge": (1e150, "-1e150 and 1e150 (ridge computes squares)"),
    "logistic_regression": (1e150, "-1e150 and 1e150 (logistic_regression computes squares)"),
}
"""The largest number of a feature, by estimator, and how it is told. Larger ones overflow in scikit-learn."""

SPACES: Final = " \u00a0\u202f"
"""Signs that separate thousands where `data.thousands` is a space: also the two that do not break a line."""

_PLAIN: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LIKE_COMMA: Final = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[. '_\u00a0\u202f]\d{3})+),\d+", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", re.ASCII)
_MISSING_FOLDED: Final = MISSING | {word.casefold() for word in MISSING}
_LIKE_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(?:([,. '_\u00a0\u202f])\d{3})+(?:[.,]\d+)?", re.ASCII)


class Fault(NamedTuple):
    """What is wrong with a cell: a code, and what follows the column's name in a sentence."""

    kind: str
    text: str


class Numbers(NamedTuple):
    """How numbers are written as text: `pattern` matches one, and `thousands` are signs to leave out."""

    pattern: re.Pattern[str]
    decimal: str
    thousands: str

    @classmethod
    def of(cls, config: ModelConfig) -> Numbers:
        """As `data.decimal` and `data.thousands` say. One number can be matched in one way only, so that a
        text that is none takes linear time."""
        decimal = config.data.decimal
        thousands = SPACES if config.data.thousands == " " else config.data.thousands or ""
        point = re.escape(decimal)
        grouped = rf"|\d{{1,3}}(?:[{re.escape(thousands)}]\d{{3}})+" if thousands else ""
        number = rf"[+-]?(?:(?:\d+{grouped})(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
        return cls(re.compile(number, re.ASCII), decimal, thousands)

    def value(self, word: str) -> float | None:
        """The number that this text without spaces around it is; None if it is none."""
        if not self.pattern.fullmatch(word):
            return None
        for sign in self.thousands:
            word = word.replace(sign, "")
        return float(word.replace(self.decimal, "."))

    def finite(self, word: str) -> float | None:
        """The number that this text is; None if it is none, or too large for 64 bits."""
        value = self.value(word)
        return None if value is None or math.isinf(value) else value

    def advice(self, word: str) -> str:
        """What to set if this text, which is no number, is one that is written in another way."""
        ways, join = [], " and "
        if self.decimal == "." and _LIKE_COMMA.fullmatch(word):
            ways.append('data.decimal: ","')
        if not self.thousands and (found := _LIKE_THOUSANDS.fullmatch(word)):
            ways.append(f'data.thousands: "{" " if found[1] in SPACES else found[1]}"')
            join = " or " if found[1] == "," else join  # 1,234 has one comma, which is the one or the other
        return f"; if it is written so, set {join.join(ways)} in handsoff.yaml" if ways else ""


class Cells(NamedTuple):
    """What the columns of one model hold.

    `range` is the largest number of a feature, and how it is told. `kinds` are the columns that are looked
    at. `words` and `class_numbers` are the classes as texts and as numbers; `class_booleans` are further
    texts, in lower case, if the classes are true and false. `ignore_case` is that of `data`.
    """

    numbers: Numbers
    range: tuple[float, str]
    kinds: Mapping[str, str]
    words: frozenset[str]
    class_numbers: frozenset[float]
    class_booleans: frozenset[str]
    expected: str
    ignore_case: bool

    @classmethod
    def of(cls, config: ModelConfig) -> Cells:
        """Those of a model."""
        target = "label" if config.task == "regression" else "class"
        return cls(
            numbers=Numbers.of(config),
            range=RANGES.get(config.training.estimator or "", (math.inf, "")),
            kinds={
                **dict.fromkeys(config.features.numeric, "number"),
                **dict.fromkeys(config.features.boolean, "boolean"),
                **({config.data.weight: "weight"} if config.data.weight else {}),
                config.target: target,
            },
            words=frozenset(config.classes),
            class_numbers=frozenset(float(name) for name in config.classes if _PLAIN.fullmatch(name)),
            class_booleans=TRUE | FALSE if {*config.classes} == {"true", "false"} else frozenset(),
            expected="a number" if config.task == "regression" else _one_of(config.classes),
            ignore_case=config.data.ignore_case,
        )

    def fault(self, column: str, text: str) -> Fault | None:
        """What is wrong with this text in one of the `kinds`; None if it fits."""
        word, kind = text.strip(), self.kinds[column]
        if kind == "number":
            return self._number(word)
        if kind == "weight":
            return self._weight(word)
        if kind == "boolean":
            fits = word in MISSING or word.lower() in TRUE or word.lower() in FALSE
            return None if fits else Fault("not_a_boolean", NOT_A_BOOLEAN)
        return self._target(word, kind)

    def same(self, one: str, other: str) -> bool:
        """Whether DataPreProcessing may take two texts for the same value: the same number, both missing, or
        the same word. It alone knows all spellings of a date or a time: two of them may be the same."""
        words = [self._folded(text) for text in (one, other)]
        if words[0] == words[1] or all(word in _MISSING_FOLDED for word in words):
            return True
        values = [self.numbers.value(word) for word in words]
        if None not in values:
            return values[0] == values[1]
        if all(_TIME.match(word) for word in words):
            return True
        return words[0].lower() == words[1].lower() and words[0].lower() in TRUE | FALSE

    def _folded(self, text: str) -> str:
        word = unicodedata.normalize("NFC", text.strip())
        return word.casefold() if self.ignore_case else word

    def _number(self, word: str) -> Fault | None:
        if word in MISSING:
            return None
        value = self.numbers.finite(word)
        if value is None:
            return self._not_a_number(word)
        largest, said = self.range
        if abs(value) <= largest:
            return None
        return Fault("not_a_number", f"is out of range, expected a number between {said}")

    def _weight(self, word: str) -> Fault | None:
        if word in MISSING:
            return Fault("not_a_number", "is missing, expected a number from 0")
        value = self.numbers.finite(word)
        if value is None:
            return self._not_a_number(word)
        return Fault("not_a_number", "is negative, expected a number from 0") if value < 0 else None

    def _target(self, word: str, kind: str) -> Fault | None:
        missing = word in MISSING
        if kind == "label":
            if missing:
                return Fault("not_a_number", "is missing, expected a number")
            return self._not_a_number(word) if self.numbers.finite(word) is None else None
        if self._is_class(word):
            return None
        what = "is missing" if missing else "is not a class"
        return Fault("unknown_class", f"{what}, expected {self.expected}")

    def _is_class(self, word: str) -> bool:
        """Whether a text is one of the classes: the same text, or the same number."""
        if word in self.words or word.lower() in self.class_booleans:
            return True
        value = self.numbers.value(word)
        return value is not None and value in self.class_numbers

    def _not_a_number(self, word: str) -> Fault:
        return Fault("not_a_number", f"is not a number{self.numbers.advice(word)}")


def _one_of(classes: tuple[str, ...]) -> str:
    names = [name[:40] for name in classes]
    if len(names) == 2:
        return " or ".join(names)
    return f"one of {first_of(names)}"
