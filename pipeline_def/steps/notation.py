"""How numbers are written as text: the signs of decimals and of thousands (`data.decimal`, `data.thousands`).

start_retraining reads numbers by the same rules; tests/wall/ holds both to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from cells import SPACES, number_pattern, thousands_signs
from job import Dialect

_LIKE_COMMA: Final = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[. '_\u00a0\u202f]\d{3})+),\d+", re.ASCII)
_LIKE_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(?:([,. '_\u00a0\u202f])\d{3})+(?:[.,]\d+)?", re.ASCII)


@dataclass(frozen=True)
class Notation:
    """One way of writing numbers: the sign before decimals, and the signs between thousands."""

    decimal: str = "."
    thousands: str = ""

    @classmethod
    def of(cls, dialect: Dialect) -> Notation:
        """As the config says."""
        return cls(dialect.decimal, thousands_signs(dialect.thousands))

    @property
    def usual(self) -> bool:
        """Whether numbers are written as 1234.5."""
        return self.decimal == "." and not self.thousands

    @cached_property
    def pattern(self) -> str:
        """The regular expression of a number without spaces around it."""
        return number_pattern(self.decimal, self.thousands)

    def fits(self, text: str) -> bool:
        """Whether the text is a number."""
        return re.fullmatch(self.pattern, text, re.ASCII) is not None

    def are_numbers(self, texts: pa.Array) -> pa.Array:
        """Whether each text is a number."""
        return pc.match_substring_regex(texts, f"^(?:{self.pattern})$")

    def usual_texts(self, texts: pa.Array) -> pa.Array:
        """The texts with numbers written as 1234.5, and others as they are."""
        if self.usual:
            return texts
        trimmed = plain = pc.utf8_trim_whitespace(texts)
        for sign in self.thousands:
            plain = pc.replace_substring(plain, sign, "")
        plain = pc.replace_substring(plain, self.decimal, ".")
        return pc.if_else(self.are_numbers(trimmed), plain, texts)

    def advice(self, text: str) -> str:
        """What to set if this text, which is no number, is one that is written in another way."""
        ways = []
        if self.decimal == "." and _LIKE_COMMA.fullmatch(text):
            ways.append('data.decimal: ","')
        if not self.thousands and (found := _LIKE_THOUSANDS.fullmatch(text)):
            ways.append(f'data.thousands: "{" " if found[1] in SPACES else found[1]}"')
        if not ways:
            return ""
        join = " and " if "," in text and text.count(",") < len(re.findall(r"[^\d+-]", text)) else " or "
        return f"; if it is written so, set {join.join(ways)} in handsoff.yaml"
