"""Pure: what pages show of a verdict and of each rule's result, as text and drawings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from retraining.html.intervals import Drawing, drawing
from retraining.html.wording import TONES, Said, Tone, spaced
from retraining.verdicts.verdict import LEAP, RuleResult

VERDICTS: Final[Mapping[str, tuple[str, Tone]]] = {
    "APPROVE": ("The rules approve this candidate", "good"),
    "REJECT": ("The rules reject this candidate", "bad"),
    "HOLD": ("The rules leave this candidate to a person", "open"),
}
"""What a verdict's decision means, in words, with its tone."""

_OUTCOMES: Final = {
    "pass": "Met",
    "fail": "Not met",
    "worse": "Worse",
    LEAP: "Suspicious leap",
    "undecided": "Undecided",
    "cannot be judged": "Cannot be judged",
    "skipped": "Not asked",
}
_EFFECTS: Final = {
    "none": "",
    "warn": "only a warning",
    "hold": "so a person decides",
    "reject": "so it is rejected",
}


class Rule(NamedTuple):
    """One rule of the verdict: what it asks, its outcome, the effect of that, the numbers, and drawings."""

    asks: str
    outcome: Said
    effect: str
    numbers: str
    drawings: tuple[Drawing, ...] = ()


def rule_shown(result: RuleResult) -> Rule:
    """A rule's result as a page shows it. The evidence has no `numbers`: they are the text's first part."""
    return Rule(
        asks=spaced(result.rule),
        outcome=Said(_OUTCOMES[result.word], TONES[result.outcome]),
        effect=_EFFECTS[result.effect],
        numbers=spaced(result.numbers or result.text.rpartition(" → ")[0] or result.text),
        drawings=tuple(found for item in result.findings if (found := drawing(item))),
    )
