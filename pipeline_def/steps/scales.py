"""How pictures write texts and numbers, and how a number becomes a place on an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

FEW: Final = 5
"""Rows from which a count is shown. Of fewer, a table says only that they are fewer: they may name people."""

NOTHING: Final = 1e-15
"""Below it a number is taken for what rounding leaves of 0."""

UNKNOWN: Final = "—"
"""What stands in place of a number that is not defined."""


def plain(text: str) -> str:
    """The text on one line, without signs that cannot be printed or change the direction of writing."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def cut(text: str, most: int = 80) -> str:
    """The text, or its first signs and an ellipsis if it has more than so many."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def number(value: float, sign: str = "") -> str:
    """A number in four digits, or all digits before the point; — if it is not finite. `sign` is "+" or "".

    Numbers from 10 million on, and those that four digits after the point do not show, have an exponent.
    """
    if not math.isfinite(value):
        return UNKNOWN
    size = 0.0 if abs(value) < NOTHING else abs(value)
    if size >= 1e7 or 0 < size < 5e-5:
        digits, _, power = f"{value:{sign}.3e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(power)}".replace("-", "−")
    form = ",.0f" if size >= 1e4 else ".4g" if size >= 1 else ".4f"
    return format(value + 0.0 if size else 0.0, sign + form).replace("-", "−")


def value(found: float) -> str:
    """A value of the data in four digits, without zeros at its end."""
    return tick(float(f"{found:.4g}")) if math.isfinite(found) else UNKNOWN


def interval(low: float, high: float, sign: str = "") -> str:
    """Both ends of an interval; — if one of them is not finite."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNKNOWN
    return f"{number(low, sign)} to {number(high, sign)}"


def percent(share: float) -> str:
    """A share in percent with one digit after the point."""
    return f"{100 * share:.1f} %".replace("-", "−") if math.isfinite(share) else UNKNOWN


def rows(count: float) -> str:
    """A count of rows; <5 for one to four of them."""
    return f"<{FEW}" if 0 < count < FEW else f"{count:,.0f}"


def drawn(count: float) -> float:
    """The count that a picture draws: two and a half for one to four rows, so that it shows no more."""
    return FEW / 2 if 0 < count < FEW else float(count)


@dataclass(frozen=True)
class Axis:
    """Numbers from `low` to `high` at places from `start` to `end`, in units of the picture."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value. One beyond an end is at the end."""
        inside = min(max(value, self.low), self.high)
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round numbers on the axis, at most so many."""
        for step in _steps(self.high - self.low):
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            if last - first < most:
                return [whole * step for whole in range(first, last + 1)]
        return []


def tick(value: float) -> str:
    """A round number as an axis has it, as short as it is exact."""
    if value and not 1e-3 <= abs(value) < 1e6:
        digits, _, power = f"{value:.4g}".partition("e")
        return (f"{digits}e{int(power)}" if power else digits).replace("-", "−")
    return f"{round(value, 6) + 0.0:,.6f}".rstrip("0").rstrip(".").replace("-", "−")


def axis(values: Iterable[float], start: float, end: float, *, room: float = 0.05) -> Axis:
    """The axis that holds the finite values, with a share of its length free at both ends."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    free = (high - low) * room or abs(high) * room or room
    return Axis(low - free, high + free, start, end)


def _steps(length: float) -> Iterable[float]:
    """Distances of ticks, from too near to far enough: 1, 2 and 5 by powers of ten."""
    power = 10.0 ** (math.floor(math.log10(length)) - 2)
    return (digit * power * 10**more for more in range(5) for digit in (1.0, 2.0, 5.0))
