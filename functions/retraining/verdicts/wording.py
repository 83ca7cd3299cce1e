"""How rules and numbers read in a verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from retraining.config.rules import DataRule, MetricRule, Rule
from retraining.verdicts.evaluation import Evaluation

TARGET: Final = "the target"
"""How texts name the target, whose column an evaluation does not tell."""

ANY_FEATURE: Final = "any feature"
"""How texts name the features that a rule on drift asks about together."""

AGAINST: Final[Mapping[str | None, str]] = {
    None: "",
    "champion": "",
    "train": " from train to validation",
    "earlier": " from the earlier to the newest train rows",
}
"""Between which rows a rule asks for drift, in words. Most rules ask about the champion's."""


def describe(rule: Rule, label: str | None = None) -> str:
    """A rule as one line, without its outcome.

    `label` says what a data rule asks about; data_label does if it is None.
    """
    parts = [f"min {rule.min:g}"] if rule.min is not None else []
    parts += [f"max {rule.max:g}"] if rule.max is not None else []
    if isinstance(rule, DataRule):
        return f"{label or data_label(rule)} {', '.join(parts)}"
    parts += [f"confidence {rule.confidence:g}"] if rule.confidence is not None else []
    if versus := rule.versus_champion:
        margins = [versus.asks] if versus.asks else []
        parts += [_margin(question, margin, versus.relative) for question, margin in margins]
        if versus.max_gain is not None:
            parts.append(_margin("max_gain", versus.max_gain, versus.relative))
        parts += [f"confidence {versus.confidence:g}"] if margins else []
    if anchor := rule.versus_anchor:
        margin = _margin("max_loss", anchor.max_loss, anchor.relative)
        parts += [f"{margin} against the anchor", f"confidence {anchor.confidence:g}"]
    return f"{metric_label(rule)} {', '.join(parts)}"


def _margin(question: str, margin: float, relative: bool) -> str:
    """A margin with its name, in percent if it is a share."""
    return f"{question} {f'{100 * margin:g} %' if relative else f'{margin:g}'}"


def metric_label(rule: MetricRule) -> str:
    """What a metric rule asks about: the metric, and the slice if there is one."""
    if rule.slice is None:
        return rule.metric
    where = " and ".join(f"{column} = {value}" for column, value in rule.slice.items())
    return f"{rule.metric} where {where}"


def data_label(rule: DataRule) -> str:
    """What a data rule asks about."""
    if rule.data == "rows":
        return f"{rule.split} rows"
    if rule.data == "drift":
        what = TARGET if rule.of == "target" else rule.column or ANY_FEATURE
        return f"drift of {what}{AGAINST[rule.against]}"
    if rule.data == "leaked_share":
        return "share of validation rows that are in train"
    if rule.data == "lookalikes":
        return "lookalikes"
    if rule.data == "unknown_share":
        return f"unknown share of {rule.column or 'any feature'}"
    return f"missing share of {rule.column or 'any feature'} in {rule.split}"


def why_not_compared(evaluation: Evaluation, other: str = "champion") -> str:
    """Why the evaluation has no comparison with the champion, or with what else stands in its place."""
    if evaluation.champion_problem:
        return f"the {other} cannot be compared with: {evaluation.champion_problem}"
    return f"there is no comparison with the {other}"


def percent(confidence: float) -> str:
    """A confidence in percent, with three digits of what is missing to 100 %: 95 %, 99.9982 %."""
    missing = 100 * (1 - confidence)
    digits = max(0, 2 - math.floor(math.log10(missing)))
    text = f"{100 - missing:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def number(value: float, limit: float, sign: str = "") -> str:
    """`value` with as many digits as are needed to see on which side of `limit` it lies.

    `sign` is "+" to show the sign of positive numbers, too.
    """
    for digits in range(4, 17):
        text = format(value, f"{sign}.{digits}g")
        if (float(text) >= limit) == (value >= limit) and (float(text) <= limit) == (value <= limit):
            break
    return typeset(text)


def counted(n: int, noun: str) -> str:
    """A number of things: `1 row`, `2 rows`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def typeset(text: str) -> str:
    """A formatted number with a minus sign in place of the hyphen; -0 is 0."""
    return "0" if re.fullmatch(r"-0(\.0*)?", text) else text.replace("-", "−")
