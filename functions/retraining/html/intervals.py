"""Pure: a small drawing of an interval beside the limit that a rule asks for, as positions and a text."""

from __future__ import annotations

from typing import Final, NamedTuple

from retraining.html.wording import TONES, Tone, number
from retraining.verdicts.verdict import COMPARING, Finding

WIDTH: Final = 240
"""The drawing's width, in the units of all its positions."""

MARGIN: Final = 22
"""Units that stay free at both ends, so that a label in the middle of a position fits."""

APART: Final = 40
"""Units that two labels must be apart; of nearer ones only the limit's is shown."""


class Drawing(NamedTuple):
    """Positions from 0 to WIDTH: of the interval's ends, of the estimate in it, and of the limit.

    What the rule allows begins at `allowed` and is `allowed_width` wide. `zero` is where both models are
    equal; None where the rule limits the candidate's own value. `text` says the same in words.
    """

    low: float
    high: float
    estimate: float
    limit: float
    limit_label: str
    zero: float | None
    zero_label: bool
    allowed: float
    allowed_width: float
    tone: Tone
    text: str


def drawing(finding: Finding) -> Drawing | None:
    """The drawing of a finding with an interval; None for any other."""
    if finding.bounds is None or finding.limit is None or finding.estimate is None:
        return None
    (low, high), limit = finding.bounds, finding.limit
    compared = finding.question in COMPARING
    shown = [low, high, limit, *([0.0] if compared else [])]
    least, span = min(shown), max(shown) - min(shown) or 1.0

    def at(value: float) -> float:
        return round(MARGIN + (value - least) / span * (WIDTH - 2 * MARGIN), 1)

    upward = finding.question != "max"
    zero = at(0.0) if compared else None
    return Drawing(
        low=at(low),
        high=at(high),
        estimate=at(finding.estimate),
        limit=at(limit),
        limit_label=number(limit, "+" if compared else ""),
        zero=zero,
        zero_label=zero is not None and abs(zero - at(limit)) >= APART,
        allowed=at(limit) if upward else 0,
        allowed_width=round(WIDTH - at(limit), 1) if upward else at(limit),
        tone=TONES[finding.outcome],
        text=_in_words(finding, low, high, limit, "+" if compared else ""),
    )


def _in_words(finding: Finding, low: float, high: float, limit: float, sign: str) -> str:
    """What the drawing shows."""
    where = {
        "pass": "lies within what the rule allows",
        "fail": "lies outside what the rule allows",
        "undecided": "contains the limit of what the rule allows",
    }
    asked = "at most" if finding.question == "max" else "at least"
    return (
        f"The interval from {number(low, sign)} to {number(high, sign)} "
        f"{where.get(finding.outcome, 'is shown')}, {asked} {number(limit, sign)}."
    )
