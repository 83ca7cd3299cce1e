"""What was measured of the worst of several columns, beyond chance, against a rule's `max`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from retraining.config.rules import DataRule
from retraining.verdicts.verdict import Finding, Outcome
from retraining.verdicts.wording import TARGET, data_label, number, typeset


def beyond_chance(rule: DataRule, measured: Mapping[str, tuple[float, float]]) -> Finding:
    """What was measured of the rule's column, or of the worst feature, minus what chance makes of it."""
    name, value = worst({name: found - chance for name, (found, chance) in measured.items()}, rule.column)
    label = named(rule, name)
    if not math.isfinite(value):
        return Finding.of("max", "unknown", f"{label}: not known", limit=rule.max)
    limit, (found, chance) = rule.max or 0.0, measured[name]
    outcome: Outcome = "pass" if value <= limit else "fail"
    numbers = (
        f"{label}: {typeset(f'{found:.4g}')} − {chance:.4g} by chance = {number(value, limit)}, "
        f"needs ≤ {limit:g}"
    )
    return Finding.of("max", outcome, numbers, observed=value, limit=limit)


def worst(values: Mapping[str, float], column: str | None) -> tuple[str, float]:
    """The name and the value of `column`, or of the largest value if it is None; NaN if there is none.

    A value that is not finite comes before all others: it may be the worst.
    """
    if column is not None:
        values = {column: values[column]} if column in values else {}
    return max(values.items(), key=lambda item: (not math.isfinite(item[1]), item[1]), default=("", math.nan))


def named(rule: DataRule, feature: str) -> str:
    """What the rule asks about, with the feature that was found the worst of all, or with the target."""
    if feature == TARGET:
        return data_label(rule.model_copy(update={"of": "target"}))
    label = data_label(rule)
    return f"{label} ({feature})" if feature and rule.column is None else label
